/*
 * run_opts - the words of `prism run` and what they mean for a run_spec
 */
#ifndef CMD_RUN_OPTS_H
#define CMD_RUN_OPTS_H

#include "base/oci.h"
#include "cmd/cmd.h"
#include "runtime/spec.h"

struct run_opts {
	bool rm;
	bool interactive;
	bool tty;
	bool read_only;
	bool quiet;
	struct strv env;
	struct strv volumes;
	struct strv cap_add;
	struct strv cap_drop;
	struct strv security;
	struct strv groups;
	const char *workdir;
	const char *user;
	const char *name;
	const char *hostname;
	const char *entrypoint;
	const char *network;
	const char *pull;
	const char *platform;
	const char *rootfs;
	const char *userns;
	const char *init;
	const char *trace;
	const char *stop_signal;
};

/* What stands in the flags alone, checked; the image comes later. */
int run_opts_to_spec(const struct run_opts *o, struct run_spec *s,
		     struct err *e);

/*
 * Docker's rules for what runs: arguments replace Cmd, --entrypoint replaces
 * Entrypoint and drops Cmd; env, user, workdir, stop signal of the image
 * where no flag says otherwise. img NULL: --rootfs.
 */
int run_opts_merge_image(const struct run_opts *o, const struct oci_image *img,
			 char *const *args, size_t n_args, struct run_spec *s,
			 struct err *e);

/* Capabilities, once it is known whether there is a user namespace. */
int run_opts_caps(const struct run_opts *o, struct run_spec *s, struct err *e);

/* --security-opt; after the capabilities, which profiles depend on. */
int run_opts_security(const struct run_opts *o, struct run_spec *s,
		      struct err *e);

#endif
