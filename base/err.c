#include "err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* glibc has strerrorname_np(); musl, which pid1 is built with, has not. */
#define E(name) [name] = #name
static const char *const errno_names[] = {
	E(EPERM),           E(ENOENT),       E(ESRCH),
	E(EINTR),           E(EIO),          E(ENXIO),
	E(E2BIG),           E(ENOEXEC),      E(EBADF),
	E(ECHILD),          E(EAGAIN),       E(ENOMEM),
	E(EACCES),          E(EFAULT),       E(ENOTBLK),
	E(EBUSY),           E(EEXIST),       E(EXDEV),
	E(ENODEV),          E(ENOTDIR),      E(EISDIR),
	E(EINVAL),          E(ENFILE),       E(EMFILE),
	E(ENOTTY),          E(ETXTBSY),      E(EFBIG),
	E(ENOSPC),          E(ESPIPE),       E(EROFS),
	E(EMLINK),          E(EPIPE),        E(EDOM),
	E(ERANGE),          E(EDEADLK),      E(ENAMETOOLONG),
	E(ENOLCK),          E(ENOSYS),       E(ENOTEMPTY),
	E(ELOOP),           E(ENOMSG),       E(EIDRM),
	E(ENOSTR),          E(ENODATA),      E(ETIME),
	E(ENOLINK),         E(EPROTO),       E(EBADMSG),
	E(EOVERFLOW),       E(EILSEQ),       E(EUSERS),
	E(ENOTSOCK),        E(EDESTADDRREQ), E(EMSGSIZE),
	E(EPROTOTYPE),      E(ENOPROTOOPT),  E(EPROTONOSUPPORT),
	E(ESOCKTNOSUPPORT), E(EOPNOTSUPP),   E(EPFNOSUPPORT),
	E(EAFNOSUPPORT),    E(EADDRINUSE),   E(EADDRNOTAVAIL),
	E(ENETDOWN),        E(ENETUNREACH),  E(ENETRESET),
	E(ECONNABORTED),    E(ECONNRESET),   E(ENOBUFS),
	E(EISCONN),         E(ENOTCONN),     E(ETIMEDOUT),
	E(ECONNREFUSED),    E(EHOSTDOWN),    E(EHOSTUNREACH),
	E(EALREADY),        E(EINPROGRESS),  E(ESTALE),
	E(EUCLEAN),         E(EDQUOT),       E(ENOMEDIUM),
	E(ECANCELED),       E(ENOKEY),       E(EKEYREJECTED),
};
#undef E

const char *errno_name(int errnum)
{
	const size_t n = sizeof(errno_names) / sizeof(errno_names[0]);

	if (errnum < 0 || (size_t)errnum >= n || !errno_names[errnum])
		return "E?";
	return errno_names[errnum];
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

static void put_sys(struct err *e, int errnum, const char *call,
		    const char *fmt, va_list ap)
{
	char object[512];

	/* A live error must not be lost under a second one. */
	assert(!err_is(e));
	(void)vsnprintf(object, sizeof(object), fmt, ap);
	e->kind = ERR_SYS;
	e->sys = errnum;
	(void)snprintf(e->text, sizeof(e->text), "%s%s%s: %s (%s)", call,
		       object[0] ? " " : "", object, errno_name(errnum),
		       strerror(errnum));
}

int err_sys(struct err *e, const char *call, const char *fmt, ...)
{
	const int errnum = errno;
	va_list ap;

	va_start(ap, fmt);
	put_sys(e, errnum, call, fmt, ap);
	va_end(ap);
	errno = errnum;
	return -1;
}

int err_sysno(struct err *e, int errnum, const char *call, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_sys(e, errnum, call, fmt, ap);
	va_end(ap);
	errno = errnum;
	return -1;
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	assert(!err_is(e));
	e->kind = (int32_t)kind;
	e->sys = 0;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* The cause stands at the end and is kept whole: the prefix gives way. */
static void put_prefix(struct err *e, const char *prefix)
{
	const size_t have = strlen(e->text);
	const size_t room = sizeof(e->text) - 1 - have;
	size_t n = strlen(prefix);

	if (room < 3)
		return;
	if (n > room - 2)
		n = room - 2;
	memmove(e->text + n + 2, e->text, have + 1);
	memcpy(e->text, prefix, n);
	memcpy(e->text + n, ": ", 2);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	const int errnum = errno;
	char prefix[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	put_prefix(e, prefix);
	errno = errnum;
	return -1;
}

int err_append(struct err *e, const char *fmt, ...)
{
	const size_t have = strlen(e->text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->text + have, sizeof(e->text) - have, fmt, ap);
	va_end(ap);
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e->hint[0])
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

struct err_scope err_scope_begin(struct err *e, const char *fmt, ...)
{
	struct err_scope s = {.e = e, .had = err_is(e)};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	return s;
}

void err_scope_end(struct err_scope *s)
{
	if (err_is(s->e) && !s->had)
		put_prefix(s->e, s->text);
}
