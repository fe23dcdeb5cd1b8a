#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "cmd/format_impl.h"

#define FAIL(x, n, ...) format_error((x)->format, (n)->pos, (x)->e, __VA_ARGS__)

static int eval_pipe(struct exec *x, const struct node *n,
		     const struct value *dot, struct value *ret);
static int run_list(struct exec *x, const struct node *n,
		    const struct value *dot);

/* Loops in loops are bounded by what they do, not by what they say. */
static int step(struct exec *x, const struct node *n)
{
	if (++x->steps > FORMAT_STEPS_MAX)
		return FAIL(x, n, "the template takes too many steps");
	if (x->made > FORMAT_OUTPUT_MAX)
		return FAIL(x, n, "the template makes too much text");
	if (x->out->over)
		return FAIL(x, n, "the output is too long");
	return 0;
}

struct value format_take_value(struct exec *x, json_t *v)
{
	if (v)
		(void)json_array_append_new(x->keep, v);
	return (struct value){.v = v};
}

struct value format_text_value(struct exec *x, const char *p, size_t n)
{
	x->made += n;
	return format_take_value(x, json_stringn_nocheck(p, n));
}

/* ---- variables ----------------------------------------------------------- */

static void var_push(struct exec *x, const char *name, struct value v)
{
	if (x->n_vars == x->cap_vars) {
		x->cap_vars = x->cap_vars ? 2 * x->cap_vars : 8;
		x->var = xrealloc(x->var, x->cap_vars * sizeof(*x->var));
	}
	x->var[x->n_vars].name = name;
	x->var[x->n_vars++].value = v;
}

/* The parser has seen to it that there is one. */
static struct value *var_find(struct exec *x, const char *name)
{
	for (size_t i = x->n_vars; i > 1; i--)
		if (!strcmp(x->var[i - 1].name, name))
			return &x->var[i - 1].value;
	return &x->var[0].value;
}

static void var_set(struct exec *x, const struct node *pipe, size_t i,
		    struct value v)
{
	if (pipe->assign)
		*var_find(x, pipe->names[i]) = v;
	else
		var_push(x, pipe->names[i], v);
}

/* ---- operands ------------------------------------------------------------ */

/* .Label "name" of a row of a list: a method of Docker's. */
static bool is_label_call(const struct exec *x, const struct node *n,
			  const struct value *of)
{
	return !strcmp(n->name, "Label") && of->v == x->doc &&
	       (x->labels || x->heading);
}

static int call_label(struct exec *x, const struct node *n,
		      const struct value *args, size_t n_args,
		      struct value *ret)
{
	const char *const name =
		n_args == 1 ? json_string_value(args[0].v) : NULL;
	const char *text;

	if (!name)
		return FAIL(x, n, ".Label wants one string");
	if (x->heading) {
		const char *const dot = strrchr(name, '.');

		*ret = format_text_value(x, dot ? dot + 1 : name,
					 strlen(dot ? dot + 1 : name));
		return 0;
	}
	text = json_string_value(json_object_get(x->labels, name));
	*ret = format_text_value(x, text ? text : "", text ? strlen(text) : 0);
	return 0;
}

static int eval_field(struct exec *x, const struct node *n,
		      const struct value *of, struct value *ret)
{
	bool is_known = false;

	/* Go: of what is absent everything is absent; a map may be nil. */
	if (!of->v || (json_is_null(of->v) && kind_is_map(of->kind))) {
		*ret = (struct value){0};
		return 0;
	}
	if (!json_is_object(of->v))
		return FAIL(x, n, "no field '%s' in a %s", n->name,
			    format_type_name(of));
	*ret = format_member(of, n->name, &is_known);
	if (is_known || x->heading)
		return 0;
	return FAIL(x, n, "no field '%s'", n->name);
}

static int eval_operand(struct exec *x, const struct node *n,
			const struct value *dot, struct value *ret);

/* .A.b with arguments, if it is something that takes them. */
static int eval_field_call(struct exec *x, const struct node *n,
			   const struct value *dot, const struct value *args,
			   size_t n_args, struct value *ret)
{
	struct value of = *dot;

	if (n->kids && eval_operand(x, n->kids, dot, &of))
		return -1;
	if (is_label_call(x, n, &of))
		return call_label(x, n, args, n_args, ret);
	if (n_args > 0)
		return FAIL(x, n, "'.%s' takes no arguments", n->name);
	return eval_field(x, n, &of, ret);
}

