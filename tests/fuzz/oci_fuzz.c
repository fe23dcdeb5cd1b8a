/* Indexes, manifests and configs, as a registry gives them. */
#include "base/oci.h"
#include "tests/fuzz/fuzz.h"

static void index_of(const char *p, size_t n)
{
	const struct oci_platform want = {.os = "linux", .arch = "amd64"};
	const struct oci_desc *found = NULL;
	struct oci_index x = {0};
	struct err e = {0};
	bool unjudged = false;

	if (oci_index_parse(p, n, &x, &e) == 0) {
		if (oci_index_select(&x, &want, &found, &unjudged, &e) == 0)
			MUST(found >= x.v && found < x.v + x.n);
	} else {
		MUST(err_is(&e));
	}
	oci_index_free(&x);
}

static void manifest_of(const char *p, size_t n)
{
	struct oci_manifest m = {0};
	struct err e = {0};

	if (oci_manifest_parse(p, n, &m, &e) < 0)
		MUST(err_is(&e));
	oci_manifest_free(&m);
	err_clear(&e);
	if (oci_manifest_content(p, n, &m, &e) < 0)
		MUST(err_is(&e));
	oci_manifest_free(&m);
}

static void image_of(const char *p, size_t n)
{
	struct oci_image c = {0};
	struct err e = {0};

	if (oci_image_parse(p, n, &c, &e) < 0)
		MUST(err_is(&e));
	oci_image_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const p = (const char *)data;
	enum oci_doc kind = OCI_DOC_INDEX;
	struct err e = {0};

	if (oci_doc_kind(p, size, NULL, &kind, &e) < 0)
		MUST(err_is(&e));
	index_of(p, size);
	manifest_of(p, size);
	image_of(p, size);
	return 0;
}
