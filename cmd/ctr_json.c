#include "cmd/ctr_json.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/ctr_text.h"
#include "runtime/caps.h"
#include "runtime/net/net.h"

/* ---- helpers -------------------------------------------------------------- */

json_t *cj_text(const char *s)
{
	json_t *const v = json_string(s ? s : "");

	return v ? v : json_string("?");
}

void cj_put(json_t *o, const char *key, json_t *v)
{
	(void)json_object_set_new(o, key, v);
}

void cj_str(json_t *o, const char *key, const char *s)
{
	cj_put(o, key, cj_text(s));
}

void cj_int(json_t *o, const char *key, int64_t n)
{
	cj_put(o, key, json_integer((json_int_t)n));
}

void cj_bool(json_t *o, const char *key, bool b)
{
	cj_put(o, key, json_boolean(b));
}

void cj_time(json_t *o, const char *key, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];

	cj_str(o, key,
	       ns ? clock_text(ns, false, text) : "0001-01-01T00:00:00Z");
}

json_t *cj_list(const struct strv *a)
{
	json_t *const list = json_array();

	for (size_t i = 0; i < a->n; i++)
		(void)json_array_append_new(list, cj_text(a->v[i]));
	return list;
}

json_t *cj_list_or_null(const struct strv *a)
{
	return a->n ? cj_list(a) : json_null();
}

json_t *cj_set(const struct strv *a)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < a->n; i++)
		cj_put(o, a->v[i], json_object());
	return o;
}

json_t *cj_map(const struct strv *a)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < a->n; i++) {
		const size_t n = strcspn(a->v[i], "=");
		autofree char *key = xstrndup(a->v[i], n);

		cj_str(o, key, a->v[i][n] ? a->v[i] + n + 1 : "");
	}
	return o;
}

/* ---- HostConfig ----------------------------------------------------------- */

static json_t *binds_json(const struct run_spec *s)
{
	json_t *const a = json_array();

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];
		const char *const from = m->volume ? m->volume : m->source;
		autofree char *text = NULL;

		if (m->type == MOUNT_TMPFS || !from)
			continue;
		text = xasprintf("%s:%s%s", from, m->target,
				 m->readonly ? ":ro" : "");
		(void)json_array_append_new(a, cj_text(text));
	}
	return a;
}

static json_t *tmpfs_json(const struct run_spec *s)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].type == MOUNT_TMPFS)
			cj_str(o, s->mounts[i].target, s->mounts[i].data);
	return o;
}

/* {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}; host 0: not known. */
static void add_binding(json_t *o, uint16_t inside, const char *protocol,
			const char *ip, uint16_t host)
{
	autofree char *key = xasprintf("%u/%s", inside, protocol);
	autofree char *port = host ? xasprintf("%u", host) : xstrdup("");
	json_t *const one = json_object();
	json_t *list = json_object_get(o, key);

	if (!list) {
		list = json_array();
		cj_put(o, key, list);
	}
	cj_str(one, "HostIp", ip);
	cj_str(one, "HostPort", port);
	(void)json_array_append_new(list, one);
}

/* As they were asked for. */
static json_t *bindings_json(const struct run_spec *s)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < s->n_ports; i++) {
		const struct port_spec *const p = &s->ports[i];

		add_binding(o, p->port, p->protocol, p->ip, p->host_first);
	}
	return o;
}

static json_t *caps_json(uint64_t set)
{
	json_t *const a = set ? json_array() : json_null();
	char name[CAPS_NAME_MAX];

	for (int i = 0; i < 64; i++)
		if (set >> i & 1)
			(void)json_array_append_new(
				a, json_string(caps_name(i, name)));
	return a;
}

static const char *ns_text(enum ns_mode m, const char *of, const char *own,
			   char **ret)
{
	*ret = NULL;
	switch (m) {
	case NS_HOST:
		return "host";
	case NS_JOIN:
		*ret = xasprintf("container:%s", of ? of : "");
		return *ret;
	case NS_OWN:
		break;
	}
	return own;
}

static void add_namespaces(json_t *o, const struct run_spec *s)
{
	autofree char *pid = NULL;
	autofree char *ipc = NULL;
	autofree char *uts = NULL;
	autofree char *cgroup = NULL;
	autofree char *net = ctr_text_network(s);

	cj_str(o, "NetworkMode", net);
	cj_str(o, "PidMode", ns_text(s->pid_ns, s->pid_of, "", &pid));
	cj_str(o, "IpcMode",
	       ns_text(s->ipc_ns, s->ipc_of, s->no_shm ? "none" : "private",
		       &ipc));
	cj_str(o, "UTSMode", ns_text(s->uts_ns, NULL, "", &uts));
	cj_str(o, "CgroupnsMode",
	       ns_text(s->cgroup_ns, NULL, "private", &cgroup));
	cj_str(o, "UsernsMode", s->map_auto ? "auto" : "");
}

