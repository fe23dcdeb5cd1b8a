#include "spec_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/record.h"
#include "runtime/state.h"

/* ---- what is kept --------------------------------------------------------- */

static const struct record_field mount_fields[] = {
	RECORD(struct mount_spec, type),
	RECORD(struct mount_spec, source),
	RECORD(struct mount_spec, target),
	RECORD(struct mount_spec, volume),
	RECORD(struct mount_spec, subpath),
	RECORD(struct mount_spec, anonymous),
	RECORD(struct mount_spec, data),
	RECORD(struct mount_spec, readonly),
	RECORD(struct mount_spec, no_copy),
	RECORD(struct mount_spec, not_recursive),
	RECORD(struct mount_spec, chown),
	RECORD(struct mount_spec, throw_away),
	RECORD(struct mount_spec, idmap),
	RECORD(struct mount_spec, attr),
	RECORD(struct mount_spec, propagation),
	{0},
};

static const struct record_field device_fields[] = {
	RECORD(struct device_spec, source),
	RECORD(struct device_spec, target),
	RECORD_TEXT(struct device_spec, access),
	{0},
};

static const struct record_field rlimit_fields[] = {
	RECORD(struct rlimit_spec, resource),
	RECORD(struct rlimit_spec, soft),
	RECORD(struct rlimit_spec, hard),
	{0},
};

static const struct record_field port_fields[] = {
	RECORD(struct port_spec, ip),
	RECORD(struct port_spec, host_first),
	RECORD(struct port_spec, host_last),
	RECORD(struct port_spec, port),
	RECORD_TEXT(struct port_spec, protocol),
	{0},
};

static const struct record_field net_fields[] = {
	RECORD(struct net_attach, network),
	RECORD(struct net_attach, ip),
	RECORD(struct net_attach, ip6),
	RECORD(struct net_attach, mac),
	RECORD(struct net_attach, aliases),
	RECORD(struct net_attach, ifname),
	RECORD(struct net_attach, gw_priority),
	{0},
};

static const struct record_field limits_fields[] = {
	RECORD(struct limits_spec, memory_bytes),
	RECORD(struct limits_spec, memory_swap_bytes),
	RECORD(struct limits_spec, memory_reservation_bytes),
	RECORD(struct limits_spec, nano_cpus),
	RECORD(struct limits_spec, cpu_period_us),
	RECORD(struct limits_spec, cpu_quota_us),
	RECORD(struct limits_spec, cpu_shares),
	RECORD(struct limits_spec, pids),
	RECORD(struct limits_spec, blkio_weight),
	RECORD(struct limits_spec, cpuset_cpus),
	RECORD(struct limits_spec, cpuset_mems),
	RECORD(struct limits_spec, cgroup_parent),
	RECORD(struct limits_spec, best_effort),
	RECORD(struct limits_spec, has_swappiness),
	RECORD(struct limits_spec, memory_swappiness),
	RECORD(struct limits_spec, oom_kill_disable),
	RECORD(struct limits_spec, read_bps),
	RECORD(struct limits_spec, write_bps),
	RECORD(struct limits_spec, read_iops),
	RECORD(struct limits_spec, write_iops),
	RECORD(struct limits_spec, weight_devices),
	RECORD(struct limits_spec, device_rules),
	{0},
};

static const struct record_field health_fields[] = {
	RECORD(struct health_spec, test),
	RECORD(struct health_spec, interval_ns),
	RECORD(struct health_spec, timeout_ns),
	RECORD(struct health_spec, start_period_ns),
	RECORD(struct health_spec, start_interval_ns),
	RECORD(struct health_spec, retries),
	{0},
};

static const struct record_field log_fields[] = {
	RECORD(struct log_conf, driver),
	RECORD(struct log_conf, max_size_bytes),
	RECORD(struct log_conf, max_files),
	RECORD(struct log_conf, compress),
	RECORD(struct log_conf, attrs),
	{0},
};

static const struct record_field restart_fields[] = {
	RECORD(struct restart_policy, when),
	RECORD(struct restart_policy, max_retries),
	{0},
};

static const struct record_field caps_fields[] = {
	RECORD(struct caps, bounding),
	RECORD(struct caps, added),
	RECORD(struct caps, missing),
	RECORD(struct caps, missing_asked),
	{0},
};

