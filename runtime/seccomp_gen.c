/*
 * seccomp_gen - compiles seccomp_profile.h to BPF while prism is built
 *
 * How it works
 * 1. Per architecture of a machine every named call becomes (number, fate). A
 *    number that nobody named has the fate EPERM up to the newest named one,
 *    ENOSYS above.
 * 2. Neighbours with the same fate are joined to intervals.
 * 3. A binary tree of "number >= x" jumps is laid over the intervals, split
 *    where the weights on both sides are nearest to each other, so that hot
 *    calls are near the root. A leaf returns at once, or looks at an argument.
 *    Equal leaves are shared: what the kernel needs to load a filter grows with
 *    its length, by about 0.3 us an instruction.
 *
 * Only instructions that the kernel can evaluate ahead of time stand on the
 * way to a plain "allow" (loads of arch and nr, AND, jumps, returns): Linux
 * 5.11 and newer then keep such calls in a bitmap and do not run the filter.
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

/* A return whose value depends on capabilities. */
struct patch {
	size_t place;
	uint64_t caps;
	uint32_t ret_without;
};

struct program {
	struct sock_filter insn[BPF_MAXINSNS];
	size_t n;
	struct patch patch[BPF_MAXINSNS];
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
	each_name(seccomp_hot, arch, c, NULL);
}

