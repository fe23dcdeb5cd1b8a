/*
 * spec - struct run_spec: everything a start needs, as validated plain data
 *
 * Two doors fill it: `prism run` from an image's config and flags, and (later)
 * prism-runtime from a bundle's config.json. Behind it nothing knows which it
 * was. It owns its strings and the layer fds.
 *
 * Life: spec_make -> fill -> run (start.h) -> spec_free.
 */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include "base/err.h"
#include "base/str.h"
#include "base/userns.h"
#include "runtime/caps.h"
#include "runtime/logfile.h"
#include "runtime/restart.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set in run_spec.umask, because 0 is a umask too. */
#define UMASK_GIVEN 01000000U

enum net_mode {
	NET_NONE, /* own namespace, lo up */
	NET_HOST, /* the host's namespace */
	NET_JOIN, /* that of another container: run_spec.net_of */
	NET_NETS, /* own namespace, in the networks of run_spec.nets */
	NET_USER, /* own namespace, carried by pasta or slirp4netns */
};

/* How the container comes by its pid, ipc, uts and cgroup namespaces. */
enum ns_mode {
	NS_OWN,
	NS_HOST,
	NS_JOIN, /* pid and ipc: that of another container */
};

enum mount_type {
	MOUNT_BIND,
	MOUNT_VOLUME, /* source is the volume's directory, once it is known */
	MOUNT_TMPFS,
};

struct mount_spec {
	enum mount_type type;
	char *source; /* bind, volume: absolute, on the host */
	char *target; /* absolute, in the container */
	char *volume; /* volume: its name; NULL until an anonymous one is made */
	char *subpath; /* volume: what of it; inside it whatever its links say */
	char *data;    /* tmpfs: the options of the file system */
	bool readonly;
	bool anonymous;       /* volume: goes with the container */
	bool no_copy;         /* volume: nothing of the image is copied up */
	bool not_recursive;   /* bind: without what is mounted below */
	bool chown;           /* U: give it to the container's user */
	bool throw_away;      /* O: an overlay over it, whose writes are lost */
	bool idmap;           /* as seen through the container's id map */
	uint64_t attr;        /* MOUNT_ATTR_NOSUID, _NODEV, _NOEXEC */
	uint64_t propagation; /* MS_PRIVATE, MS_SLAVE or MS_SHARED */
};

struct device_spec {
	char *source;   /* on the host */
	char *target;   /* in the container */
	char access[4]; /* of r, w, m: for the cgroup */
};

struct rlimit_spec {
	int resource;  /* RLIMIT_NOFILE, ... */
	uint64_t soft; /* UINT64_MAX: unlimited */
	uint64_t hard;
};

/* -p, checked; who brings them into being is the network's. */
struct port_spec {
	char *ip;            /* NULL: all addresses */
	uint16_t host_first; /* 0: any free port */
	uint16_t host_last;  /* a range to choose from */
	uint16_t port;       /* in the container */
	char protocol[5];    /* tcp, udp, sctp */
};

/* One network that it is in; what is NULL is chosen at the start. */
struct net_attach {
	char *network; /* its name */
	char *ip;
	char *ip6;
	char *mac;
	struct strv aliases;
	char *ifname;    /* of its interface; NULL: eth0, eth1... */
	int gw_priority; /* the highest one has the default route */
};

/* Limits as Docker checks them; 0: not asked for (cgroup/cgroup.h). */
struct limits_spec {
	int64_t memory_bytes;
	int64_t memory_swap_bytes; /* with memory; -1: unlimited */
	int64_t memory_reservation_bytes;
	int64_t nano_cpus;
	int64_t cpu_period_us;
	int64_t cpu_quota_us;
	int64_t cpu_shares;
	int64_t pids; /* -1: unlimited */
	int64_t blkio_weight;
	char *cpuset_cpus;
	char *cpuset_mems;
	char *cgroup_parent;
	bool best_effort; /* what cannot be applied is warned of */
	bool has_swappiness;
	int64_t memory_swappiness; /* 0-100 */
	bool oom_kill_disable;
	/* PATH:NUMBER of a block device each; bytes or operations a second. */
	struct strv read_bps;
	struct strv write_bps;
	struct strv read_iops;
	struct strv write_iops;
	struct strv weight_devices;
	struct strv device_rules; /* "c 10:* rwm", besides the usual ones */
};

/* The image's Healthcheck with --health-* over it; test empty: none. */
struct health_spec {
	struct strv test; /* CMD args..., or CMD-SHELL and a line */
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	int64_t retries;
};

struct run_spec {
	/* The root: lowers (top first) below an own upper, or one directory. */
	struct strv lowers; /* absolute paths */
	char *rootfs;       /* --rootfs DIR, used as it is; NULL: overlay */
	bool readonly_root;
	bool keep; /* the upper outlives the container: not --rm */

