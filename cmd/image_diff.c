/*
 * diff - what a container changed in its image
 */
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/image_container.h"
#include "runtime/view.h"
#include "store/changes.h"

static int show(void *ctx, char kind, const char *path, struct err *e)
{
	(void)ctx;
	(void)e;
	out_line("%c %s", kind, path);
	return 0;
}

static int diff_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	autosubject struct subject s = SUBJECT_NONE;
	autoclose int upper = -1;
	autoclose int image = -1;

	(void)argc;
	(void)fields;
	if (subject_open(g, argv[0], true, &s, e))
		return -1;
	/* Before something is mounted over its directory. */
	upper = view_upper(&s.c, e);
	image = upper < 0 ? -1 : view_open(&s.c, &s.spec, VIEW_IMAGE, e);
	if (image < 0)
		return -1;
	return changes_find(&(struct changes_of){.upper = upper,
						 .image = image,
						 .userxattr = s.spec.userns},
			    show, NULL, e);
}

extern const struct command cmd_diff;
const struct command cmd_diff = {
	.name = "diff",
	.operands = "CONTAINER",
	.summary = "Show what a container changed in its image",
	.min_operands = 1,
	.max_operands = 1,
	.fields_size = 1,
	.run = diff_run,
};