static const struct record_field range_fields[] = {
	RECORD(struct idrange, inside),
	RECORD(struct idrange, outside),
	RECORD(struct idrange, count),
	{0},
};

static const struct record_field map_fields[] = {
	RECORD_FIXED(struct idmap, uid, n_uid, range_fields),
	RECORD_FIXED(struct idmap, gid, n_gid, range_fields),
	RECORD(struct idmap, helpers),
	RECORD(struct idmap, single),
	{0},
};

/* Of struct run_spec all but lowers and filter, which stand below. */
static const struct record_field spec_fields[] = {
	RECORD(struct run_spec, rootfs),
	RECORD(struct run_spec, readonly_root),
	RECORD(struct run_spec, keep),
	RECORD(struct run_spec, userns),
	RECORD_IN(struct run_spec, map, map_fields),
	RECORD(struct run_spec, map_auto),
	RECORD(struct run_spec, net),
	RECORD(struct run_spec, net_of),
	RECORD(struct run_spec, pid_ns),
	RECORD(struct run_spec, pid_of),
	RECORD(struct run_spec, ipc_ns),
	RECORD(struct run_spec, ipc_of),
	RECORD(struct run_spec, no_shm),
	RECORD(struct run_spec, uts_ns),
	RECORD(struct run_spec, cgroup_ns),
	RECORD_LIST(struct run_spec, mounts, n_mounts, mount_fields),
	RECORD_LIST(struct run_spec, devices, n_devices, device_fields),
	RECORD(struct run_spec, privileged),
	RECORD(struct run_spec, no_masks),
	RECORD(struct run_spec, mask),
	RECORD(struct run_spec, unmask),
	RECORD_IN(struct run_spec, caps, caps_fields),
	RECORD(struct run_spec, seccomp_off),
	RECORD(struct run_spec, new_privs),
	RECORD(struct run_spec, apparmor),
	RECORD_LIST(struct run_spec, rlimits, n_rlimits, rlimit_fields),
	RECORD(struct run_spec, sysctls),
	RECORD(struct run_spec, has_oom_score),
	RECORD(struct run_spec, oom_score_adj),
	RECORD(struct run_spec, shm_bytes),
	RECORD_IN(struct run_spec, limits, limits_fields),
	RECORD(struct run_spec, tz),
	RECORD(struct run_spec, no_hosts),
	RECORD(struct run_spec, user_name),
	RECORD(struct run_spec, no_passwd),
	RECORD(struct run_spec, add_hosts),
	RECORD(struct run_spec, dns),
	RECORD(struct run_spec, dns_search),
	RECORD(struct run_spec, dns_options),
	RECORD(struct run_spec, domainname),
	RECORD_LIST(struct run_spec, nets, n_nets, net_fields),
	RECORD(struct run_spec, net_chosen),
	RECORD(struct run_spec, net_user),
	RECORD_LIST(struct run_spec, ports, n_ports, port_fields),
	RECORD(struct run_spec, publish_all),
	RECORD(struct run_spec, exposed),
	RECORD(struct run_spec, links),
	RECORD(struct run_spec, aliases),
	RECORD(struct run_spec, ip),
	RECORD(struct run_spec, ip6),
	RECORD(struct run_spec, mac),
	RECORD(struct run_spec, labels),
	RECORD(struct run_spec, annotations),
	RECORD(struct run_spec, shell),
	RECORD_IN(struct run_spec, health, health_fields),
	RECORD(struct run_spec, args),
	RECORD(struct run_spec, env),
	RECORD(struct run_spec, cwd),
	RECORD(struct run_spec, user),
	RECORD(struct run_spec, groups),
	RECORD(struct run_spec, keep_groups),
	RECORD(struct run_spec, umask),
	RECORD(struct run_spec, hostname),
	RECORD(struct run_spec, no_init),
	RECORD(struct run_spec, tty),
	RECORD(struct run_spec, interactive),
	RECORD(struct run_spec, stdin_once),
	RECORD(struct run_spec, stop_signal),
	RECORD(struct run_spec, detached),
	RECORD_IN(struct run_spec, log, log_fields),
	RECORD_IN(struct run_spec, restart, restart_fields),
	RECORD(struct run_spec, stop_timeout_s),
	RECORD(struct run_spec, stop_at_once),
	RECORD(struct run_spec, timeout_s),
	{0},
};

