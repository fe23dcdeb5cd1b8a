#include "sha256_pair.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define SHA_TARGET __attribute__((target("sha,sse4.1")))

/* A state as the instructions want it: a, b, e, f and c, d, g, h. */
struct state {
	__m128i abef;
	__m128i cdgh;
};

/* FIPS 180-4, 4.2.2. */
static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static bool cpu_can(void)
{
	static int can = -1;
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	if (can < 0) {
		can = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) &&
		      __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
	}
	return can;
}

SHA_TARGET static struct state load_state(const uint32_t h[8])
{
	return (struct state){
		.abef = _mm_set_epi32((int)h[0], (int)h[1], (int)h[4],
				      (int)h[5]),
		.cdgh = _mm_set_epi32((int)h[2], (int)h[3], (int)h[6],
				      (int)h[7]),
	};
}

SHA_TARGET static void save_state(const struct state *s, uint32_t h[8])
{
	h[0] = (uint32_t)_mm_extract_epi32(s->abef, 3);
	h[1] = (uint32_t)_mm_extract_epi32(s->abef, 2);
	h[4] = (uint32_t)_mm_extract_epi32(s->abef, 1);
	h[5] = (uint32_t)_mm_extract_epi32(s->abef, 0);
	h[2] = (uint32_t)_mm_extract_epi32(s->cdgh, 3);
	h[3] = (uint32_t)_mm_extract_epi32(s->cdgh, 2);
	h[6] = (uint32_t)_mm_extract_epi32(s->cdgh, 1);
	h[7] = (uint32_t)_mm_extract_epi32(s->cdgh, 0);
}

/* Four rounds on each state; w are four words of the expanded block. */
SHA_TARGET static inline void four_rounds(struct state *a, struct state *b,
					  __m128i w, const uint32_t *k)
{
	const __m128i low = _mm_add_epi32(w, _mm_loadu_si128((const void *)k));
	const __m128i high = _mm_shuffle_epi32(low, 0x0e);

	/* Two rounds make the new abef; the old one becomes cdgh. */
	a->cdgh = _mm_sha256rnds2_epu32(a->cdgh, a->abef, low);
	b->cdgh = _mm_sha256rnds2_epu32(b->cdgh, b->abef, low);
	a->abef = _mm_sha256rnds2_epu32(a->abef, a->cdgh, high);
	b->abef = _mm_sha256rnds2_epu32(b->abef, b->cdgh, high);
}

/* The four words that follow sixteen. */
SHA_TARGET static inline __m128i expand(__m128i w0, __m128i w1, __m128i w2,
					__m128i w3)
{
	const __m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1),
					_mm_alignr_epi8(w3, w2, 4));

	return _mm_sha256msg2_epu32(t, w3);
}

SHA_TARGET static inline __m128i load_words(const unsigned char *p)
{
	const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4,
						5, 6, 7, 0, 1, 2, 3);

	return _mm_shuffle_epi8(_mm_loadu_si128((const void *)p), big_endian);
}

SHA_TARGET static void add_block(struct state *a, struct state *b,
				 const unsigned char *p)
{
	const struct state a_before = *a;
	const struct state b_before = *b;
	__m128i w0 = load_words(p);
	__m128i w1 = load_words(p + 16);
	__m128i w2 = load_words(p + 32);
	__m128i w3 = load_words(p + 48);

	four_rounds(a, b, w0, K);
	four_rounds(a, b, w1, K + 4);
	four_rounds(a, b, w2, K + 8);
	four_rounds(a, b, w3, K + 12);
	for (const uint32_t *k = K + 16; k < K + 64; k += 16) {
		w0 = expand(w0, w1, w2, w3);
		four_rounds(a, b, w0, k);
		w1 = expand(w1, w2, w3, w0);
		four_rounds(a, b, w1, k + 4);
		w2 = expand(w2, w3, w0, w1);
		four_rounds(a, b, w2, k + 8);
		w3 = expand(w3, w0, w1, w2);
		four_rounds(a, b, w3, k + 12);
	}
	a->abef = _mm_add_epi32(a->abef, a_before.abef);
	a->cdgh = _mm_add_epi32(a->cdgh, a_before.cdgh);
	b->abef = _mm_add_epi32(b->abef, b_before.abef);
	b->cdgh = _mm_add_epi32(b->cdgh, b_before.cdgh);
}

SHA_TARGET static void add_blocks(uint32_t a[8], uint32_t b[8],
				  const unsigned char *p, size_t n)
{
	struct state x = load_state(a);
	struct state y = load_state(b);

	for (; n > 0; n--, p += 64)
		add_block(&x, &y, p);
	save_state(&x, a);
	save_state(&y, b);
}

bool sha256_pair(uint32_t a[8], uint32_t b[8], const void *p, size_t n)
{
	if (!cpu_can())
		return false;
	add_blocks(a, b, p, n);
	return true;
}

#else

bool sha256_pair(uint32_t a[8], uint32_t b[8], const void *p, size_t n)
{
	(void)a;
	(void)b;
	(void)p;
	(void)n;
	return false;
}

#endif
