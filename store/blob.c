#include "store/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"

/* Nearly every manifest and most configs are smaller. */
#define PIECE KIB(16)

/* Below the root: no folder needs to be opened on the way of a start. */
struct blob_path {
	char text[DIGEST_TEXT_MAX + sizeof("blobs/")];
};

static struct blob_path path_of(const struct digest *d)
{
	struct blob_path p;

	(void)snprintf(p.text, sizeof(p.text), "blobs/%s", DIGEST_PATH(d));
	return p;
}

bool blob_has(struct store *s, const struct digest *d)
{
	struct err ignored = {0};
	const struct blob_path p = path_of(d);

	return faccessat(store_dirfd(s, STORE_ROOT, &ignored), p.text, F_OK,
			 0) == 0;
}

int blob_open(struct store *s, const struct digest *d, struct err *e)
{
	const struct blob_path p = path_of(d);
	const int fd = openat(store_dirfd(s, STORE_ROOT, e), p.text,
			      O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "blob %s is not in the store",
			       DIGEST_SHORT(d));
	if (fd < 0)
		return err_sys(e, "openat", "%s", p.text);
	return fd;
}

int blob_read(struct store *s, const struct digest *d, struct buf *b,
	      struct err *e)
{
	const struct blob_path p = path_of(d);
	autoclose int fd = blob_open(s, d, e);

	if (fd < 0)
		return -1;
	return io_read_file(fd, b, p.text, e);
}

int blob_size(struct store *s, const struct digest *d, uint64_t *ret,
	      struct err *e)
{
	const struct blob_path p = path_of(d);
	struct stat st;

	if (fstatat(store_dirfd(s, STORE_ROOT, e), p.text, &st, 0)) {
		if (errno == ENOENT)
			return err_set(e, ERR_NOTFOUND,
				       "blob %s is not in the store",
				       DIGEST_SHORT(d));
		return err_sys(e, "fstatat", "%s", p.text);
	}
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int each_of_alg(int dirfd, enum digest_alg alg, blob_fn fn, void *ctx,
		       struct err *e)
{
	const char *const alg_name = digest_alg_name(alg);
	autodir DIR *d = NULL;
	const struct dirent *ent;
	const int fd =
		openat(dirfd, alg_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "openat", "%s", alg_name);
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return err_sys(e, "fdopendir", "%s", alg_name);
	}

	while ((ent = readdir(d))) {
		struct err not_one = {0};
		struct digest dg = {0};
		autofree char *text = NULL;
		int r;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		text = xasprintf("%s:%s", alg_name, ent->d_name);
		r = digest_parse(text, &dg, &not_one)
			    ? fn(ctx, NULL, ent->d_name, e)
			    : fn(ctx, &dg, ent->d_name, e);
		if (r)
			return r;
	}
	return 0;
}

int blob_each_in(struct store *s, enum store_dir which, blob_fn fn, void *ctx,
		 struct err *e)
{
	const int dirfd = store_dirfd(s, which, e);

	if (dirfd < 0)
		return -1;
	for (enum digest_alg a = DIGEST_SHA256; a < DIGEST_ALGS; a++) {
		const int r = each_of_alg(dirfd, a, fn, ctx, e);

		if (r)
			return r;
	}
	return 0;
}

int blob_each(struct store *s, blob_fn fn, void *ctx, struct err *e)
{
	return blob_each_in(s, STORE_BLOBS, fn, ctx, e);
}
