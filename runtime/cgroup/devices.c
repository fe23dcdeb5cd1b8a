#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"

#define ALL (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)

bool devices_are_ruled(const struct run_spec *s)
{
	if (s->limits.device_rules.n)
		return true;
	/* An ordinary user may not, and has what the node's mode gives him. */
	for (size_t i = 0; i < s->n_devices; i++)
		if (strlen(s->devices[i].access) < 3 && geteuid() == 0)
			return true;
	return false;
}

/* ---- rules ---------------------------------------------------------------- */

static unsigned access_bits(const char *s)
{
	return (strchr(s, 'r') ? BPF_DEVCG_ACC_READ : 0U) |
	       (strchr(s, 'w') ? BPF_DEVCG_ACC_WRITE : 0U) |
	       (strchr(s, 'm') ? BPF_DEVCG_ACC_MKNOD : 0U);
}

static bool parse_number(const char *p, size_t n, int64_t *ret)
{
	uint64_t v;

	*ret = DEVICE_ANY;
	if (n == 1 && *p == '*')
		return true;
	if (!str_to_u64n(p, n, UINT32_MAX, &v))
		return false;
	*ret = (int64_t)v;
	return true;
}

int device_rule_parse(const char *text, struct device_rule *ret, struct err *e)
{
	struct device_rule r = {.type = text[0]};
	const char *const p = text[0] && text[1] == ' ' ? text + 2 : "";
	const size_t n = strcspn(p, ":");
	const char *const minor = p[n] ? p + n + 1 : p + n;
	const size_t k = strcspn(minor, " ");
	const char *const access = minor[k] ? minor + k + 1 : minor + k;

	if (!strchr("abc", r.type) || !p[n] || !parse_number(p, n, &r.major) ||
	    !parse_number(minor, k, &r.minor) || !*access ||
	    strlen(access) > 3 || access[strspn(access, "rwm")] != '\0') {
		(void)err_set(e, ERR_USAGE, "'%s': not a rule of devices",
			      text);
		return err_hint(e, "TYPE MAJOR:MINOR MODE, such as "
				   "'c 10:200 rwm' or 'b 7:* r'");
	}
	r.access = access_bits(access);
	*ret = r;
	return 0;
}

static void number_text(int64_t n, char ret[16])
{
	if (n < 0)
		(void)snprintf(ret, 16, "*");
	else
		(void)snprintf(ret, 16, "%" PRIu32, (uint32_t)n);
}

