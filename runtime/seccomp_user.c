/*
 * seccomp_user - profiles given by users: Docker's JSON, through libseccomp
 *
 * How it works: the document is read rule by rule; rules that are not for this
 * machine, kernel or set of capabilities are left out; the rest is given to
 * libseccomp, whose BPF comes back through a memfd. In front of it stand a few
 * instructions of our own: a number above the newest call that the profile
 * names gets ENOSYS, if the profile refuses by default. A libc then falls back
 * to an older call, where the profile's EPERM would make it give up.
 *
 * This stands in a file of its own, so that a start with the default profile
 * touches nothing of libseccomp.
 */
#include "runtime/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/caps.h"

#define ARCHES_MAX 4
#define ARGS_MAX   6
#define X32_BIT    0x40000000

#ifdef __aarch64__
#define NATIVE_GOARCH "arm64"
#else
#define NATIVE_GOARCH "amd64"
#endif

struct profile {
	scmp_filter_ctx ctx;
	uint64_t caps_kept;
	uint32_t default_action;
	uint32_t arch[ARCHES_MAX];
	int newest[ARCHES_MAX]; /* number of the newest call named, or -1 */
	size_t n_arch;
};

static void free_ctx(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* libseccomp answers with negative errno values. */
static int lib_err(struct err *e, int rc, const char *call, const char *what)
{
	return err_sysno(e, -rc, call, "%s", what);
}

/* ---- words ------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(EPERM)},
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

/* key names the action, errno_key the number that goes with ERRNO. */
static int get_action(const struct jval *o, const char *key,
		      const char *errno_key, uint32_t *ret, struct err *e)
{
	const char *name = NULL;
	int64_t number = EPERM;

	if (jget_str(o, key, &name, e) < 0 ||
	    jget_i64_opt(o, errno_key, EPERM, &number, e) < 0)
		return -1;
	if (number < 0 || number > 4095)
		return err_set(e, ERR_INVALID, "%s.%s: not an errno", o->path,
			       errno_key);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		*ret = strcmp(name, "SCMP_ACT_ERRNO") == 0
			       ? SCMP_ACT_ERRNO((uint32_t)number)
			       : actions[i].action;
		return 0;
	}
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0 ||
	    strcmp(name, "SCMP_ACT_TRACE") == 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s.%s: %s needs a helper process, which prism "
			       "does not have",
			       o->path, key, name);
	return err_set(e, ERR_INVALID, "%s.%s: unknown action '%.48s'", o->path,
		       key, name);
}

static const struct {
	const char *name;
	uint32_t arch;
} arches[] = {
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
};

/* Add an architecture; those of other machines are of no use here. */
static int add_arch(struct profile *p, const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
		int rc;

		if (strcmp(name, arches[i].name) != 0)
			continue;
		rc = seccomp_arch_add(p->ctx, arches[i].arch);
		/* EEXIST: known already; others: of another machine. */
		if (rc == -EEXIST || rc == -EINVAL || rc == -EDOM)
			return 0;
		if (rc < 0)
			return lib_err(e, rc, "seccomp_arch_add", name);
		if (p->n_arch < ARCHES_MAX)
			p->arch[p->n_arch++] = arches[i].arch;
		return 0;
	}
	if (str_starts(name, "SCMP_ARCH_"))
		return 0;
	return err_set(e, ERR_INVALID, "unknown architecture '%.48s'", name);
}

static int add_arch_list(struct profile *p, const struct jval *list,
			 struct err *e)
{
	const int64_t n = jlen(list, e);

	if (n < 0)
		return -1;
	for (size_t i = 0; i < (size_t)n; i++) {
		const char *name = NULL;

		ERR_IN(e, "%s[%zu]", list->path, i);
		if (jat_str(list, i, &name, e) < 0 || add_arch(p, name, e) < 0)
			return -1;
	}
	return 0;
}

/* archMap: what comes with the native architecture. */
static int add_arch_map(struct profile *p, const struct jval *map,
			struct err *e)
{
	const int64_t n = jlen(map, e);

