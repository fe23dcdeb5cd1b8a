#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/platform.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/listing.h"

struct version_opts {
	const char *format;
};

static const struct opt version_options[] = {
	{'f', "format", OPT_STR, offsetof(struct version_opts, format),
	 "json|TEMPLATE", "A Go template over Docker's keys, or 'json'"},
	{0},
};

/*
 * Client and Server are the same program here: there is no daemon. Scripts ask
 * for either, so both are there.
 */
static json_t *version_json(const char *os, const char *arch,
			    const char *kernel)
{
	return json_pack(
		"{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s},"
		" s:{s:{s:s}, s:[{s:s, s:s, s:{s:s, s:s, s:s}}], s:s, s:s,"
		"    s:s, s:s, s:s, s:s, s:s}}",
		"Client", "Version", PRISM_VERSION, "ApiVersion", "1.41",
		"DefaultAPIVersion", "1.41", "GitCommit", "", "Os", os, "Arch",
		arch, "Context", "default", "Server", "Platform", "Name",
		"prism", "Components", "Name", "Engine", "Version",
		PRISM_VERSION, "Details", "Arch", arch, "KernelVersion", kernel,
		"Os", os, "Version", PRISM_VERSION, "ApiVersion", "1.41",
		"MinAPIVersion", "1.12", "GitCommit", "", "Os", os, "Arch",
		arch, "KernelVersion", kernel);
}

static int version_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct version_opts *const o = fields;
	struct oci_platform host;
	struct utsname u = {0};
	autojson json_t *all = json_array();

	(void)g;
	(void)argc;
	(void)argv;
	oci_platform_host(&host);
	(void)uname(&u);
	if (o->format && *o->format) {
		(void)json_array_append_new(
			all, version_json(host.os, host.arch, u.release));
		return listing_inspect(o->format, all, e);
	}
	out_print("Client: prism\n"
		  " Version:           %s\n"
		  " OS/Arch:           %s/%s\n"
		  "\n"
		  "Server: none; each container has a monitor of its own\n"
		  " Version:           %s\n"
		  " OS/Arch:           %s/%s\n"
		  " Kernel Version:    %s\n",
		  PRISM_VERSION, host.os, host.arch, PRISM_VERSION, host.os,
		  host.arch, u.release);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "Print the version",
	.opts = version_options,
	.fields_size = sizeof(struct version_opts),
	.max_operands = 0,
	.run = version_run,
};
