/*
 * The list of a layer: read it, write it, and read back the same.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "store/layerlist.h"
#include "tests/fuzz/fuzz.h"

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_record(const struct list_rec *r)
{
	MUST(r->path && *r->path);
	MUST(r->type && strchr("fdlhpcbwx", r->type));
	MUST(!r->sha256[0] || strlen(r->sha256) == LIST_HEX);
	MUST(!r->xattrs[0] || strlen(r->xattrs) == LIST_HEX);
	MUST(r->mtime_ns < 1000000000);
}

/* Copy all records; returns their number, or -1. */
static int copy(int from, struct list_writer *to)
{
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};
	int n = 0;
	int rc;

	if (list_open(from, &r, &e) < 0) {
		MUST(err_is(&e));
		return -1;
	}
	while ((rc = list_next(r, &rec, &e)) > 0) {
		check_record(&rec);
		MUST(list_add(to, &rec, &e) == 0);
		n++;
	}
	MUST((rc < 0) == err_is(&e));
	list_close(r);
	return rc < 0 ? -1 : n;
}

static void compare(int a, int b, int n)
{
	struct list_reader *ra = NULL;
	struct list_reader *rb = NULL;
	struct list_rec x;
	struct list_rec y;
	struct err e = {0};

	MUST(list_open(a, &ra, &e) == 0 && list_open(b, &rb, &e) == 0);
	for (int i = 0; i < n; i++) {
		MUST(list_next(ra, &x, &e) == 1 && list_next(rb, &y, &e) == 1);
		MUST(x.type == y.type && x.flags == y.flags &&
		     x.mode == y.mode && x.uid == y.uid && x.gid == y.gid &&
		     x.size == y.size && x.mtime_s == y.mtime_s &&
		     x.mtime_ns == y.mtime_ns && x.major == y.major &&
		     x.minor == y.minor);
		MUST(same_text(x.path, y.path) &&
		     same_text(x.target, y.target) &&
		     same_text(x.sha256, y.sha256) &&
		     same_text(x.xattrs, y.xattrs));
	}
	MUST(list_next(rb, &y, &e) == 0);
	list_close(ra);
	list_close(rb);
}

static void read_some(int fd)
{
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};

	if (list_open(fd, &r, &e) < 0)
		return;
	list_only(r, "dw");
	while (list_next(r, &rec, &e) > 0)
		MUST(rec.type == 'd' || rec.type == 'w');
	list_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int in = memfd_create("in", MFD_CLOEXEC);
	autoclose int out = memfd_create("out", MFD_CLOEXEC);
	struct list_writer *const w = list_writer_open(out);
	struct list_summary sum = {0};
	struct list_summary again;
	struct err e = {0};
	int n;

	MUST(in >= 0 && out >= 0);
	MUST(write(in, data, size) == (ssize_t)size);
	if (list_summary_read(in, &sum, &e) < 0)
		MUST(err_is(&e));
	err_clear(&e);
	read_some(in);
	n = copy(in, w);
	if (n >= 0) {
		MUST(list_end(w, &sum, &e) == 0);
		compare(in, out, n);
		MUST(list_summary_read(out, &again, &e) == 0);
		MUST(again.implied == sum.implied &&
		     again.whiteouts == sum.whiteouts);
	}
	list_writer_free(w);
	return 0;
}
