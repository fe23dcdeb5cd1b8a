#include "platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "own.h"

struct word {
	const char *from;
	const char *to;
	const char *variant;
};

/* What people and uname(2) say -> what Go says. */
static const struct word arch_words[] = {
	{"x86_64", "amd64", ""},
	{"x86-64", "amd64", ""},
	{"aarch64", "arm64", ""},
	{"i386", "386", ""},
	{"i486", "386", ""},
	{"i586", "386", ""},
	{"i686", "386", ""},
	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},
	{"armv7l", "arm", "v7"},
	{"armv8l", "arm", "v7"},
	{"armv6l", "arm", "v6"},
	{"armv5tel", "arm", "v5"},
	{"loongarch64", "loong64", ""},
	{"powerpc64le", "ppc64le", ""},
};

/* GOARCH words that stand for themselves. */
static const char *const archs[] = {
	"amd64", "arm64",   "arm",  "386",    "ppc64le",  "s390x",  "riscv64",
	"ppc64", "loong64", "mips", "mips64", "mips64le", "mipsle", "wasm",
};

static const char *const systems[] = {
	"linux", "windows", "darwin", "freebsd", "openbsd", "netbsd", "wasip1",
};

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(s, words[i]))
			return true;
	}
	return false;
}

static void set(char *field, size_t size, const char *s)
{
	const size_t n = strnlen(s, size - 1);

	memcpy(field, s, n);
	field[n] = '\0';
}

static void lower(char *s)
{
	for (; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	}
}

void oci_platform_normalise(struct oci_platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (!strcmp(p->os, "macos"))
		set(p->os, sizeof(p->os), "darwin");
	for (size_t i = 0; i < ARRAY_LEN(arch_words); i++) {
		const struct word *const w = &arch_words[i];

		if (strcmp(p->arch, w->from) != 0)
			continue;
		set(p->arch, sizeof(p->arch), w->to);
		if (!*p->variant)
			set(p->variant, sizeof(p->variant), w->variant);
		break;
	}
	/* "arm/7" and "arm64/8" are written too. */
	if (p->variant[0] >= '0' && p->variant[0] <= '9') {
		char v[sizeof(p->variant)];

		(void)snprintf(v, sizeof(v), "v%.*s", (int)sizeof(v) - 2,
			       p->variant);
		memcpy(p->variant, v, sizeof(v));
	}
}

void oci_platform_host(struct oci_platform *ret)
{
	struct oci_platform p = {.os = "linux"};

	/* Known when built, so that a start need not ask. */
#if defined(__x86_64__)
	set(p.arch, sizeof(p.arch), "amd64");
#elif defined(__aarch64__)
	set(p.arch, sizeof(p.arch), "arm64");
#else
	struct utsname u;

	if (uname(&u) == 0)
		set(p.arch, sizeof(p.arch), u.machine);
#endif
	oci_platform_normalise(&p);
	*ret = p;
}

/* The next part of "a/b/c" into field. False: empty, too long, or odd. */
static bool take_part(const char **s, char *field, size_t size)
{
	const size_t n = strcspn(*s, "/");

	if (!n || n >= size)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char c = (*s)[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		      c == '.'))
			return false;
	}
	memcpy(field, *s, n);
	field[n] = '\0';
	*s += n;
	return true;
}

static bool is_arch(const char *s)
{
	struct oci_platform p = {0};

	set(p.arch, sizeof(p.arch), s);
	oci_platform_normalise(&p);
	return is_one_of(p.arch, archs, ARRAY_LEN(archs));
}

static int bad_platform(const char *s, struct err *e)
{
	err_set(e, ERR_USAGE, "invalid platform '%.60s'", s);
	return err_hint(e, "write OS/ARCH or OS/ARCH/VARIANT, such as "
			   "linux/arm64 or linux/arm/v7");
}

int oci_platform_parse(const char *s, struct oci_platform *ret, struct err *e)
{
	const char *const whole = s;
	char part[3][32] = {0};
	size_t n = 0;
	struct oci_platform p = {0};

	do {
		if (n == 3 || !take_part(&s, part[n++], sizeof(part[0])))
			return bad_platform(whole, e);
	} while (*s++ == '/');

	oci_platform_host(&p);
	lower(part[0]);
	const bool os_first = is_one_of(part[0], systems, ARRAY_LEN(systems)) ||
			      !strcmp(part[0], "macos");
	if (!os_first && (n == 3 || !is_arch(part[0])))
		return bad_platform(whole, e);
	if (os_first)
		set(p.os, sizeof(p.os), part[0]);
	if (!os_first || n > 1) {
		const char *const variant = part[os_first ? 2 : 1];

		set(p.arch, sizeof(p.arch), part[os_first ? 1 : 0]);
		if (strlen(variant) >= sizeof(p.variant) - 1)
			return bad_platform(whole, e);
		set(p.variant, sizeof(p.variant), variant);
	}
	oci_platform_normalise(&p);
	*ret = p;
	return 0;
}

const char *oci_platform_text(const struct oci_platform *p, char *buf)
{
	(void)snprintf(buf, OCI_PLATFORM_TEXT_MAX, "%s/%s%s%s",
		       *p->os ? p->os : "unknown",
		       *p->arch ? p->arch : "unknown", *p->variant ? "/" : "",
		       p->variant);
	return buf;
}

/* "v7" -> 7; what is not "v" and one digit -> -1. Empty: the default. */
static int level(const char *variant, int empty)
{
	if (!*variant)
		return empty;
	if (variant[0] != 'v' || variant[1] < '0' || variant[1] > '9')
		return -1;
	/* arm64 has v8.1 and so on: of the same major level. */
	return variant[2] && variant[2] != '.' ? -1 : variant[1] - '0';
}

int oci_platform_match(const struct oci_platform *want,
		       const struct oci_platform *have)
{
	const int exact = 100;
	int w = -1;
	int h = -1;

	if (strcmp(want->os, have->os) != 0 ||
	    strcmp(want->arch, have->arch) != 0)
		return 0;
	if (!strcmp(want->variant, have->variant))
		return exact;

	if (!strcmp(want->arch, "arm")) {
		w = level(want->variant, 7);
		h = level(have->variant, 7);
	} else if (!strcmp(want->arch, "arm64")) {
		w = level(want->variant, 8);
		h = level(have->variant, 8);
	} else if (!strcmp(want->arch, "amd64")) {
		w = level(want->variant, 1);
		h = level(have->variant, 1);
		/*
		 * Nothing was said about the level: an image that asks for
		 * more than v1 is better than none, and behind all that do
		 * not.
		 */
		if (!*want->variant && h > w)
			return exact / 2 - h;
	}
	if (w < 0 || h < 0 || h > w)
		return 0;
	return exact - (w - h);
}

int oci_platform_or_host(const char *s, struct oci_platform *ret, struct err *e)
{
	if (s)
		return oci_platform_parse(s, ret, e);
	oci_platform_host(ret);
	return 0;
}