	if (n < 0)
		return -1;
	for (size_t i = 0; i < (size_t)n; i++) {
		struct jval entry;
		struct jval subs;
		const char *name = NULL;
		bool native = false;

		if (jat(map, i, &entry, e) < 0 ||
		    jget_str(&entry, "architecture", &name, e) < 0)
			return -1;
		for (size_t k = 0; k < ARRAY_LEN(arches); k++) {
			if (strcmp(name, arches[k].name) == 0 &&
			    arches[k].arch == p->arch[0])
				native = true;
		}
		if (!native)
			continue;
		if (jget(&entry, "subArchitectures", &subs, e) < 0 ||
		    add_arch_list(p, &subs, e) < 0)
			return -1;
	}
	return 0;
}

static int add_arches(struct profile *p, const struct jval *doc, struct err *e)
{
	struct jval list;
	struct jval map;

	if (jget(doc, "architectures", &list, e) < 0 ||
	    jget(doc, "archMap", &map, e) < 0)
		return -1;
	if (jlen(&list, e) > 0 && jlen(&map, e) > 0)
		return err_set(e, ERR_INVALID,
			       "%s: architectures and archMap exclude each "
			       "other",
			       doc->path);
	if (err_is(e) || add_arch_list(p, &list, e) < 0)
		return -1;
	return add_arch_map(p, &map, e);
}

/* ---- is a rule for us? ------------------------------------------------- */

/* How many of a list of capability names are kept; *ret_n: of how many. */
static int count_caps(const struct profile *p, const struct jval *list,
		      size_t *ret_kept, size_t *ret_n, struct err *e)
{
	const int64_t n = jlen(list, e);

	if (n < 0)
		return -1;
	*ret_kept = 0;
	*ret_n = (size_t)n;
	for (size_t i = 0; i < (size_t)n; i++) {
		const char *name = NULL;
		uint64_t set = 0;

		ERR_IN(e, "%s[%zu]", list->path, i);
		if (jat_str(list, i, &name, e) < 0 ||
		    caps_parse(name, &set, e) < 0)
			return -1;
		if (set & p->caps_kept)
			(*ret_kept)++;
	}
	return 0;
}

static int lists_native(const struct jval *list, bool *ret, size_t *ret_n,
			struct err *e)
{
	const int64_t n = jlen(list, e);

	if (n < 0)
		return -1;
	*ret = false;
	*ret_n = (size_t)n;
	for (size_t i = 0; i < (size_t)n; i++) {
		const char *name = NULL;

		if (jat_str(list, i, &name, e) < 0)
			return -1;
		if (strcmp(name, NATIVE_GOARCH) == 0)
			*ret = true;
	}
	return 0;
}

/* "4.8" or "5.10": is the kernel at least that? */
static int kernel_is(const struct jval *o, const char *want, bool *ret,
		     struct err *e)
{
	const char *dot = strchr(want, '.');
	struct utsname u;
	uint64_t major = 0;
	uint64_t minor = 0;
	uint64_t have_major = 0;
	uint64_t have_minor = 0;
	size_t n;

	if (!dot || !str_to_u64n(want, (size_t)(dot - want), 65535, &major) ||
	    !str_to_u64(dot + 1, 65535, &minor))
		return err_set(e, ERR_INVALID,
			       "%s.minKernel: '%.32s' is not of the form "
			       "MAJOR.MINOR",
			       o->path, want);
	if (uname(&u) < 0)
		return err_sys(e, "uname", "kernel version");
	n = strspn(u.release, "0123456789");
	(void)str_to_u64n(u.release, n, 65535, &have_major);
	if (u.release[n] == '.')
		(void)str_to_u64n(u.release + n + 1,
				  strspn(u.release + n + 1, "0123456789"),
				  65535, &have_minor);
	*ret = have_major > major ||
	       (have_major == major && have_minor >= minor);
	return 0;
}

/* What "includes" and "excludes" of a rule ask for, and how much of it holds. */
struct condition {
	bool present;
	size_t n_caps;
	size_t n_caps_kept;
	size_t n_arches;
	bool native; /* ours is one of the arches */
	bool has_kernel;
	bool new_enough;
};

