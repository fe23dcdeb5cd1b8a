/*
 * tag - another name for an image, and whether there is one
 */
#include <stdio.h>

#include "base/own.h"
#include "base/ref.h"
#include "cmd/cmd.h"
#include "store/image.h"
#include "store/store.h"

static int tag_run(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e)
{
	autostore struct store *s = NULL;
	autoimage struct image img = {0};
	struct ref to;

	(void)fields;
	(void)argc;
	if (ref_parse(argv[1], &to, e))
		return -1;
	if (digest_is_set(&to.digest))
		return err_set(e, ERR_USAGE,
			       "%s: a digest is no name that can be given",
			       argv[1]);
	if (cmd_open_store(g, &s, e) || image_find_any(s, argv[0], &img, e))
		return -1;
	return image_tag(s, &to, &img.top, &img.manifest, e);
}

extern const struct command cmd_tag;
const struct command cmd_tag = {
	.name = "tag",
	.operands = "IMAGE NAME",
	.summary = "Give an image another name",
	.min_operands = 2,
	.max_operands = 2,
	.run = tag_run,
};

/* As podman: 0, or 1 and no word about it. */
static int exists_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	autostore struct store *s = NULL;
	autoimage struct image img = {0};

	(void)fields;
	(void)argc;
	if (cmd_open_store(g, &s, e))
		return -1;
	if (image_find_any(s, argv[0], &img, e) == 0)
		return 0;
	return e->kind == ERR_NOTFOUND || e->kind == ERR_USAGE ? 1 : -1;
}

extern const struct command cmd_image_exists;
const struct command cmd_image_exists = {
	.name = "image exists",
	.operands = "IMAGE",
	.summary = "Is the image in the store? Exit code 0 or 1",
	.min_operands = 1,
	.max_operands = 1,
	.fail_code = 125,
	.run = exists_run,
};
