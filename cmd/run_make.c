#include "cmd/run_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/trace.h"
#include "base/whoami.h"
#include "cmd/run_log.h"
#include "cmd/run_others.h"
#include "cmd/run_volumes.h"
#include "runtime/container_volumes.h"
#include "runtime/netns.h"
#include "store/layer.h"
#include "store/ready.h"

/* ---- the image ------------------------------------------------------------ */

static int pull(const struct globals *g, const struct run_opts *o,
		const char *platform, const char *ref, struct err *e)
{
	const char *args[8];
	int n = 0;

	args[n++] = "pull";
	if (o->quiet)
		args[n++] = "--quiet";
	if (platform) {
		args[n++] = "--platform";
		args[n++] = platform;
	}
	args[n++] = "--";
	args[n++] = ref;
	args[n] = NULL;
	return cmd_run_image(g, args, o->quiet, e);
}

enum pull_policy {
	PULL_MISSING,
	PULL_ALWAYS,
	PULL_NEVER,
};

static int pull_policy(const char *w, enum pull_policy *ret, struct err *e)
{
	static const char *const words[] = {"missing", "always", "never"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(w ? w : "missing", words[i])) {
			*ret = (enum pull_policy)i;
			return 0;
		}
	return err_set(e, ERR_USAGE,
		       "--pull '%s': not one of always, missing, never", w);
}

/*
 * By its id, or the beginning of it; asked only when no name fits, which e says.
 * 1: there is none, and e is as it was.
 */
static int find_by_id(struct store *st, const char *text, struct image *ret,
		      struct strv *lowers, struct err *e)
{
	struct err ignored = {0};

	if (image_find_any(st, text, ret, &ignored) < 0)
		return 1;
	err_clear(e);
	return layer_stack(st, ret, lowers, e);
}

/*
 * 0 with the image; 1 when a pull failed and has said why; -1.
 */
static int get_image(const struct globals *g, const struct run_opts *o,
		     struct store *st, const char *text, struct image *ret,
		     struct strv *lowers, struct err *e)
{
	struct oci_platform platform;
	const struct oci_platform *want = NULL;
	enum pull_policy policy = PULL_MISSING;
	autofree char *platform_text = NULL;
	struct ref ref;
	int rc;
	STEP(e, "image", "find %s", text);

	if (pull_policy(o->pull, &policy, e) < 0)
		return -1;
	if (ref_parse(text, &ref, e) < 0) {
		/* 64 digits are no name. */
		return find_by_id(st, text, ret, lowers, e) == 0 ? 0 : -1;
	}
	if (run_opts_platform(o, &platform_text, e) < 0)
		return -1;
	if (platform_text) {
		if (oci_platform_parse(platform_text, &platform, e) < 0)
			return -1;
		want = &platform;
	}
	if (policy != PULL_ALWAYS) {
		rc = ready_find(st, &ref, want, ret, lowers, e);
		if (rc == 0 || e->kind != ERR_NOTFOUND)
			return rc;
		/* It finds names too, of any platform. */
		rc = want ? 1 : find_by_id(st, text, ret, lowers, e);
		if (rc <= 0)
			return rc;
		if (policy == PULL_NEVER)
			return -1;
		err_clear(e);
	}
	rc = pull(g, o, platform_text, text, e);
	if (rc != 0)
		return rc < 0 ? -1 : 1;
	return ready_find(st, &ref, want, ret, lowers, e);
}

/* ---- the container -------------------------------------------------------- */

/* Mode and owner of the root directory: the topmost layer's. */
static int root_attributes(const struct run *r, struct container_new *n,
			   struct err *e)
{
	struct stat st;
	const char *const top =
		r->spec.rootfs ? r->spec.rootfs : r->spec.lowers.v[0];
	STEP(e, "layers", "look at the root of the image");

	n->root_mode = 0755;
	if (stat(top, &st) < 0) {
		(void)err_sys(e, "stat", "layer %s", top);
		return err_hint(e, "'prism fsck' tells what is wrong with the "
				   "store; 'prism pull' unpacks a layer again");
	}
	n->root_mode = st.st_mode & 07777;
	if (!whoami()->root)
		return 0;
	n->root_uid = st.st_uid;
	n->root_gid = st.st_gid;
	if (r->spec.map_auto &&
	    (!idmap_uid_outside(&r->spec.map, st.st_uid, &n->root_uid) ||
	     !idmap_gid_outside(&r->spec.map, st.st_gid, &n->root_gid)))
		return err_set(e, ERR_INVALID,
			       "the image's root belongs to %u:%u, outside "
			       "the range",
			       st.st_uid, st.st_gid);
	return 0;
}

static void add_all(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_add(to, from->v[i]);
}

