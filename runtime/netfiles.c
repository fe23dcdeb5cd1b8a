#include "netfiles.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/user.h"

/* ---- hosts ------------------------------------------------------------------- */

void netfiles_hosts(const struct run_spec *s, const char *hostname,
		    const char *host_text, struct buf *ret)
{
	const char *const own = "127.0.0.1\tlocalhost\n"
				"::1\tlocalhost ip6-localhost ip6-loopback\n"
				"fe00::0\tip6-localnet\n"
				"ff00::0\tip6-mcastprefix\n"
				"ff02::1\tip6-allnodes\n"
				"ff02::2\tip6-allrouters\n";

	if (host_text) {
		buf_adds(ret, host_text);
		if (ret->len && ret->p[ret->len - 1] != '\n')
			buf_addc(ret, '\n');
	} else {
		buf_adds(ret, own);
		/* With an address of its own that one stands there (names.h). */
		if (s->net != NET_NETS)
			buf_addf(ret, "127.0.1.1\t%s\n", hostname);
	}
	for (size_t i = 0; i < s->add_hosts.n; i++) {
		const char *const text = s->add_hosts.v[i];
		const size_t n = strcspn(text, ":");

		if (!strcmp(text + n, ":host-gateway"))
			continue;
		buf_addf(ret, "%s\t%.*s\n", text + n + 1, (int)n, text);
	}
}

/* ---- resolv.conf --------------------------------------------------------------- */

/* The words behind a keyword of resolv.conf(5), or NULL for another line. */
static const char *behind(const char *line, size_t n, const char *keyword)
{
	const size_t k = strlen(keyword);

	if (n <= k || memcmp(line, keyword, k) != 0 ||
	    (line[k] != ' ' && line[k] != '\t'))
		return NULL;
	return line + k + strspn(line + k, " \t");
}

static bool is_loopback(const char *address, size_t n)
{
	return (n >= 4 && !memcmp(address, "127.", 4)) ||
	       (n == 3 && !memcmp(address, "::1", 3));
}

static bool has_loopback(const char *text)
{
	for (const char *p = text; *p;) {
		const size_t n = strcspn(p, "\n");
		const char *const words = behind(p, n, "nameserver");

		if (words && is_loopback(words, strcspn(words, " \t\n")))
			return true;
		p += n + (p[n] == '\n');
	}
	return false;
}

/* The lines with this keyword; of name servers not those on loopback. */
static void copy_lines(const char *text, const char *keyword, bool loopback,
		       struct buf *ret)
{
	for (const char *p = text; *p;) {
		const size_t n = strcspn(p, "\n");
		const char *const words = behind(p, n, keyword);
		const size_t rest = words ? n - (size_t)(words - p) : 0;

		if (rest > 0 &&
		    (loopback || !is_loopback(words, strcspn(words, " \t\n"))))
			buf_addf(ret, "%s %.*s\n", keyword, (int)rest, words);
		p += n + (p[n] == '\n');
	}
}

static void add_words(const char *keyword, const struct strv *words,
		      struct buf *ret)
{
	/* "." alone: none at all. */
	if (words->n == 1 && !strcmp(words->v[0], "."))
		return;
	buf_adds(ret, keyword);
	for (size_t i = 0; i < words->n; i++)
		buf_addf(ret, " %s", words->v[i]);
	buf_addc(ret, '\n');
}

bool netfiles_wants_resolv(const struct run_spec *s)
{
	return s->dns.n + s->dns_search.n + s->dns_options.n > 0;
}

/*
 * In a user-mode network those of the host are in reach as they are from the
 * host, but for those on its loopback: the program asks them.
 */
static void name_servers(const struct run_spec *s, const char *host_text,
			 struct buf *ret)
{
	char address[USER_NET_ADDRESS_MAX];

	if (s->net == NET_USER && s->net_user && has_loopback(host_text)) {
		user_net_dns(s->net_user, address);
		buf_addf(ret, "nameserver %s\n", address);
		return;
	}
	copy_lines(host_text, "nameserver", s->net == NET_HOST, ret);
}

bool netfiles_has_no_server(const struct run_spec *s, const char *host_text)
{
	autobuf struct buf servers = buf_make(KIB(4));

	copy_lines(host_text, "nameserver", false, &servers);
	return s->net == NET_NETS && !s->dns.n && !servers.len &&
	       has_loopback(host_text);
}

void netfiles_resolv(const struct run_spec *s, const char *host_text,
		     struct buf *ret)
{
	const bool host = s->net == NET_HOST;

	if (host && !netfiles_wants_resolv(s)) {
		buf_adds(ret, host_text);
		return;
	}
	for (size_t i = 0; i < s->dns.n; i++)
		buf_addf(ret, "nameserver %s\n", s->dns.v[i]);
	if (!s->dns.n)
		name_servers(s, host_text, ret);
	if (s->dns_search.n) {
		add_words("search", &s->dns_search, ret);
	} else {
		copy_lines(host_text, "domain", true, ret);
		copy_lines(host_text, "search", true, ret);
	}
	if (s->dns_options.n)
		add_words("options", &s->dns_options, ret);
	else
		copy_lines(host_text, "options", true, ret);
}

/* systemd-resolved's stub and nothing else. */
static bool is_stub(const char *text)
{
	autobuf struct buf servers = buf_make(KIB(4));

	copy_lines(text, "nameserver", true, &servers);
	return !strcmp(buf_str(&servers), "nameserver 127.0.0.53\n");
}

static int read_text(const char *path, struct buf *ret, struct err *e)
{
	buf_reset(ret);
	if (fs_read_at(AT_FDCWD, path, ret, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	buf_reset(ret);
	return 0;
}

int netfiles_read_resolv(const struct run_spec *s, struct buf *ret,
			 struct err *e)
{
	autobuf struct buf real = buf_make(ret->max);

	if (read_text("/etc/resolv.conf", ret, e) < 0)
		return -1;
	/* Slirp4netns asks for us, where the host does. */
	if (s->net == NET_HOST || !is_stub(buf_str(ret)) ||
	    (s->net == NET_USER && s->net_user &&
	     !user_net_is_pasta(s->net_user)))
		return 0;
	if (read_text("/run/systemd/resolve/resolv.conf", &real, e) < 0)
		return -1;
	if (real.len) {
		buf_reset(ret);
		buf_add(ret, buf_str(&real), real.len);
	}
	return 0;
}