static json_t *devices_json(const struct run_spec *s)
{
	json_t *const a = json_array();

	for (size_t i = 0; i < s->n_devices; i++) {
		const struct device_spec *const d = &s->devices[i];
		json_t *const one = json_object();

		cj_str(one, "PathOnHost", d->source);
		cj_str(one, "PathInContainer", d->target);
		cj_str(one, "CgroupPermissions", d->access);
		(void)json_array_append_new(a, one);
	}
	return a;
}

static json_t *ulimits_json(const struct run_spec *s)
{
	json_t *const a = json_array();

	for (size_t i = 0; i < s->n_rlimits; i++) {
		const struct rlimit_spec *const r = &s->rlimits[i];
		json_t *const one = json_object();

		cj_str(one, "Name", spec_rlimit_name(r->resource));
		cj_int(one, "Hard", (int64_t)r->hard);
		cj_int(one, "Soft", (int64_t)r->soft);
		(void)json_array_append_new(a, one);
	}
	return a;
}

/* [{"Path": "/dev/sda", "Rate": 1048576}] of "/dev/sda:1048576" */
static json_t *rates_json(const struct strv *rates, const char *key)
{
	json_t *const a = json_array();

	for (size_t i = 0; i < rates->n; i++) {
		const char *const colon = strrchr(rates->v[i], ':');
		const size_t n = colon ? (size_t)(colon - rates->v[i]) : 0;
		autofree char *path = xstrndup(rates->v[i], n);
		json_t *const one = json_object();
		uint64_t rate = 0;

		(void)str_to_u64(rates->v[i] + n + 1, INT64_MAX, &rate);
		cj_str(one, "Path", path);
		cj_int(one, key, (int64_t)rate);
		(void)json_array_append_new(a, one);
	}
	return a;
}

static void add_device_limits(json_t *o, const struct limits_spec *l)
{
	cj_put(o, "BlkioDeviceReadBps", rates_json(&l->read_bps, "Rate"));
	cj_put(o, "BlkioDeviceReadIOps", rates_json(&l->read_iops, "Rate"));
	cj_put(o, "BlkioDeviceWriteBps", rates_json(&l->write_bps, "Rate"));
	cj_put(o, "BlkioDeviceWriteIOps", rates_json(&l->write_iops, "Rate"));
	cj_put(o, "BlkioWeightDevice",
	       rates_json(&l->weight_devices, "Weight"));
	cj_put(o, "DeviceCgroupRules", cj_list_or_null(&l->device_rules));
}

static void add_limits(json_t *o, const struct limits_spec *l)
{
	cj_int(o, "CpuShares", l->cpu_shares);
	cj_int(o, "Memory", l->memory_bytes);
	cj_int(o, "NanoCpus", l->nano_cpus);
	cj_str(o, "CgroupParent", l->cgroup_parent);
	cj_int(o, "BlkioWeight", l->blkio_weight);
	cj_int(o, "CpuPeriod", l->cpu_period_us);
	cj_int(o, "CpuQuota", l->cpu_quota_us);
	cj_str(o, "CpusetCpus", l->cpuset_cpus);
	cj_str(o, "CpusetMems", l->cpuset_mems);
	cj_int(o, "MemoryReservation", l->memory_reservation_bytes);
	cj_int(o, "MemorySwap", l->memory_swap_bytes);
	cj_put(o, "MemorySwappiness",
	       l->has_swappiness
		       ? json_integer((json_int_t)l->memory_swappiness)
		       : json_null());
	cj_bool(o, "OomKillDisable", l->oom_kill_disable);
	add_device_limits(o, l);
	cj_put(o, "PidsLimit",
	       l->pids ? json_integer((json_int_t)l->pids) : json_null());
}

static json_t *security_json(const struct run_spec *s)
{
	json_t *const a = json_array();

	if (s->seccomp_off)
		(void)json_array_append_new(a,
					    json_string("seccomp=unconfined"));
	if (s->no_masks)
		(void)json_array_append_new(
			a, json_string("systempaths=unconfined"));
	if (s->apparmor) {
		autofree char *text = xasprintf("apparmor=%s", s->apparmor);

		(void)json_array_append_new(a, json_string(text));
	}
	/* What holds, said or not. */
	(void)json_array_append_new(
		a, json_string(s->new_privs ? "no-new-privileges=false"
					    : "no-new-privileges"));
	return a;
}

