/*
 * The worker sends records that end with a NUL: 'f' and the text of a finding,
 * or 'b' and how many bytes it has hashed.
 */
#include "store/fsck.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/whoami.h"
#include "store/confine_tree.h"
#include "store/layer.h"

struct job {
	struct fsck_tree tree;
	bool quick;
	int to;
};

/* ---- the worker's side ---------------------------------------------------- */

static void tell(void *ctx, const char *text)
{
	const struct job *const j = ctx;
	autofree char *record = xasprintf("f%s", text);
	struct err ignored = {0};

	/* Without the parent no process reads the result. */
	(void)io_write_all(j->to, record, strlen(record) + 1, "findings",
			   &ignored);
}

static int check(void *arg, struct err *e)
{
	struct job *const j = arg;
	struct fsck f = {.quick = j->quick, .found = tell, .ctx = j};
	char record[32];
	int n;

	/* libcrypto reads its configuration at first use. */
	hash_drop(hash_begin(DIGEST_SHA256));
	if (confine_reader(&j->tree.fs, 1, e) < 0 ||
	    fsck_layer_tree(&f, &j->tree, e) < 0)
		return -1;
	n = snprintf(record, sizeof(record), "b%" PRIu64, f.bytes);
	return io_write_all(j->to, record, (size_t)n + 1, "findings", e);
}

/* ---- the parent's side ---------------------------------------------------- */

static void listen_to(struct fsck *f, int fd)
{
	autofile FILE *from = fdopen(fd, "r");
	autofree char *record = NULL;
	size_t room = 0;
	uint64_t bytes;

	if (!from)
		(void)close(fd);
	while (from && getdelim(&record, &room, '\0', from) > 0) {
		if (record[0] == 'f')
			fsck_found(f, "%s", record + 1);
		else if (record[0] == 'b' &&
			 str_to_u64(record + 1, UINT64_MAX / 2, &bytes))
			f->bytes += bytes;
	}
}

static int run_worker(struct fsck *f, struct job *j, struct err *e)
{
	autoworker struct worker w = WORKER_NONE;
	int p[2];
	int rc;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for findings");
	j->to = p[1];
	rc = proc_start_alone(&w, "fsck", check, j,
			      (const int[]){j->tree.fs, j->tree.list, j->to}, 3,
			      e);
	(void)close(p[1]);
	if (rc < 0) {
		(void)close(p[0]);
		return -1;
	}
	listen_to(f, p[0]);
	return proc_wait(&w, e);
}

int fsck_layer(struct fsck *f, const struct digest *diff_id, struct err *e)
{
	struct err why = {0};
	autoclose int list = layer_open_list(f->store, diff_id, &why);
	autoclose int fs = list < 0 ? -1 : layer_open(f->store, diff_id, &why);
	struct job j = {.quick = f->quick};

	if (fs < 0) {
		fsck_found(f, "layer %s: list: %s", DIGEST_SHORT(diff_id),
			   why.text);
		return 0;
	}
	j.tree = (struct fsck_tree){.diff_id = diff_id,
				    .fs = fs,
				    .list = list,
				    .userxattr = !whoami()->root};
	return run_worker(f, &j, e);
}
