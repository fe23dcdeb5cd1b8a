#include "cmd/top_column.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"

/* proc_pid_stat(5) */
enum stat_field {
	PPID = 4,
	PGRP = 5,
	SESSION = 6,
	TTY_NR = 7,
	TPGID = 8,
	UTIME = 14,
	STIME = 15,
	PRIORITY = 18,
	NICE = 19,
	THREADS = 20,
	BORN = 22,
	VSIZE = 23,
	PROCESSOR = 39,
};

/* ---- reading ------------------------------------------------------------------ */

static int read_proc(pid_t pid, const char *name, struct buf *b)
{
	char path[64];
	struct err ignored = {0};

	(void)snprintf(path, sizeof(path), "/proc/%d/%.20s", (int)pid, name);
	return fs_read_at(AT_FDCWD, path, b, &ignored);
}

static int64_t number_at(const char *s)
{
	const bool minus = *s == '-';
	uint64_t n = 0;

	s += minus;
	/* Limits as large as the type allows stay 0. */
	(void)str_to_u64n(s, strcspn(s, " \n"), INT64_MAX, &n);
	return minus ? -(int64_t)n : (int64_t)n;
}

bool process_read(pid_t pid, struct process *p)
{
	autobuf struct buf b = buf_make(KIB(4));
	const char *const first = proc_stat(pid, &b);
	const char *open;
	const char *s = first;
	char path[40];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (!first || stat(path, &st) < 0)
		return false;
	p->pid = pid;
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	/* "PID (NAME) STATE ..." */
	open = strchr(buf_str(&b), '(');
	if (!open || strlen(first) < 2)
		return false;
	(void)snprintf(p->name, sizeof(p->name), "%.*s",
		       (int)(first - 2 - open - 1), open + 1);
	p->state = *first;
	for (int i = 4; i < STAT_FIELDS; i++) {
		s = strchr(s, ' ');
		if (!s)
			return false;
		p->field[i] = number_at(++s);
	}
	return true;
}

/* ---- what they mean -------------------------------------------------------------- */

static int64_t in_ns(int64_t ticks)
{
	return ticks * (CLOCK_SECOND / sysconf(_SC_CLK_TCK));
}

static int64_t cpu_ns(const struct process *p)
{
	return in_ns(p->field[UTIME] + p->field[STIME]);
}

static int64_t born_ns(const struct process *p)
{
	return p->boot_ns + in_ns(p->field[BORN]);
}

static int64_t age_s(const struct process *p)
{
	const int64_t ns = p->now_ns - born_ns(p);

	return ns > 0 ? ns / CLOCK_SECOND : 0;
}

/* The second of statm; that of stat may be behind by what each CPU counts. */
static int64_t rss_kib(const struct process *p)
{
	autobuf struct buf b = buf_make(KIB(1));
	const char *second;

	if (read_proc(p->pid, "statm", &b) < 0)
		return 0;
	second = strchr(buf_str(&b), ' ');
	return second ? number_at(second + 1) * (sysconf(_SC_PAGESIZE) / 1024)
		      : 0;
}

/* Of 1000. */
static int64_t cpu_share(const struct process *p)
{
	const int64_t age = age_s(p);

	return age ? cpu_ns(p) / (CLOCK_SECOND / 1000) / age : 0;
}

/* ---- columns ----------------------------------------------------------------------- */

static void put_int(struct buf *b, int64_t n)
{
	buf_addf(b, "%" PRId64, n);
}

static void put_tenths(struct buf *b, int64_t n)
{
	buf_addf(b, "%" PRId64 ".%" PRId64, n / 10, n % 10);
}

static void put_pid(const struct process *p, struct buf *b)
{
	put_int(b, p->pid);
}

static void put_ppid(const struct process *p, struct buf *b)
{
	put_int(b, p->field[PPID]);
}

static void put_pgid(const struct process *p, struct buf *b)
{
	put_int(b, p->field[PGRP]);
}

static void put_sid(const struct process *p, struct buf *b)
{
	put_int(b, p->field[SESSION]);
}

static void put_uid(const struct process *p, struct buf *b)
{
	put_int(b, p->uid);
}

static void put_gid(const struct process *p, struct buf *b)
{
	put_int(b, p->gid);
}

static void put_nlwp(const struct process *p, struct buf *b)
{
	put_int(b, p->field[THREADS]);
}

static void put_ni(const struct process *p, struct buf *b)
{
	put_int(b, p->field[NICE]);
}

static void put_pri(const struct process *p, struct buf *b)
{
	put_int(b, 39 - p->field[PRIORITY]);
}

static void put_psr(const struct process *p, struct buf *b)
{
	put_int(b, p->field[PROCESSOR]);
}

static void put_vsz(const struct process *p, struct buf *b)
{
	put_int(b, p->field[VSIZE] / 1024);
}

static void put_rss(const struct process *p, struct buf *b)
{
	put_int(b, rss_kib(p));
}

static void put_c(const struct process *p, struct buf *b)
{
	put_int(b, cpu_share(p) / 10);
}

