#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "cmd/format_impl.h"
#include "cmd/format_scan.h"

#define FAIL(x, n, ...) format_error((x)->format, (n)->pos, (x)->e, __VA_ARGS__)

/* What one call may make. */
#define CALL_MAX MIB(16)

static int give_buf(struct exec *x, const struct node *n, const struct buf *b,
		    struct value *ret)
{
	if (b->over)
		return FAIL(x, n, "%s: the result is too long", n->name);
	*ret = format_text_value(x, buf_str(b), b->len);
	return 0;
}

static int give_bool(bool yes, struct value *ret)
{
	*ret = (struct value){.v = json_boolean(yes)};
	return 0;
}

static int give_int(struct exec *x, int64_t n, struct value *ret)
{
	*ret = format_take_value(x, json_integer(n));
	return 0;
}

/* Argument i as text, or an error. */
static int want_text(struct exec *x, const struct node *n,
		     const struct value *args, size_t i, const char **ret,
		     size_t *ret_len)
{
	*ret = format_text(&args[i], ret_len);
	if (*ret)
		return 0;
	return FAIL(x, n, "%s: argument %zu is a %s, not a string", n->name,
		    i + 1, format_type_name(&args[i]));
}

static int want_int(struct exec *x, const struct node *n,
		    const struct value *args, size_t i, int64_t *ret)
{
	if (!json_is_integer(args[i].v))
		return FAIL(x, n, "%s: argument %zu is a %s, not an int",
			    n->name, i + 1, format_type_name(&args[i]));
	*ret = json_integer_value(args[i].v);
	return 0;
}

/* ---- logic --------------------------------------------------------------- */

/* The execution asks these two itself: they look at no more than they must. */
static int call_and_or(struct exec *x, const struct node *n,
		       const struct value *args, size_t n_args,
		       struct value *ret)
{
	(void)args;
	(void)n_args;
	(void)ret;
	return FAIL(x, n, "%s: an argument is wanted", n->name);
}

static int call_not(struct exec *x, const struct node *n,
		    const struct value *args, size_t n_args, struct value *ret)
{
	(void)x;
	(void)n;
	(void)n_args;
	return give_bool(!format_truth(&args[0]), ret);
}

/* -1, 0, 1 in *ret; false: they can't be compared. */
static bool compare(const struct value *a, const struct value *b, int *ret)
{
	if (json_is_string(a->v) && json_is_string(b->v)) {
		size_t na = 0;
		size_t nb = 0;
		const char *const pa = format_text(a, &na);
		const char *const pb = format_text(b, &nb);
		const int c = memcmp(pa, pb, na < nb ? na : nb);

		*ret = c ? c : (na > nb) - (na < nb);
		return true;
	}
	if (json_is_integer(a->v) && json_is_integer(b->v)) {
		const int64_t x = json_integer_value(a->v);
		const int64_t y = json_integer_value(b->v);

		*ret = (x > y) - (x < y);
		return true;
	}
	if (json_is_number(a->v) && json_is_number(b->v)) {
		const double x = json_number_value(a->v);
		const double y = json_number_value(b->v);

		*ret = (x > y) - (x < y);
		return true;
	}
	return false;
}

static bool is_nothing(const struct value *v)
{
	return !v->v || json_is_null(v->v);
}

/* A string that is absent is an empty one: what it was typed as. */
static struct value as_typed(const struct value *v, struct exec *x)
{
	if (json_is_null(v->v) && v->kind == KIND_STRING)
		return format_text_value(x, "", 0);
	if (json_is_null(v->v) && v->kind == KIND_NUMBER)
		return format_take_value(x, json_integer(0));
	return *v;
}

static int equal(struct exec *x, const struct node *n, const struct value *a,
		 const struct value *b, bool *ret)
{
	const struct value l = as_typed(a, x);
	const struct value r = as_typed(b, x);
	int order = 0;

	if (json_is_boolean(l.v) && json_is_boolean(r.v))
		*ret = json_is_true(l.v) == json_is_true(r.v);
	else if (is_nothing(&l) || is_nothing(&r))
		*ret = is_nothing(&l) && is_nothing(&r);
	else if (compare(&l, &r, &order))
		*ret = order == 0;
	else
		return FAIL(x, n, "%s: a %s and a %s can't be compared",
			    n->name, format_type_name(a), format_type_name(b));
	return 0;
}

