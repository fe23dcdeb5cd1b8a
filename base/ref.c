/*
 * How it works: the string is cut from the right (digest, tag) and then from
 * the left (registry), each part is checked against its grammar and copied.
 * The grammar is distribution/reference's, which is what Docker accepts.
 */
#include "ref.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

/* What the user typed goes into errors: bounded and printable. */
struct shown {
	char s[96];
};

static struct shown show(const char *s, size_t n)
{
	struct shown r;
	const bool cut = n >= sizeof(r.s) - 3;
	size_t i;

	if (cut)
		n = sizeof(r.s) - 4;
	for (i = 0; i < n; i++)
		r.s[i] = s[i] >= ' ' && s[i] < 0x7f ? s[i] : '?';
	memcpy(r.s + i, cut ? "..." : "", cut ? 4 : 1);
	return r;
}

#define SHOW(s, n) (show((s), (n)).s)

static int bad(struct err *e, const char *s, const char *why)
{
	return err_set(e, ERR_USAGE, "invalid image name '%s': %s",
		       SHOW(s, strlen(s)), why);
}

/* "example.com", "localhost:5000": labels, dots, an optional port. */
static bool host_is_fine(const char *s, size_t n)
{
	size_t label = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.') {
			if (!label || s[i - 1] == '-')
				return false;
			label = 0;
		} else if (is_alnum(s[i]) || (s[i] == '-' && label)) {
			label++;
		} else {
			return false;
		}
	}
	return label && s[n - 1] != '-';
}

static bool ip6_is_fine(const char *s, size_t n)
{
	if (n < 4 || s[0] != '[' || s[n - 1] != ']')
		return false;
	for (size_t i = 1; i < n - 1; i++) {
		if (!is_digit(s[i]) && s[i] != ':' &&
		    !(s[i] >= 'a' && s[i] <= 'f') &&
		    !(s[i] >= 'A' && s[i] <= 'F'))
			return false;
	}
	return true;
}

static bool registry_is_fine(const char *s, size_t n)
{
	const char *const bracket = memchr(s, ']', n);
	const char *const from = bracket ? bracket : s;
	const char *const colon = memchr(from, ':', n - (size_t)(from - s));
	const size_t host = colon ? (size_t)(colon - s) : n;
	uint64_t port;

	if (colon &&
	    (!str_to_u64n(colon + 1, n - host - 1, 65535, &port) || port == 0))
		return false;
	if (s[0] == '[')
		return ip6_is_fine(s, host);
	return host_is_fine(s, host);
}

/* How many bytes of s are one separator (".", "_", "__" or dashes). */
static size_t separator_len(const char *s, size_t n)
{
	size_t dashes = 0;

	if (s[0] == '.')
		return 1;
	if (s[0] == '_')
		return n > 1 && s[1] == '_' ? 2 : 1;
	while (dashes < n && s[dashes] == '-')
		dashes++;
	return dashes;
}

/* Lower-case letters and digits, single separators only between them. */
static bool repository_is_fine(const char *s, size_t n)
{
	size_t i = 0;

	for (;;) {
		if (i >= n || (!is_lower(s[i]) && !is_digit(s[i])))
			return false;
		while (i < n && (is_lower(s[i]) || is_digit(s[i])))
			i++;
		if (i == n)
			return true;
		if (s[i] == '/') {
			i++;
			continue;
		}
		const size_t sep = separator_len(s + i, n - i);
		if (!sep)
			return false;
		i += sep;
	}
}

static bool tag_is_fine(const char *s, size_t n)
{
	if (!n || n > 128 || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' &&
		    s[i] != '-')
			return false;
	}
	return true;
}

/* The first of the parts is a registry if it could not be anything else. */
static bool looks_like_registry(const char *s, size_t n)
{
	if (n == 9 && !memcmp(s, "localhost", 9))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.' || s[i] == ':' || is_upper(s[i]))
			return true;
	}
	return false;
}

static bool is_image_id(const char *s)
{
	size_t n = 0;

	while (is_digit(s[n]) || (s[n] >= 'a' && s[n] <= 'f'))
		n++;
	return n == 64 && !s[n];
}

static int set_registry(const char *whole, const char *p, size_t n,
			struct ref *r, struct err *e)
{
	if (n >= sizeof(r->registry) || !registry_is_fine(p, n))
		return bad(e, whole, "the registry is not HOST or HOST:PORT");
	if (n == 15 && !memcmp(p, "index.docker.io", 15)) {
		p = "docker.io";
		n = 9;
	}
	memcpy(r->registry, p, n);
	r->registry[n] = '\0';
	return 0;
}

