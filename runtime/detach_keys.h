/*
 * detach_keys - the keys that take a terminal away from a container
 *
 * "ctrl-p,ctrl-q", "ctrl-x,d", "a": Docker's form. Keys that are the beginning
 * of the sequence are held back until it is clear that it is none.
 */
#ifndef RUNTIME_DETACH_KEYS_H
#define RUNTIME_DETACH_KEYS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define DETACH_KEYS_MAX     16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t n;    /* 0: none */
	size_t held; /* how many of them were typed */
};

/* An empty text: no keys. */
int detach_keys_parse(const char *s, struct detach_keys *ret, struct err *e);

/*
 * Take n typed bytes; what is to be sent goes to out, which has room for
 * n + DETACH_KEYS_MAX. True when the sequence is complete.
 */
bool detach_keys_feed(struct detach_keys *k, const unsigned char *p, size_t n,
		      unsigned char *out, size_t *ret_n);

#endif