static int call_eq(struct exec *x, const struct node *n,
		   const struct value *args, size_t n_args, struct value *ret)
{
	bool same = false;

	for (size_t i = 1; i < n_args && !same; i++)
		if (equal(x, n, &args[0], &args[i], &same))
			return -1;
	return give_bool(same, ret);
}

static int call_ne(struct exec *x, const struct node *n,
		   const struct value *args, size_t n_args, struct value *ret)
{
	bool same = false;

	(void)n_args;
	if (equal(x, n, &args[0], &args[1], &same))
		return -1;
	return give_bool(!same, ret);
}

static int call_order(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	int order = 0;
	const bool or_equal = n->name[1] == 'e';

	(void)n_args;
	if (!compare(&args[0], &args[1], &order))
		return FAIL(x, n, "%s: a %s and a %s can't be compared",
			    n->name, format_type_name(&args[0]),
			    format_type_name(&args[1]));
	if (order == 0)
		return give_bool(or_equal, ret);
	return give_bool(n->name[0] == 'l' ? order < 0 : order > 0, ret);
}

/* ---- lists and maps ------------------------------------------------------ */

static int call_len(struct exec *x, const struct node *n,
		    const struct value *args, size_t n_args, struct value *ret)
{
	const struct value *const v = &args[0];
	const enum format_kind k = format_kind_of(v);

	(void)n_args;
	if (json_is_string(v->v))
		return give_int(x, (int64_t)json_string_length(v->v), ret);
	if (json_is_array(v->v))
		return give_int(x, (int64_t)json_array_size(v->v), ret);
	if (kind_is_map(k))
		return give_int(x, (int64_t)json_object_size(v->v), ret);
	if (json_is_null(v->v) && (k == KIND_LIST || k == KIND_STRING))
		return give_int(x, 0, ret);
	return FAIL(x, n, "len of a %s", format_type_name(v));
}

static int index_number(struct exec *x, const struct node *n,
			const struct value *v, const struct value *by,
			struct value *ret)
{
	int64_t i = 0;
	size_t size;
	size_t len = 0;
	const char *const text = format_text(v, &len);

	if (!json_is_integer(by->v))
		return FAIL(x, n, "index: a %s can't be indexed with a %s",
			    format_type_name(v), format_type_name(by));
	i = json_integer_value(by->v);
	size = text ? len : json_array_size(v->v);
	if (i < 0 || (uint64_t)i >= size)
		return FAIL(x, n, "index out of range: %lld", (long long)i);
	if (text)
		return give_int(x, (unsigned char)text[i], ret);
	*ret = format_element(v, (size_t)i);
	return 0;
}

static int index_name(struct exec *x, const struct node *n,
		      const struct value *v, const struct value *by,
		      struct value *ret)
{
	const char *const name = json_string_value(by->v);
	bool is_known = false;

	if (!name)
		return FAIL(x, n, "index: a %s can't be indexed with a %s",
			    format_type_name(v), format_type_name(by));
	*ret = format_member(v, name, &is_known);
	if (!is_known)
		return FAIL(x, n, "index: no field '%s'", name);
	if (ret->v || !kind_is_map(v->kind))
		return 0;
	/* The zero value of what the map holds. */
	if (ret->kind == KIND_STRING)
		*ret = format_text_value(x, "", 0);
	else if (ret->kind == KIND_POINTER)
		ret->v = json_null();
	return 0;
}

static int call_index(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	struct value v = args[0];

	for (size_t i = 1; i < n_args; i++) {
		struct value next = {0};
		int rc;

		if (json_is_null(v.v) && kind_is_map(v.kind))
			rc = 0;
		else if (json_is_object(v.v))
			rc = index_name(x, n, &v, &args[i], &next);
		else if (json_is_array(v.v) || json_is_string(v.v))
			rc = index_number(x, n, &v, &args[i], &next);
		else
			rc = FAIL(x, n, "index of %s",
				  v.v ? format_type_name(&v)
				      : "what is absent");
		if (rc)
			return -1;
		v = next;
	}
	*ret = v;
	return 0;
}

