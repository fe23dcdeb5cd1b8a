#include "store/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "store/decomp.h"
#include "store/layer.h"

#define DIR_NAME_MAX (DIGEST_TEXT_MAX + sizeof("layer-"))

/*
 * Below this a second process costs more than it saves (a fork and its exit
 * are about a millisecond).
 */
#define FORK_MIN_BYTES MIB(2)

/*
 * Memory shared with the worker. The parent alone writes have and ended and
 * believes nothing else in here but what it checks.
 */
struct feed {
	_Atomic uint64_t have;
	_Atomic uint32_t changes; /* the futex */
	_Atomic uint32_t asleep;
	_Atomic uint32_t ended;
	struct untar_stats stats;
};

struct unpack {
	struct store *store;
	struct digest diff_id;
	struct untar_opts opts;
	struct worker worker;
	struct feed *feed;
	int lock;
	int dir; /* tmp/layer-... */
	int fs;
	int list;
	bool published;
	char name[DIR_NAME_MAX];          /* below tmp/ */
	char lock_name[DIR_NAME_MAX + 5]; /* with ".lock" */
};

static long futex(_Atomic uint32_t *word, int op, uint32_t val)
{
	return syscall(SYS_futex, word, op, val, NULL, NULL, 0);
}

/* ---- the worker's side --------------------------------------------------- */

struct job {
	const struct unpack *u;
	int source;
	uint64_t size;
	uint64_t pos;
};

/* Sleep until there are bytes behind pos, or there will be none. */
static uint64_t wait_for_bytes(struct feed *f, uint64_t pos)
{
	for (;;) {
		const uint32_t seen = atomic_load(&f->changes);
		const uint32_t ended = atomic_load(&f->ended);
		const uint64_t have = atomic_load(&f->have);

		if (have > pos || ended)
			return have > pos ? have - pos : 0;
		atomic_store(&f->asleep, 1);
		/* A change after `seen` was read lets this return at once. */
		(void)futex(&f->changes, FUTEX_WAIT, seen);
	}
}

static int64_t read_feed(void *ctx, void *p, size_t n, struct err *e)
{
	struct job *const job = ctx;
	const uint64_t there = wait_for_bytes(job->u->feed, job->pos);
	ssize_t k;

	if (there == 0)
		return 0;
	if (n > there)
		n = (size_t)there;
	do
		k = pread(job->source, p, n, (off_t)job->pos);
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return err_sys(e, "pread", "the blob of the layer");
	if (k == 0)
		return err_set(e, ERR_INVALID, "the blob became shorter");
	job->pos += (uint64_t)k;
	return k;
}

static int work(void *arg, struct err *e)
{
	struct job *const job = arg;
	const struct unpack *const u = job->u;
	autodecomp struct decomp *d =
		decomp_open(read_feed, job, u->diff_id.alg);
	struct digest got;
	uint64_t size;

	if (job->size >= FORK_MIN_BYTES) {
		if (decomp_fork(d, job->source, e))
			return -1;
		(void)close(job->source);
	}
	if (untar_confine(u->fs, &u->opts, e))
		return -1;
	if (untar(d, u->fs, u->list, &u->opts, &u->feed->stats, e))
		return -1;
	if (decomp_finish(d, &got, &size, e))
		return -1;
	if (!digest_eq(&got, &u->diff_id))
		return err_set(e, ERR_MISMATCH,
			       "wrong diff id: the unpacked bytes are %s",
			       DIGEST_TEXT(&got));
	return 0;
}

/* ---- the parent's side --------------------------------------------------- */

static int make_dirs(struct unpack *u, struct err *e)
{
	const int tmp = store_dirfd(u->store, STORE_TMP, e);

	if (tmp < 0 || fs_remove_tree_at(tmp, u->name, e))
		return -1;
	if (mkdirat(tmp, u->name, 0700))
		return err_sys(e, "mkdirat", "tmp/%s", u->name);
	crash_point("layer-dir");
	u->dir = fs_opendir_at(tmp, u->name, e);
	if (u->dir < 0)
		return -1;
	if (mkdirat(u->dir, "fs", 0755))
		return err_sys(e, "mkdirat", "tmp/%s/fs", u->name);
	u->fs = fs_opendir_at(u->dir, "fs", e);
	if (u->fs < 0)
		return -1;
	u->list = openat(u->dir, "list", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			 0600);
	if (u->list < 0)
		return err_sys(e, "openat", "tmp/%s/list", u->name);
	return 0;
}

static int make_feed(struct unpack *u, struct err *e)
{
	void *const p = mmap(NULL, sizeof(*u->feed), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "mmap", "for the unpack worker");
	u->feed = p;
	return 0;
}

static void own_unpack(struct unpack **u)
{
	unpack_free(*u);
}

static void names_of(const struct digest *d, char name[DIR_NAME_MAX],
		     char lock_name[DIR_NAME_MAX + 5])
{
	(void)snprintf(name, DIR_NAME_MAX, "layer-%s-%s",
		       digest_alg_name(d->alg), d->hex);
	(void)snprintf(lock_name, DIR_NAME_MAX + 5, "%s.lock", name);
}

