/*
 * err - the one way in which prism reports that something went wrong
 *
 * A struct err is fixed-size plain data: it needs no memory on the error path,
 * is safe after fork and goes through a socket as it is. It is set once, where
 * the failure is seen; prefixed by each layer that knows a larger object;
 * given a hint where the way out is known; and printed once, by cmd/.
 *
 * All setters return -1, so that failing is one line:
 *
 *         return err_sys(e, "openat", "layers/%s", hex);
 *
 * The text reads from the outside in: "outer: inner: call object: ENAME
 * (reason)". When space ends, prefixes are cut, never the cause.
 *
 * Life: struct err e = {0}; pass &e down; ask e.kind; err_clear() to reuse.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#define ERR_PRINTF(f, a) __attribute__((format(printf, f, a), cold))

/* What callers may branch on. */
enum err_kind {
	ERR_NONE,
	ERR_SYS,         /* a system call failed; errno is in err.sys */
	ERR_USAGE,       /* the user asked for something that makes no sense */
	ERR_NOTFOUND,    /* the named object does not exist */
	ERR_EXISTS,      /* the named object exists already */
	ERR_INVALID,     /* bytes from outside do not have the promised form */
	ERR_MISMATCH,    /* a digest or a size is not the promised one */
	ERR_TOOBIG,      /* a limit of base/limits.h was passed */
	ERR_NET,         /* no usable answer came over the network */
	ERR_AUTH,        /* the other side refuses these credentials */
	ERR_BUSY,        /* somebody else holds it */
	ERR_GONE,        /* the peer process died */
	ERR_NOEXEC,      /* the program is there but cannot be executed: 126 */
	ERR_NOPROG,      /* the program is not there: 127 */
	ERR_UNSUPPORTED, /* this kernel or this build cannot do it */
	ERR_KINDS
};

struct err {
	int32_t kind;   /* enum err_kind; 0 when there is no error */
	int32_t sys;    /* errno, or 0 */
	char step[24];  /* the innermost STEP that failed, or empty */
	char text[768]; /* "outer: inner: call object: ENAME (reason)" */
	char hint[256]; /* one line of advice, or empty */
};

/* Set e from the current errno: what failed is "call object". */
int err_sys(struct err *e, const char *call, const char *fmt, ...)
	ERR_PRINTF(3, 4);

/* The same with an errno that is not in errno. */
int err_sysno(struct err *e, int errnum, const char *call, const char *fmt, ...)
	ERR_PRINTF(4, 5);

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
	ERR_PRINTF(3, 4);

/* Put "prefix: " in front of the text of a live error. */
int err_prefix(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Add words behind the text, such as what the kernel said in its own log. */
int err_append(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Say what to do about it. The first hint (the innermost) is kept. */
int err_hint(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);

static inline bool err_is(const struct err *e)
{
	return e->kind != ERR_NONE;
}

void err_clear(struct err *e);

/* "ENOENT" for ENOENT; "E?" for a number without a name. Never NULL. */
const char *errno_name(int errnum);

/*
 * A function that works on one object says so in its first line; every error
 * that leaves the scope is then prefixed with it:
 *
 *         ERR_IN(e, "layer %s", digest_short(d));
 */
struct err_scope {
	struct err *e;
	bool had; /* an error that was there before is not ours to prefix */
	char text[120];
};
struct err_scope err_scope_begin(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void err_scope_end(struct err_scope *s);

#define ERR_IN(e, ...)                                            \
	struct err_scope err_in_scope                             \
		__attribute__((cleanup(err_scope_end), unused)) = \
			err_scope_begin((e), __VA_ARGS__)

#endif