static int call_slice(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	size_t len = 0;
	const char *const text = format_text(&args[0], &len);
	int64_t from = 0;
	int64_t to;
	json_t *part;

	if (!text && !json_is_array(args[0].v))
		return FAIL(x, n, "slice of a %s", format_type_name(&args[0]));
	to = (int64_t)(text ? len : json_array_size(args[0].v));
	len = (size_t)to;
	if ((n_args > 1 && want_int(x, n, args, 1, &from)) ||
	    (n_args > 2 && want_int(x, n, args, 2, &to)))
		return -1;
	if (from < 0 || to < from || (uint64_t)to > len)
		return FAIL(x, n, "slice: %lld to %lld is out of range",
			    (long long)from, (long long)to);
	if (text) {
		*ret = format_text_value(x, text + from, (size_t)(to - from));
		return 0;
	}
	part = json_array();
	for (int64_t i = from; i < to; i++) {
		const struct value v = format_element(&args[0], (size_t)i);

		(void)json_array_append_new(part, json_deep_copy(v.v));
	}
	*ret = format_take_value(x, part);
	ret->key = args[0].key;
	return 0;
}

static int call_join(struct exec *x, const struct node *n,
		     const struct value *args, size_t n_args, struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	size_t len = 0;
	const char *sep;

	(void)n_args;
	if (want_text(x, n, args, 1, &sep, &len))
		return -1;
	if (!json_is_array(args[0].v) && !is_nothing(&args[0]))
		return FAIL(x, n, "join: a %s is no list",
			    format_type_name(&args[0]));
	for (size_t i = 0; i < json_array_size(args[0].v); i++) {
		const struct value v = format_element(&args[0], i);

		if (i > 0)
			buf_add(&b, sep, len);
		format_print(&b, &v);
	}
	return give_buf(x, n, &b, ret);
}

static int call_split(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	const char *text;
	const char *sep;
	size_t len = 0;
	size_t k = 0;
	json_t *list;

	(void)n_args;
	if (want_text(x, n, args, 0, &text, &len) ||
	    want_text(x, n, args, 1, &sep, &k))
		return -1;
	list = json_array();
	x->made += len;
	for (size_t i = 0; k == 0 && i < len;) {
		uint32_t c;
		const size_t one = format_get_rune(text + i, len - i, &c);

		(void)json_array_append_new(
			list, json_stringn_nocheck(text + i, one));
		i += one;
	}
	while (k > 0) {
		const char *const at = memmem(text, len, sep, k);
		const size_t part = at ? (size_t)(at - text) : len;

		(void)json_array_append_new(list,
					    json_stringn_nocheck(text, part));
		if (!at)
			break;
		text = at + k;
		len -= part + k;
	}
	*ret = format_take_value(x, list);
	return 0;
}

/* ---- text ---------------------------------------------------------------- */

static int call_json(struct exec *x, const struct node *n,
		     const struct value *args, size_t n_args, struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);

	(void)n_args;
	format_json(&b, &args[0]);
	return give_buf(x, n, &b, ret);
}

/* fmt.Sprint: a space between two arguments when neither is a string. */
static int call_print(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	const bool line = !strcmp(n->name, "println");
	autobuf struct buf b = buf_make(CALL_MAX);

	for (size_t i = 0; i < n_args; i++) {
		if (i > 0 && (line || (!json_is_string(args[i].v) &&
				       !json_is_string(args[i - 1].v))))
			buf_addc(&b, ' ');
		if (args[i].v)
			format_print(&b, &args[i]);
		else
			buf_adds(&b, "<nil>");
	}
	if (line)
		buf_addc(&b, '\n');
	return give_buf(x, n, &b, ret);
}

static int call_printf(struct exec *x, const struct node *n,
		       const struct value *args, size_t n_args,
		       struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	const char *fmt;
	size_t len = 0;

	if (want_text(x, n, args, 0, &fmt, &len))
		return -1;
	format_printf(&b, fmt, len, args + 1, n_args - 1);
	return give_buf(x, n, &b, ret);
}

/* lower, upper, title: of ASCII; other letters stay as they are. */
static int call_case(struct exec *x, const struct node *n,
		     const struct value *args, size_t n_args, struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	const char *p;
	size_t len = 0;
	bool begins = true;

	(void)n_args;
	if (want_text(x, n, args, 0, &p, &len))
		return -1;
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)p[i];
		const bool up =
			n->name[0] == 'u' || (n->name[0] == 't' && begins);

		if (c >= 0x80 || (n->name[0] == 't' && !begins))
			buf_addc(&b, p[i]);
		else
			buf_addc(&b, (char)(up ? toupper(c) : tolower(c)));
		/* strings.Title: letters, digits and _ make words. */
		begins = !format_is_name(p[i]);
	}
	return give_buf(x, n, &b, ret);
}

