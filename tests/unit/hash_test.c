#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/own.h"
#include "base/sha256_pair.h"

static void digests_are_those_of_the_standard(void **state)
{
	struct digest d;

	(void)state;
	hash_bytes(DIGEST_SHA256, "abc", 3, &d);
	assert_string_equal(d.hex, "ba7816bf8f01cfea414140de5dae2223b00361a3961"
				   "77a9cb410ff61f20015ad");
	hash_bytes(DIGEST_SHA256, "", 0, &d);
	assert_string_equal(d.hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649"
				   "b934ca495991b7852b855");
	hash_bytes(DIGEST_SHA512, "abc", 3, &d);
	assert_string_equal(d.hex,
			    "ddaf35a193617abacc417349ae20413112e6fa4e89a"
			    "97ea20a9eeee64b55d39a2192992a274fc1a836ba3c"
			    "23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void fill(unsigned char *p, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (unsigned char)(x >> 24);
	}
}

/* before goes into the first alone, then n bytes into both. */
static void check_both(const unsigned char *p, size_t before, size_t n,
		       enum digest_alg alg_a)
{
	struct hash *const a = hash_begin(alg_a);
	struct hash *const b = hash_begin(DIGEST_SHA256);
	struct digest got;
	struct digest want;

	hash_add(a, p, before);
	hash_add_both(a, b, p + before, n);
	hash_add_both(a, b, p, 3);
	hash_end(b, &got);
	{
		struct hash *const h = hash_begin(DIGEST_SHA256);

		hash_add(h, p + before, n);
		hash_add(h, p, 3);
		hash_end(h, &want);
	}
	assert_string_equal(got.hex, want.hex);
	hash_end(a, &got);
	{
		struct hash *const h = hash_begin(alg_a);

		hash_add(h, p, before + n);
		hash_add(h, p, 3);
		hash_end(h, &want);
	}
	assert_string_equal(got.hex, want.hex);
}

static void both_get_what_each_alone_would(void **state)
{
	static const size_t befores[] = {0, 1, 63, 64, 65, 512, 1000};
	static const size_t sizes[] = {0,   1,   55,  56,   63,
				       64,  65,  127, 128,  129,
				       500, 512, 513, 4096, 100000};
	autofree unsigned char *p = xmalloc(101001);

	(void)state;
	fill(p, 101001);
	for (size_t i = 0; i < ARRAY_LEN(befores); i++)
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			check_both(p, befores[i], sizes[k], DIGEST_SHA256);
			check_both(p, befores[i], sizes[k], DIGEST_SHA512);
		}
}

/* Beyond 2^32 bits, where the count of bits carries over. */
static void long_inputs_are_counted_right(void **state)
{
	const size_t size = 1u << 20;
	autofree unsigned char *p = xmalloc(size);
	struct hash *const a = hash_begin(DIGEST_SHA256);
	struct hash *const b = hash_begin(DIGEST_SHA256);
	struct hash *const c = hash_begin(DIGEST_SHA256);
	struct digest d;
	struct digest want;

	(void)state;
	fill(p, size);
	for (int i = 0; i < 520; i++) {
		hash_add_both(a, b, p, size);
		hash_add(c, p, size);
	}
	hash_end(c, &want);
	hash_end(a, &d);
	assert_string_equal(d.hex, want.hex);
	hash_end(b, &d);
	assert_string_equal(d.hex, want.hex);
}

/* FIPS 180-4, 5.3.3, and the one block that "abc" is padded to. */
static void a_block_into_two_states(void **state)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
					  0xa54ff53a, 0x510e527f, 0x9b05688c,
					  0x1f83d9ab, 0x5be0cd19};
	static const uint32_t end[8] = {0xba7816bf, 0x8f01cfea, 0x414140de,
					0x5dae2223, 0xb00361a3, 0x96177a9c,
					0xb410ff61, 0xf20015ad};
	unsigned char block[64] = "abc\x80";
	uint32_t a[8];
	uint32_t b[8] = {0};

	(void)state;
	block[63] = 24;
	memcpy(a, start, sizeof(a));
	if (!sha256_pair(a, b, block, 1)) {
		/* No SHA instructions here: nothing was done. */
		assert_memory_equal(a, start, sizeof(a));
		return;
	}
	assert_memory_equal(a, end, sizeof(a));
	memcpy(b, start, sizeof(b));
	memset(a, 0, sizeof(a));
	assert_true(sha256_pair(a, b, block, 1));
	assert_memory_equal(b, end, sizeof(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(both_get_what_each_alone_would),
		cmocka_unit_test(long_inputs_are_counted_right),
		cmocka_unit_test(a_block_into_two_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
