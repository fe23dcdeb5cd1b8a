/*
 * platform - what an image runs on: os, architecture, variant (image-spec
 * image-index.md, "platform"), in Go's words, and which serves which
 */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "err.h"

struct oci_platform {
	char os[32];
	char arch[32];    /* GOARCH words: amd64, arm64, arm, 386, ... */
	char variant[16]; /* v6, v7, v8, v3, or empty */
};

/*
 * "linux/arm64[/v8]", "amd64", "arm/v7", "linux/x86_64": normalised to GOARCH
 * words; what is left out is the host's.
 */
int oci_platform_parse(const char *s, struct oci_platform *ret, struct err *e);
/* Lower case, and GOARCH words for what others say: x86_64 is amd64. */
void oci_platform_normalise(struct oci_platform *p);
/* What this machine runs natively (uname(2)). */
void oci_platform_host(struct oci_platform *ret);
/* What --platform says, or the host's where it says nothing (s NULL). */
int oci_platform_or_host(const char *s, struct oci_platform *ret,
			 struct err *e);
/* "linux/arm64/v8"; buf of 96; returns buf. */
#define OCI_PLATFORM_TEXT_MAX 96
const char *oci_platform_text(const struct oci_platform *p, char *buf);

/*
 * How well `have` serves `want`: 0 = not at all, higher is better. arm/v7
 * falls back to v6, then v5; arm64 = arm64/v8; plain amd64 before amd64/v3.
 */
int oci_platform_match(const struct oci_platform *want,
		       const struct oci_platform *have);

#endif
