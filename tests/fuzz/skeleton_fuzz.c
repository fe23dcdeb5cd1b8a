/*
 * Layers of entries in, a skeleton out, with a canary beside it.
 *
 * Every three bytes are an entry: its type, its name of up to three components,
 * and the target of a link. There are few names, so paths often go through
 * links; links lead into the tree, to the canary and to everything around. A
 * "lie" is a record in a layer's list without an entry in the layer.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "store/layerlist.h"
#include "store/skeleton.h"
#include "store/untar.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tarmake.h"

#define LAYERS  5
#define ENTRIES 40

enum op {
	OP_FILE,
	OP_DIR,
	OP_LINK,
	OP_HARDLINK,
	OP_WHITEOUT,
	OP_OPAQUE,
	OP_FIFO,
	OP_LIE,
	OPS,
	OP_LAYER = 15, /* the next one begins */
};

static const char *const names[] = {"a", "b", "c", "canary"};
static const char *const targets[] = {
	"a",
	"b",
	"a/b",
	"c/canary",
	"/canary",
	"/a",
	"..",
	"../a",
	"../canary",
	"../../canary",
	"../../../canary",
	"../../../../canary",
	"b/../c",
	"/",
	".",
	"\1", /* the canary's own path */
};

struct run {
	char top[48];
	char canary[64];
	int top_fd;
	struct skeleton_layer layer[LAYERS];
	size_t n;
};

static void name_of(uint8_t how, bool lie, char *ret, size_t n)
{
	size_t len = 0;

	for (unsigned int depth = 0; depth <= (how & 3u) % 3; depth++) {
		const unsigned int which = (how >> (2 + 2 * depth)) & 3;

		len += (size_t)snprintf(
			ret + len, n - len, "%s%s", depth ? "/" : "",
			lie && which == 3 ? ".." : names[which]);
	}
}

static void add_entry(const struct run *r, struct buf *tar, const uint8_t *p)
{
	static const char type[] = {'0', '5', '2', '1', '0', '0', '6'};
	const enum op op = (enum op)(p[0] % OPS);
	const char *to = targets[p[2] % ARRAY_LEN(targets)];
	char name[64];
	char text[96];
	char link[64];

	name_of(p[1], false, name, sizeof(name));
	if (op == OP_HARDLINK)
		name_of(p[2], false, link, sizeof(link));
	else
		(void)snprintf(link, sizeof(link), "%s",
			       *to == '\1' ? r->canary : to);
	(void)snprintf(text, sizeof(text), "%s%s%s", name,
		       op == OP_WHITEOUT ? "/.wh." : "",
		       op == OP_WHITEOUT ? names[p[2] & 3]
		       : op == OP_OPAQUE ? "/.wh..wh..opq"
					 : "");
	TM(tar, .name = text, .type = type[op], .mode = 04755,
	   .link = op == OP_LINK || op == OP_HARDLINK ? link : NULL,
	   .data = op == OP_FILE ? "x" : NULL);
}

/* ---- a layer ----------------------------------------------------------------- */

struct bytes {
	const char *p;
	size_t n;
};

static int64_t read_bytes(void *ctx, void *to, size_t n, struct err *e)
{
	struct bytes *const b = ctx;

	(void)e;
	if (n > b->n)
		n = b->n;
	memcpy(to, b->p, n);
	b->p += n;
	b->n -= n;
	return (int64_t)n;
}

/* Write the list again, with the lies at its end. */
static int with_lies(int list, const uint8_t *p, size_t n)
{
	const int fd = memfd_create("list", MFD_CLOEXEC);
	struct list_writer *const w = list_writer_open(fd);
	struct list_summary sum = {0};
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};

	MUST(fd >= 0 && list_summary_read(list, &sum, &e) == 0 &&
	     list_open(list, &r, &e) == 0);
	while (list_next(r, &rec, &e) > 0)
		MUST(list_add(w, &rec, &e) == 0);
	list_close(r);
	for (size_t i = 0; i < n; i++) {
		char name[64];

		if (p[3 * i] == OP_LAYER || p[3 * i] % OPS != OP_LIE)
			continue;
		name_of(p[3 * i + 1], true, name, sizeof(name));
		rec = (struct list_rec){.path = name, .mode = 0755};
		rec.type = p[3 * i + 2] & 1 ? 'w' : 'd';
		rec.flags = rec.type == 'd' ? LIST_IMPLIED : 0;
		sum.implied += rec.type == 'd';
		sum.whiteouts += rec.type == 'w';
		MUST(list_add(w, &rec, &e) == 0);
	}
	MUST(list_end(w, &sum, &e) == 0);
	list_writer_free(w);
	return fd;
}

