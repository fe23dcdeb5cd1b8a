/*
 * top - the processes of a container, as the ps of the host would show them
 */
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/term.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "cmd/table.h"
#include "cmd/top_column.h"
#include "runtime/freeze.h"

/* Docker's of this command: wider than those of ps. */
#define CELL_MIN 20

struct top {
	struct columns columns;
	struct process machine; /* what is the same for all */
	struct buf text;
	struct buf cell;
};

static void put_heads(struct top *t)
{
	for (size_t i = 0; i < t->columns.n; i++)
		buf_addf(&t->text, "%s%s", i ? "\t" : "",
			 t->columns.v[i]->head);
	buf_addc(&t->text, '\n');
}

/* A program chooses its name and arguments: escape them, as ps does. */
static int put_one(void *ctx, pid_t pid)
{
	struct top *const t = ctx;
	struct process p = t->machine;

	if (!process_read(pid, &p))
		return 0;
	for (size_t i = 0; i < t->columns.n; i++) {
		if (i)
			buf_addc(&t->text, '\t');
		buf_reset(&t->cell);
		t->columns.v[i]->put(&p, &t->cell);
		term_escape(buf_str(&t->cell), t->cell.len, TERM_LINE,
			    &t->text);
	}
	buf_addc(&t->text, '\n');
	return 0;
}

static void look_at_machine(struct process *m)
{
	m->now_ns = clock_now();
	m->boot_ns = m->now_ns - clock_boottime();
	m->memory_kib = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
}

static int show(const struct container *c, struct top *t, struct err *e)
{
	autobuf struct buf laid = buf_make(MIB(64));
	pid_t init = 0;
	autoclose int fd = container_pidfd(c, &init, e);

	if (fd < 0)
		return -1;
	look_at_machine(&t->machine);
	put_heads(t);
	if (freeze_each(init, put_one, t, e) < 0)
		return -1;
	table_layout(buf_str(&t->text), t->text.len, CELL_MIN, &laid);
	out_text(buf_str(&laid), laid.len);
	return 0;
}

/* `top c "-o pid,comm"` is two words, as for Docker. */
static void split_words(int argc, char **argv, struct strv *ret)
{
	for (int i = 0; i < argc; i++)
		for (const char *p = argv[i]; *p;) {
			const size_t n = strcspn(p, " \t");

			if (n)
				strv_take(ret, xstrndup(p, n));
			p += n + strspn(p + n, " \t");
		}
}

static int top_run(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e)
{
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;
	autostrv struct strv words = {0};
	struct top t = {.text = buf_make(MIB(16)), .cell = buf_make(MIB(4))};
	int rc;

	(void)fields;
	split_words(argc - 1, argv + 1, &words);
	rc = columns_of_options(&words, &t.columns, e);
	if (rc == 0)
		rc = ctr_open(g, &r, e);
	if (rc == 0)
		rc = container_open(&r.home, argv[0], &c, e);
	if (rc == 0)
		rc = show(&c, &t, e);
	buf_free(&t.text);
	buf_free(&t.cell);
	return rc;
}

extern const struct command cmd_top;
const struct command cmd_top = {
	.name = "top",
	.operands = "CONTAINER [-ef | aux | -o LIST]",
	.summary = "Show the processes of a container",
	.options_first = true,
	.min_operands = 1,
	.max_operands = -1,
	.run = top_run,
};
