#include "store/txn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"
#include "store/blob.h"
#include "store/layer.h"
#include "store/skeleton.h"

#define TMP_NAME_MAX 40

/* A file or a directory in tmp/ that nobody else knows. */
struct pending {
	struct digest digest;
	char name[TMP_NAME_MAX];
};

struct txn {
	struct store *store;
	struct ingest **blob;
	size_t n_blobs;
	struct unpack **layer;
	size_t n_layers;
	struct pending *doc;
	size_t n_docs;
	struct pending skeleton;
	bool has_skeleton;
};

struct txn *txn_make(struct store *s)
{
	struct txn *const t = xcalloc(1, sizeof(*t));

	t->store = s;
	return t;
}

void txn_add_blob(struct txn *t, struct ingest *in)
{
	t->blob = xrealloc(t->blob, (t->n_blobs + 1) * sizeof(*t->blob));
	t->blob[t->n_blobs++] = in;
}

void txn_add_layer(struct txn *t, struct unpack *u)
{
	t->layer = xrealloc(t->layer, (t->n_layers + 1) * sizeof(*t->layer));
	t->layer[t->n_layers++] = u;
}

static void new_name(struct pending *p, const char *kind)
{
	char unique[17];

	str_random_hex(unique, 8);
	(void)snprintf(p->name, sizeof(p->name), "%s-%s", kind, unique);
}

int txn_add_doc(struct txn *t, const struct digest *d, const void *p, size_t n,
		struct err *e)
{
	const int tmp = store_dirfd(t->store, STORE_TMP, e);
	struct pending doc = {.digest = *d};
	autoclose int fd = -1;

	if (tmp < 0)
		return -1;
	if (blob_has(t->store, d))
		return 0;

	new_name(&doc, "doc");
	fd = openat(tmp, doc.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(e, "openat", "tmp/%s", doc.name);
	t->doc = xrealloc(t->doc, (t->n_docs + 1) * sizeof(*t->doc));
	t->doc[t->n_docs++] = doc;
	crash_point("doc-file");
	if (io_write_all(fd, p, n, doc.name, e)) {
		store_explain(t->store, e);
		return -1;
	}
	return 0;
}

/* ---- the skeleton -------------------------------------------------------- */

static const struct unpack *pending_layer(const struct txn *t,
					  const struct digest *diff_id)
{
	for (size_t i = 0; i < t->n_layers; i++)
		if (digest_eq(unpack_diff_id(t->layer[i]), diff_id))
			return t->layer[i];
	return NULL;
}

static int dup_fd(int fd, struct err *e)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return err_sys(e, "fcntl", "F_DUPFD_CLOEXEC");
	return copy;
}

static int open_layer(struct txn *t, struct skeleton_layer *l, struct err *e)
{
	const struct unpack *const u = pending_layer(t, &l->diff_id);

	l->fs_fd = u ? dup_fd(unpack_fs_fd(u), e)
		     : layer_open(t->store, &l->diff_id, e);
	if (l->fs_fd < 0)
		return -1;
	l->list_fd = u ? dup_fd(unpack_list_fd(u), e)
		       : layer_open_list(t->store, &l->diff_id, e);
	return l->list_fd < 0 ? -1 : 0;
}

static int build_skeleton(struct txn *t, const struct skeleton_layer *l,
			  size_t n, bool userxattr, struct err *e)
{
	const int tmp = store_dirfd(t->store, STORE_TMP, e);
	autoclose int out = -1;

	if (tmp < 0)
		return -1;
	new_name(&t->skeleton, "skeleton");
	if (mkdirat(tmp, t->skeleton.name, 0700))
		return err_sys(e, "mkdirat", "tmp/%s", t->skeleton.name);
	t->has_skeleton = true;
	crash_point("skeleton-dir");
	out = fs_opendir_at(tmp, t->skeleton.name, e);
	if (out < 0)
		return -1;
	if (skeleton_build(l, n, userxattr, out, &t->has_skeleton, e)) {
		store_explain(t->store, e);
		return -1;
	}
	if (!t->has_skeleton)
		(void)unlinkat(tmp, t->skeleton.name, AT_REMOVEDIR);
	return 0;
}

static bool has_skeleton(struct store *s, const struct digest *manifest,
			 struct err *e)
{
	const int dir = store_dirfd(s, STORE_SKELETONS, e);

	return dir >= 0 && faccessat(dir, DIGEST_PATH(manifest), F_OK, 0) == 0;
}

int txn_add_skeleton(struct txn *t, const struct digest *manifest,
		     const struct digest *diff_ids, size_t n, bool userxattr,
		     struct err *e)
{
	autofree struct skeleton_layer *l = NULL;
	bool needed = false;
	size_t open = 0;
	int rc = 0;

	ERR_IN(e, "skeleton of %s", DIGEST_SHORT(manifest));
	if (n == 0 || has_skeleton(t->store, manifest, e))
		return 0;

