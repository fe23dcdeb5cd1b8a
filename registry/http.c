#include "http.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/own.h"
#include "registry/reach.h"

#define HEAD_MAX    KIB(64)
#define ERROR_MAX   KIB(8)
#define TICK_MS     100
#define RECV_BUFFER (64L * 1024)
#define SEND_BUFFER (256L * 1024)
/* The answer to a body may take so many times the silence that is allowed. */
#define PATIENCE    10
#define CONNECT_MS  30000L

struct http {
	CURLM *multi;
	int64_t stall_ms;
	int64_t busy_ms; /* in callbacks, or not run: silence of nobody's */
	int64_t ticked_ms;
	http_tick_fn tick;
	void *tick_ctx;
};

int64_t http_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t http_stall_ms(const struct http *h)
{
	return h->stall_ms;
}

/* The clock that stands still while we are busy ourselves, or stopped. */
static int64_t quiet_ms(const struct http *h)
{
	return http_now_ms() - h->busy_ms;
}

int http_make(int64_t stall_ms, struct http **ret, struct err *e)
{
	struct http *h;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_NET, "libcurl cannot be used");
	h = xcalloc(1, sizeof(*h));
	h->stall_ms = stall_ms;
	h->multi = curl_multi_init();
	if (!h->multi) {
		free(h);
		return err_set(e, ERR_NET, "libcurl cannot be used");
	}
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 16L);
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	(void)curl_multi_cleanup(h->multi);
	free(h);
	curl_global_cleanup();
}

void http_set_tick(struct http *h, http_tick_fn tick, void *ctx)
{
	h->tick = tick;
	h->tick_ctx = ctx;
}

/* ---- headers ------------------------------------------------------------- */

static void head_free(struct http_head *head)
{
	free(head->location);
	strv_free(&head->challenges);
	*head = (struct http_head){.length = -1};
}

/* Too long for its field is cut: none of these means much when it is. */
static void keep(char *field, size_t size, const char *p, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(field, p, n);
	field[n] = '\0';
}

static void take_header(struct http_head *head, const char *name, size_t nlen,
			const char *p, size_t n)
{
	const struct {
		const char *name;
		char *field;
		size_t size;
	} plain[] = {
		{"content-type", head->type, sizeof(head->type)},
		{"content-encoding", head->encoding, sizeof(head->encoding)},
		{"content-range", head->range, sizeof(head->range)},
		{"retry-after", head->retry_after, sizeof(head->retry_after)},
		{"docker-content-digest", head->digest, sizeof(head->digest)},
	};
	uint64_t length;

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strlen(plain[i].name) == nlen &&
		    !strncasecmp(plain[i].name, name, nlen))
			keep(plain[i].field, plain[i].size, p, n);
	}
	if (nlen == 14 && !strncasecmp(name, "content-length", nlen) &&
	    str_to_u64n(p, n, INT64_MAX, &length))
		head->length = (int64_t)length;
	if (nlen == 8 && !strncasecmp(name, "location", nlen)) {
		free(head->location);
		head->location = xstrndup(p, n);
	}
	if (nlen == 16 && !strncasecmp(name, "www-authenticate", nlen))
		strv_take(&head->challenges, xstrndup(p, n));
}

static int refuse(struct http_exchange *x, enum err_kind kind, const char *why)
{
	x->refused = true;
	return err_set(&x->err, kind, "%s", why);
}

static size_t on_header(char *p, size_t size, size_t count, void *ctx)
{
	struct http_exchange *const x = ctx;
	const size_t all = size * count;
	size_t n = all;
	const char *colon;

	x->last_ms = quiet_ms(x->http);
	x->n_head += n;
	if (x->n_head > HEAD_MAX) {
		(void)refuse(x, ERR_TOOBIG, "endless headers");
		return 0;
	}
	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\n' ||
			 p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	/* A new status line: what came before was 1xx. */
	if (n > 5 && !memcmp(p, "HTTP/", 5)) {
		head_free(&x->got);
		return all;
	}
	colon = memchr(p, ':', n);
	if (!colon)
		return all;
	const size_t nlen = (size_t)(colon - p);
	const char *value = colon + 1;
	while (value < p + n && (*value == ' ' || *value == '\t'))
		value++;
	take_header(&x->got, p, nlen, value, (size_t)(p + n - value));
	return all;
}