/* false: the input makes no layer. */
static bool add_layer(struct run *r, const uint8_t *p, size_t n)
{
	const struct untar_opts o = {
		.userxattr = true, .no_devices = true, .squash = true};
	struct skeleton_layer *const l = &r->layer[r->n];
	autobuf struct buf tar = buf_make(1 << 20);
	autoclose int list = memfd_create("list", MFD_CLOEXEC);
	struct untar_stats stats = {0};
	struct err e = {0};
	struct bytes in;
	struct decomp *d;
	char name[16];
	int rc;

	for (size_t i = 0; i < n; i++)
		if (p[3 * i] % OPS != OP_LIE)
			add_entry(r, &tar, p + 3 * i);
	tm_end(&tar);
	in = (struct bytes){buf_str(&tar), tar.len};
	(void)snprintf(name, sizeof(name), "layer%zu", r->n);
	MUST(list >= 0 && mkdirat(r->top_fd, name, 0755) == 0);
	*l = (struct skeleton_layer){
		.fs_fd = openat(r->top_fd, name,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.list_fd = -1,
	};
	MUST(l->fs_fd >= 0);
	r->n++;
	d = decomp_open(read_bytes, &in, DIGEST_SHA256);
	rc = untar(d, l->fs_fd, list, &o, &stats, &e);
	decomp_free(d);
	if (rc < 0)
		return false;
	l->list_fd = with_lies(list, p, n);
	return true;
}

/* ---- the canary ---------------------------------------------------------------- */

static const struct timespec OLD[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

static void begin(struct run *r)
{
	(void)snprintf(r->top, sizeof(r->top),
		       "/dev/shm/prism-skel-fuzz.XXXXXX");
	MUST(mkdtemp(r->top));
	(void)snprintf(r->canary, sizeof(r->canary), "%s/canary", r->top);
	r->top_fd = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(r->top_fd >= 0);
	MUST(mkdirat(r->top_fd, "canary", 0711) == 0);
	MUST(mkdirat(r->top_fd, "out", 0755) == 0);
	MUST(symlinkat("canary", r->top_fd, "a") == 0);
	MUST(utimensat(r->top_fd, "canary", OLD, 0) == 0);
	MUST(utimensat(r->top_fd, "out", OLD, 0) == 0);
}

/* The mtime of its directory changes if anything is made or removed. */
static void check_canary(const struct run *r, const struct stat *before)
{
	struct stat st;

	MUST(fstatat(r->top_fd, "canary", &st, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(st.st_mtim.tv_sec == OLD[1].tv_sec && st.st_mtim.tv_nsec == 0);
	MUST(st.st_mode == (S_IFDIR | 0711));
	MUST(fstat(r->top_fd, &st) == 0);
	MUST(st.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	     st.st_mtim.tv_nsec == before->st_mtim.tv_nsec);
}

static void end(struct run *r)
{
	struct err e = {0};

	for (size_t i = 0; i < r->n; i++) {
		own_close(&r->layer[i].fs_fd);
		own_close(&r->layer[i].list_fd);
	}
	own_close(&r->top_fd);
	MUST(fs_remove_tree_at(AT_FDCWD, r->top, &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t n = size / 3 < ENTRIES ? size / 3 : ENTRIES;
	struct run r = {.n = 0};
	struct err e = {0};
	bool ok = true;
	size_t from = 0;

	begin(&r);
	for (size_t i = 0; ok && i <= n && r.n < LAYERS; i++) {
		if (i < n && data[3 * i] != OP_LAYER)
			continue;
		ok = add_layer(&r, data + 3 * from, i - from);
		from = i + 1;
	}
	if (ok) {
		autoclose int out = openat(r.top_fd, "out",
					   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat before;

		MUST(out >= 0 && fstat(r.top_fd, &before) == 0);
		if (skeleton_fill(r.layer, r.n, true, out, &e) < 0)
			MUST(err_is(&e));
		check_canary(&r, &before);
	}
	end(&r);
	return 0;
}
