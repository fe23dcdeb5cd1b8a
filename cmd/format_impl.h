/*
 * format_impl - the syntax tree of a template and its values (private)
 */
#ifndef CMD_FORMAT_IMPL_H
#define CMD_FORMAT_IMPL_H

#include "cmd/format.h"
#include "cmd/format_kind.h"
#include <stdbool.h>
#include <stdint.h>

#define FORMAT_TEXT_MAX  KIB(256) /* of a template */
#define FORMAT_NEST_MAX  64       /* blocks and parentheses */
#define FORMAT_ARGS_MAX  32       /* of one call */
#define FORMAT_STEPS_MAX 1000000  /* nodes visited in one execution */
#define FORMAT_WIDTH_MAX 10000    /* printf "%9999d" */

enum node_type {
	/* what a list holds */
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_BREAK,
	NODE_CONTINUE,
	/* what an action holds */
	NODE_PIPE,    /* kids: commands; names: declared variables */
	NODE_COMMAND, /* kids: operands */
	/* operands */
	NODE_DOT,
	NODE_FIELD,    /* name of; base: kid, or none for dot */
	NODE_VARIABLE, /* name */
	NODE_FUNCTION, /* name */
	NODE_LITERAL,
	NODE_NIL,
};

struct node {
	enum node_type type;
	size_t pos;         /* in the template, for errors */
	struct node *next;  /* the sibling */
	struct node *kids;  /* see above; of blocks: the body */
	struct node *alt;   /* of blocks: what stands behind else */
	struct node *pipe;  /* of blocks and actions */
	struct node *every; /* all nodes of the template, to free them */
	char *name;         /* owned; text, field, variable, function */
	size_t name_len;
	char *names[2]; /* owned; a pipe's variables */
	bool assign;    /* $x = instead of $x := */
	json_t *literal;
	const struct format_func *func;
};

struct format {
	char *text; /* owned copy */
	size_t len;
	struct node *list;
	struct node *every;
};

/* A value: NULL v is Go's invalid value, "<no value>". Borrowed. */
struct value {
	const json_t *v;
	enum format_kind kind;
	const char *key; /* the member's name by which it was reached */
};

struct exec {
	const struct format *format;
	const json_t *doc;
	const json_t *labels; /* of a row, for .Label "x"; or NULL */
	json_t *keep;         /* an array that owns what the execution made */
	struct buf *out;
	struct {
		const char *name;
		struct value value;
	} * var;
	size_t n_vars;
	size_t cap_vars;
	size_t steps;
	size_t made; /* bytes of text */
	bool heading;
	enum {
		RUN,
		BREAKING,
		CONTINUING
	} flow;
	struct err *e;
};

struct format_func {
	const char *name;
	int min;
	int max; /* -1: any number */
	int (*call)(struct exec *x, const struct node *n,
		    const struct value *args, size_t n_args, struct value *ret);
	bool changes; /* gives its first argument back in a heading */
};

const struct format_func *format_func_find(const char *name);

/* "template:1:7: ..." */
int format_error(const struct format *f, size_t pos, struct err *e,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A new value, owned by the execution. text need not be UTF-8. */
struct value format_text_value(struct exec *x, const char *p, size_t n);
struct value format_take_value(struct exec *x, json_t *v);

/* Members, as field access and index see them. */
struct value format_member(const struct value *of, const char *name,
			   bool *ret_known);
struct value format_element(const struct value *of, size_t i);
enum format_kind format_kind_of(const struct value *v);

/* Go's idea of what is true: neither zero nor empty. */
bool format_truth(const struct value *v);
const char *format_type_name(const struct value *v);

/* As fmt.Print does; format_text() is the text of a string or NULL. */
void format_print(struct buf *b, const struct value *v);
void format_printf(struct buf *b, const char *fmt, size_t len,
		   const struct value *args, size_t n_args);
void format_json(struct buf *b, const struct value *v);
const char *format_text(const struct value *v, size_t *ret_len);

/* The members of an object, as Go ranges over them. Malloced, NULL if none. */
const char **format_keys(const struct value *v, size_t *ret_n);

#endif
