#include "spec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/own.h"

/* One more element of an array that grows by one. */
#define ADD(array, n, element)                                             \
	do {                                                               \
		(array) = xrealloc((array), ((n) + 1) * sizeof(*(array))); \
		(array)[(n)++] = (element);                                \
	} while (0)

void spec_add_mount(struct run_spec *s, const struct mount_spec *m)
{
	ADD(s->mounts, s->n_mounts, *m);
}

void spec_add_device(struct run_spec *s, const struct device_spec *d)
{
	ADD(s->devices, s->n_devices, *d);
}

void spec_add_rlimit(struct run_spec *s, const struct rlimit_spec *r)
{
	ADD(s->rlimits, s->n_rlimits, *r);
}

void spec_add_port(struct run_spec *s, const struct port_spec *p)
{
	ADD(s->ports, s->n_ports, *p);
}

void spec_add_net(struct run_spec *s, const struct net_attach *n)
{
	ADD(s->nets, s->n_nets, *n);
}

const struct mount_spec *spec_mount_at(const struct run_spec *s,
				       const char *target)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!strcmp(s->mounts[i].target, target))
			return &s->mounts[i];
	return NULL;
}

bool spec_no_devices(const struct run_spec *s)
{
	return !s->userns && !s->privileged && !s->limits.device_rules.n;
}

void spec_mount_free(struct mount_spec *m)
{
	free(m->source);
	free(m->target);
	free(m->volume);
	free(m->subpath);
	free(m->data);
	*m = (struct mount_spec){0};
}

static void free_lists(struct run_spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		spec_mount_free(&s->mounts[i]);
	free(s->mounts);
	for (size_t i = 0; i < s->n_devices; i++) {
		free(s->devices[i].source);
		free(s->devices[i].target);
	}
	free(s->devices);
	for (size_t i = 0; i < s->n_ports; i++)
		free(s->ports[i].ip);
	free(s->ports);
	for (size_t i = 0; i < s->n_nets; i++) {
		free(s->nets[i].network);
		free(s->nets[i].ip);
		free(s->nets[i].ip6);
		free(s->nets[i].mac);
		free(s->nets[i].ifname);
		strv_free(&s->nets[i].aliases);
	}
	free(s->nets);
	free(s->rlimits);
}

static void free_strings(struct run_spec *s)
{
	char *const strings[] = {
		s->rootfs,
		s->net_of,
		s->pid_of,
		s->ipc_of,
		s->tz,
		s->apparmor,
		s->domainname,
		s->ip,
		s->ip6,
		s->mac,
		s->net_user,
		s->cwd,
		s->user,
		s->hostname,
		s->user_name,
		s->limits.cpuset_cpus,
		s->limits.cpuset_mems,
		s->limits.cgroup_parent,
	};
	struct strv *const lists[] = {
		&s->lowers,
		&s->args,
		&s->env,
		&s->groups,
		&s->mask,
		&s->unmask,
		&s->sysctls,
		&s->add_hosts,
		&s->dns,
		&s->dns_search,
		&s->dns_options,
		&s->exposed,
		&s->links,
		&s->aliases,
		&s->labels,
		&s->annotations,
		&s->shell,
		&s->health.test,
		&s->limits.read_bps,
		&s->limits.write_bps,
		&s->limits.read_iops,
		&s->limits.write_iops,
		&s->limits.weight_devices,
		&s->limits.device_rules,
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		free(strings[i]);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		strv_free(lists[i]);
}

void spec_free(struct run_spec *s)
{
	free_lists(s);
	free_strings(s);
	free(s->filter);
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

/* ---- rlimits --------------------------------------------------------------- */

static const char *const rlimits[] = {
	[RLIMIT_CORE] = "core",         [RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",         [RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",       [RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",     [RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",           [RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",     [RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};

const char *spec_rlimit_name(int resource)
{
	return resource >= 0 && (size_t)resource < ARRAY_LEN(rlimits) &&
			       rlimits[resource]
		       ? rlimits[resource]
		       : "?";
}

int spec_rlimit_parse(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(rlimits); i++)
		if (rlimits[i] && strlen(rlimits[i]) == n &&
		    !memcmp(rlimits[i], name, n))
			return (int)i;
	return -1;
}