static const struct record_field nets_fields[] = {
	RECORD_LIST(struct run_spec, nets, n_nets, net_fields),
	{0},
};

static const struct record_field info_fields[] = {
	RECORD(struct container_info, image),
	RECORD(struct container_info, image_id),
	RECORD(struct container_info, manifest),
	RECORD(struct container_info, platform),
	RECORD(struct container_info, created_ns),
	RECORD(struct container_info, n_entrypoint),
	RECORD(struct container_info, volumes),
	RECORD(struct container_info, log_opts),
	RECORD(struct container_info, networks),
	RECORD(struct container_info, cidfile),
	RECORD(struct container_info, hostname),
	RECORD(struct container_info, attached),
	{0},
};

void info_free(struct container_info *i)
{
	record_free(info_fields, i);
	*i = (struct container_info){0};
}

/* What `update` may change; spec.json itself is never replaced (its lock). */
static const struct record_field update_fields[] = {
	RECORD_IN(struct run_spec, limits, limits_fields),
	RECORD_IN(struct run_spec, restart, restart_fields),
	{0},
};

#define UPDATE_FILE "update.json"

/* ---- writing -------------------------------------------------------------- */

static const char *below_root(const char *path, const char *root)
{
	const char *const rest = str_after(path, root);

	return rest && *rest == '/' ? rest + strspn(rest, "/") : path;
}

static void add_lowers(struct buf *b, const struct strv *lowers,
		       const char *root)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < lowers->n; i++) {
		if (i)
			buf_addc(b, ',');
		record_add_text(b, below_root(lowers->v[i], root));
	}
	buf_addc(b, ']');
}

void spec_file_text(struct buf *b, const char *id, const char *root_path,
		    const struct run_spec *s, const struct container_info *i)
{
	const struct container_head none = {.exit_code = -1, .keep = s->keep};
	char head[HEAD_MAX];

	buf_add(b, head, head_format(&none, head));
	buf_addf(b, "\"id\":\"%s\",\"lowers\":", id);
	add_lowers(b, &s->lowers, root_path);
	/* Else a reader need not look for the file. */
	if (s->filter)
		buf_adds(b, ",\"filter\":true");
	buf_adds(b, ",\"spec\":");
	record_add(b, spec_fields, s);
	buf_adds(b, ",\"info\":");
	record_add(b, info_fields, i);
	buf_adds(b, "}\n");
}

int spec_file_write_filter(int dir_fd, const struct run_spec *s, struct err *e)
{
	autoclose int fd = -1;

	if (!s->filter)
		return 0;
	fd = openat(dir_fd, "seccomp.bpf",
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "openat", "seccomp.bpf");
	return io_write_all(fd, s->filter, s->n_filter * sizeof(*s->filter),
			    "seccomp.bpf", e);
}

int spec_file_write_update(int dir_fd, const struct run_spec *s, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);

	record_add(&b, update_fields, s);
	return fs_replace_at(dir_fd, UPDATE_FILE, buf_str(&b), b.len, 0600,
			     true, e);
}

int spec_file_nets_write(int dir_fd, const struct run_spec *s, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);

	record_add(&b, nets_fields, s);
	buf_addc(&b, '\n');
	return fs_replace_at(dir_fd, "nets", buf_str(&b), b.len, 0600, true, e);
}

/* ---- reading -------------------------------------------------------------- */

static int read_filter(int dir_fd, struct run_spec *s, struct err *e)
{
	autobuf struct buf b = buf_make(SECCOMP_MAX);

	if (fs_read_at(dir_fd, "seccomp.bpf", &b, e) < 0)
		return -1;
	s->n_filter = b.len / sizeof(*s->filter);
	if (s->n_filter == 0 || b.len % sizeof(*s->filter))
		return err_set(e, ERR_INVALID, "seccomp.bpf is damaged");
	s->filter = xcalloc(s->n_filter, sizeof(*s->filter));
	memcpy(s->filter, b.p, b.len);
	return 0;
}

static int read_lowers(const struct jval *o, const char *root,
		       struct run_spec *s, struct err *e)
{
	struct jval v;
	int64_t n;

