/*
 * http - single exchanges over one curl_multi loop
 *
 * An exchange is one request and its answer: no redirect is followed, nothing
 * is retried, no status is judged; transfer.h does that. All exchanges of a
 * struct http run in one loop, http_turn, and any owner may call it: an
 * exchange that ends during another owner's call keeps its result until its own
 * owner looks.
 *
 * Bounds: header block 64 KiB, error bodies kept to 8 KiB, and an exchange
 * without a byte for stall_ms is given up. Time spent in sinks (a slow disk)
 * does not count as silence of the other side; one that has taken a body whole
 * has ten times as long for its answer, since it may have to copy it.
 *
 * Life: http_make -> (http_start -> http_turn ... until x->done -> http_stop)
 * ... -> http_free.
 */
#ifndef REGISTRY_HTTP_H
#define REGISTRY_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "registry/url.h"
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct http;

/* What came before the body. */
struct http_head {
	long status;
	int64_t length; /* Content-Length, or -1 */
	char type[128];
	char encoding[32];
	char range[96]; /* Content-Range */
	char retry_after[64];
	char digest[160]; /* Docker-Content-Digest */
	char *location;
	struct strv challenges; /* WWW-Authenticate */
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST, /* of nothing, or of the form `post` */
	HTTP_PUT,  /* of a body */
};

/* What is sent; a retry begins with its first byte again. */
struct http_body {
	const void *p; /* the bytes; NULL: those of fd, which is only pread */
	int fd;
	uint64_t size;
	const char *type; /* Content-Type */
	bool once;        /* who took a part of it remembers that */
};

struct http_exchange {
	/* The request; borrowed until http_stop. */
	enum http_method method;
	const struct http_body *body;
	const struct url *url;
	const char *authorization; /* NULL: none */
	const char *accept;
	const char *post; /* a form, makes it a POST */
	uint64_t range;   /* first byte wanted; 0: no Range header */
	bool direct;      /* past any proxy: loopback */
	bool only_public; /* refuse to connect to private addresses */
	bool sent;        /* a registry named the URL: check it with reach.h */
	const char *home; /* that registry's address for reach.h; may be NULL */
	int64_t limit_ms; /* for the whole; 0: none */

	/*
	 * The answer, when its status is 200 or 206: head is asked once before
	 * the body and may refuse. Bytes of other answers, and of all without a
	 * sink, go to `error`.
	 */
	int (*head)(void *ctx, const struct http_head *h, struct err *e);
	sink_fn sink;
	void *ctx;

	/* The result. */
	bool done;
	CURLcode code;           /* CURLE_OK: the answer came whole */
	bool stalled;            /* given up, code means nothing */
	bool refused;            /* head or sink said no: err */
	bool was_private;        /* only_public held it back */
	const char *unreachable; /* why reach.h refused it, or NULL */
	char there[64];          /* the address that it refused */
	struct err err;
	struct http_head got;
	struct buf error;
	uint64_t n_body; /* bytes given to sink */
	uint64_t n_sent; /* bytes of the body given to libcurl */
	char peer[64];   /* numeric address that answered */
	uint16_t peer_port;

	/* http.c's own */
	CURL *easy;
	struct curl_slist *headers;
	struct http *http;
	size_t n_head;
	bool head_asked;
	int64_t last_ms;
	int64_t begun_ms;
};

int http_make(int64_t stall_ms, struct http **ret, struct err *e);
void http_free(struct http *h);

void http_start(struct http *h, struct http_exchange *x);
/* Also ends one that still runs. The zero value is fine. */
void http_stop(struct http *h, struct http_exchange *x);

/*
 * Called at least every 100 ms while the loop turns; -1 ends the turn.
 */
typedef int (*http_tick_fn)(void *ctx, struct err *e);
void http_set_tick(struct http *h, http_tick_fn tick, void *ctx);

/* Let the bytes flow for at most max_ms; returns early when there is news. */
int http_turn(struct http *h, int64_t max_ms, struct err *e);

/* Is it done? Gives up one that has been silent, or has lasted, too long. */
bool http_check_time(struct http *h, struct http_exchange *x);

/* CLOCK_MONOTONIC. */
int64_t http_now_ms(void);
int64_t http_stall_ms(const struct http *h);

/* What happened to an exchange that is done but not whole, in words. */
const char *http_failure(const struct http_exchange *x);

#endif
