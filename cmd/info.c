#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/platform.h"
#include "base/whoami.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/listing.h"
#include "cmd/size.h"
#include "runtime/apparmor.h"
#include "runtime/container.h"
#include "runtime/net/routing.h"
#include "runtime/state.h"
#include "runtime/usable.h"
#include "store/image.h"
#include "store/store.h"

struct info_opts {
	const char *format;
};

static const struct opt info_options[] = {
	{'f', "format", OPT_STR, offsetof(struct info_opts, format),
	 "json|TEMPLATE", "A Go template over Docker's keys, or 'json'"},
	{0},
};

struct facts {
	struct utsname uts;
	struct sysinfo mem;
	struct oci_platform host;
	char root[4096];
	char os[128];
	char backing[32];
	int containers[CONTAINER_STATUSES];
	int n_containers;
	int images;
	int cgroup;               /* 1 or 2; 0: none */
	unsigned int forwards;    /* ROUTING_V4, ROUTING_V6 */
	unsigned int forwards_us; /* those only for our networks */
	bool rootless;
	bool apparmor;
};

/* ---- looking ------------------------------------------------------------- */

static int count_container(void *ctx, struct container *c, struct err *e)
{
	struct facts *const f = ctx;
	struct container_state state;

	f->n_containers++;
	if (container_state_get(c, &state, e)) {
		err_clear(e);
		f->containers[CONTAINER_DEAD]++;
		return 0;
	}
	f->containers[state.status]++;
	state_free(&state);
	return 0;
}

struct ids {
	struct digest *v;
	size_t n;
};

/* Names of one image count once. */
static int count_image(void *ctx, const struct ref *ref,
		       const struct digest *top, const struct digest *manifest,
		       const struct err *bad)
{
	struct ids *const x = ctx;

	(void)ref;
	(void)top;
	for (size_t i = 0; !bad && i < x->n; i++)
		if (digest_eq(&x->v[i], manifest))
			return 0;
	if (bad)
		return 0;
	x->v = xrealloc(x->v, (x->n + 1) * sizeof(*x->v));
	x->v[x->n++] = *manifest;
	return 0;
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)" */
static void read_os(struct facts *f)
{
	autobuf struct buf b = buf_make(ETC_FILE_MAX);
	struct err ignored = {0};
	const char *p;

	(void)snprintf(f->os, sizeof(f->os), "%s", f->uts.sysname);
	if (fs_read_at(-1, "/etc/os-release", &b, &ignored))
		return;
	p = strstr(buf_str(&b), "PRETTY_NAME=");
	if (!p)
		return;
	p += strlen("PRETTY_NAME=");
	p += *p == '"' || *p == '\'';
	(void)snprintf(f->os, sizeof(f->os), "%.*s", (int)strcspn(p, "\"'\n"),
		       p);
}

static void read_file_systems(struct facts *f)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = {
		{0xef53, "extfs"},         {0x58465342, "xfs"},
		{0x9123683e, "btrfs"},     {0x01021994, "tmpfs"},
		{0x794c7630, "overlayfs"}, {0x2fc12fc1, "zfs"},
		{0x6969, "nfs"},           {0xf2f52010, "f2fs"},
	};
	struct statfs s;

	(void)snprintf(f->backing, sizeof(f->backing), "%s", "<unknown>");
	for (size_t i = 0; statfs(f->root, &s) == 0 && i < ARRAY_LEN(known);
	     i++)
		if ((unsigned long)s.f_type == known[i].magic)
			(void)snprintf(f->backing, sizeof(f->backing), "%s",
				       known[i].name);
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
		f->cgroup = 2;
	else if (access("/sys/fs/cgroup/memory", F_OK) == 0)
		f->cgroup = 1;
}

