/*
 * A BPF interpreter for seccomp filters, and a judge that reads decisions from
 * a profile's JSON: what the tests of both kinds of filters share.
 */
#ifndef TESTS_UNIT_SECCOMP_JUDGE_H
#define TESTS_UNIT_SECCOMP_JUDGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/own.h"

#define BIT(c)       (UINT64_C(1) << (c))
#define DEFAULT_CAPS UINT64_C(0xa80425fb)
#define PODMAN_JSON  "/usr/share/containers/seccomp.json"

#define ALLOW  SECCOMP_RET_ALLOW
#define EPERM_ (SECCOMP_RET_ERRNO | EPERM)
#define NOSYS  (SECCOMP_RET_ERRNO | ENOSYS)

/* ---- the interpreter --------------------------------------------------- */

static unsigned int steps; /* of the last run */

static bool jumps(uint16_t op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return a & k;
	default:
		fail_msg("unknown jump 0x%x", op);
	}
	return false;
}

static uint32_t run(const struct sock_filter *f, size_t n,
		    const struct seccomp_data *d)
{
	uint32_t a = 0;
	size_t pc = 0;

	for (steps = 1; pc < n; steps++) {
		const struct sock_filter *i = &f[pc++];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			assert_int_equal(i->code, BPF_LD | BPF_W | BPF_ABS);
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*d));
			memcpy(&a, (const char *)d + i->k, 4);
			break;
		case BPF_ALU:
			assert_int_equal(i->code, BPF_ALU | BPF_AND | BPF_K);
			a &= i->k;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += jumps(BPF_OP(i->code), a, i->k) ? i->jt
								      : i->jf;
			break;
		case BPF_RET:
			return i->k;
		default:
			fail_msg("unknown instruction 0x%x", i->code);
		}
	}
	fail_msg("ran out of the filter");
	return 0;
}

struct filter {
	struct sock_filter v[BPF_MAXINSNS];
	size_t n;
};

static uint32_t ask(const struct filter *f, uint32_t arch, uint32_t nr,
		    uint64_t arg0)
{
	const struct seccomp_data d = {
		.nr = (int)nr,
		.arch = arch,
		.args = {arg0},
	};

	return run(f->v, f->n, &d);
}

static uint32_t ask64(const struct filter *f, long nr, uint64_t arg0)
{
	return ask(f, AUDIT_ARCH_X86_64, (uint32_t)nr, arg0);
}

/* ---- podman's profile, judged from its JSON ---------------------------- */

static bool has_cap(uint64_t caps, const char *name)
{
	static const struct {
		const char *name;
		int cap;
	} known[] = {
		{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
		{"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
		{"CAP_SYS_BOOT", CAP_SYS_BOOT},
		{"CAP_SYS_CHROOT", CAP_SYS_CHROOT},
		{"CAP_SYS_MODULE", CAP_SYS_MODULE},
		{"CAP_SYS_PACCT", CAP_SYS_PACCT},
		{"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
		{"CAP_SYS_RAWIO", CAP_SYS_RAWIO},
		{"CAP_SYS_TIME", CAP_SYS_TIME},
		{"CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG},
		{"CAP_SYS_NICE", CAP_SYS_NICE},
		{"CAP_SYSLOG", CAP_SYSLOG},
		{"CAP_BPF", CAP_BPF},
		{"CAP_PERFMON", CAP_PERFMON},
		{"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) == 0)
			return caps & BIT(known[i].cap);
	}
	fail_msg("the profile names %s", name);
	return false;
}

static bool rule_applies(const json_t *rule, uint64_t caps)
{
	const json_t *inc = json_object_get(rule, "includes");
	const json_t *exc = json_object_get(rule, "excludes");
	const json_t *arches = json_object_get(inc, "arches");
	const json_t *v;
	bool native = json_array_size(arches) == 0;
	size_t i;

	json_array_foreach(
		json_object_get(inc, "caps"), i,
		v) if (!has_cap(caps, json_string_value(v))) return false;
	json_array_foreach(
		json_object_get(exc, "caps"), i,
		v) if (has_cap(caps, json_string_value(v))) return false;
	json_array_foreach(arches, i,
			   v) if (strcmp(json_string_value(v), "amd64") == 0)
		native = true;
	return native;
}

static bool arg_fits(const json_t *arg, const struct seccomp_data *d)
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	const uint64_t want =
		(uint64_t)json_integer_value(json_object_get(arg, "value"));
	const uint64_t have =
		d->args[json_integer_value(json_object_get(arg, "index"))];

	if (strcmp(op, "SCMP_CMP_EQ") == 0)
		return have == want;
	if (strcmp(op, "SCMP_CMP_NE") == 0)
		return have != want;
	if (strcmp(op, "SCMP_CMP_MASKED_EQ") == 0)
		return (have & want) ==
		       (uint64_t)json_integer_value(
			       json_object_get(arg, "valueTwo"));
	fail_msg("the profile uses %s", op);
	return false;
}

static uint32_t ret_of(const json_t *o, const char *action, const char *number)
{
	if (strcmp(json_string_value(json_object_get(o, action)),
		   "SCMP_ACT_ALLOW") == 0)
		return ALLOW;
	return SECCOMP_RET_ERRNO |
	       (uint32_t)json_integer_value(json_object_get(o, number));
}

/* First a rule whose arguments fit; an ALLOW wins over a refusal. */
static uint32_t judge(const json_t *doc, const char *name, uint64_t caps,
		      const struct seccomp_data *d)
{
	uint32_t ret = ret_of(doc, "defaultAction", "defaultErrnoRet");
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(doc, "syscalls"), i, rule)
	{
		const json_t *v;
		bool named = false;
		bool fits = true;
		size_t k;

		json_array_foreach(json_object_get(rule, "names"), k, v)
			named |= strcmp(json_string_value(v), name) == 0;
		if (!named || !rule_applies(rule, caps))
			continue;
		json_array_foreach(json_object_get(rule, "args"), k, v) fits &=
			arg_fits(v, d);
		if (!fits)
			continue;
		ret = ret_of(rule, "action", "errnoRet");
		if (ret == ALLOW)
			return ret;
	}
	return ret;
}

static const uint64_t cap_sets[] = {
	0,
	DEFAULT_CAPS,
	DEFAULT_CAPS | BIT(CAP_SYS_ADMIN),
	DEFAULT_CAPS | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_TIME),
	BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO),
	BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYSLOG),
	(UINT64_C(1) << 41) - 1,
};

static json_t *load_podman(void)
{
	json_t *doc = json_load_file(PODMAN_JSON, 0, NULL);

	if (!doc)
		skip();
	return doc;
}

#endif
