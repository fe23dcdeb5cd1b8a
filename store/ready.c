#include "store/ready.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/layer.h"

int ready_text(struct store *s, const struct ref *ref, const struct digest *top,
	       const struct digest *manifest, struct buf *ret, struct err *e)
{
	autobuf struct buf config = buf_make(CONFIG_MAX);
	autostrv struct strv lowers = {0};
	autoimage struct image img = {0};
	const size_t root_len = strlen(store_root(s));

	if (image_load(s, ref, top, manifest, &img, e) ||
	    layer_stack(s, &img, &lowers, e) ||
	    blob_read(s, &img.config_digest, &config, e))
		return -1;
	buf_addf(ret, "%s\n", DIGEST_TEXT(&img.config_digest));
	for (size_t i = 0; i < lowers.n; i++)
		buf_addf(ret, "%s\n", lowers.v[i] + root_len + 1);
	buf_addc(ret, '\n');
	buf_add(ret, buf_str(&config), config.len);
	if (ret->over)
		return err_set(e, ERR_TOOBIG, "image config: larger than %zu",
			       ret->max);
	return 0;
}

/* One line as a string of its own; *p moves behind it. */
static char *take_line(const char **p)
{
	const size_t n = strcspn(*p, "\n");
	char *const line = xstrndup(*p, n);

	*p += n + ((*p)[n] == '\n');
	return line;
}

static bool take_digest(const char **p, struct digest *ret)
{
	autofree char *line = take_line(p);
	struct err ignored = {0};

	return digest_parse(line, ret, &ignored) == 0;
}

/*
 * False when the file does not hold all of it, or holds another platform than
 * the one wanted: the blobs know more.
 */
static bool parse_ready(struct store *s, const struct buf *text,
			const struct oci_platform *platform, struct image *img,
			struct strv *lowers)
{
	const char *p = buf_str(text);
	struct oci_platform want = {0};
	struct err ignored = {0};

	if (!take_digest(&p, &img->top) || !take_digest(&p, &img->manifest) ||
	    !take_digest(&p, &img->config_digest))
		return false;
	while (*p && *p != '\n') {
		autofree char *line = take_line(&p);

		strv_take(lowers, xasprintf("%s/%s", store_root(s), line));
	}
	if (*p != '\n' ||
	    oci_image_parse(p + 1, text->len - (size_t)(p + 1 - buf_str(text)),
			    &img->config, &ignored) < 0)
		return false;
	if (platform)
		want = *platform;
	else
		oci_platform_host(&want);
	return oci_platform_match(&want, &img->config.platform) > 0;
}

int ready_find(struct store *s, const struct ref *ref,
	       const struct oci_platform *platform, struct image *ret,
	       struct strv *ret_lowers, struct err *e)
{
	char mem[2048];
	autobuf struct buf text = buf_on(mem, sizeof(mem), CONFIG_MAX + MIB(1));
	autofree char *path = image_name_path(ref);
	autoimage struct image img = {.ref = *ref};
	struct err ignored = {0};
	autoclose int fd = openat(store_dirfd(s, STORE_ROOT, &ignored), path,
				  O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !store_is_unreadable(s) &&
	    io_read_file(fd, &text, path, &ignored) == 0 &&
	    parse_ready(s, &text, platform, &img, ret_lowers)) {
		*ret = img;
		img = (struct image){0};
		return 0;
	}
	strv_free(ret_lowers);
	if (image_find(s, ref, platform, ret, e) < 0)
		return -1;
	return layer_stack(s, ret, ret_lowers, e);
}

int ready_check(struct store *s, const struct image *img, struct err *e)
{
	autobuf struct buf have = buf_make(CONFIG_MAX + MIB(1));
	autobuf struct buf want = buf_make(CONFIG_MAX + MIB(1));
	autofree char *path = image_name_path(&img->ref);
	const char *p;

	if (fs_read_at(store_dirfd(s, STORE_ROOT, e), path, &have, e) < 0 ||
	    ready_text(s, &img->ref, &img->top, &img->manifest, &want, e) < 0)
		return -1;
	p = buf_str(&have);
	for (int line = 0; line < 2; line++)
		p += strcspn(p, "\n") + 1;
	if (!*p || strcmp(p, buf_str(&want)) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "%s does not say of the image what its blobs say", path);
}
