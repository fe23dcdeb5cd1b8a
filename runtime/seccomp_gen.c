/*
 * seccomp_gen - compiles seccomp_profile.h to BPF while prism is built
 *
 * How it works
 * 1. Per architecture of a machine (x86_64 and x32 share one, told apart by a
 *    bit of the number) every named call becomes (number, fate). A number that
 *    nobody named has the fate EPERM up to the newest named one, ENOSYS above.
 * 2. Neighbours with the same fate are joined to intervals.
 * 3. A binary tree of "number >= x" jumps is laid over the intervals, split
 *    where the weights on both sides are nearest to each other, so that hot
 *    calls are near the root. A leaf returns at once, or looks at an argument.
 *
 * Only instructions that the kernel can evaluate ahead of time stand on the
 * way to a plain "allow" (loads of arch and nr, jumps, returns): Linux 5.11
 * and newer then keep such calls in a bitmap and do not run the filter at all.
 *
 * Arguments are compared by their low half only, since that is what the kernel
 * looks at in socket, personality and clone. Comparing all 64 bits, as is
 * usual, lets a refused value pass when it has garbage above.
 *
 * A return that depends on capabilities is patched when a container starts:
 * its index, the capabilities and the action without them go to a table.
 */
#include "runtime/seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPERM_RET  (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_RET (SECCOMP_RET_ERRNO | ENOSYS)
#define CALLS_MAX  2048
#define HOT_WEIGHT 200

struct fate {
	enum seccomp_check check;
	uint32_t ret; /* without check and caps */
	uint64_t caps;
};

struct call {
	uint32_t nr;
	uint32_t weight;
	struct fate fate;
};

struct span {
	uint32_t from; /* up to the next span */
	uint32_t weight;
	struct fate fate;
};

struct program {
	struct sock_filter insn[BPF_MAXINSNS];
	size_t n;
	struct {
		size_t index;
		uint64_t caps;
		uint32_t ret_without;
	} patch[BPF_MAXINSNS];
	size_t n_patch;
};

struct calls {
	struct call v[CALLS_MAX];
	size_t n;
};

static const struct fate fate_eperm = {.ret = EPERM_RET};
static const struct fate fate_enosys = {.ret = ENOSYS_RET};

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "seccomp_gen: %s\n", what);
	exit(1);
}

static bool same_fate(const struct fate *a, const struct fate *b)
{
	return a->check == b->check && a->ret == b->ret && a->caps == b->caps;
}

/* ---- numbers of names -------------------------------------------------- */

/*
 * i386 has most socket and System V calls twice: through socketcall and ipc,
 * and since Linux 4.3 directly. By name libseccomp gives only a pseudo number
 * for these; the direct one is found by asking each number for its name.
 */
static int resolve_direct(uint32_t arch, const char *name)
{
	for (int nr = 0; nr < 1024; nr++) {
		char *have = seccomp_syscall_resolve_num_arch(arch, nr);
		const bool found = have && strcmp(have, name) == 0;

		free(have);
		if (found)
			return nr;
	}
	return -1;
}

static int resolve(uint32_t arch, const char *name)
{
	const size_t n_new =
		sizeof(seccomp_new_names) / sizeof(seccomp_new_names[0]);
	int nr = seccomp_syscall_resolve_name_arch(arch, name);

	if (nr < 0 && arch == SCMP_ARCH_X86)
		nr = resolve_direct(arch, name);
	for (size_t i = 0; nr < 0 && i < n_new; i++) {
		if (strcmp(name, seccomp_new_names[i].name) == 0)
			nr = seccomp_new_names[i].nr +
			     (arch == SCMP_ARCH_X32 ? 0x40000000 : 0);
	}
	/* The one new call that the numbering for all did not reach. */
	if (nr < 0 && arch == SCMP_ARCH_X86_64 &&
	    strcmp(name, "uretprobe") == 0)
		nr = 335;
	return nr;
}

static void add_call(struct calls *c, uint32_t nr, const struct fate *f)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].nr == nr && same_fate(&c->v[i].fate, f))
			return;
		if (c->v[i].nr == nr)
			die("a call stands in two rows that disagree");
	}
	if (c->n == CALLS_MAX)
		die("too many calls");
	c->v[c->n++] = (struct call){.nr = nr, .weight = 1, .fate = *f};
}

/* Call fn for each word of a list. */
static void each_name(const char *list, uint32_t arch, struct calls *c,
		      const struct fate *f)
{
	char name[64];

	while (*list) {
		const size_t n = strcspn(list, " ");
		int nr;

		if (n >= sizeof(name))
			die("a name is too long");
		memcpy(name, list, n);
		name[n] = '\0';
		list += n + strspn(list + n, " ");

		nr = resolve(arch, name);
		if (nr < 0)
			continue;
		if (f)
			add_call(c, (uint32_t)nr, f);
		for (size_t i = 0; !f && i < c->n; i++) {
			if (c->v[i].nr == (uint32_t)nr)
				c->v[i].weight = HOT_WEIGHT;
		}
	}
}

static struct fate fate_of(const struct seccomp_row *r)
{
	struct fate f = {
		.check = r->check,
		.ret = SECCOMP_RET_ALLOW,
		.caps = r->caps,
	};

