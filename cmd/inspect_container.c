/*
 * inspect_container - a container as a document, by Docker's keys
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/signame.h"
#include "cmd/ctr_json.h"
#include "cmd/ctr_text.h"
#include "cmd/inspect.h"
#include "cmd/ps_size.h"
#include "runtime/apparmor.h"
#include "runtime/container.h"
#include "runtime/net/net.h"
#include "store/store.h"

struct view {
	const struct container *c;
	const struct container_state *state;
	const struct run_spec *spec;
	const struct container_info *info;
};

/* ---- State ---------------------------------------------------------------- */

static json_t *health_json(const struct container_state *s)
{
	json_t *const log = json_array();
	json_t *const o = json_object();

	for (size_t i = 0; i < s->n_results; i++) {
		const struct health_result *const r = &s->results[i];
		json_t *const one = json_object();

		cj_time(one, "Start", r->start_ns);
		cj_time(one, "End", r->end_ns);
		cj_int(one, "ExitCode", r->exit_code);
		cj_str(one, "Output", r->output);
		(void)json_array_append_new(log, one);
	}
	cj_str(o, "Status", s->health);
	cj_int(o, "FailingStreak", s->failing_streak);
	cj_put(o, "Log", log);
	return o;
}

static json_t *state_json(const struct container_state *s)
{
	json_t *const o = json_object();
	const bool up = s->status == CONTAINER_RUNNING ||
			s->status == CONTAINER_PAUSED ||
			s->status == CONTAINER_RESTARTING;

	cj_str(o, "Status", state_word(s->status));
	cj_bool(o, "Running", up);
	cj_bool(o, "Paused", s->status == CONTAINER_PAUSED);
	cj_bool(o, "Restarting", s->status == CONTAINER_RESTARTING);
	cj_bool(o, "OOMKilled", s->oom_killed);
	cj_bool(o, "Dead", s->status == CONTAINER_DEAD);
	cj_int(o, "Pid", s->pid);
	cj_int(o, "ExitCode", s->exit_code);
	cj_str(o, "Error", s->error);
	cj_time(o, "StartedAt", s->started_ns);
	cj_time(o, "FinishedAt", s->finished_ns);
	if (s->health)
		cj_put(o, "Health", health_json(s));
	return o;
}

/* ---- Config --------------------------------------------------------------- */

static json_t *healthcheck_json(const struct health_spec *h)
{
	json_t *const o = json_object();

	cj_put(o, "Test", cj_list(&h->test));
	cj_int(o, "Interval", h->interval_ns);
	cj_int(o, "Timeout", h->timeout_ns);
	cj_int(o, "StartPeriod", h->start_period_ns);
	cj_int(o, "Retries", h->retries);
	return o;
}

/* n of args from the first one on; null if there are none. */
static json_t *part_of(const struct strv *args, size_t first, size_t n)
{
	json_t *const a = n ? json_array() : json_null();

	for (size_t i = first; i < first + n; i++)
		(void)json_array_append_new(a, cj_text(args->v[i]));
	return a;
}

static void add_program(json_t *o, const struct view *v)
{
	const struct run_spec *const s = v->spec;
	const size_t n = (size_t)v->info->n_entrypoint <= s->args.n
				 ? (size_t)v->info->n_entrypoint
				 : 0;

	cj_put(o, "Env", cj_list(&s->env));
	cj_put(o, "Cmd", part_of(&s->args, n, s->args.n - n));
	cj_put(o, "Entrypoint", part_of(&s->args, 0, n));
	cj_str(o, "WorkingDir", s->cwd);
	cj_str(o, "User", s->user);
	if (s->shell.n)
		cj_put(o, "Shell", cj_list(&s->shell));
}

