/*
 * fortify - what archives that were hardened for glibc call
 *
 * Debian's static libjansson, libcap and libseccomp are compiled with
 * _FORTIFY_SOURCE: where the size of a destination is known they call
 * __snprintf_chk and its like, which glibc has and musl has not (LSB core
 * specification, "Interfaces for libc"). Here they check the same: more room
 * asked for than there is ends the program.
 */
#include <features.h>

#ifndef __GLIBC__
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int __vsnprintf_chk(char *s, size_t max, int flag, size_t room, const char *fmt,
		    va_list ap)
{
	(void)flag;
	if (max > room)
		abort();
	return vsnprintf(s, max, fmt, ap);
}

int __snprintf_chk(char *s, size_t max, int flag, size_t room, const char *fmt,
		   ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __vsnprintf_chk(s, max, flag, room, fmt, ap);
	va_end(ap);
	return n;
}

int __sprintf_chk(char *s, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __vsnprintf_chk(s, room, flag, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room)
		abort();
	return n;
}

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = vfprintf(f, fmt, ap);
	va_end(ap);
	return n;
}

int __asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

char *__strncpy_chk(char *to, const char *from, size_t n, size_t room)
{
	const size_t len = strnlen(from, n);

	if (n > room)
		abort();
	memcpy(to, from, len);
	memset(to + len, 0, n - len);
	return to;
}
#endif
