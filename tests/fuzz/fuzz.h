/*
 * fuzz - what a fuzz target is: one parser, fed with any bytes
 *
 * "make fuzz" links the same file with replay.c, which feeds it the files of its
 * corpus (tests/run fuzz). "make fuzz-clang" links it with clang's libFuzzer:
 *
 *   make fuzz-clang
 *   mkdir /tmp/new && build-fuzz/fuzz/ref_fuzz -rss_limit_mb=1024 \
 *	-artifact_prefix=/tmp/ /tmp/new tests/fuzz/corpus/ref
 *
 * New inputs go into the first directory; without it, they go into the corpus.
 *
 * An input that crashed goes into the corpus as a file of its own.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name and form for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must always hold; a failure is a crash. */
#define MUST(x)                           \
	do {                              \
		if (!(x))                 \
			__builtin_trap(); \
	} while (0)

#endif
