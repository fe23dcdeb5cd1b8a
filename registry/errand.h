/*
 * errand - one thing asked of whichever endpoint has it
 *
 * Runs a transfer at one endpoint after the other until one delivers: first
 * the one that was good last time, then the others in order. A mirror that
 * fails is passed over with a note and is not waited for; when all fail, the
 * error holds the cause of each and has the kind of the registry's own.
 *
 * Life: errand_begin -> errand_step ... until it says false -> state ->
 * errand_end.
 */
#ifndef REGISTRY_ERRAND_H
#define REGISTRY_ERRAND_H

#include "registry/auth.h"
#include "registry/endpoint.h"
#include "registry/transfer.h"

struct errand {
	/* Set by the caller, borrowed. */
	const struct transfer_env *env;
	struct auth *auth;
	struct endpoints *places;
	const char *repository; /* NULL: the registry itself, "/v2/" */
	const char *scope;      /* of a token; see auth.h */
	const char *object;     /* "manifests/3.20", "blobs/sha256:..." */
	const char *accept;
	const struct transfer_ops *ops;
	void *ctx;
	int64_t limit_ms;

	/* Its own. */
	struct transfer t;
	struct auth_target target;
	bool running;
	bool tls;
	size_t at;
	size_t first;
	size_t tried;
	struct buf causes;
	struct err err; /* when it failed */
};

int errand_begin(struct errand *r, struct err *e);
/* True while there is more to come; then err tells whether it worked. */
bool errand_step(struct errand *r);
int64_t errand_due_ms(const struct errand *r);
void errand_end(struct errand *r);
#define autoerrand __attribute__((cleanup(errand_end)))

/* All steps, with the loop turned in between. */
int errand_run(struct errand *r, struct err *e);

#endif