/* ---- body ---------------------------------------------------------------- */

static bool is_wanted(const struct http_exchange *x)
{
	return x->sink && (x->got.status == 200 || x->got.status == 206);
}

static int ask_head(struct http_exchange *x)
{
	if (x->head_asked)
		return 0;
	x->head_asked = true;
	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE,
				&x->got.status);
	if (is_wanted(x) && x->head && x->head(x->ctx, &x->got, &x->err) < 0) {
		x->refused = true;
		return -1;
	}
	return 0;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
	struct http_exchange *const x = ctx;
	const size_t n = size * count;

	if (ask_head(x) < 0)
		return 0;
	if (!is_wanted(x)) {
		/* Who sends an endless error page is not listened to. */
		buf_add(&x->error, p,
			n < ERROR_MAX - x->error.len
				? n
				: ERROR_MAX - x->error.len);
		x->last_ms = quiet_ms(x->http);
		return x->error.len < ERROR_MAX ? n : 0;
	}
	if (x->sink(x->ctx, p, n, &x->err) < 0) {
		x->refused = true;
		return 0;
	}
	x->n_body += n;
	x->last_ms = quiet_ms(x->http);
	return n;
}

/* ---- what is sent --------------------------------------------------------- */

static size_t on_read(char *p, size_t size, size_t count, void *ctx)
{
	struct http_exchange *const x = ctx;
	const struct http_body *const b = x->body;
	const uint64_t left = b->size - x->n_sent;
	size_t n = size * count < left ? size * count : (size_t)left;

	if (b->p) {
		memcpy(p, (const char *)b->p + x->n_sent, n);
	} else if (n > 0) {
		const ssize_t got = pread(b->fd, p, n, (off_t)x->n_sent);

		if (got <= 0) {
			x->refused = true;
			(void)(got < 0 ? err_sys(&x->err, "pread",
						 "what to send")
				       : err_set(&x->err, ERR_MISMATCH,
						 "what to send is shorter "
						 "than it should be"));
			return CURL_READFUNC_ABORT;
		}
		n = (size_t)got;
	}
	x->n_sent += n;
	x->last_ms = quiet_ms(x->http);
	return n;
}

/*
 * libcurl begins again on a fresh connection when an old one was closed, and
 * says nothing.
 */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_exchange *const x = ctx;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > x->body->size)
		return CURL_SEEKFUNC_CANTSEEK;
	if (x->body->once && x->n_sent > 0)
		return CURL_SEEKFUNC_FAIL;
	x->n_sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool may_reach(struct http_exchange *x, const char *number,
		      uint16_t port)
{
	const char *const why = x->sent ? reach_refuses(number, x->home) : NULL;

	if (!why || (!x->direct && reach_is_proxy(number, port)))
		return true;
	x->unreachable = why;
	keep(x->there, sizeof(x->there), number, strlen(number));
	return false;
}

static uint16_t port_of(const struct sockaddr *a)
{
	union {
		const struct sockaddr *any;
		const struct sockaddr_in *v4;
		const struct sockaddr_in6 *v6;
	} u = {a};

	if (a->sa_family == AF_INET)
		return ntohs(u.v4->sin_port);
	return a->sa_family == AF_INET6 ? ntohs(u.v6->sin6_port) : 0;
}

/*
 * The last moment before a connection: names have become addresses. A token
 * server whose name leads into our own network is held back here.
 */
static curl_socket_t on_socket(void *ctx, curlsocktype why,
			       struct curl_sockaddr *a)
{
	struct http_exchange *const x = ctx;
	char text[NI_MAXHOST];