	l = xcalloc(n, sizeof(*l));
	for (; rc == 0 && open < n; open++) {
		l[open] = (struct skeleton_layer){
			.diff_id = diff_ids[open], .fs_fd = -1, .list_fd = -1};
		rc = open_layer(t, &l[open], e);
	}
	if (rc == 0)
		rc = skeleton_is_needed(l, n, &needed, e);
	t->skeleton.digest = *manifest;
	if (rc == 0 && needed)
		rc = build_skeleton(t, l, n, userxattr, e);
	for (size_t i = 0; i < open; i++) {
		own_close(&l[i].fs_fd);
		own_close(&l[i].list_fd);
	}
	return rc;
}

/* ---- the commit ---------------------------------------------------------- */

/* Before the sync, so that it covers them. */
static int make_folders(struct txn *t, struct err *e)
{
	static const enum store_dir which[] = {STORE_BLOBS, STORE_LAYERS,
					       STORE_SKELETONS};

	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		const int dir = store_dirfd(t->store, which[i], e);

		if (dir < 0)
			return -1;
		for (enum digest_alg a = DIGEST_SHA256; a < DIGEST_ALGS; a++)
			if (mkdirat(dir, digest_alg_name(a), 0700) &&
			    errno != EEXIST)
				return err_sys(e, "mkdirat", "%s",
					       digest_alg_name(a));
	}
	return 0;
}

/* Somebody else's of the same name is as good: ours stays for txn_free. */
static int publish(struct store *s, struct pending *p, enum store_dir which,
		   struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	const int dir = store_dirfd(s, which, e);

	if (tmp < 0 || dir < 0)
		return -1;
	if (renameat2(tmp, p->name, dir, DIGEST_PATH(&p->digest),
		      RENAME_NOREPLACE) == 0)
		p->name[0] = '\0';
	else if (errno != EEXIST)
		return err_sys(e, "renameat2", "tmp/%s -> %s", p->name,
			       DIGEST_PATH(&p->digest));
	return 0;
}

static int rename_all(struct txn *t, struct err *e)
{
	for (size_t i = 0; i < t->n_layers; i++) {
		if (unpack_publish(t->layer[i], e))
			return -1;
		crash_point("layer-renamed");
	}
	if (t->has_skeleton) {
		if (publish(t->store, &t->skeleton, STORE_SKELETONS, e))
			return -1;
		crash_point("skeleton-renamed");
	}
	for (size_t i = 0; i < t->n_blobs; i++) {
		if (ingest_publish(t->blob[i], e))
			return -1;
		crash_point("blob-renamed");
	}
	for (size_t i = 0; i < t->n_docs; i++) {
		if (publish(t->store, &t->doc[i], STORE_BLOBS, e))
			return -1;
		crash_point("doc-renamed");
	}
	return 0;
}

static int sync_folder(struct store *s, enum store_dir which,
		       enum digest_alg alg, struct err *e)
{
	const char *const name = digest_alg_name(alg);
	const int dir = store_dirfd(s, which, e);
	autoclose int fd = dir < 0 ? -1 : fs_opendir_at(dir, name, e);

	if (fd < 0)
		return -1;
	return fs_sync_dir(fd, name, e);
}

static int sync_folders(struct txn *t, struct err *e)
{
	for (enum digest_alg a = DIGEST_SHA256; a < DIGEST_ALGS; a++) {
		if ((t->n_blobs || t->n_docs) &&
		    sync_folder(t->store, STORE_BLOBS, a, e))
			return -1;
		if (t->n_layers && sync_folder(t->store, STORE_LAYERS, a, e))
			return -1;
		if (t->has_skeleton &&
		    sync_folder(t->store, STORE_SKELETONS, a, e))
			return -1;
	}
	return 0;
}

int txn_commit(struct txn *t, struct err *e)
{
	if (!t->n_blobs && !t->n_layers && !t->n_docs && !t->has_skeleton)
		return 0;

	STEP(e, "commit", "commit %zu blobs and %zu layers",
	     t->n_blobs + t->n_docs, t->n_layers);
	if (make_folders(t, e))
		return -1;
	crash_point("before-sync");
	{
		STEP(e, "syncfs", "sync %s", store_root(t->store));
		if (store_sync(t->store, e)) {
			store_explain(t->store, e);
			return -1;
		}
	}
	crash_point("synced");
	if (rename_all(t, e))
		return -1;
	crash_point("renamed");
	if (sync_folders(t, e))
		return -1;
	crash_point("committed");
	return 0;
}

void txn_free(struct txn *t)
{
	struct err ignored = {0};
	int tmp;

	if (!t)
		return;
	tmp = store_dirfd(t->store, STORE_TMP, &ignored);
	for (size_t i = 0; i < t->n_blobs; i++)
		ingest_free(t->blob[i]);
	for (size_t i = 0; i < t->n_layers; i++)
		unpack_free(t->layer[i]);
	for (size_t i = 0; i < t->n_docs; i++)
		if (t->doc[i].name[0])
			(void)unlinkat(tmp, t->doc[i].name, 0);
	if (t->has_skeleton && t->skeleton.name[0])
		(void)fs_remove_tree_at(tmp, t->skeleton.name, &ignored);
	free(t->blob);
	free(t->layer);
	free(t->doc);
	free(t);
}