	/* Not an argument, only another errno. */
	if (r->check == CHECK_NONE && r->caps)
		f.ret = EPERM_RET;
	if (r->check == CHECK_NOSYS) {
		f.check = CHECK_NONE;
		f.ret = ENOSYS_RET;
	}
	return f;
}

static void add_arch(struct calls *c, uint32_t arch, enum seccomp_machine m)
{
	const size_t n = sizeof(seccomp_rows) / sizeof(seccomp_rows[0]);

	for (size_t i = 0; i < n; i++) {
		const struct seccomp_row *r = &seccomp_rows[i];
		const struct fate f = fate_of(r);

		if (r->machine == ON_ANY || r->machine == m)
			each_name(r->names, arch, c, &f);
	}
	/* x32 is not worth a place near the root. */
	if (arch != SCMP_ARCH_X32)
		each_name(seccomp_hot, arch, c, NULL);
}

/* ---- intervals --------------------------------------------------------- */

static int by_nr(const void *a, const void *b)
{
	const struct call *x = a;
	const struct call *y = b;

	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static void add_span(struct span *s, size_t *n, uint32_t from, uint32_t weight,
		     const struct fate *f)
{
	if (*n && same_fate(&s[*n - 1].fate, f)) {
		s[*n - 1].weight += weight;
		return;
	}
	s[(*n)++] = (struct span){.from = from, .weight = weight, .fate = *f};
}

/*
 * A gap is EPERM if the profile knows newer calls, ENOSYS if not. Numbers come
 * in groups that lie far apart (x32 has a bit set, arm its private calls): the
 * gap between two groups is "newer than the first".
 */
static size_t make_spans(struct calls *c, struct span *s)
{
	uint32_t next = 0;
	size_t n = 0;

	qsort(c->v, c->n, sizeof(c->v[0]), by_nr);
	for (size_t i = 0; i < c->n; i++) {
		const uint32_t nr = c->v[i].nr;
		const bool far = nr - next > 0x8000;

		if (nr > next)
			add_span(s, &n, next, 1,
				 far ? &fate_enosys : &fate_eperm);
		add_span(s, &n, nr, c->v[i].weight, &c->v[i].fate);
		next = nr + 1;
	}
	add_span(s, &n, next, 1, &fate_enosys);
	return n;
}

/* ---- instructions ------------------------------------------------------ */

static size_t emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt,
		   uint8_t jf)
{
	if (p->n == BPF_MAXINSNS)
		die("the filter is too long");
	p->insn[p->n] = (struct sock_filter){code, jt, jf, k};
	return p->n++;
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_load_arg(struct program *p, size_t arg)
{
	/* The low half: all machines of this table are little endian. */
	emit_load(p, offsetof(struct seccomp_data, args) + 8 * arg);
}

static void emit_ret(struct program *p, uint32_t ret)
{
	emit(p, BPF_RET | BPF_K, ret, 0, 0);
}

/* "allow" that becomes ret when none of caps is kept. */
static void emit_ret_caps(struct program *p, uint64_t caps, uint32_t ret)
{
	p->patch[p->n_patch].index = p->n;
	p->patch[p->n_patch].caps = caps;
	p->patch[p->n_patch++].ret_without = ret;
	emit_ret(p, SECCOMP_RET_ALLOW);
}

static void emit_clone(struct program *p, uint64_t caps)
{
	emit_load_arg(p, 0);
	emit(p, BPF_JMP | BPF_JSET | BPF_K, SECCOMP_CLONE_MASK, 0, 1);
	emit_ret_caps(p, caps, EPERM_RET);
	emit_ret(p, SECCOMP_RET_ALLOW);
}

/* First match allows, or refuses where the ranges have a gap. */
static void emit_socket(struct program *p)
{
	const size_t n = sizeof(seccomp_families) / sizeof(seccomp_families[0]);

	emit_load_arg(p, 0);
	for (size_t i = n; i-- > 0;) {
		const size_t up = 1;

		/* above the range: refused; in it: allowed; else the next */
		emit(p, BPF_JMP | BPF_JGT | BPF_K, seccomp_families[i].last, 0,
		     up);
		emit_ret(p, EPERM_RET);
		emit(p, BPF_JMP | BPF_JGE | BPF_K, seccomp_families[i].first, 0,
		     up);
		emit_ret(p, SECCOMP_RET_ALLOW);
	}
	emit_ret(p, EPERM_RET);
}

static void emit_personality(struct program *p)
{
	const size_t n = sizeof(seccomp_personalities) /
			 sizeof(seccomp_personalities[0]);

	emit_load_arg(p, 0);
	for (size_t i = 0; i < n; i++) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, seccomp_personalities[i], 0,
		     1);
		emit_ret(p, SECCOMP_RET_ALLOW);
	}
	emit_ret(p, EPERM_RET);
}