int unpack_begin(struct store *s, const struct digest *diff_id,
		 const struct untar_opts *opts, struct unpack **ret,
		 struct err *e)
{
	__attribute__((cleanup(own_unpack))) struct unpack *u =
		xcalloc(1, sizeof(*u));

	*u = (struct unpack){
		.store = s,
		.diff_id = *diff_id,
		.opts = *opts,
		.worker = WORKER_NONE,
		.lock = -1,
		.dir = -1,
		.fs = -1,
		.list = -1,
	};
	names_of(diff_id, u->name, u->lock_name);
	ERR_IN(e, "layer %s", DIGEST_SHORT(diff_id));

	u->lock = store_entry_lock(s, u->lock_name, false, e);
	if (u->lock < 0)
		return -1;
	/* Only now: who held the lock before may have finished it. */
	if (layer_has(s, diff_id))
		return err_set(e, ERR_EXISTS, "is unpacked");
	if (make_feed(u, e) || make_dirs(u, e))
		return -1;
	*ret = take_ptr(&u);
	return 0;
}

int unpack_wait_other(struct store *s, const struct digest *diff_id,
		      struct err *e)
{
	char name[DIR_NAME_MAX];
	char lock_name[DIR_NAME_MAX + 5];
	int fd;

	names_of(diff_id, name, lock_name);
	fd = store_entry_lock(s, lock_name, true, e);
	if (fd < 0)
		return -1;
	store_entry_unlock(s, fd, lock_name);
	return 0;
}

int unpack_start(struct unpack *u, int source_fd, uint64_t size, struct err *e)
{
	struct job job = {.u = u, .source = source_fd, .size = size};
	const int keep[] = {source_fd, u->fs, u->list};

	return proc_start_alone(&u->worker, "unpack", work, &job, keep,
				ARRAY_LEN(keep), e);
}

bool unpack_started(const struct unpack *u)
{
	return u->worker.pid > 0;
}

void unpack_tell(struct unpack *u, uint64_t have, bool end)
{
	struct feed *const f = u->feed;

	atomic_store(&f->have, have);
	if (end)
		atomic_store(&f->ended, 1);
	atomic_fetch_add(&f->changes, 1);
	if (atomic_exchange(&f->asleep, 0))
		(void)futex(&f->changes, FUTEX_WAKE, 1);
}

static void close_dirs(struct unpack *u)
{
	own_close(&u->list);
	own_close(&u->fs);
	own_close(&u->dir);
}

int unpack_restart(struct unpack *u, struct err *e)
{
	ERR_IN(e, "layer %s", DIGEST_SHORT(&u->diff_id));

	proc_kill(&u->worker);
	close_dirs(u);
	memset(u->feed, 0, sizeof(*u->feed));
	return make_dirs(u, e);
}

int unpack_poll_fd(const struct unpack *u)
{
	return u->worker.pid > 0 ? u->worker.err_fd : -1;
}

/* For `prism images`, which must not read whole lists. */
static int write_size(struct unpack *u, struct err *e)
{
	char text[24];
	const int n = snprintf(text, sizeof(text), "%" PRIu64 "\n",
			       u->feed->stats.file_bytes);

	return fs_replace_at(u->dir, "size", text, (size_t)n, 0600, false, e);
}

int unpack_wait(struct unpack *u, struct err *e)
{
	ERR_IN(e, "layer %s", DIGEST_SHORT(&u->diff_id));

	if (proc_wait(&u->worker, e) || write_size(u, e)) {
		store_explain(u->store, e);
		return -1;
	}
	/* The worker's word: it must not lead out of the array. */
	u->feed->stats.note[sizeof(u->feed->stats.note) - 1] = '\0';
	crash_point("layer-unpacked");
	return 0;
}

const struct untar_stats *unpack_stats(const struct unpack *u)
{
	return &u->feed->stats;
}

const struct digest *unpack_diff_id(const struct unpack *u)
{
	return &u->diff_id;
}

int unpack_fs_fd(const struct unpack *u)
{
	return u->fs;
}

int unpack_list_fd(const struct unpack *u)
{
	return u->list;
}

int unpack_publish(struct unpack *u, struct err *e)
{
	const int tmp = store_dirfd(u->store, STORE_TMP, e);
	const int layers = store_dirfd(u->store, STORE_LAYERS, e);

	if (tmp < 0 || layers < 0)
		return -1;
	if (renameat2(tmp, u->name, layers, DIGEST_PATH(&u->diff_id),
		      RENAME_NOREPLACE) == 0)
		u->published = true;
	else if (errno != EEXIST)
		return err_sys(e, "renameat2", "tmp/%s -> layers/%s", u->name,
			       DIGEST_PATH(&u->diff_id));
	return 0;
}

void unpack_free(struct unpack *u)
{
	struct err ignored = {0};

	if (!u)
		return;
	proc_kill(&u->worker);
	close_dirs(u);
	/* What can't be removed now is removed by the next who gets the lock. */
	if (u->lock >= 0 && !u->published)
		(void)fs_remove_tree_at(
			store_dirfd(u->store, STORE_TMP, &ignored), u->name,
			&ignored);
	store_entry_unlock(u->store, u->lock, u->lock_name);
	if (u->feed)
		(void)munmap(u->feed, sizeof(*u->feed));
	free(u);
}
