/* Image references: what parses is written as text that parses to the same. */
#include <string.h>

#include "base/own.h"
#include "base/ref.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *s = xstrndup((const char *)data, size);
	char text[REF_TEXT_MAX];
	char again[REF_TEXT_MAX];
	struct err e = {0};
	struct ref a, b;

	if (ref_parse(s, &a, &e) < 0) {
		MUST(err_is(&e));
		return 0;
	}
	MUST(!strstr(a.repository, ".."));
	MUST(a.repository[0] != '/' && a.registry[0] != '/');
	MUST(ref_parse(ref_text(&a, text), &b, &e) == 0);
	MUST(!strcmp(text, ref_text(&b, again)));
	MUST(ref_parse(ref_familiar(&a, text), &b, &e) == 0);
	MUST(!strcmp(ref_text(&a, text), ref_text(&b, again)));
	(void)ref_familiar_name(&a, text);
	return 0;
}