static int eval_operand(struct exec *x, const struct node *n,
			const struct value *dot, struct value *ret)
{
	if (step(x, n))
		return -1;
	switch (n->type) {
	case NODE_DOT:
		*ret = *dot;
		return 0;
	case NODE_VARIABLE:
		*ret = *var_find(x, n->name);
		return 0;
	case NODE_LITERAL:
		*ret = (struct value){.v = n->literal};
		return 0;
	case NODE_NIL:
		*ret = (struct value){0};
		return 0;
	case NODE_FIELD:
		return eval_field_call(x, n, dot, NULL, 0, ret);
	case NODE_PIPE:
		return eval_pipe(x, n, dot, ret);
	case NODE_FUNCTION:
		if (n->func->min > 0)
			return FAIL(x, n, "%s: %d arguments are wanted",
				    n->name, n->func->min);
		return n->func->call(x, n, NULL, 0, ret);
	case NODE_TEXT:
	case NODE_ACTION:
	case NODE_IF:
	case NODE_WITH:
	case NODE_RANGE:
	case NODE_BREAK:
	case NODE_CONTINUE:
	case NODE_COMMAND:
		break;
	}
	return FAIL(x, n, "no operand");
}

/* ---- commands ------------------------------------------------------------ */

/* and, or: what follows the deciding argument is not looked at. */
static int eval_logic(struct exec *x, const struct node *c, bool until,
		      const struct value *dot, const struct value *last,
		      struct value *ret)
{
	for (const struct node *n = c->kids->next; n; n = n->next) {
		if (eval_operand(x, n, dot, ret))
			return -1;
		if (format_truth(ret) == until)
			return 0;
	}
	if (last)
		*ret = *last;
	else if (!c->kids->next)
		return FAIL(x, c, "%s: an argument is wanted", c->kids->name);
	return 0;
}

static int call_function(struct exec *x, const struct node *head,
			 const struct value *args, size_t n, struct value *ret)
{
	const struct format_func *const f = head->func;

	if (n < (size_t)f->min || (f->max >= 0 && n > (size_t)f->max))
		return FAIL(x, head, "%s: %zu arguments, but %s%d are wanted",
			    f->name, n,
			    f->max < 0 || n < (size_t)f->min ? "at least " : "",
			    n < (size_t)f->min ? f->min : f->max);
	if (x->heading && f->changes) {
		/* The title is the string among them. */
		*ret = args[0];
		for (size_t i = 0; i < n; i++)
			if (json_is_string(args[i].v)) {
				*ret = args[i];
				break;
			}
		return 0;
	}
	return f->call(x, head, args, n, ret);
}

static int eval_command(struct exec *x, const struct node *c,
			const struct value *dot, const struct value *last,
			struct value *ret)
{
	const struct node *const head = c->kids;
	struct value args[FORMAT_ARGS_MAX + 1] = {0};
	size_t n = 0;

	if (step(x, c))
		return -1;
	if (head->type == NODE_FUNCTION &&
	    (!strcmp(head->name, "and") || !strcmp(head->name, "or")))
		return eval_logic(x, c, head->name[0] == 'o', dot, last, ret);
	for (const struct node *a = head->next; a; a = a->next)
		if (eval_operand(x, a, dot, &args[n++]))
			return -1;
	if (last)
		args[n++] = *last;
	if (head->type == NODE_FUNCTION)
		return call_function(x, head, args, n, ret);
	if (head->type == NODE_FIELD)
		return eval_field_call(x, head, dot, args, n, ret);
	return eval_operand(x, head, dot, ret);
}

static int eval_pipe(struct exec *x, const struct node *n,
		     const struct value *dot, struct value *ret)
{
	struct value v = {0};
	bool first = true;

	for (const struct node *c = n->kids; c; c = c->next) {
		struct value now = {0};

		if (eval_command(x, c, dot, first ? NULL : &v, &now))
			return -1;
		v = now;
		first = false;
	}
	*ret = v;
	return 0;
}

/* ---- actions ------------------------------------------------------------- */

static int run_action(struct exec *x, const struct node *n,
		      const struct value *dot)
{
	struct value v = {0};

	if (eval_pipe(x, n->pipe, dot, &v))
		return -1;
	if (n->pipe->names[0])
		var_set(x, n->pipe, 0, v);
	else
		format_print(x->out, &v);
	return 0;
}

static int run_if(struct exec *x, const struct node *n, const struct value *dot)
{
	struct value v = {0};
	bool yes;

	if (eval_pipe(x, n->pipe, dot, &v))
		return -1;
	if (n->pipe->names[0])
		var_set(x, n->pipe, 0, v);
	yes = format_truth(&v);
	if (n->type == NODE_WITH && yes)
		return run_list(x, n->kids, &v);
	return run_list(x, yes ? n->kids : n->alt, dot);
}

