/*
 * top - the processes of a container, as `ps -ef` of the host shows them
 */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "cmd/ctr.h"
#include "runtime/freeze.h"

/* Fields of /proc/PID/stat, counted as proc(5) does; 1 and 2 stay empty. */
#define STAT_FIELDS 23

struct process {
	pid_t pid;
	uint64_t field[STAT_FIELDS];
	char name[64];
	uid_t uid;
};

static int read_proc(pid_t pid, const char *name, struct buf *b)
{
	char path[64];
	struct err ignored = {0};

	(void)snprintf(path, sizeof(path), "/proc/%d/%.20s", (int)pid, name);
	return fs_read_at(AT_FDCWD, path, b, &ignored);
}

/* The name may hold anything; the state (3) is a letter and is left out. */
static bool read_stat(struct process *p)
{
	autobuf struct buf b = buf_make(KIB(4));
	const char *open;
	const char *s;
	char path[40];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)p->pid);
	if (stat(path, &st) < 0 || read_proc(p->pid, "stat", &b) < 0)
		return false;
	p->uid = st.st_uid;
	open = strchr(buf_str(&b), '(');
	s = strrchr(buf_str(&b), ')');
	if (!open || !s)
		return false;
	(void)snprintf(p->name, sizeof(p->name), "%.*s", (int)(s - open - 1),
		       open + 1);
	for (int i = 3; i < STAT_FIELDS; i++) {
		s = strchr(s, ' ');
		if (!s)
			return false;
		s++;
		/* Below zero (no terminal's process group) stays 0. */
		(void)str_to_u64n(s, strcspn(s, " "), UINT64_MAX, &p->field[i]);
	}
	return true;
}

static void print_user(uid_t uid)
{
	const struct passwd *const pw = getpwuid(uid);

	if (pw && strlen(pw->pw_name) <= 8)
		(void)printf("%-8s", pw->pw_name);
	else
		(void)printf("%-8u", uid);
}

static void print_start(int64_t born_ns)
{
	const time_t now = time(NULL);
	const time_t then = (time_t)(born_ns / CLOCK_SECOND);
	struct tm a;
	struct tm b;
	char text[16];

	(void)localtime_r(&now, &a);
	(void)localtime_r(&then, &b);
	(void)strftime(text, sizeof(text),
		       a.tm_yday == b.tm_yday && a.tm_year == b.tm_year
			       ? "%H:%M"
			       : "%b%d",
		       &b);
	(void)printf(" %-5s", text);
}

static void print_tty(uint64_t nr)
{
	char text[24] = "?";

	if (major(nr) >= 136 && major(nr) <= 143)
		(void)snprintf(text, sizeof(text), "pts/%u",
			       (major(nr) - 136) * 256 + minor(nr));
	else if (nr)
		(void)snprintf(text, sizeof(text), "tty%u", minor(nr));
	(void)printf(" %-8s", text);
}

static void print_command(const struct process *p)
{
	autobuf struct buf b = buf_make(MIB(4));

	if (read_proc(p->pid, "cmdline", &b) < 0 || b.len == 0) {
		(void)printf(" [%s]\n", p->name);
		return;
	}
	for (size_t i = 0; i + 1 < b.len; i++)
		if ((unsigned char)b.p[i] < ' ')
			b.p[i] = ' ';
	(void)printf(" %s\n", buf_str(&b));
}

static int print_one(void *ctx, pid_t pid)
{
	const int64_t boot_ns = *(const int64_t *)ctx;
	const int64_t tick_ns = CLOCK_SECOND / sysconf(_SC_CLK_TCK);
	struct process p = {.pid = pid};
	int64_t born_ns;
	int64_t cpu_ns;
	int64_t age_ns;

	if (!read_stat(&p))
		return 0;
	born_ns = boot_ns + (int64_t)p.field[22] * tick_ns;
	cpu_ns = (int64_t)(p.field[14] + p.field[15]) * tick_ns;
	age_ns = clock_now() - born_ns;
	print_user(p.uid);
	(void)printf(" %7d %7d %2d", (int)pid, (int)p.field[4],
		     age_ns > 0 ? (int)(cpu_ns * 100 / age_ns) : 0);
	print_start(born_ns);
	print_tty(p.field[7]);
	cpu_ns /= CLOCK_SECOND;
	(void)printf(" %02d:%02d:%02d", (int)(cpu_ns / 3600),
		     (int)(cpu_ns / 60 % 60), (int)(cpu_ns % 60));
	print_command(&p);
	return 0;
}

static int top_run(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e)
{
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;
	autoclose int fd = -1;
	pid_t init = 0;
	struct timespec t;
	int64_t boot_ns;

	(void)fields;
	if (argc > 1 && strcmp(argv[1], "-ef") != 0) {
		(void)err_set(e, ERR_UNSUPPORTED, "options of ps: not here");
		return err_hint(e,
				"'prism exec %.60s ps ...' runs the "
				"container's own",
				argv[0]);
	}
	if (ctr_open(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0)
		return -1;
	fd = container_pidfd(&c, &init, e);
	if (fd < 0)
		return -1;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	boot_ns = clock_now() - ((int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec);
	(void)printf(
		"UID          PID    PPID  C STIME TTY          TIME CMD\n");
	return freeze_each(init, print_one, &boot_ns, e);
}

extern const struct command cmd_top;
const struct command cmd_top = {
	.name = "top",
	.operands = "CONTAINER [-ef]",
	.summary = "Show the processes of a container",
	.options_first = true,
	.min_operands = 1,
	.max_operands = 2,
	.run = top_run,
};