static void put_pcpu(const struct process *p, struct buf *b)
{
	put_tenths(b, cpu_share(p));
}

static void put_pmem(const struct process *p, struct buf *b)
{
	put_tenths(b, p->memory_kib ? rss_kib(p) * 1000 / (int64_t)p->memory_kib
				    : 0);
}

static void put_user(const struct process *p, struct buf *b)
{
	const struct passwd *const pw = getpwuid(p->uid);

	if (pw && strlen(pw->pw_name) <= 8)
		buf_adds(b, pw->pw_name);
	else
		put_int(b, p->uid);
}

static void put_group(const struct process *p, struct buf *b)
{
	const struct group *const gr = getgrgid(p->gid);

	if (gr && strlen(gr->gr_name) <= 8)
		buf_adds(b, gr->gr_name);
	else
		put_int(b, p->gid);
}

/* Today the time, else the day, else the year. */
static void put_start(const struct process *p, struct buf *b)
{
	const time_t now = (time_t)(p->now_ns / CLOCK_SECOND);
	const time_t then = (time_t)(born_ns(p) / CLOCK_SECOND);
	struct tm n;
	struct tm t;
	char text[16];

	(void)localtime_r(&now, &n);
	(void)localtime_r(&then, &t);
	(void)strftime(text, sizeof(text),
		       n.tm_year != t.tm_year   ? "%Y"
		       : n.tm_yday == t.tm_yday ? "%H:%M"
						: "%b%d",
		       &t);
	buf_adds(b, text);
}

static void put_tty(const struct process *p, struct buf *b)
{
	const uint64_t nr = (uint64_t)p->field[TTY_NR];

	if (major(nr) >= 136 && major(nr) <= 143)
		buf_addf(b, "pts/%u", (major(nr) - 136) * 256 + minor(nr));
	else if (nr)
		buf_addf(b, "tty%u", minor(nr));
	else
		buf_addc(b, '?');
}

/* [[DD-]hh:]mm:ss */
static void put_span(struct buf *b, int64_t s, bool with_hours)
{
	if (s >= 86400)
		buf_addf(b, "%02" PRId64 "-", s / 86400);
	if (s >= 3600 || with_hours)
		buf_addf(b, "%02" PRId64 ":", s / 3600 % 24);
	buf_addf(b, "%02" PRId64 ":%02" PRId64, s / 60 % 60, s % 60);
}

static void put_time(const struct process *p, struct buf *b)
{
	put_span(b, cpu_ns(p) / CLOCK_SECOND, true);
}

static void put_bsdtime(const struct process *p, struct buf *b)
{
	const int64_t s = cpu_ns(p) / CLOCK_SECOND;

	buf_addf(b, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
}

static void put_etime(const struct process *p, struct buf *b)
{
	put_span(b, age_s(p), false);
}

static void put_etimes(const struct process *p, struct buf *b)
{
	put_int(b, age_s(p));
}

static void put_state(const struct process *p, struct buf *b)
{
	buf_addc(b, p->state);
}

static void put_stat(const struct process *p, struct buf *b)
{
	buf_addc(b, p->state);
	if (p->field[NICE] != 0)
		buf_addc(b, p->field[NICE] < 0 ? '<' : 'N');
	if (p->field[SESSION] == p->pid)
		buf_addc(b, 's');
	if (p->field[THREADS] > 1)
		buf_addc(b, 'l');
	if (p->field[TPGID] == p->field[PGRP])
		buf_addc(b, '+');
}

/* What is no text must not leave its column, nor its line. */
static void put_text(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(b, (unsigned char)s[i] < ' ' ? ' ' : s[i]);
}

static void put_comm(const struct process *p, struct buf *b)
{
	put_text(b, p->name, strlen(p->name));
}

static void put_args(const struct process *p, struct buf *b)
{
	autobuf struct buf line = buf_make(MIB(4));

	if (read_proc(p->pid, "cmdline", &line) < 0 || line.len == 0) {
		buf_addc(b, '[');
		put_comm(p, b);
		buf_adds(b, p->state == 'Z' ? "] <defunct>" : "]");
		return;
	}
	put_text(b, line.p, line.len - 1);
}

static const struct column all[] = {
	{"%cpu", "%CPU", put_pcpu},
	{"%mem", "%MEM", put_pmem},
	{"args", "COMMAND", put_args},
	{"bsdtime", "TIME", put_bsdtime},
	{"c", "C", put_c},
	{"cmd", "CMD", put_args},
	{"comm", "COMMAND", put_comm},
	{"command", "COMMAND", put_args},
	{"cputime", "TIME", put_time},
	{"egid", "EGID", put_gid},
	{"egroup", "EGROUP", put_group},
	{"etime", "ELAPSED", put_etime},
	{"etimes", "ELAPSED", put_etimes},
	{"euid", "EUID", put_uid},
	{"euser", "EUSER", put_user},
	{"gid", "GID", put_gid},
	{"group", "GROUP", put_group},
	{"ni", "NI", put_ni},
	{"nice", "NI", put_ni},
	{"nlwp", "NLWP", put_nlwp},
	{"pcpu", "%CPU", put_pcpu},
	{"pgid", "PGID", put_pgid},
	{"pgrp", "PGRP", put_pgid},
	{"pid", "PID", put_pid},
	{"pmem", "%MEM", put_pmem},
	{"ppid", "PPID", put_ppid},
	{"pri", "PRI", put_pri},
	{"psr", "PSR", put_psr},
	{"rss", "RSS", put_rss},
	{"rssize", "RSS", put_rss},
	{"rsz", "RSZ", put_rss},
	{"s", "S", put_state},
	{"sess", "SESS", put_sid},
	{"sid", "SID", put_sid},
	{"start_time", "START", put_start},
	{"stat", "STAT", put_stat},
	{"state", "S", put_state},
	{"stime", "STIME", put_start},
	{"thcount", "THCNT", put_nlwp},
	{"time", "TIME", put_time},
	{"tname", "TTY", put_tty},
	{"tt", "TT", put_tty},
	{"tty", "TT", put_tty},
	{"ucmd", "CMD", put_comm},
	{"ucomm", "COMMAND", put_comm},
	{"uid", "UID", put_uid},
	{"uname", "USER", put_user},
	{"user", "USER", put_user},
	{"vsize", "VSZ", put_vsz},
	{"vsz", "VSZ", put_vsz},
	/* -f heads the user's name so. */
	{"-uid", "UID", put_user},
};

/* ---- options ------------------------------------------------------------------------- */

static int add(struct columns *c, const char *name, struct err *e)
{
	if (c->n == COLUMNS_MAX)
		return err_set(e, ERR_USAGE, "more than %d columns",
			       COLUMNS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i].name, name)) {
			c->v[c->n++] = &all[i];
			return 0;
		}
	return err_set(e, ERR_UNSUPPORTED, "unknown column '%s'", name);
}

