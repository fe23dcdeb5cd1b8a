#include "reach.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/str.h"
#include "registry/url.h"

/* ---- what an address is ---------------------------------------------------------- */

/* Metadata services outside link-local ranges: whole addresses or prefixes. */
static const struct {
	unsigned char n;
	unsigned char b[16];
} metadata[] = {
	{16, {0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}, /* AWS */
	{16, {0xfd, 0x20, 0, 0xce, [14] = 0x02, [15] = 0x54}}, /* GCP */
	{4, {100, 100, 100, 200}},                             /* Alibaba */
	{4, {168, 63, 129, 16}},                               /* Azure */
	{4, {192, 0, 0, 192}},                                 /* Oracle */
};

static const char link_local[] = "link-local";
static const char loopback[] = "this machine's own (loopback)";

static const char *class4(const unsigned char a[4])
{
	if (a[0] == 169 && a[1] == 254)
		return link_local;
	/* Connecting to 0.0.0.0 reaches loopback. */
	if (a[0] == 127 || a[0] == 0)
		return loopback;
	if ((a[0] & 0xf0) == 224)
		return "multicast";
	return (a[0] & 0xf0) == 240 ? "broadcast or reserved" : NULL;
}

/* The IPv4 address that a translator or tunnel would extract from this one. */
static const unsigned char *embedded(const unsigned char a[16])
{
	static const unsigned char zero[12];
	static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const unsigned char nat64_local[6] = {0, 0x64, 0xff, 0x9b, 0, 1};

	if (a[0] == 0x20 && a[1] == 0x02)
		return a + 2;
	if (!memcmp(a, nat64, sizeof(nat64)) ||
	    !memcmp(a, nat64_local, sizeof(nat64_local)))
		return a + 12;
	/*
	 * Deprecated "IPv4-compatible" addresses; :: and ::1 are not among
	 * them.
	 */
	return !memcmp(a, zero, sizeof(zero)) && (a[12] || a[13]) ? a + 12
								  : NULL;
}

static const char *class6(const unsigned char a[16])
{
	static const unsigned char zero[15];
	const unsigned char *const inner = embedded(a);

	if (inner)
		return class4(inner);
	if (!memcmp(a, zero, sizeof(zero)) && a[15] <= 1)
		return loopback;
	if (a[0] == 0xff)
		return "multicast";
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80 ? link_local : NULL;
}

static const char *class_of(const char *host)
{
	unsigned char a[16];
	const size_t n = host_address(host, a);

	for (size_t i = 0; n && i < ARRAY_LEN(metadata); i++)
		if (metadata[i].n == n && !memcmp(metadata[i].b, a, n))
			return "a cloud metadata service";
	if (n == 4)
		return class4(a);
	if (n == 16)
		return class6(a);
	return host_is_loopback(host) ? loopback : NULL;
}

static bool is_same(const char *a, const char *b)
{
	unsigned char x[16];
	unsigned char y[16];
	const size_t n = host_address(a, x);

	return n && host_address(b, y) == n && !memcmp(x, y, n);
}

const char *reach_refuses(const char *host, const char *home)
{
	const char *const is = class_of(host);

	if (!is || str_empty(home))
		return is;
	return is_same(host, home) || (is == loopback && class_of(home) == is)
		       ? NULL
		       : is;
}

/* ---- proxies --------------------------------------------------------------------- */

/* "host:port", "http://user:password@host" */
static bool is_at(const char *proxy, const char *number, uint16_t port)
{
	const char *const scheme = strstr(proxy, "://");
	const char *const start = scheme ? scheme + 3 : proxy;
	const size_t n = strcspn(start, "/");
	const char *const user = memrchr(start, '@', n);
	const char *const host = user ? user + 1 : start;
	autofree char *text = xstrndup(host, n - (size_t)(host - start));
	struct addrinfo *found = NULL;
	const struct addrinfo *a;
	size_t host_len;
	uint16_t at;
	bool is = false;

	if (!host_split(text, &host_len, &at) || (at && at != port))
		return false;
	if (*text == '[' && host_len > 2) {
		memmove(text, text + 1, host_len - 2);
		host_len -= 2;
	}
	text[host_len] = '\0';
	if (getaddrinfo(text, NULL, NULL, &found) != 0)
		return false;
	for (a = found; a && !is; a = a->ai_next) {
		char one[NI_MAXHOST];

		is = getnameinfo(a->ai_addr, a->ai_addrlen, one, sizeof(one),
				 NULL, 0, NI_NUMERICHOST) == 0 &&
		     is_same(one, number);
	}
	freeaddrinfo(found);
	return is;
}

bool reach_is_proxy(const char *number, uint16_t port)
{
	/* The variables that libcurl reads. */
	static const char *const names[] = {"http_proxy", "https_proxy",
					    "HTTPS_PROXY", "all_proxy",
					    "ALL_PROXY"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *const proxy = getenv(names[i]);

		if (!str_empty(proxy) && is_at(proxy, number, port))
			return true;
	}
	return false;
}
