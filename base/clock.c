#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "own.h"
#include "str.h"

#define DAY_S INT64_C(86400)

/*
 * By a system call, the first times: the vDSO has three pages, and on a virtual
 * machine the faults to map them cost as much as fifty calls.
 */
static int64_t read_clock(clockid_t id)
{
	static unsigned int readings;
	struct timespec t;

	if (readings++ < 16)
		(void)syscall(SYS_clock_gettime, id, &t);
	else
		(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

int64_t clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boottime(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

/* ---- writing -------------------------------------------------------------- */

/* Nine digits, or as many as say something; with the dot. */
static void put_fraction(char *to, size_t size, int64_t ns, bool padded)
{
	int n = snprintf(to, size, ".%09" PRId64, ns);

	while (!padded && n > 0 && (to[n - 1] == '0' || to[n - 1] == '.')) {
		const bool dot = to[n - 1] == '.';

		to[--n] = '\0';
		if (dot)
			return;
	}
}

char *clock_text(int64_t ns, bool padded, char buf[CLOCK_TEXT_MAX])
{
	/* Days since 1970 to a date of the Gregorian calendar. */
	const int64_t whole = ns < 0 ? 0 : ns;
	const int64_t day = whole / CLOCK_SECOND / DAY_S + 719468;
	const int64_t secs = whole / CLOCK_SECOND % DAY_S;
	const int64_t era_day = day % 146097;
	const int64_t year = (era_day - era_day / 1460 + era_day / 36524 -
			      era_day / 146096) /
			     365;
	const int64_t y_day = era_day - (365 * year + year / 4 - year / 100);
	const int64_t month = (5 * y_day + 2) / 153; /* from March */
	char fraction[16];

	put_fraction(fraction, sizeof(fraction), whole % CLOCK_SECOND, padded);
	(void)snprintf(buf, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
		       (int)(year + day / 146097 * 400 + (month > 9)),
		       (int)(month < 10 ? month + 3 : month - 9),
		       (int)(y_day - (153 * month + 2) / 5 + 1),
		       (int)(secs / 3600), (int)(secs / 60 % 60),
		       (int)(secs % 60), fraction);
	return buf;
}

/* ---- reading -------------------------------------------------------------- */

/* n digits at *s, at most max; moves *s on. */
static bool take_digits(const char **s, size_t n, uint64_t max, int64_t *ret)
{
	uint64_t v = 0;

	if (strnlen(*s, n) < n || !str_to_u64n(*s, n, max, &v))
		return false;
	*s += n;
	*ret = (int64_t)v;
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* Digits behind a dot as a part of `unit`; more than nine are cut. */
static bool take_fraction(const char **s, int64_t unit, int64_t *ret)
{
	const size_t n = strspn(*s, "0123456789");
	int64_t part = unit;

	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		part /= 10;
		*ret += part * ((*s)[i] - '0');
	}
	*s += n;
	return n > 0;
}

static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	const int64_t from_march = m > 2 ? m - 3 : m + 9;
	const int64_t year = m > 2 ? y : y - 1;

	return 365 * year + year / 4 - year / 100 + year / 400 +
	       (153 * from_march + 2) / 5 + d - 1 - 719468;
}

static bool take_date(const char **s, int64_t *ret_s)
{
	int64_t y, m, d;

	if (!take_digits(s, 4, 9999, &y) || !take_char(s, '-') ||
	    !take_digits(s, 2, 12, &m) || !take_char(s, '-') ||
	    !take_digits(s, 2, 31, &d) || m < 1 || d < 1)
		return false;
	*ret_s = days_of(y, m, d) * DAY_S;
	return true;
}

/* "10:11:12.5"; with `loose` also "10:11" and "10". */
static bool take_time(const char **s, bool loose, int64_t *ret_ns)
{
	int64_t h, m = 0, sec = 0, frac = 0;

	if (!take_digits(s, 2, 23, &h))
		return false;
	if (take_char(s, ':')) {
		if (!take_digits(s, 2, 59, &m))
			return false;
		if (take_char(s, ':')) {
			if (!take_digits(s, 2, 60, &sec))
				return false;
			if (take_char(s, '.') &&
			    !take_fraction(s, CLOCK_SECOND, &frac))
				return false;
		} else if (!loose) {
			return false;
		}
	} else if (!loose) {
		return false;
	}
	*ret_ns = (h * 3600 + m * 60 + sec) * CLOCK_SECOND + frac;
	return true;
}

static bool take_zone(const char **s, int64_t *ret_s)
{
	const bool minus = **s == '-';
	int64_t h, m;

	*ret_s = 0;
	if (take_char(s, 'Z'))
		return true;
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_digits(s, 2, 23, &h) || !take_char(s, ':') ||
	    !take_digits(s, 2, 59, &m))
		return false;
	*ret_s = (minus ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

static bool parse_rfc3339(const char *s, bool loose, int64_t *ret_ns)
{
	int64_t date, time = 0, zone = 0;

	if (!take_date(&s, &date))
		return false;
	if (take_char(&s, 'T')) {
		if (!take_time(&s, loose, &time))
			return false;
	} else if (!loose) {
		return false;
	}
	if (!(loose && !*s) && !take_zone(&s, &zone))
		return false;
	if (*s)
		return false;
	*ret_ns = (date - zone) * CLOCK_SECOND + time;
	return true;
}

bool clock_parse(const char *s, int64_t *ret_ns)
{
	return parse_rfc3339(s, false, ret_ns);
}

static bool take_unit(const char **s, int64_t *ret)
{
	static const struct {
		const char *word;
		int64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000},
		{"ms", 1000000},
		{"s", CLOCK_SECOND},
		{"m", 60 * CLOCK_SECOND},
		{"h", 3600 * CLOCK_SECOND},
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		const char *const rest = str_after(*s, units[i].word);

		if (!rest)
			continue;
		*s = rest;
		*ret = units[i].ns;
		return true;
	}
	return false;
}

/* One "1.5h". */
static bool take_part(const char **s, int64_t *sum)
{
	const size_t n = strspn(*s, "0123456789");
	const char *const fraction = (*s)[n] == '.' ? *s + n + 1 : NULL;
	uint64_t whole = 0;
	int64_t part = 0;
	int64_t unit;

	if (n > 0 && !str_to_u64n(*s, n, INT64_MAX, &whole))
		return false;
	*s += n;
	if (fraction) {
		const size_t k = strspn(fraction, "0123456789");

		if (n + k == 0)
			return false;
		*s = fraction + k;
	} else if (n == 0) {
		return false;
	}
	if (!take_unit(s, &unit) ||
	    whole > (uint64_t)((INT64_MAX - *sum) / unit))
		return false;
	if (fraction) {
		const char *p = fraction;

		(void)take_fraction(&p, unit, &part);
	}
	*sum += (int64_t)whole * unit;
	if (part > INT64_MAX - *sum)
		return false;
	*sum += part;
	return true;
}

bool clock_parse_duration(const char *s, int64_t *ret_ns)
{
	int64_t sum = 0;

	if (!strcmp(s, "0")) {
		*ret_ns = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s)
		if (!take_part(&s, &sum))
			return false;
	*ret_ns = sum;
	return true;
}

/* "1714558272.25" */
static bool parse_epoch(const char *s, int64_t *ret_ns)
{
	const size_t n = strspn(s, "0123456789");
	uint64_t secs;
	int64_t frac = 0;

	if (!str_to_u64n(s, n, INT64_MAX / CLOCK_SECOND - 1, &secs))
		return false;
	s += n;
	if (take_char(&s, '.') && !take_fraction(&s, CLOCK_SECOND, &frac))
		return false;
	if (*s)
		return false;
	*ret_ns = (int64_t)secs * CLOCK_SECOND + frac;
	return true;
}

bool clock_parse_when(const char *s, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ago;

	if (parse_epoch(s, ret_ns) || parse_rfc3339(s, true, ret_ns))
		return true;
	if (!clock_parse_duration(s, &ago))
		return false;
	*ret_ns = now_ns - ago;
	return true;
}