/* One turn of a loop; *ret_end: {{break}}. */
static int run_turn(struct exec *x, const struct node *n,
		    const struct value *key, const struct value *element,
		    bool *ret_end)
{
	const size_t vars = x->n_vars;
	const bool two = n->pipe->names[1] != NULL;
	int rc;

	if (step(x, n))
		return -1;
	if (n->pipe->names[0])
		var_set(x, n->pipe, 0, two ? *key : *element);
	if (two)
		var_set(x, n->pipe, 1, *element);
	rc = run_list(x, n->kids, element);
	x->n_vars = vars;
	*ret_end = x->flow == BREAKING;
	x->flow = RUN;
	return rc;
}

static int range_list(struct exec *x, const struct node *n,
		      const struct value *v, int64_t count)
{
	bool end = false;

	for (int64_t i = 0; i < count && !end; i++) {
		const struct value key = format_take_value(x, json_integer(i));
		const struct value element =
			json_is_array(v->v) ? format_element(v, (size_t)i)
					    : key;

		if (run_turn(x, n, &key, &element, &end))
			return -1;
	}
	return 0;
}

static int range_map(struct exec *x, const struct node *n,
		     const struct value *v)
{
	size_t n_keys = 0;
	const char **const keys = format_keys(v, &n_keys);
	bool end = false;
	int rc = 0;

	for (size_t i = 0; i < n_keys && !end && rc == 0; i++) {
		bool ignored;
		const struct value key =
			format_text_value(x, keys[i], strlen(keys[i]));
		const struct value element =
			format_member(v, keys[i], &ignored);

		rc = run_turn(x, n, &key, &element, &end);
	}
	free(keys);
	return rc;
}

static int run_range(struct exec *x, const struct node *n,
		     const struct value *dot)
{
	struct value v = {0};

	if (eval_pipe(x, n->pipe, dot, &v))
		return -1;
	if (json_is_array(v.v) && json_array_size(v.v) > 0)
		return range_list(x, n, &v, (int64_t)json_array_size(v.v));
	if (json_is_integer(v.v) && json_integer_value(v.v) > 0)
		return range_list(x, n, &v, json_integer_value(v.v));
	if (json_is_object(v.v) && json_object_size(v.v) > 0)
		return range_map(x, n, &v);
	if (v.v &&
	    (json_is_string(v.v) || json_is_boolean(v.v) || json_is_real(v.v)))
		return FAIL(x, n, "range can't iterate over a %s",
			    format_type_name(&v));
	return run_list(x, n->alt, dot);
}

static int run_node(struct exec *x, const struct node *n,
		    const struct value *dot)
{
	switch (n->type) {
	case NODE_TEXT:
		buf_add(x->out, n->name, n->name_len);
		return 0;
	case NODE_ACTION:
		return run_action(x, n, dot);
	case NODE_IF:
	case NODE_WITH:
		return run_if(x, n, dot);
	case NODE_RANGE:
		return run_range(x, n, dot);
	case NODE_BREAK:
		x->flow = BREAKING;
		return 0;
	case NODE_CONTINUE:
		x->flow = CONTINUING;
		return 0;
	case NODE_PIPE:
	case NODE_COMMAND:
	case NODE_DOT:
	case NODE_FIELD:
	case NODE_VARIABLE:
	case NODE_FUNCTION:
	case NODE_LITERAL:
	case NODE_NIL:
		break;
	}
	return FAIL(x, n, "no action");
}

/* What a list declares ends with it, except at the top. */
static int run_list(struct exec *x, const struct node *n,
		    const struct value *dot)
{
	const size_t vars = x->n_vars;
	int rc = 0;

	for (; n && rc == 0 && x->flow == RUN; n = n->next)
		rc = step(x, n) ? -1 : run_node(x, n, dot);
	x->n_vars = vars;
	return rc;
}

static int execute(const struct format *f, struct exec *x, struct err *e)
{
	autojson json_t *keep = json_array();
	const struct value dot = {.v = x->doc};
	int rc;

	x->format = f;
	x->keep = keep;
	x->e = e;
	var_push(x, "$", dot);
	rc = run_list(x, f->list, &dot);
	free(x->var);
	if (rc == 0 && x->out->over)
		return err_set(e, ERR_TOOBIG, "the output is too long");
	return rc;
}

int format_exec(const struct format *f, const json_t *doc, struct buf *out,
		struct err *e)
{
	struct exec x = {.doc = doc, .out = out};

	return execute(f, &x, e);
}

int format_exec_row(const struct format *f, const json_t *row,
		    const json_t *labels, struct buf *out, struct err *e)
{
	struct exec x = {.doc = row, .labels = labels, .out = out};

	return execute(f, &x, e);
}

int format_exec_heading(const struct format *f, const json_t *doc,
			struct buf *out, struct err *e)
{
	struct exec x = {.doc = doc, .out = out, .heading = true};

	return execute(f, &x, e);
}