	if (jget(o, "lowers", &v, e) < 0)
		return -1;
	n = jlen(&v, e);
	for (int64_t i = 0; i < n; i++) {
		const char *text;

		if (jat_str(&v, (size_t)i, &text, e) < 0)
			return -1;
		strv_take(&s->lowers, text[0] == '/'
					      ? record_text(text)
					      : xasprintf("%s/%s", root, text));
	}
	return n < 0 ? -1 : 0;
}

int spec_file_read_update(int dir_fd, struct run_spec *s, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	struct jval v;

	if (state_read_small(dir_fd, UPDATE_FILE, &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	doc = json_parse(buf_str(&b), b.len, UPDATE_FILE, e);
	if (!doc)
		return -1;
	v = jval_root(doc, UPDATE_FILE);
	/* All of it, or what was taken back would stay. */
	record_free(update_fields, s);
	s->limits = (struct limits_spec){0};
	s->restart = (struct restart_policy){0};
	return record_read(update_fields, &v, s, e);
}

static int read_spec(int dir_fd, const struct jval *o, const char *root,
		     struct run_spec *s, struct err *e)
{
	struct jval in;

	if (jget(o, "spec", &in, e) < 0 ||
	    record_read(spec_fields, &in, s, e) < 0 ||
	    read_lowers(o, root, s, e) < 0)
		return -1;
	if (spec_file_read_update(dir_fd, s, e) < 0)
		return -1;
	return jhas(o, "filter") ? read_filter(dir_fd, s, e) : 0;
}

static int read_info(const struct jval *o, struct container_info *i,
		     struct err *e)
{
	struct jval in;

	if (jget(o, "info", &in, e) < 0)
		return -1;
	return record_read(info_fields, &in, i, e);
}

/*
 * Wherever the fd stands; nearly always in one call and without a buffer of
 * its own.
 */
static json_t *parse(int spec_fd, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	char small[4096];
	const ssize_t n = pread(spec_fd, small, sizeof(small), 0);

	if (n >= 0 && (size_t)n < sizeof(small))
		return json_parse(small, (size_t)n, "spec.json", e);
	if (n < 0 || lseek(spec_fd, 0, SEEK_SET) < 0) {
		(void)err_sys(e, "pread", "spec.json");
		return NULL;
	}
	if (io_read_all(spec_fd, &b, "spec.json", e) < 0)
		return NULL;
	return json_parse(buf_str(&b), b.len, "spec.json", e);
}

void spec_file_nets_free(struct run_spec *s)
{
	record_free(nets_fields, s);
}

int spec_file_nets_read(int dir_fd, struct run_spec *s, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	struct run_spec read = {0};
	struct jval v;

	if (fs_read_at(dir_fd, "nets", &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	doc = json_parse(buf_str(&b), b.len, "nets", e);
	if (!doc)
		return -1;
	v = jval_root(doc, "nets");
	if (record_read(nets_fields, &v, &read, e) < 0) {
		spec_file_nets_free(&read);
		return -1;
	}
	s->nets = read.nets;
	s->n_nets = read.n_nets;
	return 1;
}

/* What spec.json says of them, or the file that came later. */
static int read_nets(int dir_fd, struct run_spec *s, struct err *e)
{
	struct run_spec later = {0};
	int rc;

	if (s->net != NET_NETS)
		return 0;
	rc = spec_file_nets_read(dir_fd, &later, e);
	if (rc <= 0)
		return rc;
	spec_file_nets_free(s);
	s->nets = later.nets;
	s->n_nets = later.n_nets;
	return 0;
}

int spec_file_read(int dir_fd, int spec_fd, const char *root_path,
		   struct run_spec *ret_spec, struct container_info *ret_info,
		   struct err *e)
{
	autojson json_t *doc = parse(spec_fd, e);
	struct run_spec s = {0};
	struct container_info i = {0};
	struct jval v;

	if (!doc)
		return -1;
	v = jval_root(doc, "spec.json");
	if ((ret_spec && (read_spec(dir_fd, &v, root_path, &s, e) < 0 ||
			  read_nets(dir_fd, &s, e) < 0)) ||
	    (ret_info && read_info(&v, &i, e) < 0)) {
		spec_free(&s);
		info_free(&i);
		return -1;
	}
	if (ret_spec)
		*ret_spec = s;
	if (ret_info)
		*ret_info = i;
	return 0;
}