static int set_repository(const char *whole, const char *p, size_t n,
			  struct ref *r, struct err *e)
{
	const bool official =
		!strcmp(r->registry, "docker.io") && !memchr(p, '/', n);
	const size_t lead = official ? 8 : 0;

	if (lead + n >= sizeof(r->repository))
		return bad(e, whole, "longer than 255 characters");
	for (size_t i = 0; i < n; i++) {
		if (is_upper(p[i]))
			return bad(e, whole,
				   "the repository must be lower case");
	}
	if (!repository_is_fine(p, n))
		return bad(e, whole,
			   "the repository has to be lower-case letters and "
			   "digits, with '.', '_', '-' or '/' between them");
	memcpy(r->repository, "library/", lead);
	memcpy(r->repository + lead, p, n);
	r->repository[lead + n] = '\0';
	return 0;
}

/* "registry/path" or "path", without tag and digest. */
static int set_name(const char *whole, const char *p, size_t n, struct ref *r,
		    struct err *e)
{
	const char *const slash = memchr(p, '/', n);
	const size_t first = slash ? (size_t)(slash - p) : 0;

	if (slash && looks_like_registry(p, first)) {
		if (set_registry(whole, p, first, r, e) < 0)
			return -1;
		p += first + 1;
		n -= first + 1;
	} else {
		memcpy(r->registry, "docker.io", 10);
	}
	return set_repository(whole, p, n, r, e);
}

int ref_parse(const char *s, struct ref *ret, struct err *e)
{
	struct ref r = {0};
	const char *const at = strchr(s, '@');
	size_t n = at ? (size_t)(at - s) : strlen(s);
	size_t colon = n;

	if (strstr(s, "://")) {
		bad(e, s, "a name, not a URL, is needed");
		return err_hint(e, "leave out '%s'",
				SHOW(s, (size_t)(strstr(s, "://") + 3 - s)));
	}
	if (is_image_id(s))
		return bad(e, s, "an image id is not a name");
	if (strlen(s) > REF_MAX + DIGEST_TEXT_MAX + 130)
		return bad(e, s, "too long");
	if (at && digest_parse(at + 1, &r.digest, e) < 0)
		return err_prefix(e, "invalid image name '%s'",
				  SHOW(s, strlen(s)));

	/* A colon behind the last slash begins the tag. */
	while (colon > 0 && s[colon - 1] != ':' && s[colon - 1] != '/')
		colon--;
	if (colon > 0 && s[colon - 1] == ':') {
		if (!tag_is_fine(s + colon, n - colon))
			return bad(e, s,
				   "a tag is up to 128 of A-Z a-z 0-9 _ . -");
		memcpy(r.tag, s + colon, n - colon);
		n = colon - 1;
	} else if (!at) {
		memcpy(r.tag, "latest", 7);
	}
	if (n == 0)
		return bad(e, s, "empty");
	if (set_name(s, s, n, &r, e) < 0)
		return -1;
	*ret = r;
	return 0;
}

static const char *name_and_rest(const struct ref *r, const char *registry,
				 const char *repository, char *buf)
{
	const bool digest = digest_is_set(&r->digest);

	(void)snprintf(buf, REF_TEXT_MAX, "%s%s%s%s%s%s%s", registry,
		       *registry ? "/" : "", repository, r->tag[0] ? ":" : "",
		       r->tag, digest ? "@" : "",
		       digest ? DIGEST_TEXT(&r->digest) : "");
	return buf;
}

/*
 * The parts that the short form shows. It omits only what ref_parse adds again:
 * otherwise a name on Docker Hub could look like one on another registry
 * ("x.docker.io/a" for docker.io/x.docker.io/a) or like an image id.
 */
struct familiar {
	const char *registry; /* "" if left out */
	const char *repository;
};

static struct familiar familiar(const struct ref *r)
{
	struct familiar f = {r->registry, r->repository};
	const char *const rest = str_after(r->repository, "library/");

	if (strcmp(r->registry, "docker.io") != 0)
		return f;
	if (rest && !strchr(rest, '/'))
		f.repository = rest;
	if (!is_image_id(f.repository) &&
	    (f.repository == rest ||
	     !looks_like_registry(f.repository, strcspn(f.repository, "/"))))
		f.registry = "";
	return f;
}

const char *ref_text(const struct ref *r, char *buf)
{
	return name_and_rest(r, r->registry, r->repository, buf);
}

const char *ref_familiar(const struct ref *r, char *buf)
{
	const struct familiar f = familiar(r);

	return name_and_rest(r, f.registry, f.repository, buf);
}

const char *ref_familiar_name(const struct ref *r, char *buf)
{
	const struct familiar f = familiar(r);

	(void)snprintf(buf, REF_TEXT_MAX, "%s%s%s", f.registry,
		       *f.registry ? "/" : "", f.repository);
	return buf;
}