static json_t *config_json(const struct view *v)
{
	const struct run_spec *const s = v->spec;
	json_t *const o = json_object();
	char sig[SIGNAME_MAX];
	autofree char *host =
		s->hostname ? xstrdup(s->hostname) : xstrndup(v->c->id, 12);

	cj_str(o, "Hostname", host);
	cj_str(o, "Domainname", s->domainname);
	cj_bool(o, "AttachStdin", s->interactive && !s->detached);
	cj_bool(o, "AttachStdout", !s->detached);
	cj_bool(o, "AttachStderr", !s->detached);
	if (s->exposed.n)
		cj_put(o, "ExposedPorts", cj_set(&s->exposed));
	cj_bool(o, "Tty", s->tty);
	cj_bool(o, "OpenStdin", s->interactive);
	cj_bool(o, "StdinOnce", s->stdin_once);
	add_program(o, v);
	if (s->health.test.n)
		cj_put(o, "Healthcheck", healthcheck_json(&s->health));
	cj_str(o, "Image", v->info->image);
	cj_put(o, "Volumes",
	       v->info->volumes.n ? cj_set(&v->info->volumes) : json_null());
	cj_put(o, "OnBuild", json_null());
	cj_put(o, "Labels", cj_map(&s->labels));
	cj_put(o, "Annotations", cj_map(&s->annotations));
	if (s->stop_signal)
		cj_str(o, "StopSignal", signame_text(s->stop_signal, sig));
	if (s->stop_at_once || s->stop_timeout_s)
		cj_int(o, "StopTimeout", s->stop_timeout_s);
	return o;
}

/* ---- Mounts --------------------------------------------------------------- */

static const char *mount_type(const struct mount_spec *m)
{
	switch (m->type) {
	case MOUNT_VOLUME:
		return "volume";
	case MOUNT_TMPFS:
		return "tmpfs";
	case MOUNT_BIND:
		break;
	}
	return "bind";
}

static const char *propagation(const struct mount_spec *m)
{
	if (m->type != MOUNT_BIND)
		return "";
	return m->propagation & (1 << 20)   ? "rshared"
	       : m->propagation & (1 << 19) ? "rslave"
					    : "rprivate";
}

static json_t *mount_json(const struct mount_spec *m)
{
	json_t *const o = json_object();

	cj_str(o, "Type", mount_type(m));
	if (m->volume) {
		cj_str(o, "Name", m->volume);
		cj_str(o, "Driver", "local");
	}
	cj_str(o, "Source", m->source);
	cj_str(o, "Destination", m->target);
	cj_str(o, "Mode", m->readonly ? "ro" : "");
	cj_bool(o, "RW", !m->readonly);
	cj_str(o, "Propagation", propagation(m));
	return o;
}

static json_t *mounts_json(const struct run_spec *s)
{
	json_t *const a = json_array();

	/* What is on tmpfs stands in HostConfig.Tmpfs alone, as with Docker. */
	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].type != MOUNT_TMPFS)
			(void)json_array_append_new(a,
						    mount_json(&s->mounts[i]));
	return a;
}

/* ---- the whole ------------------------------------------------------------ */

static void add_path(json_t *o, const char *key, const struct view *v,
		     const char *name)
{
	autofree char *path = xasprintf("%s/%s", v->c->dir, name);

	cj_str(o, key, path);
}

static json_t *network_json(const struct view *v)
{
	autonetstate struct net_state net = {0};
	struct err ignored = {0};

	(void)net_state_read(v->c->dir_fd, &net, &ignored);
	return ctr_json_network(v->spec, &net, v->state->alive);
}

static json_t *graph_json(const struct view *v)
{
	json_t *const data = json_object();
	json_t *const o = json_object();
	struct buf b = buf_make(1 << 20);
	autofree char *lowers = NULL;

	for (size_t i = 0; i < v->spec->lowers.n; i++)
		buf_addf(&b, "%s%s", i ? ":" : "", v->spec->lowers.v[i]);
	lowers = buf_take(&b);
	cj_str(data, "LowerDir", lowers);
	add_path(data, "UpperDir", v, "upper");
	add_path(data, "WorkDir", v, "work");
	cj_str(o, "Name", "overlay2");
	cj_put(o, "Data", data);
	return o;
}