	/* Isolation. */
	bool userns;
	struct idmap map; /* when userns */
	bool map_auto;    /* map is a range of its own: idmap the layers */
	enum net_mode net;
	char *net_of; /* id of the container whose network is joined */
	enum ns_mode pid_ns;
	char *pid_of;
	enum ns_mode ipc_ns;
	char *ipc_of;
	bool no_shm; /* --ipc none: no /dev/shm */
	enum ns_mode uts_ns;
	enum ns_mode cgroup_ns;
	struct mount_spec *mounts;
	size_t n_mounts;
	struct device_spec *devices;
	size_t n_devices;
	bool privileged;  /* /sys writable, all devices of the host, no masks */
	bool no_masks;    /* systempaths=unconfined */
	struct strv mask; /* more paths to mask */
	struct strv unmask; /* paths or patterns to leave open */
	struct caps caps;   /* what the program may have (caps.h) */
	bool seccomp_off;
	struct sock_filter *filter; /* a user's own; NULL: the default */
	size_t n_filter;
	bool new_privs; /* --security-opt no-new-privileges=false */
	char *apparmor; /* profile, or "unconfined"; NULL: apparmor.h decides */
	struct rlimit_spec *rlimits;
	size_t n_rlimits;
	struct strv sysctls; /* NAME=VALUE, namespaced ones */
	bool has_oom_score;
	int oom_score_adj;
	uint64_t shm_bytes; /* of /dev/shm; 0: 64 MiB */
	struct limits_spec limits;

	/* Files of the container. */
	char *tz;              /* zone, or "local" */
	bool no_hosts;         /* leave /etc/hosts as the image has it */
	char *user_name;       /* of that line; NULL: the uid */
	bool no_passwd;        /* no line for a user the image does not know */
	struct strv add_hosts; /* NAME:ADDRESS */
	struct strv dns;
	struct strv dns_search;
	struct strv dns_options;
	char *domainname;

	/* Of the network; nothing here without one of its own. */
	struct net_attach *nets;
	size_t n_nets;
	bool net_chosen; /* by us: where it cannot be had, none will do */
	char *net_user;  /* pasta[:OPTIONS], slirp4netns...; NULL: any */
	struct port_spec *ports;
	size_t n_ports;
	bool publish_all;
	struct strv exposed; /* "80/tcp", of the image and of --expose */
	struct strv links;   /* CONTAINER[:ALIAS] */
	struct strv aliases;
	char *ip;
	char *ip6;
	char *mac;

	/* What inspect shows and filters ask. */
	struct strv labels;      /* K=V, of the image and of --label */
	struct strv annotations; /* K=V */
	struct strv shell;       /* the image's, for CMD-SHELL */
	struct health_spec health;

	/* The program. */
	struct strv args;
	struct strv env;
	char *cwd;  /* absolute; "/" when NULL */
	char *user; /* USER[:GROUP] as typed or configured; NULL: root */
	struct strv groups; /* --group-add */
	bool keep_groups;   /* the caller's supplementary groups stay */
	uint32_t umask;     /* 0: 022; else with UMASK_GIVEN */
	char *hostname;     /* NULL: the first 12 digits of the id */
	bool no_init;       /* the program is PID 1 */
	bool tty;
	bool interactive; /* keep stdin */
	bool stdin_once;  /* the first client's end of input is the program's */
	int stop_signal;  /* 0: SIGTERM */

	/* What the monitor does beside. */
	bool detached; /* -d: no output but to the log and to clients */
	struct log_conf log;
	struct restart_policy restart;
	uint32_t stop_timeout_s; /* --stop-timeout; 0: 10 */
	bool stop_at_once;       /* --stop-timeout 0 */
	uint32_t timeout_s;      /* --timeout: ends after so long, 124 */
};

void spec_free(struct run_spec *s);

/* Put one more at the end of a list; takes over all its strings. */
void spec_add_mount(struct run_spec *s, const struct mount_spec *m);
void spec_add_device(struct run_spec *s, const struct device_spec *d);
void spec_add_rlimit(struct run_spec *s, const struct rlimit_spec *r);
void spec_add_port(struct run_spec *s, const struct port_spec *p);
void spec_add_net(struct run_spec *s, const struct net_attach *n);

/* A network namespace of its own? */
static inline bool spec_own_net(const struct run_spec *s)
{
	return s->net != NET_HOST && s->net != NET_JOIN;
}

/* The mount at this target, or NULL. */
const struct mount_spec *spec_mount_at(const struct run_spec *s,
				       const char *target);

void spec_mount_free(struct mount_spec *m);

/*
 * Without a user namespace, root of the container may make device nodes
 * (CAP_MKNOD is among Docker's defaults), and images and volumes may hold
 * some. So they lead nowhere but in the mounts of /dev's own nodes; else one
 * mknod would be enough to write to the host's disk. With rules of devices
 * (--device-cgroup-rule) the cgroup says for every node what it is good for,
 * and new ones are what is meant.
 */
bool spec_no_devices(const struct run_spec *s);

/* "nofile" and its like, as Docker knows them; "?" and -1: another. */
const char *spec_rlimit_name(int resource);
int spec_rlimit_parse(const char *name, size_t n);

/*
 * True if the program brings its own reaper: /init, /sbin/init, systemd,
 * s6-svscan, runit, tini, dumb-init, catatonit (by its first argument).
 */
bool spec_is_init(const struct run_spec *s);

#endif
