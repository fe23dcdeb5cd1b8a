#include "spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"

void spec_add_mount(struct run_spec *s, char *source, char *target,
		    bool readonly, uint64_t propagation)
{
	s->mounts = xrealloc(s->mounts, (s->n_mounts + 1) * sizeof(*s->mounts));
	s->mounts[s->n_mounts++] =
		(struct mount_spec){.source = source,
				    .target = target,
				    .readonly = readonly,
				    .propagation = propagation};
}

void spec_free(struct run_spec *s)
{
	strv_free(&s->lowers);
	for (size_t i = 0; i < s->n_mounts; i++) {
		free(s->mounts[i].source);
		free(s->mounts[i].target);
	}
	free(s->mounts);
	free(s->rootfs);
	free(s->filter);
	strv_free(&s->args);
	strv_free(&s->env);
	strv_free(&s->groups);
	free(s->cwd);
	free(s->user);
	free(s->hostname);
	*s = (struct run_spec){0};
}

bool spec_is_init(const struct run_spec *s)
{
	static const char *const names[] = {
		"init",        "systemd",    "s6-svscan", "s6-overlay-suexec",
		"runit",       "runit-init", "runsvdir",  "tini",
		"tini-static", "dumb-init",  "catatonit", "docker-init",
	};
	const char *prog = s->args.n ? s->args.v[0] : "";
	const char *const slash = strrchr(prog, '/');

	/* A bare "init" in PATH may be anything; /init and /sbin/init not. */
	if (!slash && !strcmp(prog, "init"))
		return false;
	prog = slash ? slash + 1 : prog;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(prog, names[i]))
			return true;
	return false;
}
