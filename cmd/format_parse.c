/*
 * How it works: a template is text with actions in {{ }}. parse_list() reads
 * text and actions up to the end of the template or to an {{end}} or {{else}},
 * which it reports to the block that asked. An action is a keyword or a
 * pipeline; parse_pipe() reads commands up to what closes it, parse_command()
 * operands, parse_operand() one of them with its .fields. Everything is
 * scanned where it stands; there is no list of tokens.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/format_impl.h"
#include "cmd/format_scan.h"

/* What ended a list. */
enum ending {
	END_FAILED,
	END_OF_TEXT,
	END_WORD,  /* {{end}} */
	END_ELSE,  /* {{else}} */
	END_CHAIN, /* {{else if ...}}: the pipe follows */
	END_CHAIN_WITH,
};

struct parse {
	struct format *f;
	const char *p;
	size_t n;
	size_t i;
	bool trim; /* the last action ended with -}} */
	int nest;
	int loops;
	struct strv vars;
	struct err *e;
};

int format_error(const struct format *f, size_t pos, struct err *e,
		 const char *fmt, ...)
{
	size_t line = 1;
	size_t begin = 0;
	char text[400];
	va_list ap;

	for (size_t i = 0; i < pos && i < f->len; i++) {
		if (f->text[i] != '\n')
			continue;
		line++;
		begin = i + 1;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One line, whatever was quoted. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	return err_set(e, ERR_USAGE, "template:%zu:%zu: %s", line,
		       pos - begin + 1, text);
}

#define FAIL(x, pos, ...) format_error((x)->f, (pos), (x)->e, __VA_ARGS__)

static struct node *make(struct parse *x, enum node_type type, size_t pos)
{
	struct node *const n = xcalloc(1, sizeof(*n));

	n->type = type;
	n->pos = pos;
	n->every = x->f->every;
	x->f->every = n;
	return n;
}

static void set_name(struct node *n, const char *p, size_t len)
{
	n->name = xstrndup(p, len);
	n->name_len = len;
}

/* ---- characters ---------------------------------------------------------- */

static bool at(const struct parse *x, const char *s)
{
	const size_t n = strlen(s);

	return x->n - x->i >= n && memcmp(x->p + x->i, s, n) == 0;
}

static char cur(const struct parse *x)
{
	return x->i < x->n ? x->p[x->i] : '\0';
}

static bool at_end(const struct parse *x)
{
	return at(x, "}}") ||
	       (at(x, "-}}") && x->i > 0 && format_is_space(x->p[x->i - 1]));
}

static void skip_space(struct parse *x)
{
	while (x->i < x->n && format_is_space(x->p[x->i]))
		x->i++;
}

static size_t name_len(const struct parse *x)
{
	size_t n = 0;

	while (x->i + n < x->n && format_is_name(x->p[x->i + n]))
		n++;
	return n;
}

static bool take_word(struct parse *x, const char *word)
{
	const size_t n = name_len(x);

	if (n != strlen(word) || memcmp(x->p + x->i, word, n) != 0)
		return false;
	x->i += n;
	return true;
}

/* "}}" or " -}}" */
static int take_end(struct parse *x)
{
	skip_space(x);
	if (x->i >= x->n)
		return FAIL(x, x->i, "unclosed action");
	if (!at_end(x))
		return FAIL(x, x->i, "unexpected '%c' in an action", cur(x));
	x->trim = cur(x) == '-';
	x->i += x->trim ? 3 : 2;
	return 0;
}

/* ---- operands ------------------------------------------------------------ */

static struct node *parse_pipe(struct parse *x, bool in_parens, bool is_range);

static struct node *parse_literal(struct parse *x)
{
	struct node *const n = make(x, NODE_LITERAL, x->i);
	const char *why = NULL;
	const size_t len = format_scan_literal(x->p + x->i, x->n - x->i,
					       &n->literal, &why);

	if (len == 0) {
		(void)FAIL(x, x->i, "%s", why);
		return NULL;
	}
	x->i += len;
	return n;
}

static bool variable_is_known(const struct parse *x, const char *name)
{
	for (size_t i = 0; i < x->vars.n; i++)
		if (!strcmp(x->vars.v[i], name))
			return true;
	return false;
}

static struct node *parse_variable(struct parse *x)
{
	struct node *const n = make(x, NODE_VARIABLE, x->i);
	const size_t begin = x->i++;

	x->i += name_len(x);
	set_name(n, x->p + begin, x->i - begin);
	if (variable_is_known(x, n->name))
		return n;
	(void)FAIL(x, begin, "undefined variable '%s'", n->name);
	return NULL;
}

static struct node *parse_word(struct parse *x)
{
	static const char *const reserved[] = {
		"define", "template", "block", "end",   "else",
		"if",     "range",    "with",  "break", "continue",
	};
	const size_t len = name_len(x);
	struct node *n = make(x, NODE_FUNCTION, x->i);

	set_name(n, x->p + x->i, len);
	x->i += len;
	if (!strcmp(n->name, "true") || !strcmp(n->name, "false")) {
		n->type = NODE_LITERAL;
		n->literal = json_boolean(n->name[0] == 't');
		return n;
	}
	if (!strcmp(n->name, "nil")) {
		n->type = NODE_NIL;
		return n;
	}
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (!strcmp(n->name, reserved[i])) {
			(void)FAIL(x, n->pos, "unexpected '%s'", n->name);
			return NULL;
		}
	n->func = format_func_find(n->name);
	if (n->func)
		return n;
	(void)FAIL(x, n->pos, "function '%s' is not defined", n->name);
	return NULL;
}

static struct node *parse_parens(struct parse *x)
{
	struct node *n;

	x->i++;
	n = parse_pipe(x, true, false);
	if (!n)
		return NULL;
	x->i++; /* where parse_pipe saw the ')' */
	return n;
}

/* ".a.b" behind base, or from dot when base is NULL. */
static struct node *parse_fields(struct parse *x, struct node *base)
{
	while (cur(x) == '.') {
		struct node *const n = make(x, NODE_FIELD, x->i);
		size_t len;

		x->i++;
		len = name_len(x);
		if (len == 0) {
			(void)FAIL(x, n->pos, "unexpected '.'");
			return NULL;
		}
		set_name(n, x->p + x->i, len);
		x->i += len;
		n->kids = base;
		base = n;
	}
	return base;
}

static struct node *parse_operand(struct parse *x)
{
	struct node *n = NULL;

	if (cur(x) == '.') {
		const bool field =
			x->i + 1 < x->n && format_is_name(x->p[x->i + 1]);

		if (field)
			return parse_fields(x, NULL);
		n = make(x, NODE_DOT, x->i++);
	} else if (cur(x) == '$') {
		n = parse_variable(x);
	} else if (cur(x) == '(') {
		n = parse_parens(x);
	} else if (format_is_literal(x->p + x->i, x->n - x->i)) {
		n = parse_literal(x);
	} else if (format_is_name(cur(x))) {
		n = parse_word(x);
	} else if (x->i >= x->n) {
		(void)FAIL(x, x->i, "unclosed action");
	} else {
		(void)FAIL(x, x->i, "unexpected '%c' in an action", cur(x));
	}
	if (n && cur(x) == '.') {
		if (n->type == NODE_VARIABLE || n->type == NODE_PIPE)
			return parse_fields(x, n);
		(void)FAIL(x, x->i, "unexpected '.'");
		return NULL;
	}
	return n;
}

/* ---- commands and pipes -------------------------------------------------- */

static bool at_command_end(const struct parse *x, bool in_parens)
{
	return cur(x) == '|' || at_end(x) || (in_parens && cur(x) == ')');
}

static struct node *parse_command(struct parse *x, bool in_parens)
{
	struct node *const c = make(x, NODE_COMMAND, x->i);
	struct node **tail = &c->kids;
	size_t count = 0;

	for (;;) {
		struct node *n;

		skip_space(x);
		if (at_command_end(x, in_parens))
			break;
		n = parse_operand(x);
		if (!n)
			return NULL;
		*tail = n;
		tail = &n->next;
		if (++count > FORMAT_ARGS_MAX) {
			(void)FAIL(x, n->pos, "too many arguments");
			return NULL;
		}
		if (!format_is_space(cur(x)) && !at_command_end(x, in_parens)) {
			if (x->i < x->n)
				(void)FAIL(x, x->i, "unexpected '%c'", cur(x));
			else
				(void)FAIL(x, x->i, "unclosed action");
			return NULL;
		}
	}
	if (count == 0) {
		(void)FAIL(x, x->i, "a command is missing");
		return NULL;
	}
	return c;
}

/* Behind the first command of a pipe only what takes an argument. */
static int check_stage(struct parse *x, const struct node *c, bool first)
{
	const struct node *const head = c->kids;
	const bool takes =
		head->type == NODE_FUNCTION || head->type == NODE_FIELD;

	if (head->type == NODE_NIL && !head->next)
		return FAIL(x, head->pos, "nil is not a command");
	if (!first && !takes)
		return FAIL(x, head->pos,
			    "what stands behind '|' must be a function");
	if (head->next && !takes)
		return FAIL(x, head->next->pos,
			    "arguments behind what is no function");
	return 0;
}

/* "$x :=", "$x =", "$i, $v :=": *ret names, or everything as it was. */
static int parse_declaration(struct parse *x, struct node *pipe, bool is_range)
{
	const size_t begin = x->i;
	size_t n = 0;

	while (cur(x) == '$' && n < 2) {
		const size_t from = x->i++;

		x->i += name_len(x);
		pipe->names[n++] = xstrndup(x->p + from, x->i - from);
		skip_space(x);
		if (cur(x) != ',' || !is_range)
			break;
		x->i++;
		skip_space(x);
	}
	if (n > 0 && at(x, ":=")) {
		x->i += 2;
		return 0;
	}
	if (n > 0 && cur(x) == '=') {
		x->i++;
		pipe->assign = true;
		for (size_t i = 0; i < n; i++)
			if (!variable_is_known(x, pipe->names[i]))
				return FAIL(x, begin, "undefined variable '%s'",
					    pipe->names[i]);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		free(pipe->names[i]);
		pipe->names[i] = NULL;
	}
	x->i = begin;
	return 0;
}

/* Up to '}}', which is left to the caller, or ')', seen but not taken. */
static struct node *parse_pipe(struct parse *x, bool in_parens, bool is_range)
{
	struct node *const pipe = make(x, NODE_PIPE, x->i);
	struct node **tail = &pipe->kids;

	if (++x->nest > FORMAT_NEST_MAX) {
		(void)FAIL(x, x->i, "nested too deeply");
		return NULL;
	}
	skip_space(x);
	if (!in_parens && parse_declaration(x, pipe, is_range))
		return NULL;
	for (;;) {
		struct node *const c = parse_command(x, in_parens);

		if (!c || check_stage(x, c, tail == &pipe->kids))
			return NULL;
		*tail = c;
		tail = &c->next;
		if (cur(x) != '|')
			break;
		x->i++;
	}
	for (size_t i = 0; i < 2 && pipe->names[i]; i++)
		if (!pipe->assign)
			strv_add(&x->vars, pipe->names[i]);
	x->nest--;
	return pipe;
}

/* ---- actions and lists --------------------------------------------------- */

static enum ending parse_list(struct parse *x, struct node **ret);

static void forget_vars(struct parse *x, size_t n)
{
	while (x->vars.n > n) {
		free(x->vars.v[--x->vars.n]);
		x->vars.v[x->vars.n] = NULL;
	}
}

static struct node *parse_block(struct parse *x, enum node_type type);

/* What stands between {{else}} and {{end}}. */
static int parse_else(struct parse *x, struct node *n, enum ending how)
{
	enum ending end;

	if (how == END_CHAIN || how == END_CHAIN_WITH) {
		/* {{else if}} is an if inside the else, with one {{end}}. */
		n->alt = parse_block(x, how == END_CHAIN ? NODE_IF : NODE_WITH);
		return n->alt ? 0 : -1;
	}
	end = parse_list(x, &n->alt);
	if (end == END_FAILED)
		return -1;
	if (end == END_OF_TEXT)
		return FAIL(x, n->pos, "no {{end}} to this block");
	if (end != END_WORD)
		return FAIL(x, x->i, "a second {{else}}");
	return 0;
}

/* Behind the keyword: the pipe, the lists, {{end}}. */
static struct node *parse_block(struct parse *x, enum node_type type)
{
	struct node *const n = make(x, type, x->i);
	const size_t vars = x->vars.n;
	enum ending end;
	int rc = 0;

	if (++x->nest > FORMAT_NEST_MAX) {
		(void)FAIL(x, n->pos, "nested too deeply");
		return NULL;
	}
	n->pipe = parse_pipe(x, false, type == NODE_RANGE);
	if (!n->pipe || take_end(x))
		return NULL;
	x->loops += type == NODE_RANGE;
	end = parse_list(x, &n->kids);
	x->loops -= type == NODE_RANGE;
	switch (end) {
	case END_FAILED:
		return NULL;
	case END_OF_TEXT:
		rc = FAIL(x, n->pos, "no {{end}} to this block");
		break;
	case END_WORD:
		break;
	case END_CHAIN:
		if (type != NODE_IF)
			rc = FAIL(x, x->i, "{{else if}} without {{if}}");
		break;
	case END_CHAIN_WITH:
		if (type != NODE_WITH)
			rc = FAIL(x, x->i, "{{else with}} without {{with}}");
		break;
	case END_ELSE:
		break;
	}
	if (rc || (end != END_WORD && parse_else(x, n, end)))
		return NULL;
	forget_vars(x, vars);
	x->nest--;
	return n;
}

/* Text up to the next action; trimmed at both sides as asked. */
static void parse_text(struct parse *x, struct node ***tail)
{
	size_t begin = x->i;
	size_t end;
	const char *const p =
		memmem(x->p + x->i, x->n - x->i, "{{", strlen("{{"));

	end = p ? (size_t)(p - x->p) : x->n;
	x->i = end;
	if (x->trim)
		while (begin < end && format_is_space(x->p[begin]))
			begin++;
	if (end + 3 < x->n && x->p[end + 2] == '-' &&
	    format_is_space(x->p[end + 3]))
		while (end > begin && format_is_space(x->p[end - 1]))
			end--;
	x->trim = false;
	if (end > begin) {
		struct node *const n = make(x, NODE_TEXT, begin);

		set_name(n, x->p + begin, end - begin);
		**tail = n;
		*tail = &n->next;
	}
}

/* {{/ * ... * /}}: nothing may stand beside it. */
static int skip_comment(struct parse *x)
{
	const size_t begin = x->i;
	const char *const p =
		memmem(x->p + x->i, x->n - x->i, "*/", strlen("*/"));

	if (!p)
		return FAIL(x, begin, "unclosed comment");
	x->i = (size_t)(p - x->p) + 2;
	if (!at(x, "}}") && !(x->i < x->n && format_is_space(cur(x))))
		return FAIL(x, begin, "a comment ends before its delimiter");
	return take_end(x);
}

static int parse_loop_word(struct parse *x, struct node *n)
{
	if (x->loops == 0)
		return FAIL(x, n->pos, "{{%s}} outside {{range}}",
			    n->type == NODE_BREAK ? "break" : "continue");
	return take_end(x);
}

/* One action that makes a node; NULL on an error. */
static struct node *parse_action(struct parse *x)
{
	static const char *const not_here[] = {"define", "template", "block"};
	struct node *n;

	if (take_word(x, "if"))
		return parse_block(x, NODE_IF);
	if (take_word(x, "with"))
		return parse_block(x, NODE_WITH);
	if (take_word(x, "range"))
		return parse_block(x, NODE_RANGE);
	for (size_t i = 0; i < ARRAY_LEN(not_here); i++)
		if (take_word(x, not_here[i])) {
			(void)FAIL(x, x->i, "{{%s}} is not supported",
				   not_here[i]);
			return NULL;
		}
	n = make(x, NODE_ACTION, x->i);
	if (take_word(x, "break"))
		n->type = NODE_BREAK;
	else if (take_word(x, "continue"))
		n->type = NODE_CONTINUE;
	if (n->type != NODE_ACTION)
		return parse_loop_word(x, n) ? NULL : n;
	n->pipe = parse_pipe(x, false, false);
	if (!n->pipe || take_end(x))
		return NULL;
	return n;
}

/* Is this {{end}} or {{else}}? END_OF_TEXT: neither. */
static enum ending parse_ending(struct parse *x)
{
	enum ending end = END_OF_TEXT;

	if (take_word(x, "end"))
		end = END_WORD;
	else if (take_word(x, "else"))
		end = END_ELSE;
	else
		return end;
	skip_space(x);
	if (end == END_ELSE && take_word(x, "if"))
		return END_CHAIN;
	if (end == END_ELSE && take_word(x, "with"))
		return END_CHAIN_WITH;
	return take_end(x) ? END_FAILED : end;
}

static enum ending parse_list(struct parse *x, struct node **ret)
{
	struct node **tail = ret;

	for (;;) {
		enum ending end;
		struct node *n;

		parse_text(x, &tail);
		if (x->i >= x->n)
			return END_OF_TEXT;
		x->i += 2;
		if (cur(x) == '-' && x->i + 1 < x->n &&
		    format_is_space(x->p[x->i + 1]))
			x->i++;
		skip_space(x);
		if (at(x, "/*")) {
			if (skip_comment(x))
				return END_FAILED;
			continue;
		}
		end = parse_ending(x);
		if (end != END_OF_TEXT)
			return end;
		n = parse_action(x);
		if (!n)
			return END_FAILED;
		*tail = n;
		tail = &n->next;
	}
}

static int parse_all(struct parse *x)
{
	switch (parse_list(x, &x->f->list)) {
	case END_FAILED:
		return -1;
	case END_OF_TEXT:
		return 0;
	case END_WORD:
		return FAIL(x, x->i, "{{end}} without a block");
	case END_ELSE:
	case END_CHAIN:
	case END_CHAIN_WITH:
		break;
	}
	return FAIL(x, x->i, "{{else}} without a block");
}

struct format *format_parse(const char *p, size_t len, struct err *e)
{
	struct format *const f = xcalloc(1, sizeof(*f));
	struct parse x = {.f = f, .n = len, .e = e};
	int rc;

	if (len > FORMAT_TEXT_MAX || memchr(p, '\0', len)) {
		free(f);
		(void)err_set(e, ERR_USAGE, "the template is %s",
			      len > FORMAT_TEXT_MAX ? "too long" : "no text");
		return NULL;
	}
	f->text = xstrndup(p, len);
	f->len = len;
	x.p = f->text;
	strv_add(&x.vars, "$");
	rc = parse_all(&x);
	strv_free(&x.vars);
	if (rc == 0)
		return f;
	format_free(f);
	return NULL;
}

void format_free(struct format *f)
{
	if (!f)
		return;
	while (f->every) {
		struct node *const n = f->every;

		f->every = n->every;
		free(n->name);
		free(n->names[0]);
		free(n->names[1]);
		json_decref(n->literal);
		free(n);
	}
	free(f->text);
	free(f);
}

void own_format(struct format **f)
{
	format_free(*f);
}
