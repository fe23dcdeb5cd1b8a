/*
 * commit - what a container changed becomes one more layer of its image
 *
 * The upper directory is read as it lies on the disk, while the container
 * stands still (unless -p=false), by a worker that is root of the user
 * namespace that owns the files and sees nothing else; what it reads comes as a
 * tar through a pipe. Then it is stored like a pulled image: blob,
 * unpacked layer, config and manifest in one transaction, the name last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/oci.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/ref.h"
#include "base/str.h"
#include "base/userns.h"
#include "base/whoami.h"
#include "cmd/common_out.h"
#include "cmd/image_change.h"
#include "cmd/image_container.h"
#include "cmd/image_output.h"
#include "cmd/image_store.h"
#include "runtime/freeze.h"
#include "runtime/state.h"
#include "runtime/view.h"
#include "store/blob.h"
#include "store/changes.h"
#include "store/confine.h"
#include "store/confine_tree.h"
#include "store/image.h"
#include "store/newlayer.h"
#include "store/txn.h"

#define DOCKER_MT_LAYER "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct commit_opts {
	const char *author;
	const char *message;
	struct strv changes;
	const char *pause;
	bool quiet;
};

static const struct opt commit_options[] = {
	{'a', "author", OPT_STR, offsetof(struct commit_opts, author), "NAME",
	 "Who made it"},
	{'c', "change", OPT_LIST, offsetof(struct commit_opts, changes),
	 "INSTRUCTION", "Of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, ..."},
	{'m', "message", OPT_STR, offsetof(struct commit_opts, message), "TEXT",
	 "What it is about"},
	{'p', "pause", OPT_MAYBE, offsetof(struct commit_opts, pause), "false",
	 "Let the container stand still meanwhile (default)"},
	{'q', "quiet", OPT_BOOL, offsetof(struct commit_opts, quiet), NULL,
	 "Nothing but the id is printed anyway"},
	{0},
};

struct commit {
	const struct globals *g;
	const struct commit_opts *o;
	const char *container;
	struct ref ref;
	bool named;

	/* In the worker. */
	struct subject s;
	struct idmap map;
	struct digest parent; /* manifest */
	json_t *manifest;
	json_t *config;
	struct digest layer;
	struct digest diff_id;
	uint64_t layer_size;

	char *ret_id; /* shared: DIGEST_TEXT_MAX */
};

/* ---- the image below ----------------------------------------------------------- */

static json_t *load_json(struct store *s, const struct digest *d, size_t max,
			 const char *what, struct err *e)
{
	autobuf struct buf b = buf_make(max);

	if (blob_read(s, d, &b, e))
		return NULL;
	return json_parse(buf_str(&b), b.len, what, e);
}

static int load_parent(struct commit *c, struct err *e)
{
	const char *text;
	struct digest d;

	if (!c->s.info.manifest)
		return err_set(e, ERR_UNSUPPORTED,
			       "it was made with --rootfs: there is no image "
			       "to put a layer on");
	if (digest_parse(c->s.info.manifest, &c->parent, e))
		return -1;
	c->manifest = load_json(c->s.store, &c->parent, MANIFEST_MAX,
				"the manifest", e);
	if (!c->manifest)
		return -1;
	text = json_string_value(json_object_get(
		json_object_get(c->manifest, "config"), "digest"));
	if (digest_parse(text ? text : "", &d, e))
		return -1;
	c->config = load_json(c->s.store, &d, CONFIG_MAX, "the config", e);
	return c->config ? 0 : -1;
}

/* ---- the layer ------------------------------------------------------------------ */

static bool is_stub(void *ctx, const char *path, int dirfd, const char *leaf)
{
	const int *const image = ctx;

	return change_is_stub(str_starts(path, "./") ? path + 2 : path, dirfd,
			      leaf, *image);
}

/* The root of the layer is an entry only if the container changed it. */
static bool is_root_changed(const struct commit *c, int upper, int image)
{
	struct err ignored = {0};
	struct stat a, b;

	return !c->s.spec.map_auto && fstat(upper, &a) == 0 &&
	       fstat(image, &b) == 0 &&
	       (a.st_mode != b.st_mode || a.st_uid != b.st_uid ||
		a.st_gid != b.st_gid ||
		change_of_xattrs(upper, image, ".", c->s.spec.userns,
				 &ignored) == 1);
}

struct reader {
	const struct commit *c;
	int out;
};