	(void)why;
	if ((x->only_public || x->sent) &&
	    getnameinfo(&a->addr, a->addrlen, text, sizeof(text), NULL, 0,
			NI_NUMERICHOST) == 0) {
		if (!may_reach(x, text, port_of(&a->addr)))
			return CURL_SOCKET_BAD;
		if (x->only_public && host_is_private(text) &&
		    (x->direct || !reach_is_proxy(text, port_of(&a->addr)))) {
			x->was_private = true;
			return CURL_SOCKET_BAD;
		}
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/*
 * Called before each request too: curl may reuse a connection that another
 * exchange opened and that was not checked for this one.
 */
static int on_request(void *ctx, char *peer, char *own, int peer_port,
		      int own_port)
{
	struct http_exchange *const x = ctx;

	(void)own;
	(void)own_port;
	return may_reach(x, peer, (uint16_t)peer_port) ? CURL_PREREQFUNC_OK
						       : CURL_PREREQFUNC_ABORT;
}

/* ---- an exchange --------------------------------------------------------- */

static void add_header(struct http_exchange *x, const char *name,
		       const char *value)
{
	autofree char *line = NULL;

	if (!value)
		return;
	line = xasprintf("%s: %s", name, value);
	x->headers = curl_slist_append(x->headers, line);
	explicit_bzero(line, strlen(line));
}

static void set_method(struct http_exchange *x)
{
	CURL *const c = x->easy;

	switch (x->method) {
	case HTTP_GET:
		break;
	case HTTP_HEAD:
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		break;
	case HTTP_POST:
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS,
				       x->post ? x->post : "");
		break;
	case HTTP_PUT:
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE,
				       (curl_off_t)x->body->size);
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE,
				       SEND_BUFFER);
		(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		(void)curl_easy_setopt(c, CURLOPT_READDATA, x);
		(void)curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		(void)curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
		break;
	}
}

/* What libcurl would say by itself and is not meant: no value, no header. */
static void add_method_headers(struct http_exchange *x)
{
	if (x->method == HTTP_POST && !x->post)
		x->headers = curl_slist_append(x->headers, "Content-Type:");
	if (x->method != HTTP_PUT)
		return;
	/* Who does not know it costs a second per blob. */
	x->headers = curl_slist_append(x->headers, "Expect:");
	add_header(x, "Content-Type", x->body->type);
}

static void set_options(struct http *h, struct http_exchange *x)
{
	CURL *const c = x->easy;

	(void)curl_easy_setopt(c, CURLOPT_URL, x->url->text);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "prism/" PRISM_VERSION);
	(void)curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, RECV_BUFFER);
	(void)curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
			       h->stall_ms < CONNECT_MS ? (long)h->stall_ms
							: CONNECT_MS);
	(void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	(void)curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	(void)curl_easy_setopt(c, CURLOPT_PREREQDATA, x);
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers);
	(void)curl_easy_setopt(c, CURLOPT_PRIVATE, x);
	if (x->direct)
		(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	/* A connection of before would pass by on_socket. */
	if (x->only_public)
		(void)curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	set_method(x);
}

void http_start(struct http *h, struct http_exchange *x)
{
	x->easy = curl_easy_init();
	if (!x->easy)
		abort(); /* out of memory, like xmalloc */
	x->http = h;
	x->got = (struct http_head){.length = -1};
	x->error = buf_make(ERROR_MAX);
	x->begun_ms = http_now_ms();
	x->last_ms = quiet_ms(h);

	add_header(x, "Accept", x->accept);
	add_header(x, "Authorization", x->authorization);
	if (x->range) {
		char range[64];

		(void)snprintf(range, sizeof(range), "bytes=%llu-",
			       (unsigned long long)x->range);
		add_header(x, "Range", range);
	}
	add_method_headers(x);
	set_options(h, x);
	(void)curl_multi_add_handle(h->multi, x->easy);
}

void http_stop(struct http *h, struct http_exchange *x)
{
	if (x->easy) {
		(void)curl_multi_remove_handle(h->multi, x->easy);
		curl_easy_cleanup(x->easy);
	}
	curl_slist_free_all(x->headers);
	head_free(&x->got);
	buf_free(&x->error);
	x->easy = NULL;
	x->headers = NULL;
}