static int add_list(struct columns *c, const char *list, struct err *e)
{
	while (*list) {
		const size_t n = strcspn(list, ",");
		autofree char *name = xstrndup(list, n);

		if (n && add(c, name, e) < 0)
			return -1;
		list += n + (list[n] == ',');
	}
	return 0;
}

struct wish {
	bool full;  /* -f */
	bool user;  /* u */
	bool bsd;   /* a, x without a dash */
	bool lists; /* -o */
};

static int unknown(const char *word, struct err *e)
{
	(void)err_set(e, ERR_UNSUPPORTED, "option of ps '%s' is not in prism",
		      word);
	return err_hint(e, "there are -ef, aux, ax and -o LIST; 'prism exec "
			   "CONTAINER ps ...' runs the container's own");
}

/* -ef, aux: letters; an o takes what follows, or the next word. */
static int one_word(const struct strv *words, size_t *i, struct wish *w,
		    struct columns *ret, struct err *e)
{
	const char *const word = words->v[*i];
	const char *const list = str_after(word, "--format=");
	const bool dash = word[0] == '-';
	const char *p = word + dash;

	w->lists = w->lists || list;
	if (list)
		return add_list(ret, list, e);
	/* procps reads -aux and -ax as they are without the dash. */
	if (!strcmp(word, "-aux") || !strcmp(word, "-ax"))
		return one_word(&(struct strv){.v = &(char *){words->v[*i] + 1},
					       .n = 1},
				&(size_t){0}, w, ret, e);
	for (; *p; p++) {
		if (*p == 'o') {
			const char *what = p + 1;

			if (!*what && *i + 1 < words->n)
				what = words->v[++*i];
			w->lists = true;
			return *what ? add_list(ret, what, e)
				     : err_set(e, ERR_USAGE,
					       "-o needs a list of columns");
		}
		if (!strchr(dash ? "efAa" : "aux", *p))
			return unknown(word, e);
		w->full = w->full || (dash && *p == 'f');
		w->user = w->user || (!dash && *p == 'u');
		w->bsd = w->bsd || !dash;
	}
	return p == word + dash ? unknown(word, e) : 0;
}

static bool has_pid(const struct columns *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i]->put == put_pid)
			return true;
	return false;
}

int columns_of_options(const struct strv *words, struct columns *ret,
		       struct err *e)
{
	struct wish w = {.full = words->n == 0};

	*ret = (struct columns){0};
	for (size_t i = 0; i < words->n; i++)
		if (one_word(words, &i, &w, ret, e) < 0)
			return -1;
	if (!w.lists)
		return add_list(
			ret,
			w.user   ? "user,pid,%cpu,%mem,vsz,rss,tname,stat,"
				   "start_time,bsdtime,command"
			: w.bsd  ? "pid,tname,stat,bsdtime,command"
			: w.full ? "-uid,pid,ppid,c,stime,tname,time,cmd"
				 : "pid,tname,time,ucmd",
			e);
	return has_pid(ret) ? 0
			    : err_set(e, ERR_USAGE,
				      "Couldn't find PID field in ps output");
}
