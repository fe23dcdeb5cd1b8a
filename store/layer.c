#include "store/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "store/stack.h"
#include "store/under.h"

/* "layers/sha256/<hex>/fs", "skeletons/sha256/<hex>/<own>" */
#define PATH_ROOM (DIGEST_TEXT_MAX + STACK_NAME_MAX + 16)

static int open_below(struct store *s, const char *path, int flags,
		      struct err *e)
{
	return openat(store_dirfd(s, STORE_ROOT, e), path, flags | O_CLOEXEC);
}

static int not_unpacked(const struct digest *diff_id, struct err *e)
{
	(void)err_set(e, ERR_NOTFOUND, "layer %s is not unpacked",
		      DIGEST_SHORT(diff_id));
	return err_hint(e, "'prism pull' of the image unpacks it again");
}

static int open_of_layer(struct store *s, const struct digest *diff_id,
			 const char *what, int flags, struct err *e)
{
	char path[PATH_ROOM];
	int fd;

	(void)snprintf(path, sizeof(path), "layers/%s/%s", DIGEST_PATH(diff_id),
		       what);
	fd = open_below(s, path, flags, e);
	if (fd < 0 && errno == ENOENT)
		return not_unpacked(diff_id, e);
	if (fd < 0)
		return err_sys(e, "openat", "%s", path);
	return fd;
}

int layer_open(struct store *s, const struct digest *diff_id, struct err *e)
{
	return open_of_layer(s, diff_id, "fs", O_PATH | O_DIRECTORY, e);
}

int layer_open_list(struct store *s, const struct digest *diff_id,
		    struct err *e)
{
	return open_of_layer(s, diff_id, "list", O_RDONLY, e);
}

bool layer_has(struct store *s, const struct digest *diff_id)
{
	struct err ignored = {0};
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "layers/%s", DIGEST_PATH(diff_id));
	return faccessat(store_dirfd(s, STORE_ROOT, &ignored), path, F_OK, 0) ==
	       0;
}

int layer_size(struct store *s, const struct digest *diff_id, uint64_t *ret,
	       struct err *e)
{
	autoclose int fd = open_of_layer(s, diff_id, "size", O_RDONLY, e);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_sys(e, "read", "layers/%s/size",
			       DIGEST_PATH(diff_id));
	if (n < 2 || text[n - 1] != '\n' ||
	    !str_to_u64n(text, (size_t)n - 1, UINT64_MAX, ret))
		return err_set(e, ERR_INVALID, "layers/%s/size: not a number",
			       DIGEST_PATH(diff_id));
	return 0;
}

/* ---- the stack ----------------------------------------------------------- */

static void add_layer(struct store *s, const struct digest *diff_id,
		      struct strv *ret)
{
	strv_take(ret, xasprintf("%s/layers/%s/fs", store_root(s),
				 DIGEST_PATH(diff_id)));
}

static bool is_again_above(const struct image *img, size_t i)
{
	const struct digest *const d = img->config.diff_ids;

	for (size_t j = i + 1; j < img->config.n_diff_ids; j++)
		if (digest_eq(&d[i], &d[j]))
			return true;
	return false;
}

static void plain_stack(struct store *s, const struct image *img,
			struct strv *ret)
{
	for (size_t i = img->config.n_diff_ids; i-- > 0;)
		if (!is_again_above(img, i))
			add_layer(s, &img->config.diff_ids[i], ret);
}

static int own_stack(struct store *s, const struct image *img, int stack_fd,
		     struct strv *ret, struct err *e)
{
	autobuf struct buf text = buf_make(KIB(256));
	/* A patch and a layer each, and the top. */
	const size_t max = 2 * LAYERS_MAX + 1;
	autofree struct stack_item *item = NULL;
	size_t n = 0;

	if (io_read_all(stack_fd, &text, "stack of the image", e))
		return -1;
	item = xcalloc(max, sizeof(*item));
	if (stack_parse(buf_str(&text), text.len, item, max, &n, e))
		return -1;

	for (size_t i = 0; i < n; i++) {
		if (item[i].own[0])
			strv_take(ret,
				  xasprintf("%s/skeletons/%s/%s", store_root(s),
					    DIGEST_PATH(&img->manifest),
					    item[i].own));
		else
			add_layer(s, &item[i].layer, ret);
	}
	return 0;
}

/* Does its list name a directory that is opaque? "d FLAGS ..." */
static bool has_opaque(FILE *list)
{
	char *line = NULL;
	size_t room = 0;
	bool any = false;

	while (!any && getline(&line, &room, list) > 0)
		any = str_starts(line, "d ") &&
		      memchr(line + 2, 'o', strcspn(line + 2, " "));
	free(line);
	return any;
}

/* Files that the image has removed would be seen. */
static int check_readable(struct store *s, const struct digest *diff_id,
			  struct err *e)
{
	const int fd = layer_open_list(s, diff_id, e);
	FILE *const list = fd < 0 ? NULL : fdopen(fd, "re");
	bool hides;

	if (!list)
		return fd < 0 ? -1 : err_sys(e, "fdopen", "list");
	hides = has_opaque(list);
	(void)fclose(list);
	if (!hides)
		return 0;
	(void)err_set(e, ERR_UNSUPPORTED,
		      "layer %s hides directories below it, which in a store "
		      "of the machine's root only CAP_SYS_ADMIN sees",
		      DIGEST_SHORT(diff_id));
	return err_hint(e, "--root or PRISM_ROOT names a store of your own; or "
			   "give the container around CAP_SYS_ADMIN");
}

/* Of another platform the blobs alone may be here. */
static int check_unpacked(struct store *s, const struct image *img,
			  struct err *e)
{
	const bool look = store_is_unreadable(s);

	ERR_IN(e, "image %s", ref_familiar(&img->ref, (char[REF_TEXT_MAX]){0}));

	for (size_t i = 0; i < img->config.n_diff_ids; i++)
		if (!layer_has(s, &img->config.diff_ids[i]))
			return not_unpacked(&img->config.diff_ids[i], e);
	for (size_t i = 0; look && i < img->config.n_diff_ids; i++)
		if (check_readable(s, &img->config.diff_ids[i], e))
			return -1;
	return 0;
}

int layer_stack(struct store *s, const struct image *img, struct strv *ret,
		struct err *e)
{
	char path[PATH_ROOM];
	autoclose int fd = -1;

	if (check_unpacked(s, img, e) < 0)
		return -1;

	/* Most images have none: this one call is what that costs. */
	(void)snprintf(path, sizeof(path), "skeletons/%s/stack",
		       DIGEST_PATH(&img->manifest));
	fd = open_below(s, path, O_RDONLY, e);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(e, "openat", "%s", path);
	if (fd >= 0 && own_stack(s, img, fd, ret, e) < 0)
		return -1;
	if (fd < 0)
		plain_stack(s, img, ret);
	if (ret->n > LAYERS_MAX)
		return err_set(e, ERR_TOOBIG,
			       "%zu lower directories, and overlayfs takes %d",
			       ret->n, LAYERS_MAX);
	/* One more would be too many: it goes without. */
	if (ret->n == LAYERS_MAX)
		return 0;
	if (under_ensure(s, e) < 0)
		return -1;
	strv_take(ret, xasprintf("%s/" UNDER_PATH, store_root(s)));
	return 0;
}