static void finish(struct http *h, struct http_exchange *x, CURLcode code)
{
	const char *peer = NULL;
	long port = 0;

	/* An answer without a body has not been asked for its head yet. */
	if (code == CURLE_OK && ask_head(x) < 0)
		code = CURLE_WRITE_ERROR;
	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE,
				&x->got.status);
	(void)curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_IP, &peer);
	(void)curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_PORT, &port);
	if (peer)
		keep(x->peer, sizeof(x->peer), peer, strlen(peer));
	x->peer_port = (uint16_t)port;
	/* The status is known and it is an error: its page may be cut. */
	if (code == CURLE_WRITE_ERROR && !x->refused && !is_wanted(x))
		code = CURLE_OK;
	x->code = code;
	x->done = true;
	(void)curl_multi_remove_handle(h->multi, x->easy);
}

/* ---- the loop ------------------------------------------------------------ */

static bool collect(struct http *h)
{
	CURLMsg *m;
	int left;
	bool news = false;

	for (m = curl_multi_info_read(h->multi, &left); m;
	     m = curl_multi_info_read(h->multi, &left)) {
		struct http_exchange *x = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		finish(h, x, m->data.result);
		news = true;
	}
	return news;
}

/* Who comes back later than asked was stopped, or had no processor. */
static CURLMcode wait_for_more(struct http *h, int64_t max_ms)
{
	const int64_t before = http_now_ms();
	const CURLMcode rc =
		curl_multi_poll(h->multi, NULL, 0, (int)max_ms, NULL);
	const int64_t late_ms = http_now_ms() - before - max_ms;

	if (late_ms > 0)
		h->busy_ms += late_ms;
	return rc;
}

int http_turn(struct http *h, int64_t max_ms, struct err *e)
{
	int running;
	int64_t before = http_now_ms();
	CURLMcode rc;

	if (h->tick && before - h->ticked_ms >= TICK_MS) {
		h->ticked_ms = before;
		if (h->tick(h->tick_ctx, e) < 0)
			return -1;
	}
	rc = curl_multi_perform(h->multi, &running);
	if (rc == CURLM_OK)
		h->busy_ms += http_now_ms() - before;
	if (rc == CURLM_OK && (collect(h) || max_ms <= 0))
		return 0;
	if (h->tick && max_ms > TICK_MS)
		max_ms = TICK_MS;
	if (rc == CURLM_OK)
		rc = wait_for_more(h, max_ms);
	if (rc != CURLM_OK)
		return err_set(e, ERR_NET, "libcurl: %s",
			       curl_multi_strerror(rc));
	return 0;
}

bool http_check_time(struct http *h, struct http_exchange *x)
{
	const bool sent = x->body && x->n_sent == x->body->size;
	const int64_t allowed = h->stall_ms * (sent ? PATIENCE : 1);
	const bool silent = quiet_ms(h) - x->last_ms > allowed;
	const bool late =
		x->limit_ms && http_now_ms() - x->begun_ms > x->limit_ms;

	if (!x->done && (silent || late)) {
		x->stalled = true;
		finish(h, x, CURLE_OPERATION_TIMEDOUT);
	}
	return x->done;
}

const char *http_failure(const struct http_exchange *x)
{
	switch (x->code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "the name has no address";
	case CURLE_COULDNT_RESOLVE_PROXY:
		return "the proxy's name has no address";
	case CURLE_COULDNT_CONNECT:
		return "connection refused or not possible";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "its TLS certificate is not trusted";
	case CURLE_SSL_CONNECT_ERROR:
		return "TLS cannot be agreed on";
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_HTTP2_STREAM:
	case CURLE_HTTP2:
		return "connection cut";
	case CURLE_GOT_NOTHING:
		return "connection closed without an answer";
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return "the answer is not HTTP";
	default:
		return curl_easy_strerror(x->code);
	}
}