static int look(struct store *s, struct facts *f, struct err *e)
{
	const struct container_home home = {
		.root_path = store_root(s),
		.root_fd = store_dirfd(s, STORE_ROOT, e),
	};
	struct ids ids = {0};
	int rc;

	if (home.root_fd < 0)
		return -1;
	(void)uname(&f->uts);
	(void)sysinfo(&f->mem);
	oci_platform_host(&f->host);
	(void)snprintf(f->root, sizeof(f->root), "%s", store_root(s));
	f->rootless = !whoami()->root;
	f->forwards = routing_is_on();
	f->forwards_us = f->forwards & routing_is_ours();
	f->apparmor = apparmor_is_enabled();
	read_os(f);
	read_file_systems(f);
	rc = image_each(s, count_image, &ids, e);
	f->images = (int)ids.n;
	free(ids.v);
	return rc ? -1 : container_each(&home, count_container, f, e);
}

/* ---- printing ------------------------------------------------------------ */

static int stopped(const struct facts *f)
{
	return f->containers[CONTAINER_CREATED] +
	       f->containers[CONTAINER_EXITED] + f->containers[CONTAINER_DEAD];
}

static int running(const struct facts *f)
{
	return f->containers[CONTAINER_RUNNING] +
	       f->containers[CONTAINER_RESTARTING];
}

static uint64_t memory(const struct facts *f)
{
	return (uint64_t)f->mem.totalram * f->mem.mem_unit;
}

static json_t *security(const struct facts *f)
{
	json_t *const a = json_array();

	if (f->apparmor)
		(void)json_array_append_new(a, json_string("name=apparmor"));
	(void)json_array_append_new(
		a, json_string("name=seccomp,profile=default"));
	if (f->rootless)
		(void)json_array_append_new(a, json_string("name=rootless"));
	return a;
}

static const char *forwarding(const struct facts *f, unsigned int family)
{
	if (f->forwards_us & family)
		return "for prism's networks only";
	return f->forwards & family ? "on" : "off";
}

/* Docker has only on and off. */
static void add_forwarding(const struct facts *f, json_t *o)
{
	(void)json_object_set_new(o, "IPv4Forwarding",
				  json_boolean(f->forwards & ROUTING_V4));
	(void)json_object_set_new(o, "Forwarding",
				  json_pack("{s:s, s:s}", "IPv4",
					    forwarding(f, ROUTING_V4), "IPv6",
					    forwarding(f, ROUTING_V6)));
}

/* What podman info calls these things. */
static void add_podman(const struct facts *f, json_t *o)
{
	(void)json_object_set_new(
		o, "Host",
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:s,"
			  " s:{s:b, s:b, s:b}}",
			  "Arch", f->host.arch, "OS", f->host.os, "Kernel",
			  f->uts.release, "Hostname", f->uts.nodename,
			  "MemTotal", (json_int_t)memory(f), "CPUs",
			  (int)sysconf(_SC_NPROCESSORS_ONLN), "CgroupsVersion",
			  f->cgroup == 2   ? "v2"
			  : f->cgroup == 1 ? "v1"
					   : "",
			  "Security", "Rootless", f->rootless, "SECCOMPEnabled",
			  true, "AppArmorEnabled", f->apparmor));
	(void)json_object_set_new(o, "Store",
				  json_pack("{s:s, s:s}", "GraphRoot", f->root,
					    "GraphDriverName", "overlay"));
}

