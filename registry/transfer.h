/*
 * transfer - one document or blob from or to one endpoint, by all that it takes
 *
 * Repeats exchanges until the consumer has what it wants: follows redirects
 * (at most 10, never from https to http, never to an address that reach.h
 * refuses, Authorization only to the origin that it is meant for), answers one
 * 401 per exchange through `auth`, retries what may succeed later (408 429 500
 * 502 503 504, cuts, resets, silence) with exponential backoff, jitter and
 * Retry-After, and tells the user before each wait. For tests, PRISM_RETRY_MS
 * in the environment replaces the first wait of 1000 ms.
 *
 * Several transfers run side by side: their owner calls transfer_step on each
 * and http_turn in between.
 *
 * Life: transfer_begin -> transfer_step ... until finished -> transfer_end.
 */
#ifndef REGISTRY_TRANSFER_H
#define REGISTRY_TRANSFER_H

#include "registry/http.h"
#include <stdbool.h>
#include <stdint.h>

#define REDIRECTS_MAX    10
#define RETRY_AFTER_MAX  60 /* seconds; a longer Retry-After is an error */
#define TRANSFER_TRIES   5
#define TRANSFER_STALL_S 30

typedef void (*transfer_note_fn)(void *ctx, const char *text);

/* What all transfers of a registry share. */
struct transfer_env {
	struct http *http;
	int tries;
	int64_t retry_ms;
	transfer_note_fn note; /* may be NULL */
	void *note_ctx;
};
void transfer_note(const struct transfer_env *env, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What to do after an answer, or a piece of it, was looked at. */
enum verdict {
	VERDICT_DONE,  /* all is here */
	VERDICT_AGAIN, /* ask again at once, differently; the consumer counts */
	VERDICT_FOLLOW, /* go on at Location, as after a redirect */
	VERDICT_RETRY,  /* e is set; as good as a cut connection */
	VERDICT_FAIL,   /* e is set; another endpoint may do better */
	VERDICT_OURS,   /* e is set; the fault is on our side (a full disk) */
};

/* The consumer or producer of the bytes. */
struct transfer_ops {
	/*
	 * What is asked: method and body; NULL: a GET. follows: VERDICT_FOLLOW
	 * led here; a retry begins before it.
	 */
	void (*request)(void *ctx, bool follows, struct http_exchange *x);
	/* Before VERDICT_FOLLOW is obeyed: what the address lacks. */
	int (*follow)(void *ctx, struct url *at, struct err *e);
	/* Answers besides 200, 206 and 416 that judge() is asked about. */
	bool (*takes)(void *ctx, bool follows, const struct http_exchange *x);
	/* Before each exchange: from which byte on (0: all)? */
	int (*begin)(void *ctx, uint64_t *ret_from, struct err *e);
	/* 200 or 206 came; -1 sends it back, judge() is asked why. */
	int (*head)(void *ctx, const struct http_head *h, struct err *e);
	sink_fn sink;
	/* The body ended (whole: as HTTP sees it) or was refused (e set). */
	enum verdict (*judge)(void *ctx, const struct http_exchange *x,
			      struct err *e);
	/* Bytes that need not be fetched again; retries start anew with it. */
	uint64_t (*progress)(void *ctx);
};

/* How to answer 401; see auth.h. */
struct transfer_auth {
	/* The value of Authorization now, or NULL. Borrowed until renewed. */
	const char *(*header)(void *ctx);
	/* Get a better one; x is the 401, `used` the header that it followed. */
	int (*renew)(void *ctx, const struct http_exchange *x, const char *used,
		     struct err *e);
	/* `used` was taken; was it ever? */
	void (*worked)(void *ctx, const char *used);
	bool (*has_worked)(void *ctx, const char *used);
	/* A better one is no better: say what to do about that. */
	void (*explain)(void *ctx, struct err *e);
	void *ctx;
};

/* Why a transfer failed, for who has another endpoint to ask. */
enum transfer_failure {
	FAILURE_NONE,
	FAILURE_CONNECT,     /* nobody there */
	FAILURE_TLS,         /* not TLS, or none that can be agreed on */
	FAILURE_CERTIFICATE, /* TLS, but not trusted */
	FAILURE_NOT_HTTP,    /* there, but does not speak plain HTTP */
	FAILURE_ANSWER,      /* an answer that is an error */
	FAILURE_BODY,        /* the consumer refused it, or it came broken */
	FAILURE_OURS,        /* no endpoint can help */
};

enum transfer_state {
	TRANSFER_READY,   /* the next step starts an exchange */
	TRANSFER_RUNNING, /* an exchange is under way */
	TRANSFER_WAITING, /* until due_ms */
	TRANSFER_DONE,
	TRANSFER_FAILED, /* err */
	TRANSFER_STATES
};

struct transfer {
	/* Set by the caller. */
	const struct transfer_env *env;
	const struct transfer_ops *ops;
	void *ctx;
	const struct transfer_auth *auth; /* may be NULL */
	const char *accept;
	const char *post;
	const char *authorization; /* instead of auth */
	const char *server;        /* as the user knows it, for words */
	bool direct;
	bool only_public;
	bool sent; /* a registry, not the user, named the URL: see reach.h */
	char home
		[64]; /* that registry's numeric address; "": set by the transfer */
	bool hurry;   /* there are other mirrors: wait only once bytes came */
	bool probing; /* http or https is not known: no retry if it may be that */
	int64_t limit_ms;

	/* Its own. */
	enum transfer_state state;
	enum transfer_failure failure;
	struct url origin;
	struct url at;
	struct http_exchange x;
	char *used; /* the Authorization of this exchange (secret) */
	int redirects;
	bool follows;
	int failures; /* since the last progress */
	int renewals; /* answers to a 401 that are still allowed, or 0 */
	bool voided;  /* a token that had worked was not taken */
	bool refused; /* there was one */
	uint64_t high;
	int64_t due_ms;
	struct err err;
};

/* url is copied. Fields that the caller sets are set before. */
void transfer_begin(struct transfer *t, const struct url *url);
/* One step without waiting; true while there is more to come. */
bool transfer_step(struct transfer *t);
/* In how many ms a step is worth while even without news. */
int64_t transfer_due_ms(const struct transfer *t);
void transfer_end(struct transfer *t);

/* All steps; 0, or -1 with the transfer's error (or that of the loop). */
int transfer_run(struct transfer *t, struct err *e);

/* "17" or an HTTP date -> seconds from now; -1: neither. Not negative else. */
int64_t retry_after_seconds(const char *s, int64_t now_s);

#endif
