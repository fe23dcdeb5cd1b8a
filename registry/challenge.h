/*
 * challenge - what a WWW-Authenticate header asks for (RFC 9110, 11.6.1)
 *
 * One header may hold several challenges and there may be several headers:
 * Bearer is taken before Basic, others are passed over. What does not parse is
 * no challenge.
 */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

#include "base/limits.h"
#include <stdbool.h>
#include <stddef.h>

enum challenge_kind {
	CHALLENGE_NONE,
	CHALLENGE_BASIC,
	CHALLENGE_BEARER,
};

struct challenge {
	enum challenge_kind kind;
	char realm[1024];
	char service[256];
	char error[64]; /* "invalid_token", "insufficient_scope" */
};

/* Take from one header value what is better than *c holds already. */
void challenge_parse(const char *p, size_t len, struct challenge *c);

#endif