static int read_condition(const struct profile *p, const struct jval *rule,
			  const char *key, struct condition *ret, struct err *e)
{
	struct condition c = {0};
	struct jval all;
	struct jval caps;
	struct jval list;
	const char *kernel = NULL;

	*ret = c;
	if (jget(rule, key, &all, e) < 0)
		return -1;
	if (!jval_present(&all))
		return 0;
	c.present = true;
	if (jget(&all, "caps", &caps, e) < 0 ||
	    jget(&all, "arches", &list, e) < 0 ||
	    jget_str_opt(&all, "minKernel", &kernel, e) < 0 ||
	    count_caps(p, &caps, &c.n_caps_kept, &c.n_caps, e) < 0 ||
	    lists_native(&list, &c.native, &c.n_arches, e) < 0)
		return -1;
	c.has_kernel = !str_empty(kernel);
	if (c.has_kernel && kernel_is(&all, kernel, &c.new_enough, e) < 0)
		return -1;
	*ret = c;
	return 0;
}

/* All that is included must hold, nothing that is excluded may. */
static int is_meant(const struct profile *p, const struct jval *rule, bool *ret,
		    struct err *e)
{
	struct condition in;
	struct condition ex;

	if (read_condition(p, rule, "includes", &in, e) < 0 ||
	    read_condition(p, rule, "excludes", &ex, e) < 0)
		return -1;
	*ret = in.n_caps_kept == in.n_caps && (in.native || in.n_arches == 0) &&
	       (in.new_enough || !in.has_kernel) && ex.n_caps_kept == 0 &&
	       !ex.native && !ex.new_enough;
	return 0;
}

/* ---- rules ------------------------------------------------------------- */

static const struct {
	const char *name;
	enum scmp_compare op;
} operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

struct args {
	struct scmp_arg_cmp v[ARGS_MAX];
	unsigned int n;
	bool alternatives; /* one argument twice: each is a rule, as in runc */
};

static int parse_arg(const struct jval *a, struct scmp_arg_cmp *ret,
		     struct err *e)
{
	const char *op = NULL;
	int64_t index = 0;
	int64_t value = 0;
	int64_t value2 = 0;

	if (jget_i64(a, "index", &index, e) < 0 ||
	    jget_i64(a, "value", &value, e) < 0 ||
	    jget_i64_opt(a, "valueTwo", 0, &value2, e) < 0 ||
	    jget_str(a, "op", &op, e) < 0)
		return -1;
	if (index < 0 || index >= ARGS_MAX)
		return err_set(e, ERR_INVALID, "%s.index: not in 0..5",
			       a->path);
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (strcmp(op, operators[i].name) != 0)
			continue;
		*ret = (struct scmp_arg_cmp){
			.arg = (unsigned int)index,
			.op = operators[i].op,
			.datum_a = (uint64_t)value,
			.datum_b = (uint64_t)value2,
		};
		return 0;
	}
	return err_set(e, ERR_INVALID, "%s.op: unknown operator '%.32s'",
		       a->path, op);
}

static int parse_args(const struct jval *rule, struct args *ret, struct err *e)
{
	struct jval list;
	unsigned int seen = 0;
	int64_t n;

	*ret = (struct args){0};
	if (jget(rule, "args", &list, e) < 0)
		return -1;
	n = jlen(&list, e);
	if (n < 0)
		return -1;
	if (n > ARGS_MAX)
		return err_set(e, ERR_INVALID, "%s: more than %d", list.path,
			       ARGS_MAX);
	for (size_t i = 0; i < (size_t)n; i++) {
		struct jval a;

		if (jat(&list, i, &a, e) < 0 ||
		    parse_arg(&a, &ret->v[i], e) < 0)
			return -1;
		if (seen & 1U << ret->v[i].arg)
			ret->alternatives = true;
		seen |= 1U << ret->v[i].arg;
	}
	ret->n = (unsigned int)n;
	return 0;
}