/* What the container is to remember beside what a start needs. */
static void fill_info(const struct run *r, const char *image_text, int n_args,
		      struct container_info *i)
{
	const struct oci_image *const img = &r->image.config;
	char digest[DIGEST_TEXT_MAX];

	i->created_ns = clock_now();
	i->n_entrypoint = r->o->entrypoint ? (int)r->spec.args.n - n_args
					   : (int)img->entrypoint.n;
	add_all(&i->networks, &r->o->networks);
	add_all(&i->log_opts, &r->o->log_opts);
	if (r->o->cidfile)
		i->cidfile = xstrdup(r->o->cidfile);
	if (!image_text)
		return;
	i->image = xstrdup(image_text);
	i->manifest = xstrdup(digest_text(&r->image.manifest, digest));
	i->image_id = xstrdup(digest_text(&r->image.config_digest, digest));
	add_all(&i->volumes, &img->volumes);
}

/* The program finds the container's name for itself in HOSTNAME. */
static void set_hostname_env(struct run *r, const char *id)
{
	autofree char *env =
		r->spec.hostname ? xasprintf("HOSTNAME=%s", r->spec.hostname)
				 : xasprintf("HOSTNAME=%.12s", id);

	if (!strv_getenv(&r->spec.env, "HOSTNAME"))
		strv_add(&r->spec.env, env);
}

int run_make(struct run *r, int argc, char **argv, struct err *e)
{
	autobuf struct buf hosts = buf_make(MIB(1));
	autobuf struct buf resolv = buf_make(MIB(1));
	autobuf struct buf volumes = buf_make(STATE_MAX);
	autoclose int volume_lock = -1;
	autoinfo struct container_info info = {0};
	char id[CONTAINER_ID_MAX];
	struct container_new n = {
		.id = id,
		.name = r->o->name,
		.spec = &r->spec,
		.info = &info,
	};

	/* Modes are meant from here on; the program gets 022. */
	(void)umask(0);
	container_new_id(id);
	if (run_others_files(&r->home, &r->spec, &n, &hosts, &resolv, e) < 0 ||
	    root_attributes(r, &n, e) < 0)
		return -1;
	if (run_volumes_make(r->store, r->o->rootfs ? NULL : &r->image.config,
			     &r->spec, &volume_lock, e) < 0)
		return -1;
	container_volumes_add(&r->spec, &volumes);
	n.volumes = volumes.len ? buf_str(&volumes) : NULL;
	set_hostname_env(r, id);
	fill_info(r, r->o->rootfs ? NULL : argv[0],
		  r->o->rootfs ? argc : argc - 1, &info);
	if (run_log_attrs(&info, id, r->o->name, &r->spec, e) < 0)
		return -1;
	return container_create(&r->home, &n, &r->container, e);
}

int run_prepare(struct run *r, int argc, char **argv, struct err *e)
{
	const bool has_image = !r->o->rootfs;
	struct err ignored = {0};
	int rc;

	if (has_image && argc < 1)
		return err_set(e, ERR_USAGE, "no image given");
	if (run_opts_default_network(r->o, r->g->config, &r->spec, e) < 0 ||
	    run_opts_to_spec(r->o, &r->spec, e) < 0 ||
	    run_opts_userns(r->o, r->g->run_dir, &r->spec, &r->range, e) < 0 ||
	    run_opts_security(r->o, &r->spec, e) < 0)
		return -1;
	if (!r->o->create)
		r->netns = netns_ahead(&r->spec);
	if (cmd_open_store(r->g, &r->store, e) < 0)
		return -1;
	r->home.root_path = store_root(r->store);
	r->home.root_fd = store_dirfd(r->store, STORE_ROOT, &ignored);
	if (run_others_find(&r->home, r->o, &r->spec, e) < 0)
		return -1;
	if (!has_image)
		return run_opts_merge_image(r->o, NULL, argv, (size_t)argc,
					    &r->spec, e);
	rc = get_image(r->g, r->o, r->store, argv[0], &r->image,
		       &r->spec.lowers, e);
	if (rc != 0)
		return rc;
	return run_opts_merge_image(r->o, &r->image.config, argv + 1,
				    (size_t)argc - 1, &r->spec, e);
}

int run_replace(const struct run *r, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;

	if (!r->o->replace)
		return 0;
	if (container_open(&r->home, r->o->name, &c, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	/* A prefix of an id is not the name. */
	if (strcmp(c.name, r->o->name) != 0)
		return 0;
	return container_remove(&r->home, &c, true, true, e);
}

void run_close(struct run *r)
{
	image_free(&r->image);
	spec_free(&r->spec);
	own_close(&r->range);
	own_close(&r->netns);
	store_close(r->store);
	r->store = NULL;
}
