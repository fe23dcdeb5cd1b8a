#include "cmd/common_time.h"

#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"

/* n digits at s, or -1. */
static int number(const char *s, size_t n)
{
	uint64_t v = 0;

	if (strnlen(s, n) < n || !str_to_u64n(s, n, 99999999, &v))
		return -1;
	return (int)v;
}

/* The zone: "Z", "+02:00"; seconds to take away. */
static int64_t zone_s(const char *s)
{
	int h;
	int m;

	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++)
			;
	if (*s != '+' && *s != '-')
		return 0;
	h = number(s + 1, 2);
	m = h < 0 || s[3] != ':' ? -1 : number(s + 4, 2);
	if (m < 0)
		return 0;
	return (*s == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
}

int64_t time_parse(const char *s)
{
	static const char form[] = "0000-00-00T00:00:00";
	struct tm t = {0};
	int64_t when;

	if (strlen(s) < sizeof(form) - 1)
		return 0;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return 0;
	t.tm_year = number(s, 4) - 1900;
	t.tm_mon = number(s + 5, 2) - 1;
	t.tm_mday = number(s + 8, 2);
	t.tm_hour = number(s + 11, 2);
	t.tm_min = number(s + 14, 2);
	t.tm_sec = number(s + 17, 2);
	when = (int64_t)timegm(&t) - zone_s(s + sizeof(form) - 1);
	return when > 0 ? when : 0;
}

char *time_span(int64_t s)
{
	static const struct {
		int64_t below;
		int64_t unit_s;
		const char *unit;
	} scale[] = {
		{14, 86400, "day"},
		{60 / 7 + 1, 604800, "week"},
		{24, 30 * 86400L, "month"},
	};
	/* Hours are rounded, all others are cut. */
	const int64_t hours = (s + 1800) / 3600;

	if (s < 1)
		return xstrdup("Less than a second");
	if (s < 60)
		return xasprintf("%lld second%s", (long long)s,
				 s == 1 ? "" : "s");
	if (s < 3600)
		return s < 120 ? xstrdup("About a minute")
			       : xasprintf("%lld minutes", (long long)s / 60);
	if (hours < 48)
		return hours == 1 ? xstrdup("About an hour")
				  : xasprintf("%lld hours", (long long)hours);
	for (size_t i = 0; i < ARRAY_LEN(scale); i++)
		if (s / scale[i].unit_s < scale[i].below)
			return xasprintf("%lld %ss",
					 (long long)(s / scale[i].unit_s),
					 scale[i].unit);
	return xasprintf("%lld years", (long long)(s / (365 * 86400L)));
}

char *time_ago(int64_t when)
{
	autofree char *span = NULL;

	if (when == 0)
		return xstrdup("N/A");
	span = time_span((int64_t)time(NULL) - when);
	return xasprintf("%s ago", span);
}