static json_t *document(const struct facts *f)
{
	char now[CLOCK_TEXT_MAX];
	json_t *const o = json_pack(
		"{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:[[s,s]],"
		" s:{s:[s], s:[s,s], s:n, s:[s,s]}, s:b, s:s, s:s,"
		" s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s}",
		"ID", "", "Containers", f->n_containers, "ContainersRunning",
		running(f), "ContainersPaused", f->containers[CONTAINER_PAUSED],
		"ContainersStopped", stopped(f), "Images", f->images, "Driver",
		"overlay", "DriverStatus", "Backing Filesystem", f->backing,
		"Plugins", "Volume", "local", "Network", "host", "none",
		"Authorization", "Log", "json-file", "none", "Debug", false,
		"SystemTime", clock_text(clock_now(), false, now),
		"LoggingDriver", "json-file", "CgroupDriver",
		f->cgroup ? "cgroupfs" : "none", "CgroupVersion",
		f->cgroup == 2   ? "2"
		: f->cgroup == 1 ? "1"
				 : "",
		"KernelVersion", f->uts.release, "OperatingSystem", f->os,
		"OSType", f->host.os, "Architecture", f->uts.machine, "NCPU",
		(int)sysconf(_SC_NPROCESSORS_ONLN), "MemTotal",
		(json_int_t)memory(f), "DockerRootDir", f->root, "Name",
		f->uts.nodename, "ServerVersion", PRISM_VERSION);

	(void)json_object_set_new(
		o, "Runtimes",
		json_pack("{s:{s:s}}", "prism", "path", "prism"));
	(void)json_object_set_new(o, "DefaultRuntime", json_string("prism"));
	(void)json_object_set_new(o, "InitBinary", json_string("prism"));
	(void)json_object_set_new(
		o, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
	(void)json_object_set_new(o, "LiveRestoreEnabled", json_true());
	(void)json_object_set_new(o, "SecurityOptions", security(f));
	(void)json_object_set_new(o, "Rootless", json_boolean(f->rootless));
	(void)json_object_set_new(o, "Warnings", json_null());
	(void)json_object_set_new(o, "ClientInfo",
				  json_pack("{s:b, s:s, s:s, s:s}", "Debug",
					    false, "Version", PRISM_VERSION,
					    "Os", f->host.os, "Arch",
					    f->host.arch));
	add_forwarding(f, o);
	add_podman(f, o);
	return o;
}

static void print_text(const struct facts *f)
{
	autofree char *mem = size_text_binary(memory(f));

	out_print("Client: prism\n Version:    %s\n\n", PRISM_VERSION);
	out_print("Server:\n Containers: %d\n  Running: %d\n  Paused: %d\n"
		  "  Stopped: %d\n Images: %d\n",
		  f->n_containers, running(f), f->containers[CONTAINER_PAUSED],
		  stopped(f), f->images);
	out_print(" Server Version: %s\n Storage Driver: overlay\n"
		  "  Backing Filesystem: %s\n Logging Driver: json-file\n"
		  " Cgroup Driver: %s\n Cgroup Version: %d\n",
		  PRISM_VERSION, f->backing, f->cgroup ? "cgroupfs" : "none",
		  f->cgroup);
	out_print(" Plugins:\n  Volume: local\n  Network: host none\n"
		  "  Log: json-file none\n Swarm: inactive\n"
		  " Runtimes: prism\n Default Runtime: prism\n"
		  " Security Options:\n%s  seccomp\n   Profile: default\n%s",
		  f->apparmor ? "  apparmor\n" : "",
		  f->rootless ? "  rootless\n" : "");
	out_print(" Forwarding:\n  IPv4: %s\n  IPv6: %s\n",
		  forwarding(f, ROUTING_V4), forwarding(f, ROUTING_V6));
	out_print(" Kernel Version: %s\n Operating System: %s\n"
		  " OSType: %s\n Architecture: %s\n CPUs: %ld\n"
		  " Total Memory: %s\n Name: %s\n Docker Root Dir: %s\n",
		  f->uts.release, f->os, f->host.os, f->uts.machine,
		  sysconf(_SC_NPROCESSORS_ONLN), mem, f->uts.nodename, f->root);
}

/* Scripts ask by the exit code whether containers can run here. */
static int info_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	const struct info_opts *const o = fields;
	autostore struct store *s = NULL;
	struct facts f = {0};

	(void)argc;
	(void)argv;
	if (cmd_open_store(g, &s, e) || look(s, &f, e))
		return -1;
	if (o->format && *o->format) {
		autojson json_t *all = json_array();

		(void)json_array_append_new(all, document(&f));
		if (listing_inspect(o->format, all, e))
			return -1;
	} else {
		print_text(&f);
	}
	return usable_check(e);
}

extern const struct command cmd_info;
const struct command cmd_info = {
	.name = "info",
	.operands = "",
	.summary = "Show the machine and the store, and whether they serve",
	.opts = info_options,
	.fields_size = sizeof(struct info_opts),
	.max_operands = 0,
	.run = info_run,
};
