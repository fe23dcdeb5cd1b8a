/* WWW-Authenticate headers of a registry. */
#include <string.h>

#include "registry/challenge.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const p = (const char *)data;
	const char *const line = size ? memchr(p, '\n', size) : NULL;
	const size_t first = line ? (size_t)(line - p) : size;
	struct challenge c = {.kind = CHALLENGE_NONE};

	/* Two headers, one after the other. */
	challenge_parse(p, first, &c);
	challenge_parse(p + first, size - first, &c);
	MUST(memchr(c.realm, '\0', sizeof(c.realm)));
	MUST(memchr(c.service, '\0', sizeof(c.service)));
	MUST(memchr(c.error, '\0', sizeof(c.error)));
	return 0;
}