static int add_rule(const struct profile *p, uint32_t action, int nr,
		    const char *name, const struct args *a, struct err *e)
{
	int rc = 0;

	if (!a->alternatives) {
		rc = seccomp_rule_add_array(p->ctx, action, nr, a->n, a->v);
	} else {
		for (unsigned int i = 0; i < a->n && rc == 0; i++)
			rc = seccomp_rule_add_array(p->ctx, action, nr, 1,
						    &a->v[i]);
	}
	/* The same rule twice does no harm. */
	if (rc < 0 && rc != -EEXIST)
		return lib_err(e, rc, "seccomp_rule_add", name);
	return 0;
}

/*
 * The calls of i386 that go through socketcall and ipc have pseudo numbers in
 * libseccomp, and numbers up to this one of their own besides.
 */
#define X86_DIRECT_LAST 402

/* Remember the newest call of each architecture that the profile names. */
static void note_name(struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->n_arch; i++) {
		int nr = seccomp_syscall_resolve_name_arch(p->arch[i], name);

		if (p->arch[i] == SCMP_ARCH_X86 && nr <= -100 && nr > -300)
			nr = X86_DIRECT_LAST;
		/* arm's private calls are numbered far above all others. */
		if (nr > p->newest[i] && (nr & ~X32_BIT) < 0x8000)
			p->newest[i] = nr;
	}
}

static int add_name(struct profile *p, const char *name, uint32_t action,
		    bool wanted, const struct args *a, struct err *e)
{
	const int nr = seccomp_syscall_resolve_name(name);

	note_name(p, name);
	if (!wanted || nr == __NR_SCMP_ERROR || action == p->default_action)
		return 0;
	return add_rule(p, action, nr, name, a, e);
}

static int add_entry(struct profile *p, const struct jval *rule, struct err *e)
{
	struct args args;
	struct jval names;
	const char *name = NULL;
	uint32_t action = 0;
	bool meant = false;
	int64_t n;

	if (get_action(rule, "action", "errnoRet", &action, e) < 0 ||
	    parse_args(rule, &args, e) < 0 ||
	    is_meant(p, rule, &meant, e) < 0 ||
	    jget_str_opt(rule, "name", &name, e) < 0 ||
	    jget(rule, "names", &names, e) < 0)
		return -1;
	n = jlen(&names, e);
	if (n < 0)
		return -1;
	if (str_empty(name) == (n == 0))
		return err_set(e, ERR_INVALID, "%s: %s", rule->path,
			       n == 0 ? "names no call"
				      : "name and names exclude each other");
	if (n == 0)
		return add_name(p, name, action, meant, &args, e);
	for (size_t i = 0; i < (size_t)n; i++) {
		if (jat_str(&names, i, &name, e) < 0 ||
		    add_name(p, name, action, meant, &args, e) < 0)
			return -1;
	}
	return 0;
}

