/*
 * system prune - what container, network, volume and image prune do, in this
 * order: each lets go of what the next may remove
 */
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"

struct prune_opts {
	bool all;
	bool force;
	bool volumes;
	struct strv filters;
};

static const struct opt prune_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct prune_opts, all), NULL,
	 "Also images with a name that no container uses"},
	{0, "filter", OPT_LIST, offsetof(struct prune_opts, filters),
	 "KEY=VALUE", "until=TIME, label=..., label!=..."},
	{'f', "force", OPT_BOOL, offsetof(struct prune_opts, force), NULL,
	 "Do not ask"},
	{0, "volumes", OPT_BOOL, offsetof(struct prune_opts, volumes), NULL,
	 "Also anonymous volumes that no container uses"},
	{0},
};

extern const struct command cmd_container_prune;
extern const struct command cmd_network_prune;
extern const struct command cmd_volume_prune;
extern const struct command cmd_image_prune;

static int one_prune(const struct globals *g, const struct command *c,
		     const struct prune_opts *o, bool all, struct err *e)
{
	autostrv struct strv args = {0};

	strv_add(&args, "--force");
	if (all)
		strv_add(&args, "--all");
	for (size_t i = 0; i < o->filters.n; i++) {
		strv_add(&args, "--filter");
		strv_add(&args, o->filters.v[i]);
	}
	return cmd_run_part(c, g, &args, e);
}

static int prune_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	const struct prune_opts *const o = fields;
	const struct {
		const struct command *c;
		bool wanted;
		bool all;
	} parts[] = {
		{&cmd_container_prune, true, false},
		{&cmd_network_prune, true, false},
		{&cmd_volume_prune, o->volumes, false},
		/* Last: an ordinary user enters the namespace of his files. */
		{&cmd_image_prune, true, o->all},
	};
	int code = 0;

	(void)argc;
	(void)argv;
	for (size_t i = 0; o->volumes && i < o->filters.n; i++)
		if (str_starts(o->filters.v[i], "until="))
			return err_set(e, ERR_USAGE,
				       "--filter until: volumes have no age; "
				       "not together with --volumes");
	if (!cmd_is_sure(o->force,
			 "all stopped containers, all networks%s that no "
			 "container uses, and %s",
			 o->volumes ? " and anonymous volumes" : "",
			 o->all ? "all images that no container uses"
				: "dangling images"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const int rc = parts[i].wanted ? one_prune(g, parts[i].c, o,
							   parts[i].all, e)
					       : 0;

		if (rc < 0)
			return -1;
		code = rc > code ? rc : code;
	}
	return code;
}

extern const struct command cmd_system_prune;
const struct command cmd_system_prune = {
	.name = "system prune",
	.operands = "",
	.summary = "Remove what nothing uses any more",
	.opts = prune_options,
	.fields_size = sizeof(struct prune_opts),
	.max_operands = 0,
	.run = prune_run,
};
