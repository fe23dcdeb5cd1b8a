/*
 * fuzz - what a fuzz target is: one parser, fed with any bytes
 *
 * The same file is linked with replay.c, which feeds it the files of its
 * corpus (tests/run fuzz), and by hand with clang's libFuzzer:
 *
 *   make BUILD=asan CC=clang-14 O=build-fuzz \
 *	CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzz
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
