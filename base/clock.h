/*
 * clock - moments as nanoseconds since 1970, and how they are written
 *
 * RFC 3339 in UTC, as Docker writes it ("2024-05-01T10:11:12.5Z"). By
 * arithmetic, because gmtime(3) reads the local time zone first.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND   INT64_C(1000000000)
#define CLOCK_TEXT_MAX 48

int64_t clock_now(void);       /* since 1970 */
int64_t clock_monotonic(void); /* for differences */
int64_t clock_boottime(void);  /* the same, sleep of the machine included */

/*
 * Go's RFC3339Nano: zeros at the end of the fraction are left out; with
 * `padded` there are always nine digits (docker logs -t). Returns buf.
 */
char *clock_text(int64_t ns, bool padded, char buf[CLOCK_TEXT_MAX]);

/* The whole of s: "2024-05-01T10:11:12[.5](Z|+02:00)". False: it is not. */
bool clock_parse(const char *s, int64_t *ret_ns);

/*
 * What --since and --until take: RFC 3339 (date alone, without zone, without
 * seconds as well), seconds since 1970 with a fraction, or a Go duration that
 * lies before now ("10m", "1h30m").
 */
bool clock_parse_when(const char *s, int64_t now_ns, int64_t *ret_ns);

/* A Go duration: "1m30s", "1.5h", "300ms", "0"; not negative. */
bool clock_parse_duration(const char *s, int64_t *ret_ns);

#endif