static json_t *log_json(const struct run_spec *s,
			const struct container_info *i)
{
	json_t *const o = json_object();

	cj_str(o, "Type", logfile_driver_name(s->log.driver));
	cj_put(o, "Config", cj_map(&i->log_opts));
	return o;
}

static json_t *restart_json(const struct restart_policy *p)
{
	json_t *const o = json_object();

	cj_str(o, "Name", restart_when_name(p->when));
	cj_int(o, "MaximumRetryCount", p->max_retries);
	return o;
}

static void add_names(json_t *o, const struct run_spec *s)
{
	cj_put(o, "Dns", cj_list(&s->dns));
	cj_put(o, "DnsOptions", cj_list(&s->dns_options));
	cj_put(o, "DnsSearch", cj_list(&s->dns_search));
	cj_put(o, "ExtraHosts", cj_list_or_null(&s->add_hosts));
	cj_put(o, "Links", cj_list_or_null(&s->links));
}

json_t *ctr_json_host(const struct run_spec *s, const struct container_info *i)
{
	json_t *const o = json_object();

	cj_put(o, "Binds", binds_json(s));
	cj_str(o, "ContainerIDFile", i->cidfile);
	cj_put(o, "LogConfig", log_json(s, i));
	add_namespaces(o, s);
	cj_put(o, "PortBindings", bindings_json(s));
	cj_put(o, "RestartPolicy", restart_json(&s->restart));
	cj_bool(o, "AutoRemove", !s->keep);
	cj_str(o, "VolumeDriver", "");
	cj_put(o, "VolumesFrom", json_null());
	cj_put(o, "CapAdd", caps_json(s->caps.added));
	cj_put(o, "CapDrop", caps_json(CAPS_DEFAULT & ~s->caps.bounding));
	add_names(o, s);
	cj_put(o, "GroupAdd", cj_list_or_null(&s->groups));
	cj_int(o, "OomScoreAdj", s->oom_score_adj);
	cj_bool(o, "Privileged", s->privileged);
	cj_bool(o, "PublishAllPorts", s->publish_all);
	cj_bool(o, "ReadonlyRootfs", s->readonly_root);
	cj_put(o, "SecurityOpt", security_json(s));
	cj_int(o, "ShmSize", s->shm_bytes ? (int64_t)s->shm_bytes : 64 << 20);
	cj_str(o, "Runtime", "prism");
	cj_put(o, "Sysctls", cj_map(&s->sysctls));
	cj_put(o, "Tmpfs", tmpfs_json(s));
	cj_bool(o, "Init", !s->no_init);
	cj_put(o, "Devices", devices_json(s));
	cj_put(o, "Ulimits", ulimits_json(s));
	add_limits(o, &s->limits);
	return o;
}

/* ---- NetworkSettings ------------------------------------------------------ */

/* As they are; those that the image exposes and nobody publishes are null. */
static json_t *ports_json(const struct run_spec *s, const struct net_state *net,
			  bool alive)
{
	json_t *const o = json_object();

	for (size_t i = 0; alive && i < net->n_ports; i++) {
		const struct net_port *const p = &net->ports[i];

		add_binding(o, p->port, p->protocol, p->ip, p->host);
	}
	for (size_t i = 0; alive && i < s->exposed.n; i++)
		if (!json_object_get(o, s->exposed.v[i]))
			cj_put(o, s->exposed.v[i], json_null());
	return o;
}

static json_t *endpoint_json(const struct run_spec *s)
{
	json_t *const o = json_object();

	cj_put(o, "IPAMConfig", json_null());
	cj_put(o, "Links", json_null());
	cj_put(o, "Aliases", cj_list_or_null(&s->aliases));
	cj_str(o, "MacAddress", "");
	cj_str(o, "NetworkID", "");
	cj_str(o, "EndpointID", "");
	cj_str(o, "Gateway", "");
	cj_str(o, "IPAddress", "");
	cj_int(o, "IPPrefixLen", 0);
	return o;
}

json_t *ctr_json_network(const struct run_spec *s, const struct net_state *net,
			 bool alive)
{
	json_t *const o = json_object();
	json_t *const networks = json_object();
	autofree char *name = ctr_text_network(s);

	if (s->net != NET_JOIN)
		cj_put(networks, name, endpoint_json(s));
	cj_str(o, "Bridge", "");
	cj_str(o, "SandboxID", "");
	cj_put(o, "Ports", ports_json(s, net, alive));
	cj_str(o, "EndpointID", "");
	cj_str(o, "Gateway", "");
	cj_str(o, "IPAddress", "");
	cj_int(o, "IPPrefixLen", 0);
	cj_str(o, "MacAddress", "");
	cj_put(o, "Networks", networks);
	return o;
}