static int add_entries(struct profile *p, const struct jval *doc, struct err *e)
{
	struct jval list;
	int64_t n;

	if (jget(doc, "syscalls", &list, e) < 0)
		return -1;
	n = jlen(&list, e);
	if (n < 0)
		return -1;
	for (size_t i = 0; i < (size_t)n; i++) {
		struct jval rule;

		if (jat(&list, i, &rule, e) < 0 || add_entry(p, &rule, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the program ------------------------------------------------------- */

static bool refuses_by_default(uint32_t action)
{
	return action != SCMP_ACT_ALLOW && action != SCMP_ACT_LOG &&
	       action != SCMP_ACT_ERRNO(ENOSYS);
}

static uint32_t audit_arch_of(uint32_t arch)
{
	/* libseccomp's tokens are the audit values, but for x32. */
	return arch == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : arch;
}

static size_t put(struct sock_filter *out, size_t at, uint16_t code, uint32_t k,
		  uint8_t jt, uint8_t jf)
{
	out[at] = (struct sock_filter){code, jt, jf, k};
	return at + 1;
}

#define STUB_PER_ARCH 6
#define STUB_MAX      (ARCHES_MAX * STUB_PER_ARCH)

/*
 * Per architecture: arch is it, nr lies in its half (x32 or not) and above the
 * newest: ENOSYS. Everything else goes on to the profile.
 */
static size_t put_stub(const struct profile *p, struct sock_filter *out)
{
	const uint16_t load = BPF_LD | BPF_W | BPF_ABS;
	const uint16_t jmp = BPF_JMP | BPF_K;
	size_t n = 0;

	if (!refuses_by_default(p->default_action))
		return 0;
	for (size_t i = 0; i < p->n_arch; i++) {
		const bool x32 = p->arch[i] == SCMP_ARCH_X32;
		const bool x64 = p->arch[i] == SCMP_ARCH_X86_64;

		if (p->newest[i] < 0)
			continue;
		n = put(out, n, load, offsetof(struct seccomp_data, arch), 0,
			0);
		n = put(out, n, jmp | BPF_JEQ, audit_arch_of(p->arch[i]), 0, 4);
		n = put(out, n, load, offsetof(struct seccomp_data, nr), 0, 0);
		/* x86_64 below the bit, x32 from it on, others everywhere. */
		n = put(out, n, jmp | BPF_JGE, x32 || x64 ? X32_BIT : 0,
			x64 ? 2 : 0, x64 ? 0 : 2);
		n = put(out, n, jmp | BPF_JGT, (uint32_t)p->newest[i], 0, 1);
		n = put(out, n, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0,
			0);
	}
	return n;
}

static int export_filter(const struct profile *p, struct sock_filter **ret,
			 size_t *ret_n, struct err *e)
{
	autoclose int fd = memfd_create("seccomp", MFD_CLOEXEC);
	autofree struct sock_filter *out = NULL;
	struct stat st;
	size_t stub;
	size_t n;
	int rc;

	if (fd < 0)
		return err_sys(e, "memfd_create", "seccomp");
	rc = seccomp_export_bpf(p->ctx, fd);
	if (rc < 0)
		return lib_err(e, rc, "seccomp_export_bpf", "filter");
	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "fstat", "memfd of the seccomp filter");
	n = (size_t)st.st_size / sizeof(*out);
	if (n + STUB_MAX > BPF_MAXINSNS)
		return err_set(e, ERR_TOOBIG,
			       "the filter has %zu instructions, the kernel "
			       "takes %d",
			       n, BPF_MAXINSNS);
	out = xcalloc(n + STUB_MAX, sizeof(*out));
	stub = put_stub(p, out);
	if (io_read_full(fd, out + stub, n * sizeof(*out), "seccomp filter",
			 e) < 0)
		return -1;
	*ret_n = stub + n;
	*ret = take_ptr(&out);
	return 0;
}

int seccomp_from_text(const char *text, size_t len, const char *what,
		      uint64_t caps_kept, struct sock_filter **ret,
		      size_t *ret_n, struct err *e)
{
	autojson json_t *doc = json_parse(text, len, what, e);
	__attribute__((cleanup(free_ctx))) scmp_filter_ctx ctx = NULL;
	struct profile p = {.caps_kept = caps_kept};
	struct jval root;

	if (!doc)
		return -1;
	root = jval_root(doc, what);
	if (get_action(&root, "defaultAction", "defaultErrnoRet",
		       &p.default_action, e) < 0)
		return -1;
	ctx = seccomp_init(p.default_action);
	if (!ctx)
		return err_set(e, ERR_INVALID, "%s: seccomp_init refuses it",
			       what);
	p.ctx = ctx;
	p.arch[p.n_arch++] = seccomp_arch_native();
	for (size_t i = 0; i < ARCHES_MAX; i++)
		p.newest[i] = -1;
	if (add_arches(&p, &root, e) < 0 || add_entries(&p, &root, e) < 0)
		return -1;
	/* no_new_privs and the loading are the child's own affair. */
	return export_filter(&p, ret, ret_n, e);
}

int seccomp_from_file(const char *path, uint64_t caps_kept,
		      struct sock_filter **ret, size_t *ret_n, struct err *e)
{
	autobuf struct buf text = buf_make(SECCOMP_MAX);

	ERR_IN(e, "seccomp profile %s", path);
	if (fs_read_at(AT_FDCWD, path, &text, e) < 0)
		return -1;
	return seccomp_from_text(buf_str(&text), text.len, "profile", caps_kept,
				 ret, ret_n, e);
}