static int read_changes(const struct reader *r, int upper, int image,
			struct err *e)
{
	const struct commit *const c = r->c;
	const struct tarout_opts o = {
		.layer = true,
		.userxattr = c->s.spec.userns,
		.map = subject_map(&c->s),
		.skip = is_stub,
		.skip_ctx = &image,
	};
	int out = r->out;
	autotarout struct tarout *t = tarout_open(image_output_sink, &out, &o);

	if (tarout_add(t, upper, ".",
		       is_root_changed(c, upper, image) ? "." : "", e))
		return -1;
	return tarout_end(t, e);
}

/* In a worker that keeps the two trees and the pipe. */
static int read_there(void *arg, struct err *e)
{
	const struct reader *const r = arg;
	/* Before something is mounted over its directory. */
	autoclose int upper = view_upper(&r->c->s.c, e);
	autoclose int image = -1;
	int keep[3] = {upper, -1, r->out};

	if (upper < 0)
		return -1;
	confine_cut(upper);
	image = view_open(&r->c->s.c, &r->c->s.spec, VIEW_IMAGE, e);
	if (image < 0)
		return -1;
	keep[1] = image;
	proc_worker_keep(keep, ARRAY_LEN(keep));
	if (confine_reader(&image, 1, e) < 0)
		return -1;
	return read_changes(r, upper, image, e);
}

static int take_tar(int fd, struct newlayer *l, struct err *e)
{
	autofree char *p = xmalloc(KIB(256));
	int64_t n;

	while ((n = io_read_full(fd, p, KIB(256), "the changes", e)) > 0)
		if (newlayer_add(l, p, (size_t)n, e) < 0)
			return -1;
	return (int)n;
}

/*
 * Read the changes as a tar into l. If the tar is cut, the worker has the
 * cause.
 */
static int read_layer(struct commit *c, struct newlayer *l, struct err *e)
{
	autoworker struct worker w = WORKER_NONE;
	struct reader r = {.c = c};
	autoclose int from = -1;
	int p[2];
	int rc;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for the changes");
	from = p[0];
	r.out = p[1];
	rc = proc_start(&w, "read", read_there, &r, e);
	(void)close(p[1]);
	if (rc < 0 || take_tar(from, l, e) < 0)
		return -1;
	return proc_wait(&w, e);
}

static int write_layer(struct commit *c, struct txn *t, struct err *e)
{
	const struct untar_opts untar = image_store_untar(&c->map);
	autonewlayer struct newlayer *l = newlayer_begin(c->s.store, e);

	if (!l || read_layer(c, l, e) < 0)
		return -1;
	return newlayer_end(l, t, &untar, &c->layer, &c->layer_size,
			    &c->diff_id, e);
}

/* ---- the documents --------------------------------------------------------------- */

static json_t *words(char *const *v, size_t n)
{
	json_t *const list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(v[i]));
	return list;
}

/* What prism itself put into the environment is not the image's. */
static bool is_ours(const struct subject *s, const char *kv)
{
	const char *const host = str_after(kv, "HOSTNAME=");

	if (host)
		return s->spec.hostname ? !strcmp(host, s->spec.hostname)
					: !strncmp(host, s->c.id, 12);
	return !strcmp(kv, "container=prism") ||
	       (s->spec.tty && !strcmp(kv, "TERM=xterm"));
}

static void set_env(json_t *config, const struct subject *s)
{
	json_t *const list = json_array();

	for (size_t i = 0; i < s->spec.env.n; i++)
		if (!is_ours(s, s->spec.env.v[i]))
			(void)json_array_append_new(
				list, json_string(s->spec.env.v[i]));
	(void)json_object_set_new(config, "Env", list);
}

static void set_pairs(json_t *config, const char *key, const struct strv *pairs)
{
	json_t *const map = json_object();

	for (size_t i = 0; i < pairs->n; i++) {
		const char *const kv = pairs->v[i];
		const char *const eq = strchr(kv, '=');
		autofree char *k =
			xstrndup(kv, eq ? (size_t)(eq - kv) : strlen(kv));

		(void)json_object_set_new(map, k,
					  json_string(eq ? eq + 1 : ""));
	}
	if (pairs->n > 0)
		(void)json_object_set_new(config, key, map);
	else
		json_decref(map);
}

