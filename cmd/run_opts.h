/*
 * run_opts - the flags of `prism run` and `prism create`, and what they mean
 *
 * One table for both (run_create_options); a command with flags of its own has
 * a table that ends with {.more = run_create_options}. All offsets are into
 * struct run_opts. The flags become a run_spec in this order:
 *
 *   run_opts_to_spec        what stands in the flags alone, checked
 *   (the user namespace, which the command chooses by run_opts_userns)
 *   run_opts_security       capabilities, seccomp, --privileged
 *   (the image is found)
 *   run_opts_merge_image    what the image says where no flag does
 *
 * By subject: run_opts_mounts.c, _net.c, _ns.c, _userns.c,
 * _attach.c,
 * _limits.c, _env.c, _security.c, _image.c; flags of docker and podman that prism does not have
 * stand in run_opts_refused.c.
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
	bool read_only_tmpfs;
	bool quiet;
	bool privileged;
	bool publish_all;
	bool no_healthcheck;
	bool no_hosts;
	bool env_host;
	bool unsetenv_all;
	bool content_trust; /* accepted and without effect, as in podman */
	struct strv env;
	struct strv env_files;
	struct strv unsetenv;
	struct strv volumes;
	struct strv mounts;
	struct strv tmpfs;
	struct strv volumes_from;
	struct strv devices;
	struct strv cap_add;
	struct strv cap_drop;
	struct strv security;
	struct strv groups;
	struct strv labels;
	struct strv label_files;
	struct strv annotations;
	struct strv networks;
	struct strv aliases;
	struct strv ports;
	struct strv exposed;
	struct strv links;
	struct strv add_hosts;
	struct strv dns;
	struct strv dns_search;
	struct strv dns_options;
	struct strv ulimits;
	struct strv sysctls;
	const char *workdir;
	const char *user;
	const char *name;
	const char *hostname;
	const char *domainname;
	const char *entrypoint;
	const char *pull;
	const char *platform;
	const char *arch;
	const char *os;
	const char *variant;
	const char *rootfs;
	const char *userns;
	const char *pid;
	const char *ipc;
	const char *uts;
	const char *cgroupns;
	const char *runtime;
	const char *init;
	const char *trace;
	const char *stop_signal;
	const char *tz;
	const char *umask;
	const char *passwd;
	const char *ip;
	const char *ip6;
	const char *mac;
	const char *shm_size;
	const char *oom_score_adj;
	const char *limits;
	const char *memory;
	const char *memory_swap;
	const char *memory_reservation;
	const char *cpus;
	const char *cpu_shares;
	const char *cpu_period;
	const char *cpu_quota;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	const char *pids_limit;
	const char *blkio_weight;
	const char *cgroup_parent;
	const char *memory_swappiness;
	bool oom_kill_disable;
	struct strv weight_devices;
	struct strv read_bps;
	struct strv write_bps;
	struct strv read_iops;
	struct strv write_iops;
	struct strv device_rules;
	const char *health_cmd;
	const char *health_interval;
	const char *health_timeout;
	const char *health_retries;
	const char *health_start_period;
	const char *health_start_interval;

	/* run_opts_monitor.c */
	bool create; /* no flag: it will be started later, by another command */
	bool detach;
	bool replace;
	struct strv attach;
	struct strv log_opts;
	const char *cidfile;
	const char *detach_keys;
	const char *log_driver;
	const char *restart;
	const char *sig_proxy;
	const char *stop_timeout;
	const char *timeout;
};

extern const struct opt run_create_options[];
extern const struct opt run_monitor_options[]; /* and then those */
extern const struct opt_refused run_refused[];

enum run_stdio {
	RUN_STDIN = 1,
	RUN_STDOUT = 2,
	RUN_STDERR = 4,
};
/* -a: which of the three (enum run_stdio); all outputs by default. */
int run_opts_attached(const struct run_opts *o, unsigned int *ret,
		      struct err *e);
/* --sig-proxy[=false] */
int run_opts_sig_proxy(const char *word, bool *ret, struct err *e);

/*
 * The network where no --network is given, before run_opts_to_spec: what the
 * key "default-network" of config.json says (any word of --network), else
 * "bridge" for who may make one.
 */
int run_opts_default_network(const struct run_opts *o, const char *config,
			     struct run_spec *s, struct err *e);

/* What stands in the flags alone, checked; the image comes later. */
int run_opts_to_spec(const struct run_opts *o, struct run_spec *s,
		     struct err *e);

/*
 * --userns: none for root, unless asked; the caller's ids for an ordinary user.
 * *ret_range: the lock on a range of its own (--userns auto), to be held while
 * the container lives; -1 without one. run_dir: where such locks are, NULL for
 * the default.
 */
int run_opts_userns(const struct run_opts *o, const char *run_dir,
		    struct run_spec *s, int *ret_range, struct err *e);

/* Capabilities and seccomp, once it is known whether there is a userns. */
int run_opts_security(const struct run_opts *o, struct run_spec *s,
		      struct err *e);

