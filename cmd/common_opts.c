#include "cmd/common_opts.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"

static void *field(void *fields, const struct opt *o)
{
	return (char *)fields + o->offset;
}

const struct opt *opt_first(const struct opt *table)
{
	while (table && !table->name)
		table = table->more;
	return table;
}

const struct opt *opt_next(const struct opt *o)
{
	return opt_first(o + 1);
}

static const struct opt *find_long(const struct opt *table, const char *s,
				   size_t n)
{
	for (const struct opt *o = opt_first(table); o; o = opt_next(o))
		if (strlen(o->name) == n && memcmp(o->name, s, n) == 0)
			return o;
	return NULL;
}

static const struct opt *find_letter(const struct opt *table, char c)
{
	for (const struct opt *o = opt_first(table); o; o = opt_next(o))
		if (o->letter == c)
			return o;
	return NULL;
}

static int set_bool(const struct opt *o, bool *to, const char *v, struct err *e)
{
	if (!v || !strcmp(v, "yes"))
		*to = true;
	else if (!strcmp(v, "no"))
		*to = false;
	else if (!str_to_bool(v, to))
		return err_set(e, ERR_USAGE,
			       "--%s: '%s' is neither true nor false", o->name,
			       v);
	return 0;
}

static int set_value(const struct opt *o, void *fields, const char *v,
		     struct err *e)
{
	void *const to = field(fields, o);

	switch (o->type) {
	case OPT_BOOL:
		return set_bool(o, to, v, e);
	case OPT_STR:
		*(const char **)to = v;
		return 0;
	case OPT_LIST:
		strv_add(to, v);
		return 0;
	case OPT_MAYBE:
		*(const char **)to = v ? v : "";
		return 0;
	}
	return 0;
}

static bool takes_value(const struct opt *o)
{
	return o->type == OPT_STR || o->type == OPT_LIST;
}

static int unknown(const struct command *c, const char *arg, struct err *e)
{
	const size_t n = strcspn(arg, "=");

	for (const struct opt_refused *r = c->refused; r && r->name; r++)
		if (str_starts(arg, "--") && strlen(r->name) == n - 2 &&
		    !memcmp(r->name, arg + 2, n - 2)) {
			(void)err_set(e, ERR_UNSUPPORTED,
				      "--%s is not in prism", r->name);
			return err_hint(e, "%s", r->instead);
		}
	(void)err_set(e, ERR_USAGE, "unknown option '%s'", arg);
	return err_hint(e, "'prism %s --help' lists the options", c->name);
}

/* One "--name[=value]"; *i moves on when the value is the next argument. */
static int parse_long(const struct command *c, void *fields, int argc,
		      char **argv, int *i, struct err *e)
{
	const char *const s = argv[*i] + 2;
	const size_t n = strcspn(s, "=");
	const struct opt *const o = find_long(c->opts, s, n);
	const char *v = s[n] == '=' ? s + n + 1 : NULL;

	if (!o)
		return unknown(c, argv[*i], e);
	if (takes_value(o) && !v) {
		if (*i + 1 >= argc)
			return err_set(e, ERR_USAGE, "--%s needs a value: %s",
				       o->name, o->arg ? o->arg : "VALUE");
		v = argv[++*i];
	}
	return set_value(o, fields, v, e);
}

/* "-it", "-eK=V", "-e K=V", "-w=/x" (Docker drops one '='). */
static int parse_short(const struct command *c, void *fields, int argc,
		       char **argv, int *i, struct err *e)
{
	const char *const whole = argv[*i];

	for (const char *s = whole + 1; *s; s++) {
		const struct opt *const o = find_letter(c->opts, *s);
		const char *v = NULL;

		if (!o)
			return unknown(c, whole, e);
		if (!takes_value(o)) {
			v = s[1] == '=' ? s + 2 : NULL;
			if (set_value(o, fields, v, e) < 0)
				return -1;
			if (v)
				return 0;
			continue;
		}
		if (s[1])
			v = s[1] == '=' ? s + 2 : s + 1;
		else if (*i + 1 < argc)
			v = argv[++*i];
		else
			return err_set(e, ERR_USAGE, "-%c needs a value: %s",
				       *s, o->arg ? o->arg : "VALUE");
		return set_value(o, fields, v, e);
	}
	return 0;
}

static bool asks_help(const struct command *c, const char *s)
{
	return !strcmp(s, "--help") ||
	       (!strcmp(s, "-h") && !find_letter(c->opts, 'h'));
}

int opts_parse(const struct command *c, void *fields, int argc, char **argv,
	       int *ret_n, bool *ret_help, struct err *e)
{
	int n = 0;

	*ret_help = false;
	for (int i = 0; i < argc; i++) {
		const char *const s = argv[i];
		int rc;

		if (s[0] != '-' || !s[1]) {
			argv[n++] = argv[i];
			if (!c->options_first)
				continue;
			for (i++; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (!strcmp(s, "--")) {
			for (i++; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (asks_help(c, s)) {
			*ret_help = true;
			return 0;
		}
		rc = s[1] == '-' ? parse_long(c, fields, argc, argv, &i, e)
				 : parse_short(c, fields, argc, argv, &i, e);
		if (rc < 0)
			return -1;
	}
	*ret_n = n;
	if (n < c->min_operands ||
	    (c->max_operands >= 0 && n > c->max_operands))
		return err_set(e, ERR_USAGE, "usage: prism %s [OPTIONS] %s",
			       c->name, c->operands);
	return 0;
}

void opts_free(const struct command *c, void *fields)
{
	for (const struct opt *o = opt_first(c->opts); o; o = opt_next(o))
		if (o->type == OPT_LIST)
			strv_free(field(fields, o));
}

void opts_help(FILE *out, const char *program, const struct command *c)
{
	(void)fprintf(out, "Usage: %s %s%s %s\n\n%s\n", program, c->name,
		      c->opts ? " [OPTIONS]" : "", c->operands, c->summary);
	if (c->opts)
		(void)fputs("\nOptions:\n", out);
	for (const struct opt *o = opt_first(c->opts); o; o = opt_next(o)) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s--%s%s%s",
			       o->letter ? (char[]){'-', o->letter, ',', ' ', 0}
					 : "    ",
			       o->name,
			       o->type == OPT_MAYBE ? "[=]"
			       : o->arg             ? " "
						    : "",
			       o->arg ? o->arg : "");
		(void)fprintf(out, "  %-34s %s\n", left, o->help);
	}
}