static void emit_fate(struct program *p, const struct fate *f)
{
	switch (f->check) {
	case CHECK_CLONE:
		emit_clone(p, f->caps);
		return;
	case CHECK_SOCKET:
		emit_socket(p);
		return;
	case CHECK_PERSONALITY:
		emit_personality(p);
		return;
	case CHECK_NONE:
	case CHECK_NOSYS:
		break;
	}
	if (f->caps)
		emit_ret_caps(p, f->caps, f->ret);
	else
		emit_ret(p, f->ret);
}

/* Where the weights of both sides are nearest to each other: 1 .. n-1. */
static size_t split_at(const struct span *s, size_t n)
{
	uint64_t total = 0;
	uint64_t left = 0;
	uint64_t best_gap = UINT64_MAX;
	size_t best = 1;

	for (size_t i = 0; i < n; i++)
		total += s[i].weight;
	for (size_t i = 1; i < n; i++) {
		uint64_t gap;

		left += s[i - 1].weight;
		gap = left * 2 > total ? left * 2 - total : total - left * 2;
		if (gap < best_gap) {
			best_gap = gap;
			best = i;
		}
	}
	return best;
}

static void emit_tree(struct program *p, const struct span *s, size_t n)
{
	size_t mid;
	size_t jump;
	size_t far = 0;
	size_t len;

	if (n == 1) {
		emit_fate(p, &s[0].fate);
		return;
	}
	mid = split_at(s, n);
	jump = emit(p, BPF_JMP | BPF_JGE | BPF_K, s[mid].from, 0, 0);
	emit_tree(p, s, mid);
	len = p->n - jump - 1;
	if (len > 255) {
		/* Too far for 8 bits: make room for a long jump. */
		far = jump + 1;
		emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
		memmove(&p->insn[far + 1], &p->insn[far],
			len * sizeof(p->insn[0]));
		for (size_t i = 0; i < p->n_patch; i++) {
			if (p->patch[i].index >= far)
				p->patch[i].index++;
		}
		p->insn[jump].jf = 1;
		p->insn[far] = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0,
						    (uint32_t)len};
	} else {
		p->insn[jump].jt = (uint8_t)len;
	}
	emit_tree(p, s + mid, n - mid);
}

/* if (arch == audit_arch) { tree }, else fall through behind it */
static void emit_arch(struct program *p, uint32_t audit_arch, struct calls *c)
{
	static struct span spans[2 * CALLS_MAX + 1];
	const size_t n = make_spans(c, spans);
	size_t other;

	emit(p, BPF_JMP | BPF_JEQ | BPF_K, audit_arch, 1, 0);
	other = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit_tree(p, spans, n);
	p->insn[other].k = (uint32_t)(p->n - other - 1);
}

/* ---- output ------------------------------------------------------------ */

static void print_program(const struct program *p, const char *name)
{
	printf("#if defined(__%s__) || defined(SECCOMP_ALL_MACHINES)\n", name);
	printf("static const struct sock_filter seccomp_insn_%s[] = {\n", name);
	for (size_t i = 0; i < p->n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", p->insn[i].code,
		       p->insn[i].jt, p->insn[i].jf, p->insn[i].k);
	printf("};\n\n");
	printf("static const struct seccomp_patch seccomp_patch_%s[] = {\n",
	       name);
	for (size_t i = 0; i < p->n_patch; i++)
		printf("\t{ 0x%016llx, %zu, 0x%08x },\n",
		       (unsigned long long)p->patch[i].caps, p->patch[i].index,
		       p->patch[i].ret_without);
	printf("};\n#endif\n\n");
}

static struct calls *calls_of(uint32_t arch, uint32_t arch2,
			      enum seccomp_machine m)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory");
	add_arch(c, arch, m);
	if (arch2 != arch)
		add_arch(c, arch2, m);
	return c;
}

static void make_x86(struct program *p)
{
	struct calls *native =
		calls_of(SCMP_ARCH_X86_64, SCMP_ARCH_X32, ON_X86);
	struct calls *compat = calls_of(SCMP_ARCH_X86, SCMP_ARCH_X86, ON_X86);

	emit_load(p, offsetof(struct seccomp_data, arch));
	emit_arch(p, AUDIT_ARCH_X86_64, native);
	emit_arch(p, AUDIT_ARCH_I386, compat);
	emit_ret(p, SECCOMP_RET_KILL_PROCESS);
	free(native);
	free(compat);
}

static void make_arm(struct program *p)
{
	struct calls *native =
		calls_of(SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64, ON_ARM);
	struct calls *compat = calls_of(SCMP_ARCH_ARM, SCMP_ARCH_ARM, ON_ARM);

	emit_load(p, offsetof(struct seccomp_data, arch));
	emit_arch(p, AUDIT_ARCH_AARCH64, native);
	emit_arch(p, AUDIT_ARCH_ARM, compat);
	emit_ret(p, SECCOMP_RET_KILL_PROCESS);
	free(native);
	free(compat);
}

int main(void)
{
	static struct program x86;
	static struct program arm;

	make_x86(&x86);
	make_arm(&arm);
	printf("/* Made by seccomp_gen from runtime/seccomp_profile.h. */\n\n");
	print_program(&x86, "x86_64");
	print_program(&arm, "aarch64");
	if (fflush(stdout) != 0 || ferror(stdout))
		die("cannot write");
	return 0;
}