static struct calls *calls_of(uint32_t arch, enum seccomp_machine m)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory");
	add_arch(c, arch, m);
	return c;
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
static size_t make_spans(struct calls *c, uint32_t start, struct span *s)
{
	uint32_t next = start;
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

/*
 * The program is written from its end to its beginning, since jumps only lead
 * forward: what is jumped to is always there already, and equal returns are
 * shared as long as they are near enough. A place is its distance from the
 * end; insn[] is turned round when it is printed.
 */
static size_t put(struct program *p, uint16_t code, uint32_t k, uint8_t jt,
		  uint8_t jf)
{
	if (p->n == BPF_MAXINSNS)
		die("the filter is too long");
	p->insn[p->n] = (struct sock_filter){code, jt, jf, k};
	return p->n++;
}

static size_t put_load(struct program *p, size_t offset)
{
	return put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static size_t put_load_arg(struct program *p, size_t arg)
{
	/* The low half: all machines of this table are little endian. */
	return put_load(p, offsetof(struct seccomp_data, args) + 8 * arg);
}

/* The patch that belongs to a return, or NULL. */
static struct patch *patch_at(struct program *p, size_t place)
{
	for (size_t i = 0; i < p->n_patch; i++) {
		if (p->patch[i].place == place)
			return &p->patch[i];
	}
	return NULL;
}

static size_t put_ret(struct program *p, uint32_t ret, uint64_t caps)
{
	if (caps)
		p->patch[p->n_patch++] = (struct patch){
			.place = p->n,
			.caps = caps,
			.ret_without = ret,
		};
	return put(p, BPF_RET | BPF_K, caps ? SECCOMP_RET_ALLOW : ret, 0, 0);
}

/* A conditional jump reaches 255 further; some of that is kept for others. */
#define REACH 250

static bool in_reach(const struct program *p, size_t place)
{
	return p->n - place - 1 <= REACH;
}

/* A place in reach from which it goes on at `place`. */
static size_t near(struct program *p, size_t place)
{
	const struct patch *patch = patch_at(p, place);

	if (in_reach(p, place))
		return place;
	if (patch)
		return put_ret(p, patch->ret_without, patch->caps);
	if (p->insn[place].code == (BPF_RET | BPF_K))
		return put_ret(p, p->insn[place].k, 0);
	return put(p, BPF_JMP | BPF_JA, (uint32_t)(p->n - place - 1), 0, 0);
}

static size_t put_jump(struct program *p, uint16_t op, uint32_t k, size_t yes,
		       size_t no)
{
	yes = near(p, yes);
	no = near(p, no);
	return put(p, BPF_JMP | BPF_K | op, k, (uint8_t)(p->n - yes - 1),
		   (uint8_t)(p->n - no - 1));
}

/* A return that is there already, or a new one. caps as in a fate. */
static size_t get_ret(struct program *p, uint32_t ret, uint64_t caps)
{
	for (size_t i = p->n; i-- > 0 && in_reach(p, i);) {
		const struct patch *patch = patch_at(p, i);

		if (p->insn[i].code != (BPF_RET | BPF_K))
			continue;
		if (patch ? patch->caps == caps && patch->ret_without == ret
			  : !caps && p->insn[i].k == ret)
			return i;
	}
	return put_ret(p, ret, caps);
}

static size_t put_clone(struct program *p, uint64_t caps)
{
	const size_t plain = get_ret(p, SECCOMP_RET_ALLOW, 0);
	const size_t space = get_ret(p, EPERM_RET, caps);

	put_jump(p, BPF_JSET, SECCOMP_CLONE_MASK, space, plain);
	return put_load_arg(p, 0);
}

/* Range after range, the lowest (UNIX, INET) first. */
static size_t put_socket(struct program *p)
{
	const size_t n = sizeof(seccomp_families) / sizeof(seccomp_families[0]);
	const size_t allow = get_ret(p, SECCOMP_RET_ALLOW, 0);
	const size_t refuse = get_ret(p, EPERM_RET, 0);
	size_t next = refuse;

	for (size_t i = n; i-- > 0;) {
		size_t inside = allow;

		if (seccomp_families[i].first > 0)
			inside = put_jump(p, BPF_JGE, seccomp_families[i].first,
					  allow, refuse);
		next = put_jump(p, BPF_JGT, seccomp_families[i].last, next,
				inside);
	}
	return put_load_arg(p, 0);
}

static size_t put_personality(struct program *p)
{
	const size_t n = sizeof(seccomp_personalities) /
			 sizeof(seccomp_personalities[0]);
	const size_t allow = get_ret(p, SECCOMP_RET_ALLOW, 0);
	size_t next = get_ret(p, EPERM_RET, 0);

	for (size_t i = n; i-- > 0;)
		next = put_jump(p, BPF_JEQ, seccomp_personalities[i], allow,
				next);
	return put_load_arg(p, 0);
}

static size_t put_fate(struct program *p, const struct fate *f)
{
	switch (f->check) {
	case CHECK_CLONE:
		return put_clone(p, f->caps);
	case CHECK_SOCKET:
		return put_socket(p);
	case CHECK_PERSONALITY:
		return put_personality(p);
	case CHECK_NONE:
	case CHECK_NOSYS:
		break;
	}
	return get_ret(p, f->ret, f->caps);
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

static size_t put_tree(struct program *p, const struct span *s, size_t n)
{
	size_t mid;
	size_t high;
	size_t low;

	if (n == 1)
		return put_fate(p, &s[0].fate);
	mid = split_at(s, n);
	high = put_tree(p, s + mid, n - mid);
	low = put_tree(p, s, mid);
	return put_jump(p, BPF_JGE, s[mid].from, high, low);
}

static size_t put_calls(struct program *p, struct calls *c, uint32_t start)
{
	static struct span spans[2 * CALLS_MAX + 1];

	return put_tree(p, spans, make_spans(c, start, spans));
}

/*
 * x32 numbers are those of x86_64 with a bit set, and the fates are the same;
 * only from 512 on it has calls of its own. (A number below that x32 itself
 * does not have is left to the kernel, which says ENOSYS.)
 */
#define X32_BIT 0x40000000U
#define X32_OWN (X32_BIT + 512)

static struct calls *x32_own(const struct calls *native)
{
	struct calls *all = calls_of(SCMP_ARCH_X32, ON_X86);
	struct calls *own = calloc(1, sizeof(*own));

	if (!own)
		die("out of memory");
	for (size_t i = 0; i < all->n; i++) {
		const struct call *c = &all->v[i];
		bool same = false;

		if (c->nr >= X32_OWN) {
			own->v[own->n++] = *c;
			continue;
		}
		for (size_t k = 0; k < native->n; k++)
			same |= native->v[k].nr == (c->nr & ~X32_BIT) &&
				same_fate(&native->v[k].fate, &c->fate);
		if (!same)
			die("an x32 call differs from x86_64");
	}
	free(all);
	return own;
}

/* Tells x32 by the number, then the one tree for both. */
static size_t put_x86_64(struct program *p, struct calls *native)
{
	struct calls *own = x32_own(native);
	size_t tree;
	size_t strip;
	size_t high;
	size_t x32;

	/* The root of a tree is written last: "strip" falls through to it. */
	tree = put_calls(p, native, 0);
	strip = put(p, BPF_ALU | BPF_AND | BPF_K, ~X32_BIT, 0, 0);
	high = put_calls(p, own, X32_OWN);
	x32 = put_jump(p, BPF_JGE, X32_OWN, high, strip);
	free(own);
	return put_jump(p, BPF_JGE, X32_BIT, x32, tree);
}

/* if (arch == audit_arch) go on with the number, else elsewhere */
static size_t put_arch(struct program *p, uint32_t audit_arch, size_t other)
{
	const size_t load = put_load(p, offsetof(struct seccomp_data, nr));

	return put_jump(p, BPF_JEQ, audit_arch, load, other);
}

static void make_x86(struct program *p)
{
	struct calls *native = calls_of(SCMP_ARCH_X86_64, ON_X86);
	struct calls *compat = calls_of(SCMP_ARCH_X86, ON_X86);
	const size_t foreign = put_ret(p, SECCOMP_RET_KILL_PROCESS, 0);
	size_t other;

	put_calls(p, compat, 0);
	other = put_arch(p, AUDIT_ARCH_I386, foreign);
	put_x86_64(p, native);
	put_arch(p, AUDIT_ARCH_X86_64, other);
	put_load(p, offsetof(struct seccomp_data, arch));
	free(native);
	free(compat);
}

static void make_arm(struct program *p)
{
	struct calls *native = calls_of(SCMP_ARCH_AARCH64, ON_ARM);
	struct calls *compat = calls_of(SCMP_ARCH_ARM, ON_ARM);
	const size_t foreign = put_ret(p, SECCOMP_RET_KILL_PROCESS, 0);
	size_t other;

	put_calls(p, compat, 0);
	other = put_arch(p, AUDIT_ARCH_ARM, foreign);
	put_calls(p, native, 0);
	put_arch(p, AUDIT_ARCH_AARCH64, other);
	put_load(p, offsetof(struct seccomp_data, arch));
	free(native);
	free(compat);
}

/* ---- output ------------------------------------------------------------ */

static void print_program(const struct program *p, const char *name)
{
	printf("#if defined(__%s__) || defined(SECCOMP_ALL_MACHINES)\n", name);
	printf("static const struct sock_filter seccomp_insn_%s[] = {\n", name);
	for (size_t i = p->n; i-- > 0;)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", p->insn[i].code,
		       p->insn[i].jt, p->insn[i].jf, p->insn[i].k);
	printf("};\n\n");
	printf("static const struct seccomp_patch seccomp_patch_%s[] = {\n",
	       name);
	for (size_t i = p->n_patch; i-- > 0;)
		printf("\t{ 0x%016llx, %zu, 0x%08x },\n",
		       (unsigned long long)p->patch[i].caps,
		       p->n - 1 - p->patch[i].place, p->patch[i].ret_without);
	printf("};\n#endif\n\n");
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
