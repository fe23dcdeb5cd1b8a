#include "url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"
#include "registry/text.h"

static void own_curlu(CURLU **u)
{
	curl_url_cleanup(*u);
}
#define autocurlu __attribute__((cleanup(own_curlu)))

static char *part(CURLU *u, CURLUPart what, unsigned int flags)
{
	char *s = NULL;
	char *copy;

	if (curl_url_get(u, what, &s, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(s);
	curl_free(s);
	return copy;
}

static int take_apart(CURLU *u, struct url *ret, struct err *e)
{
	autofree char *scheme = part(u, CURLUPART_SCHEME, 0);
	autofree char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	autourl struct url r = {0};
	uint64_t n;

	if (!scheme || (strcmp(scheme, "https") && strcmp(scheme, "http")))
		return err_set(e, ERR_INVALID, "not an http or https URL");
	if (!port || !str_to_u64(port, 65535, &n) || !n)
		return err_set(e, ERR_INVALID, "the port is not a number");
	r.tls = !strcmp(scheme, "https");
	r.port = (uint16_t)n;

	(void)curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	r.host = part(u, CURLUPART_HOST, 0);
	r.text = part(u, CURLUPART_URL, 0);
	(void)curl_url_set(u, CURLUPART_QUERY, NULL, 0);
	r.shown = part(u, CURLUPART_URL, 0);
	if (!r.host || !*r.host || !r.text || !r.shown)
		return err_set(e, ERR_INVALID, "not a URL");
	text_make_printable(r.shown);

	*ret = r;
	r = (struct url){0};
	return 0;
}

static int parse_on(CURLU *u, const char *s, struct url *ret, struct err *e)
{
	const char *const authority = strstr(s, "://");
	CURLUcode rc;

	/* libcurl forgives "http:///host", as browsers do; nobody means it. */
	if (authority && authority[3] == '/' && str_starts(s, "http"))
		return err_set(e, ERR_INVALID, "a URL without a host");
	rc = curl_url_set(u, CURLUPART_URL, s,
			  CURLU_DISALLOW_USER | CURLU_URLENCODE);

	if (rc == CURLUE_USER_NOT_ALLOWED)
		return err_set(e, ERR_INVALID,
			       "a URL with a user name is refused");
	if (rc != CURLUE_OK)
		return err_set(e, ERR_INVALID, "not a usable URL (%s)",
			       curl_url_strerror(rc));
	return take_apart(u, ret, e);
}

int url_parse(const char *s, struct url *ret, struct err *e)
{
	autocurlu CURLU *u = curl_url();

	return parse_on(u, s, ret, e);
}

int url_resolve(const struct url *base, const char *location, struct url *ret,
		struct err *e)
{
	autocurlu CURLU *u = curl_url();

	if (curl_url_set(u, CURLUPART_URL, base->text, 0) != CURLUE_OK)
		return err_set(e, ERR_INVALID, "not a URL");
	return parse_on(u, location, ret, e);
}

int url_add_query(struct url *u, const char *name, const char *value,
		  struct err *e)
{
	autocurlu CURLU *c = curl_url();
	autofree char *pair = xasprintf("%s=%s", name, value);
	autourl struct url next = {0};

	if (curl_url_set(c, CURLUPART_URL, u->text, 0) != CURLUE_OK ||
	    curl_url_set(c, CURLUPART_QUERY, pair,
			 CURLU_APPENDQUERY | CURLU_URLENCODE) != CURLUE_OK)
		return err_set(e, ERR_INVALID, "not a usable URL");
	if (take_apart(c, &next, e) < 0)
		return -1;
	url_free(u);
	*u = next;
	next = (struct url){0};
	return 0;
}

void url_copy(const struct url *u, struct url *ret)
{
	*ret = (struct url){
		.text = xstrdup(u->text),
		.shown = xstrdup(u->shown),
		.host = xstrdup(u->host),
		.port = u->port,
		.tls = u->tls,
	};
}

void url_free(struct url *u)
{
	free(u->text);
	free(u->shown);
	free(u->host);
	*u = (struct url){0};
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && url_same_place(a, b);
}

bool url_same_place(const struct url *a, const struct url *b)
{
	return a->port == b->port && !strcasecmp(a->host, b->host);
}

/* ---- what a host is ------------------------------------------------------ */

/* The host without brackets and without a zone or a final dot. */
static void bare(const char *host, char ret[64])
{
	size_t n;

	if (*host == '[')
		host++;
	n = strcspn(host, "]%");
	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n >= 64)
		n = 0;
	memcpy(ret, host, n);
	ret[n] = '\0';
}

size_t host_address(const char *host, unsigned char ret[16])
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
						 0, 0, 0, 0, 0xff, 0xff};
	char s[64];

	bare(host, s);
	if (inet_pton(AF_INET, s, ret) == 1)
		return 4;
	if (inet_pton(AF_INET6, s, ret) != 1)
		return 0;
	if (memcmp(ret, mapped, sizeof(mapped)) != 0)
		return 16;
	memmove(ret, ret + 12, 4);
	return 4;
}

static bool is_localhost(const char *host)
{
	size_t n = strlen(host);

	if (n > 0 && host[n - 1] == '.')
		n--;
	return (n == 9 && !strncasecmp(host, "localhost", 9)) ||
	       (n > 10 && !strncasecmp(host + n - 10, ".localhost", 10));
}

static bool is_ip6_loopback(const unsigned char a[16])
{
	static const unsigned char one[16] = {[15] = 1};

	return !memcmp(a, one, 16);
}

bool host_is_loopback(const char *host)
{
	unsigned char a[16];
	const size_t n = host_address(host, a);

	if (n == 4)
		return a[0] == 127;
	if (n == 16)
		return is_ip6_loopback(a);
	return is_localhost(host);
}

static bool is_private4(const unsigned char a[4])
{
	return a[0] == 0 || a[0] == 10 || a[0] == 127 ||
	       (a[0] == 100 && (a[1] & 0xc0) == 64) ||
	       (a[0] == 169 && a[1] == 254) ||
	       (a[0] == 172 && (a[1] & 0xf0) == 16) ||
	       (a[0] == 192 && a[1] == 168);
}

bool host_is_private(const char *host)
{
	static const unsigned char none[16];
	unsigned char a[16];
	const size_t n = host_address(host, a);

	if (n == 4)
		return is_private4(a);
	if (n == 16)
		return is_ip6_loopback(a) || !memcmp(a, none, 16) ||
		       (a[0] & 0xfe) == 0xfc ||
		       (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
	return is_localhost(host);
}

bool host_split(const char *s, size_t *ret_host_len, uint16_t *ret_port)
{
	const char *const bracket = *s == '[' ? strchr(s, ']') : s;
	const char *colon;
	uint64_t port = 0;

	if (!bracket)
		return false;
	colon = strchr(bracket, ':');
	if (colon && (!str_to_u64(colon + 1, 65535, &port) || !port))
		return false;
	*ret_host_len = colon ? (size_t)(colon - s) : strlen(s);
	*ret_port = (uint16_t)port;
	return *ret_host_len > 0;
}