static int call_pad(struct exec *x, const struct node *n,
		    const struct value *args, size_t n_args, struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	const char *p;
	size_t len = 0;
	int64_t before = 0;
	int64_t after = 0;

	(void)n_args;
	if (want_text(x, n, args, 0, &p, &len) ||
	    want_int(x, n, args, 1, &before) || want_int(x, n, args, 2, &after))
		return -1;
	if (before < 0 || before > FORMAT_WIDTH_MAX || after < 0 ||
	    after > FORMAT_WIDTH_MAX)
		return FAIL(x, n, "pad: a width is out of range");
	/* As the Docker client: what is empty stays empty. */
	if (len > 0)
		buf_addf(&b, "%*s", (int)before, "");
	buf_add(&b, p, len);
	if (len > 0)
		buf_addf(&b, "%*s", (int)after, "");
	return give_buf(x, n, &b, ret);
}

static int call_truncate(struct exec *x, const struct node *n,
			 const struct value *args, size_t n_args,
			 struct value *ret)
{
	const char *p;
	size_t len = 0;
	int64_t most = 0;

	(void)n_args;
	if (want_text(x, n, args, 0, &p, &len) ||
	    want_int(x, n, args, 1, &most))
		return -1;
	if (most < 0)
		return FAIL(x, n, "truncate: a length is out of range");
	*ret = format_text_value(x, p,
				 (uint64_t)most < len ? (size_t)most : len);
	return 0;
}

static void text_of_all(struct buf *b, const struct value *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		format_print(b, &args[i]);
}

static int call_html(struct exec *x, const struct node *n,
		     const struct value *args, size_t n_args, struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	autobuf struct buf t = buf_make(CALL_MAX);

	text_of_all(&t, args, n_args);
	for (size_t i = 0; i < t.len; i++)
		switch (t.p[i]) {
		case '<':
			buf_adds(&b, "&lt;");
			break;
		case '>':
			buf_adds(&b, "&gt;");
			break;
		case '&':
			buf_adds(&b, "&amp;");
			break;
		case '"':
			buf_adds(&b, "&#34;");
			break;
		case '\'':
			buf_adds(&b, "&#39;");
			break;
		default:
			buf_addc(&b, t.p[i]);
		}
	return give_buf(x, n, &b, ret);
}

static int call_urlquery(struct exec *x, const struct node *n,
			 const struct value *args, size_t n_args,
			 struct value *ret)
{
	autobuf struct buf b = buf_make(CALL_MAX);
	autobuf struct buf t = buf_make(CALL_MAX);

	text_of_all(&t, args, n_args);
	buf_add_query(&b, t.p, t.len);
	return give_buf(x, n, &b, ret);
}

static const struct format_func functions[] = {
	{"and", 1, -1, call_and_or, false},
	{"or", 1, -1, call_and_or, false},
	{"not", 1, 1, call_not, false},
	{"eq", 2, -1, call_eq, false},
	{"ne", 2, 2, call_ne, false},
	{"lt", 2, 2, call_order, false},
	{"le", 2, 2, call_order, false},
	{"gt", 2, 2, call_order, false},
	{"ge", 2, 2, call_order, false},
	{"len", 1, 1, call_len, false},
	{"index", 1, -1, call_index, true},
	{"slice", 1, 3, call_slice, true},
	{"print", 0, -1, call_print, false},
	{"printf", 1, -1, call_printf, false},
	{"println", 0, -1, call_print, false},
	{"html", 0, -1, call_html, false},
	{"urlquery", 0, -1, call_urlquery, false},
	{"json", 1, 1, call_json, true},
	{"join", 2, 2, call_join, true},
	{"split", 2, 2, call_split, true},
	{"lower", 1, 1, call_case, true},
	{"upper", 1, 1, call_case, true},
	{"title", 1, 1, call_case, true},
	{"pad", 3, 3, call_pad, true},
	{"truncate", 2, 2, call_truncate, true},
};

const struct format_func *format_func_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (!strcmp(functions[i].name, name))
			return &functions[i];
	return NULL;
}
