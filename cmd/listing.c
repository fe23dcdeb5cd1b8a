#include "cmd/listing.h"

#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "base/term.h"
#include "cmd/common_out.h"
#include "cmd/format.h"
#include "cmd/table.h"

/* The Docker client reads \t and \n in list formats. */
static char *unescape(const char *s)
{
	char *const ret = xstrdup(s);
	size_t n = 0;

	for (size_t i = 0; ret[i]; i++) {
		if (ret[i] == '\\' && (ret[i + 1] == 't' || ret[i + 1] == 'n'))
			ret[n++] = ret[++i] == 't' ? '\t' : '\n';
		else
			ret[n++] = ret[i];
	}
	ret[n] = '\0';
	return ret;
}

int listing_open(struct listing *l, const char *format, struct err *e)
{
	const char *rest;
	autofree char *text = NULL;

	l->rows = json_array();
	l->labels = json_array();
	if (!format)
		format = "";
	format += strspn(format, " ");
	if (!*format || !strcmp(format, "table"))
		rest = l->table;
	else if (str_starts(format, "table ") || str_starts(format, "table\\t"))
		rest = format + strlen("table");
	else
		rest = NULL;
	l->how = rest ? LISTING_TABLE : LISTING_PLAIN;
	if (rest && l->quiet)
		l->usual = l->quiet_key;
	else if (rest == l->table)
		l->usual = l->table;
	if (rest && l->quiet) {
		l->how = LISTING_PLAIN;
		text = xasprintf("{{.%s}}", l->quiet_key);
	} else if (!rest && !strcmp(format, "json")) {
		l->how = LISTING_JSON;
		return 0;
	} else {
		text = unescape(rest ? rest + strspn(rest, " ") : format);
	}
	l->format = format_parse(text, strlen(text), e);
	return l->format ? 0 : err_prefix(e, "--format");
}

bool listing_wants(const struct listing *l, const char *key)
{
	const size_t n = strlen(key);

	if (!l->usual)
		return true;
	for (const char *p = l->usual; (p = strstr(p, key)) != NULL; p++)
		if ((p == l->usual || p[-1] == '.') && (p[n] == '}' || !p[n]))
			return true;
	return false;
}

void listing_add(struct listing *l, json_t *row, json_t *labels)
{
	(void)json_array_append_new(l->rows, row);
	(void)json_array_append_new(l->labels, labels ? labels : json_object());
}

void listing_free(struct listing *l)
{
	format_free(l->format);
	json_decref(l->rows);
	json_decref(l->labels);
	l->format = NULL;
	l->rows = NULL;
	l->labels = NULL;
}

static int print_heading(const struct listing *l, struct buf *out,
			 struct err *e)
{
	autojson json_t *titles = json_object();

	for (const struct listing_title *t = l->titles; t->key; t++)
		(void)json_object_set_new(titles, t->key,
					  json_string(t->title));
	if (format_exec_heading(l->format, titles, out, e))
		return err_prefix(e, "--format");
	buf_addc(out, '\n');
	return 0;
}

static int add_bytes(const char *p, size_t n, void *out)
{
	buf_add(out, p, n);
	return 0;
}

static int print_row(const struct listing *l, size_t i, struct buf *out,
		     struct err *e)
{
	const json_t *const row = json_array_get(l->rows, i);

	if (l->how == LISTING_JSON) {
		(void)json_dump_callback(row, add_bytes, out, JSON_COMPACT);
	} else if (format_exec_row(l->format, row, json_array_get(l->labels, i),
				   out, e)) {
		return err_prefix(e, "--format");
	}
	buf_addc(out, '\n');
	return 0;
}

static int put(const struct buf *b, bool json, struct err *e)
{
	if (b->over)
		return err_set(e, ERR_TOOBIG, "the output is too long");
	if (json)
		out_json_text(buf_str(b), b->len);
	else
		out_text(buf_str(b), b->len);
	return 0;
}

/* Newlines and tabs in a cell would break its row: they are escaped too. */
static void escape_cells(json_t *row)
{
	autobuf struct buf b = buf_make(FORMAT_OUTPUT_MAX);
	const char *key;
	json_t *value;

	json_object_foreach(row, key, value)
	{
		const char *const s = json_string_value(value);

		if (!s || term_is_plain(s, strlen(s), TERM_LINE))
			continue;
		buf_reset(&b);
		term_escape(s, strlen(s), TERM_LINE, &b);
		(void)json_string_set(value, buf_str(&b));
	}
}

static void escape_table(struct listing *l)
{
	if (!out_escapes())
		return;
	for (size_t i = 0; i < json_array_size(l->rows); i++) {
		escape_cells(json_array_get(l->rows, i));
		escape_cells(json_array_get(l->labels, i));
	}
}

int listing_print(struct listing *l, struct err *e)
{
	autobuf struct buf out = buf_make(FORMAT_OUTPUT_MAX);
	autobuf struct buf laid = buf_make(2 * FORMAT_OUTPUT_MAX);

	if (l->how == LISTING_TABLE)
		escape_table(l);
	if (l->how == LISTING_TABLE && !l->no_heading &&
	    print_heading(l, &out, e))
		return -1;
	for (size_t i = 0; i < json_array_size(l->rows); i++)
		if (print_row(l, i, &out, e))
			return -1;
	if (l->how != LISTING_TABLE)
		return put(&out, l->how == LISTING_JSON, e);
	table_layout(buf_str(&out), out.len, TABLE_CELL_MIN, &laid);
	return put(&laid, false, e);
}

static int inspect_lines(const char *format, const json_t *all, struct err *e)
{
	const bool json =
		!strcmp(format, "json") || !strcmp(format, "{{json .}}");
	const char *const text = json ? "{{json .}}" : format;
	autoformat struct format *f = format_parse(text, strlen(text), e);
	autobuf struct buf out = buf_make(FORMAT_OUTPUT_MAX);

	if (!f)
		return err_prefix(e, "--format");
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (format_exec(f, json_array_get(all, i), &out, e))
			return err_prefix(e, "--format");
		buf_addc(&out, '\n');
	}
	return put(&out, json, e);
}

int listing_inspect(const char *format, const json_t *all, struct err *e)
{
	if (!str_empty(format))
		return inspect_lines(format, all, e);
	out_json(all, JSON_INDENT(4));
	return 0;
}
