/*
 * ref - image references as Docker writes them (distribution/reference)
 *
 *   alpine                     docker.io/library/alpine:latest
 *   alpine:3.20                docker.io/library/alpine:3.20
 *   user/app                   docker.io/user/app:latest
 *   localhost:5000/x           localhost:5000/x:latest
 *   ghcr.io/a/b@sha256:...     by digest; a tag beside it is kept but not used
 *
 * The first part is a registry if it has a dot, a colon, upper case, or is
 * "localhost". 64 hex digits alone are refused (an image id is not a name).
 * index.docker.io is docker.io.
 */
#ifndef BASE_REF_H
#define BASE_REF_H

#include "digest.h"
#include "err.h"
#include "limits.h"

struct ref {
	char registry[256];   /* "docker.io", "localhost:5000", "[::1]:5000" */
	char repository[256]; /* "library/alpine" */
	char tag[129]; /* "latest" when neither tag nor digest is given */
	struct digest digest; /* alg DIGEST_NONE when not given */
};

int ref_parse(const char *s, struct ref *ret, struct err *e);

#define REF_TEXT_MAX (REF_MAX + 129 + DIGEST_TEXT_MAX + 4)

/* "docker.io/library/alpine:3.20"; buf of REF_TEXT_MAX; returns buf. */
const char *ref_text(const struct ref *r, char *buf);
/*
 * The short form that people write: "alpine:3.20". ref_parse turns it back into
 * the same reference, so "docker.io/" is kept where the rest alone would name
 * another registry. Every output that shows a name uses this form. Same buffer
 * rules.
 */
const char *ref_familiar(const struct ref *r, char *buf);
/* Familiar name without tag and digest: "alpine", "ghcr.io/a/b". */
const char *ref_familiar_name(const struct ref *r, char *buf);

#endif