void device_rule_text(const struct device_rule *r, char ret[DEVICE_RULE_MAX])
{
	char ma[16];
	char mi[16];

	number_text(r->major, ma);
	number_text(r->minor, mi);
	(void)snprintf(ret, DEVICE_RULE_MAX, "%c %s:%s %s%s%s", r->type, ma, mi,
		       r->access & BPF_DEVCG_ACC_READ ? "r" : "",
		       r->access & BPF_DEVCG_ACC_WRITE ? "w" : "",
		       r->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
}

static void add(struct device_rules *r, struct device_rule one)
{
	r->v = xrealloc(r->v, (r->n + 1) * sizeof(*r->v));
	r->v[r->n++] = one;
}

/* m always: init is in the cgroup when it makes the node. */
static int add_device(const struct device_spec *d, struct device_rules *r,
		      struct err *e)
{
	struct stat st;

	if (stat(d->source, &st) < 0)
		return err_sys(e, "stat", "%s", d->source);
	add(r, (struct device_rule){
		       S_ISBLK(st.st_mode) ? 'b' : 'c',
		       (int64_t)major(st.st_rdev), (int64_t)minor(st.st_rdev),
		       access_bits(d->access) | BPF_DEVCG_ACC_MKNOD});
	return 0;
}

int device_rules_make(const struct run_spec *s, struct device_rules *ret,
		      struct err *e)
{
	static const struct device_rule usual[] = {
		{'c', 1, 3, ALL},            /* null */
		{'c', 1, 5, ALL},            /* zero */
		{'c', 1, 7, ALL},            /* full */
		{'c', 1, 8, ALL},            /* random */
		{'c', 1, 9, ALL},            /* urandom */
		{'c', 5, 0, ALL},            /* tty */
		{'c', 5, 1, ALL},            /* console */
		{'c', 5, 2, ALL},            /* ptmx */
		{'c', 136, DEVICE_ANY, ALL}, /* pts */
	};
	autodevices struct device_rules r = {0};

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		add(&r, usual[i]);
	for (size_t i = 0; i < s->n_devices; i++)
		if (add_device(&s->devices[i], &r, e) < 0)
			return -1;
	for (size_t i = 0; i < s->limits.device_rules.n; i++) {
		struct device_rule one;

		if (device_rule_parse(s->limits.device_rules.v[i], &one, e) < 0)
			return -1;
		add(&r, one);
	}
	*ret = r;
	r = (struct device_rules){0};
	return 0;
}

void device_rules_free(struct device_rules *r)
{
	free(r->v);
	*r = (struct device_rules){0};
}

/* ---- v1 ------------------------------------------------------------------- */

static int write_line(int cgroup_fd, const char *file, const char *line,
		      struct err *e)
{
	autoclose int fd = openat(cgroup_fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "openat", "%s", file);
	if (write(fd, line, strlen(line)) < 0)
		return err_sys(e, "write", "'%s' to %s", line, file);
	return 0;
}

static bool has_line(const char *text, const char *line)
{
	const size_t n = strlen(line);

	for (const char *p = strstr(text, line); p; p = strstr(p + 1, line))
		if ((p == text || p[-1] == '\n') && (!p[n] || p[n] == '\n'))
			return true;
	return false;
}

/* Only what is in the list may be there afterwards: "a *:* rwm" is all. */
static int read_back(int cgroup_fd, struct err *e)
{
	autobuf struct buf b = buf_make(MIB(1));

	if (fs_read_at(cgroup_fd, "devices.list", &b, e) < 0)
		return -1;
	if (has_line(buf_str(&b), "a *:* rwm"))
		return err_set(e, ERR_UNSUPPORTED,
			       "devices.list still allows everything");
	return 0;
}

int device_rules_write(int cgroup_fd, const struct device_rules *r,
		       struct err *e)
{
	bool all = false;
	STEP(e, "devices", "allow %zu kinds of devices", r->n);

	if (write_line(cgroup_fd, "devices.deny", "a", e) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		char text[DEVICE_RULE_MAX];

		device_rule_text(&r->v[i], text);
		all = all || r->v[i].type == 'a';
		if (write_line(cgroup_fd, "devices.allow", text, e) < 0)
			return -1;
	}
	return all ? 0 : read_back(cgroup_fd, e);
}

/* ---- v2 ------------------------------------------------------------------- */

#define PER_RULE 6 /* instructions at most */

static struct bpf_insn insn(int code, int dst, int src, int off, int imm)
{
	return (struct bpf_insn){.code = (__u8)code,
				 .dst_reg = (__u8)(dst & 15),
				 .src_reg = (__u8)(src & 15),
				 .off = (__s16)off,
				 .imm = imm};
}

#define LOAD(dst, field)                        \
	insn(BPF_LDX | BPF_MEM | BPF_W, dst, 1, \
	     (int)offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define MOVE(dst, src)  insn(BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, n)     insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, n)
#define AND(dst, n)     insn(BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, n)
#define SHIFT(dst, n)   insn(BPF_ALU | BPF_RSH | BPF_K, dst, 0, 0, n)
#define UNLESS(r, n, o) insn(BPF_JMP | BPF_JNE | BPF_K, r, 0, o, n)
#define EXIT            insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/*
 * r2: type, r3: access, r4: major, r5: minor. One rule: if something differs
 * go on behind it, else the answer is yes.
 */
static size_t rule_program(const struct device_rule *r, struct bpf_insn *p)
{
	const int denied = (int)(~r->access & ALL);
	size_t n = 0;
	size_t first;

	if (denied) {
		/* r1, the context, is not needed any more. */
		p[n++] = MOVE(1, 3);
		p[n++] = AND(1, denied);
	}
	first = n;
	if (denied)
		p[n++] = UNLESS(1, 0, 0);
	if (r->type != 'a')
		p[n++] = UNLESS(2,
				r->type == 'b' ? BPF_DEVCG_DEV_BLOCK
					       : BPF_DEVCG_DEV_CHAR,
				0);
	if (r->major >= 0)
		p[n++] = UNLESS(4, (int)r->major, 0);
	if (r->minor >= 0)
		p[n++] = UNLESS(5, (int)r->minor, 0);
	/* Over the rest and the two below. */
	for (size_t i = first; i < n; i++)
		p[i].off = (__s16)(n - i - 1 + 2);
	p[n++] = SET(0, 1);
	p[n++] = EXIT;
	return n;
}

struct bpf_insn *device_rules_program(const struct device_rules *r,
				      size_t *ret_n)
{
	struct bpf_insn *const p =
		xcalloc(8 + r->n * (PER_RULE + 2), sizeof(*p));
	size_t n = 0;

	p[n++] = LOAD(2, access_type);
	p[n++] = MOVE(3, 2);
	p[n++] = AND(2, 0xffff);
	p[n++] = SHIFT(3, 16);
	p[n++] = LOAD(4, major);
	p[n++] = LOAD(5, minor);
	for (size_t i = 0; i < r->n; i++)
		n += rule_program(&r->v[i], p + n);
	p[n++] = SET(0, 0);
	p[n++] = EXIT;
	*ret_n = n;
	return p;
}

static int bpf(int what, union bpf_attr *a)
{
	return (int)syscall(SYS_bpf, what, a, sizeof(*a));
}

int device_rules_attach(int cgroup_fd, const struct device_rules *r,
			struct err *e)
{
	size_t n = 0;
	autofree struct bpf_insn *program = device_rules_program(r, &n);
	autoclose int fd = -1;
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)program,
		.insn_cnt = (__u32)n,
		.license = (uintptr_t) "GPL",
	};
	union bpf_attr attach = {
		.target_fd = (__u32)cgroup_fd,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	STEP(e, "devices", "a program that allows %zu kinds of devices", r->n);

	fd = bpf(BPF_PROG_LOAD, &load);
	if (fd < 0)
		return err_sys(e, "bpf", "BPF_PROG_LOAD of the devices");
	attach.attach_bpf_fd = (__u32)fd;
	if (bpf(BPF_PROG_ATTACH, &attach) < 0)
		return err_sys(e, "bpf", "BPF_PROG_ATTACH to the cgroup");
	return 0;
}