static void set_members(json_t *config, const char *key,
			const struct strv *names)
{
	json_t *const set = json_object();

	for (size_t i = 0; i < names->n; i++)
		(void)json_object_set_new(set, names->v[i], json_object());
	if (names->n > 0)
		(void)json_object_set_new(config, key, set);
	else
		json_decref(set);
}

/* As Docker: the container's own config, flags of its run included. */
static void take_config(json_t *config, const struct subject *s)
{
	const struct strv *const args = &s->spec.args;
	const size_t n = s->info.n_entrypoint > 0 &&
					 (size_t)s->info.n_entrypoint <= args->n
				 ? (size_t)s->info.n_entrypoint
				 : 0;

	(void)json_object_del(config, "Cmd");
	(void)json_object_del(config, "Entrypoint");
	if (n > 0)
		(void)json_object_set_new(config, "Entrypoint",
					  words(args->v, n));
	if (args->n > n)
		(void)json_object_set_new(config, "Cmd",
					  words(args->v + n, args->n - n));
	set_env(config, s);
	if (s->spec.user)
		(void)json_object_set_new(config, "User",
					  json_string(s->spec.user));
	if (s->spec.cwd)
		(void)json_object_set_new(config, "WorkingDir",
					  json_string(s->spec.cwd));
	set_pairs(config, "Labels", &s->spec.labels);
	set_members(config, "ExposedPorts", &s->spec.exposed);
	set_members(config, "Volumes", &s->info.volumes);
}

static json_t *object_at(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_object(v)) {
		v = json_object();
		(void)json_object_set_new(o, key, v);
	}
	return v;
}

static json_t *array_at(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_array(v)) {
		v = json_array();
		(void)json_object_set_new(o, key, v);
	}
	return v;
}

static void add_history(struct commit *c, const char *now)
{
	autobuf struct buf by = buf_make(KIB(64));
	json_t *const h = json_object();

	for (size_t i = 0; i < c->s.spec.args.n; i++)
		buf_addf(&by, "%s%s", i ? " " : "", c->s.spec.args.v[i]);
	(void)json_object_set_new(h, "created", json_string(now));
	(void)json_object_set_new(h, "created_by", json_string(buf_str(&by)));
	if (c->o->author)
		(void)json_object_set_new(h, "author",
					  json_string(c->o->author));
	if (c->o->message)
		(void)json_object_set_new(h, "comment",
					  json_string(c->o->message));
	(void)json_array_append_new(array_at(c->config, "history"), h);
}

static int change_documents(struct commit *c, struct err *e)
{
	json_t *const config = object_at(c->config, "config");
	char now[CLOCK_TEXT_MAX];

	(void)clock_text(clock_now(), false, now);
	take_config(config, &c->s);
	if (change_config(config, &c->o->changes, e))
		return -1;
	/* Of the container that the parent was committed from. */
	(void)json_object_del(c->config, "container");
	(void)json_object_del(c->config, "container_config");
	(void)json_object_set_new(c->config, "created", json_string(now));
	if (c->o->author)
		(void)json_object_set_new(c->config, "author",
					  json_string(c->o->author));
	add_history(c, now);
	(void)json_array_append_new(
		array_at(object_at(c->config, "rootfs"), "diff_ids"),
		json_string(DIGEST_TEXT(&c->diff_id)));
	return 0;
}

/* A Docker manifest stays one, an OCI one too. */
static int add_documents(struct commit *c, struct txn *t, struct digest *ret,
			 struct err *e)
{
	const char *const type =
		json_string_value(json_object_get(c->manifest, "mediaType"));
	const bool docker = type && !strcmp(type, DOCKER_MT_MANIFEST);
	json_t *const desc = object_at(c->manifest, "config");
	struct digest id;
	size_t n;

	if (image_store_add_json(t, c->config, &id, &n, e))
		return -1;
	(void)json_object_set_new(desc, "digest",
				  json_string(DIGEST_TEXT(&id)));
	(void)json_object_set_new(desc, "size", json_integer((json_int_t)n));
	(void)json_array_append_new(
		array_at(c->manifest, "layers"),
		json_pack("{s:s, s:s, s:I}", "mediaType",
			  docker ? DOCKER_MT_LAYER : OCI_MT_LAYER_GZIP,
			  "digest", DIGEST_TEXT(&c->layer), "size",
			  (json_int_t)c->layer_size));
	/* What was said of the parent need not be true of this. */
	(void)json_object_del(c->manifest, "annotations");
	if (image_store_add_json(t, c->manifest, ret, &n, e))
		return -1;
	(void)snprintf(c->ret_id, DIGEST_TEXT_MAX, "%s", DIGEST_TEXT(&id));
	return 0;
}

