/*
 * Image archives, as docker save and OCI tools write them: what a tar holds
 * (walked here, and not by the confined worker, so that the fuzzer sees it),
 * and documents and blobs that lead to each other.
 *
 * An input that begins with 'F' is a list of files, which needs no checksums:
 * the length of a name, 0x80 added for a link; the name; the length of the
 * content in two bytes (a link's in one), most significant first; the content.
 */
#include <string.h>
#include <sys/mman.h>

#include "cmd/image_archive.h"
#include "store/tarfiles.c"
#include "tests/fuzz/fuzz.h"

#define DOC_MAX   KIB(256)
#define IMAGE_MAX 32
#define DEPTH_MAX 3

static int file_of_bytes(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size &&
	     lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* ---- the two forms of input ---------------------------------------------------- */

static int tar_of(struct tarfiles *t, const uint8_t *data, size_t size,
		  struct err *e)
{
	autobuf struct buf list = buf_make(LIST_MAX);
	struct walk w = {
		.in = file_of_bytes(data, size),
		.copy = t->copy = file_of_bytes(NULL, 0),
		.list = file_of_bytes(NULL, 0),
		.seekable = true,
	};
	int rc = open_tar(&w, e);

	t->dir = -1;
	if (rc == 0)
		rc = walk_entries(&w, e);
	(void)archive_read_free(w.a);
	MUST(lseek(w.list, 0, SEEK_SET) == 0);
	if (rc == 0)
		rc = io_read_all(w.list, &list, "the list", e);
	if (rc == 0)
		rc = take_list(t, &w, &list, e);
	own_close(&w.list);
	/* The reader borrows the tar; here we own it. */
	if (t->data == w.in) {
		own_close(&t->copy);
		t->copy = w.in;
	} else {
		own_close(&w.in);
	}
	return rc;
}

static size_t one_file(struct tarfiles *t, const uint8_t *p, size_t n,
		       uint64_t at)
{
	const bool link = p[0] & 0x80;
	const size_t name = p[0] & 0x7f;
	const size_t head = 1 + name + (link ? 1 : 2);
	size_t size;
	struct entry *x;

	if (head > n)
		return n;
	size = p[1 + name];
	if (!link)
		size = (size << 8) + p[2 + name];
	if (size > n - head)
		size = n - head;
	t->v = xrealloc(t->v, (t->n + 1) * sizeof(*t->v));
	x = &t->v[t->n++];
	*x = (struct entry){.at = at + head, .size = size};
	x->name = xstrndup((const char *)p + 1, name);
	if (link) {
		x->link = xstrndup((const char *)p + head, size);
		x->size = size & 1; /* a symlink */
	}
	return head + size;
}

static void files_of(struct tarfiles *t, const uint8_t *data, size_t size)
{
	t->dir = -1;
	t->data = t->copy = file_of_bytes(data, size);
	t->data_size = size;
	for (size_t at = 1; at < size;)
		at += one_file(t, data + at, size - at, at);
}

/* ---- what is asked of it --------------------------------------------------------- */

static int swallow(void *ctx, const void *p, size_t n, struct err *e)
{
	uint64_t *const left = ctx;

	(void)p;
	(void)e;
	MUST(n <= *left);
	*left -= n;
	return 0;
}

static int swallowed(void *ctx, struct err *e)
{
	(void)e;
	MUST(*(const uint64_t *)ctx == 0);
	return 0;
}

static void fetch_one(const struct image_source *s, const struct oci_desc *d)
{
	const struct ref none = {0};
	uint64_t left = d->size;
	struct registry_blob b = {
		.desc = *d, .sink = swallow, .done = swallowed, .ctx = &left};
	struct err e = {0};

	if (s->fetch(s->ctx, &none, &b, 1, 1, NULL, NULL, &e) < 0)
		MUST(err_is(&e));
}

static void look(const struct archived_image *x, const struct image_source *s,
		 const struct digest *d, int depth)
{
	autobuf struct buf b = buf_make(DOC_MAX);
	const struct ref none = {0};
	struct oci_index index = {0};
	struct oci_manifest m = {0};
	struct digest got;
	struct err e = {0};
	char type[128];

	(void)image_archive_has(x, d ? d : &x->top);
	if (s->manifest(s->ctx, &none, d, &b, type, &got, &e) < 0) {
		MUST(err_is(&e));
		return;
	}
	MUST(digest_eq(&got, d ? d : &x->top));
	if (oci_index_parse(buf_str(&b), b.len, &index, &e) == 0)
		for (size_t i = 0;
		     depth < DEPTH_MAX && i < index.n && i < IMAGE_MAX; i++)
			look(x, s, &index.v[i].digest, depth + 1);
	oci_index_free(&index);
	err_clear(&e);
	if (oci_manifest_parse(buf_str(&b), b.len, &m, &e) == 0) {
		fetch_one(s, &m.config);
		for (size_t i = 0; i < m.n_layers && i < IMAGE_MAX; i++)
			fetch_one(s, &m.layers[i]);
	}
	oci_manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tarfiles *const t = xcalloc(1, sizeof(*t));
	struct image_archive *a = NULL;
	struct err e = {0};
	int rc = 0;

	t->copy = -1;
	if (size && *data == 'F')
		files_of(t, data, size);
	else
		rc = tar_of(t, data, size, &e);
	if (rc == 0)
		rc = image_archive_open(t, &a, &e);
	if (rc < 0)
		MUST(err_is(&e));
	for (size_t i = 0;
	     rc == 0 && i < image_archive_count(a) && i < IMAGE_MAX; i++) {
		struct archived_image *const x = image_archive_at(a, i);
		const struct image_source s = image_archive_source(x);

		look(x, &s, NULL, 0);
	}
	image_archive_free(a);
	tarfiles_free(t);
	return 0;
}