static json_t *whole(const struct view *v)
{
	const struct run_spec *const s = v->spec;
	json_t *const o = json_object();
	autofree char *name = xasprintf("/%s", v->c->name);
	const char *const profile =
		apparmor_is_enabled() ? apparmor_profile(s) : NULL;

	cj_str(o, "Id", v->c->id);
	cj_time(o, "Created", v->info->created_ns);
	cj_str(o, "Path", s->args.n ? s->args.v[0] : "");
	cj_put(o, "Args",
	       s->args.n > 1 ? part_of(&s->args, 1, s->args.n - 1)
			     : json_array());
	cj_put(o, "State", state_json(v->state));
	cj_str(o, "Image", v->info->image_id);
	add_path(o, "ResolvConfPath", v, "resolv.conf");
	add_path(o, "HostnamePath", v, "hostname");
	add_path(o, "HostsPath", v, "hosts");
	if (s->log.driver == LOGFILE_JSON)
		add_path(o, "LogPath", v, "log");
	else
		cj_str(o, "LogPath", "");
	cj_str(o, "Name", name);
	cj_int(o, "RestartCount", v->state->restart_count);
	cj_str(o, "Driver", "overlay2");
	cj_str(o, "Platform", "linux");
	cj_str(o, "MountLabel", "");
	cj_str(o, "ProcessLabel", "");
	cj_str(o, "AppArmorProfile", profile ? profile : "");
	cj_put(o, "ExecIDs", json_null());
	cj_put(o, "HostConfig", ctr_json_host(s, v->info));
	cj_put(o, "GraphDriver", graph_json(v));
	cj_put(o, "Mounts", mounts_json(s));
	cj_put(o, "Config", config_json(v));
	cj_put(o, "NetworkSettings", network_json(v));
	return o;
}

static void add_ends(json_t *o, const struct view *v)
{
	autonetstate struct net_state st = {0};
	struct err ignored = {0};

	/* One that is being taken back just now has none. */
	if (v->state->alive)
		(void)net_state_read(v->c->dir_fd, &st, &ignored);
	ctr_json_ends(json_object_get(o, "NetworkSettings"), v->spec, &st);
}

/* ID:ALIAS is "/NAME:/US/ALIAS" in Docker's words. */
static json_t *link_json(const struct container_home *h, const char *us,
			 const char *link)
{
	const size_t n = strcspn(link, ":");
	autofree char *id = xstrndup(link, n);
	autocontainer struct container c = CONTAINER_NONE;
	struct err gone = {0};
	const bool there = container_open(h, id, &c, &gone) == 0;
	autofree char *text = xasprintf("/%s:/%s/%s", there ? c.name : id, us,
					link[n] ? link + n + 1 : link);

	return json_string(text);
}

static void add_links(json_t *o, const struct container_home *h,
		      const struct view *v)
{
	json_t *const links = json_array();

	for (size_t i = 0; i < v->spec->links.n; i++)
		(void)json_array_append_new(
			links, link_json(h, v->c->name, v->spec->links.v[i]));
	if (json_array_size(links) > 0)
		(void)json_object_set(json_object_get(o, "HostConfig"), "Links",
				      links);
	json_decref(links);
}

static void add_sizes(json_t *o, const struct inspect_ask *a,
		      const struct view *v)
{
	uint64_t rw = 0;
	uint64_t root = 0;

	if (!a->size)
		return;
	ps_size(a->store, v->c, v->spec, &rw, &root);
	cj_int(o, "SizeRw", (int64_t)rw);
	cj_int(o, "SizeRootFs", (int64_t)root);
}

json_t *inspect_container(const struct inspect_ask *a, const char *text,
			  struct err *e)
{
	const struct container_home home = {
		.root_path = store_root(a->store),
		.root_fd = store_dirfd(a->store, STORE_ROOT, e),
	};
	autocontainer struct container c = CONTAINER_NONE;
	autostate struct container_state st = {0};
	autoinfo struct container_info info = {0};
	struct run_spec spec = {0};
	const struct view v = {
		.c = &c, .state = &st, .spec = &spec, .info = &info};
	json_t *o;

	if (home.root_fd < 0 || container_sweep(&home, e) < 0 ||
	    container_open(&home, text, &c, e) < 0 ||
	    container_state_get(&c, &st, e) < 0 ||
	    container_load(&home, &c, &spec, &info, e) < 0)
		return NULL;
	o = whole(&v);
	add_ends(o, &v);
	add_links(o, &home, &v);
	add_sizes(o, a, &v);
	spec_free(&spec);
	return o;
}