/*
 * Docker's rules for what runs: arguments replace Cmd, --entrypoint replaces
 * Entrypoint and drops Cmd; env, user, workdir, stop signal, health check,
 * ports, labels of the image where no flag says otherwise. img NULL: --rootfs.
 */
int run_opts_merge_image(const struct run_opts *o, const struct oci_image *img,
			 char *const *args, size_t n_args, struct run_spec *s,
			 struct err *e);

/*
 * --platform, or --os, --arch and --variant: OS/ARCH[/VARIANT] as `prism pull`
 * takes it, malloced; NULL when none is given.
 */
int run_opts_platform(const struct run_opts *o, char **ret, struct err *e);

/* ---- by subject: parts of the three above ---------------------------------- */

int run_opts_mounts(const struct run_opts *o, struct run_spec *s,
		    struct err *e);
int run_opts_devices(const struct run_opts *o, struct run_spec *s,
		     struct err *e);
int run_opts_net(const struct run_opts *o, struct run_spec *s, struct err *e);
/*
 * One word of --network that is a network's: "NET", "name=NET,ip=...,..." or
 * "NET:ip=...,...". The setters check and set one thing of it; key is what the
 * user calls it.
 */
int run_opts_attach(const char *text, struct net_attach *ret, struct err *e);
int run_opts_attach_ip(struct net_attach *n, const char *key, const char *ip,
		       struct err *e);
int run_opts_attach_ip6(struct net_attach *n, const char *key, const char *ip,
			struct err *e);
int run_opts_attach_mac(struct net_attach *n, const char *key, const char *mac,
			struct err *e);
int run_opts_attach_driver_opt(struct net_attach *n, const char *text,
			       struct err *e);
int run_opts_attach_priority(struct net_attach *n, const char *key,
			     const char *number, struct err *e);
int run_opts_attach_alias(struct net_attach *n, const char *name,
			  struct err *e);
/* --ip, --ip6, --mac-address (NULL: not given) and the aliases, into n. */
int run_opts_attach_flags(struct net_attach *n, const char *ip, const char *ip6,
			  const char *mac, const struct strv *aliases,
			  struct err *e);
void run_opts_attach_free(struct net_attach *n);
/* One word of --network. */
int run_opts_network(const char *text, struct run_spec *s, struct err *e);
/* --network pasta..., slirp4netns...; and what an ordinary user has without. */
int run_opts_user_net(const char *word, struct run_spec *s, struct err *e);
int run_opts_user_net_default(struct run_spec *s, bool ports, struct err *e);
/* ERR_UNSUPPORTED: a network of the host's, asked for by an ordinary user. */
int run_opts_user_net_refuse(const char *word, struct err *e);
int run_opts_ports(const struct run_opts *o, struct run_spec *s, struct err *e);
int run_opts_monitor(const struct run_opts *o, struct run_spec *s,
		     struct err *e);
int run_opts_ns(const struct run_opts *o, struct run_spec *s, struct err *e);
int run_opts_limits(const struct run_opts *o, struct run_spec *s,
		    struct err *e);
/* Those of cgroups alone, over what is in l, which is checked with them. */
int run_opts_cgroup(const struct run_opts *o, struct limits_spec *l,
		    struct err *e);
int run_opts_env(const struct run_opts *o, const struct oci_image *img,
		 struct run_spec *s, struct err *e);
int run_opts_labels(const struct run_opts *o, const struct oci_image *img,
		    struct run_spec *s, struct err *e);
int run_opts_health(const struct run_opts *o, const struct oci_image *img,
		    struct run_spec *s, struct err *e);

/* ---- single words, for the tests too ---------------------------------------- */

/* SRC:DST[:OPTIONS], NAME:DST[:OPTIONS], DST. The source is not looked at. */
int volume_parse(const char *text, struct mount_spec *ret, struct err *e);
/* KEY=VALUE,... of --mount; *ret_create: bind-create-src. */
int mount_parse(const char *text, struct mount_spec *ret, bool *ret_create,
		struct err *e);
/* DST[:OPTIONS] */
int tmpfs_parse(const char *text, struct mount_spec *ret, struct err *e);
/* PATH[:DST[:rwm]] */
int device_parse(const char *text, struct device_spec *ret, struct err *e);
/* NAME=SOFT[:HARD] */
int ulimit_parse(const char *text, struct rlimit_spec *ret, struct err *e);
/* [IP:][HOST]:PORT[/PROTOCOL] and ranges: one port_spec each, into s. */
int port_parse(const char *text, struct run_spec *s, struct err *e);
/* PORT[-PORT][/PROTOCOL]: "80/tcp" each, into ret. */
int expose_parse(const char *text, struct strv *ret, struct err *e);
/* --env-file and -e over what is in `to`. */
int run_opts_add_env(const struct strv *files, const struct strv *env,
		     struct strv *to, struct err *e);

/* -t, unless stdin is no terminal: it would hang or garble. */
bool run_opts_tty(bool wanted);

/* The lines of an --env-file; name is for errors. */
int env_file_parse(const char *text, const char *name, bool shell,
		   struct strv *ret, struct err *e);

#endif