static int add_skeleton(struct commit *c, struct txn *t,
			const struct digest *manifest, struct err *e)
{
	json_t *const ids =
		array_at(object_at(c->config, "rootfs"), "diff_ids");
	const size_t n = json_array_size(ids);
	autofree struct digest *d = xcalloc(n, sizeof(*d));

	for (size_t i = 0; i < n; i++) {
		const char *const s = json_string_value(json_array_get(ids, i));

		if (digest_parse(s ? s : "", &d[i], e))
			return -1;
	}
	return txn_add_skeleton(t, manifest, d, n, !whoami()->root, e);
}

/* ---- all of it --------------------------------------------------------------------- */

static int name_it(struct commit *c, const struct digest *manifest,
		   struct err *e)
{
	if (!c->named)
		return image_store_unnamed(c->s.store, manifest, e);
	return image_tag(c->s.store, &c->ref, manifest, manifest, e);
}

static int build(struct commit *c, struct txn *t, struct err *e)
{
	struct digest manifest;

	if (load_parent(c, e) || write_layer(c, t, e) ||
	    change_documents(c, e) || add_documents(c, t, &manifest, e) ||
	    add_skeleton(c, t, &manifest, e) || txn_commit(t, e))
		return -1;
	crash_point("commit-committed");
	if (name_it(c, &manifest, e))
		return -1;
	crash_point("commit-named");
	return 0;
}

static int commit_inside(void *arg, struct err *e)
{
	struct commit *const c = arg;
	struct txn *t;
	int rc;

	if (userns_enter_for_store(&c->map, e) ||
	    subject_open(c->g, c->container, false, &c->s, e))
		return -1;
	t = txn_make(c->s.store);
	rc = build(c, t, e);
	txn_free(t);
	json_decref(c->manifest);
	json_decref(c->config);
	subject_close(&c->s);
	return rc;
}

/* true in *ret_frozen: it stands still, and is ours to let go on. */
static int hold(const struct commit *c, const struct subject *s,
		bool *ret_frozen, struct err *e)
{
	const char *const w = c->o->pause;
	autostate struct container_state state = {0};

	*ret_frozen = false;
	if (w && (!strcmp(w, "false") || !strcmp(w, "0")))
		return 0;
	if (w && *w && strcmp(w, "true") != 0 && strcmp(w, "1") != 0)
		return err_set(e, ERR_USAGE,
			       "--pause: '%s' is neither true nor false", w);
	if (container_state_get(&s->c, &state, e))
		return -1;
	if (state.pid <= 0 || state.status == CONTAINER_PAUSED)
		return 0;
	if (freeze_container(&s->c, e)) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	*ret_frozen = true;
	return 0;
}

static int run_worker(struct commit *c, struct err *e)
{
	autoworker struct worker w = WORKER_NONE;

	return proc_start(&w, "commit", commit_inside, c, e) || proc_wait(&w, e)
		       ? -1
		       : 0;
}

static int commit_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	struct commit c = {
		.g = g, .o = fields, .container = argv[0], .s = SUBJECT_NONE};
	void *const shared = mmap(NULL, DIGEST_TEXT_MAX, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	autosubject struct subject s = SUBJECT_NONE;
	struct err why = {0};
	bool frozen = false;
	int rc;

	if (shared == MAP_FAILED)
		return err_sys(e, "mmap", "for the worker");
	c.ret_id = shared;
	c.named = argc > 1;
	if (c.named && image_store_new_name(argv[1], &c.ref, e))
		return -1;
	if (subject_open(g, c.container, false, &s, e) ||
	    hold(&c, &s, &frozen, e))
		return -1;
	rc = run_worker(&c, e);
	if (frozen && freeze_thaw(&s.c, &why))
		log_warn("the container is still paused: %s", why.text);
	if (rc == 0)
		out_line("%s", c.ret_id);
	return rc;
}

extern const struct command cmd_commit;
const struct command cmd_commit = {
	.name = "commit",
	.operands = "CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Make an image of a container's changes",
	.opts = commit_options,
	.fields_size = sizeof(struct commit_opts),
	.min_operands = 1,
	.max_operands = 2,
	.run = commit_run,
};
