/* Where controllers are, limits as lines for their files, rules of devices. */
#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/devices.h"
#include "runtime/cgroup/impl.h"
#include "runtime/cgroup/layout.h"
#include "runtime/cgroup/limits.h"
#include "runtime/cgroup/place.h"
#include "runtime/cgroup/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"

/* ---- layout ----------------------------------------------------------------- */

static const char hybrid_mounts[] =
	"30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"31 30 0:28 / /sys/fs/cgroup/cpu\\040x rw - cgroup cgroup "
	"rw,cpu,cpuacct\n"
	"34 30 0:31 /a /sys/fs/cgroup/memory rw shared:3 - cgroup none "
	"rw,memory\n"
	"39 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
	"rw,name=systemd\n"
	"40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"41 30 0:31 / /mnt/again rw - cgroup none rw,memory\n"
	"42 garbage";
static const char hybrid_self[] = "9:name=systemd:/s\n4:memory:/a/b\n"
				  "2:cpu,cpuacct:/\n0::/u/v\n";

static void hybrid_hosts_are_taken_apart(void **state)
{
	autolayout struct layout l = {0};
	const struct hierarchy *h;

	(void)state;
	layout_parse(hybrid_mounts, hybrid_self, &l);
	assert_int_equal(l.n, 3);
	h = layout_of(&l, CG_CPU);
	assert_non_null(h);
	assert_ptr_equal(h, layout_of(&l, CG_CPUACCT));
	assert_string_equal(h->mount, "/sys/fs/cgroup/cpu x");
	assert_string_equal(h->own, "/sys/fs/cgroup/cpu x");
	/* Only /a of it is mounted there. */
	h = layout_of(&l, CG_MEMORY);
	assert_string_equal(h->own, "/sys/fs/cgroup/memory/b");
	assert_int_equal(h->version, 1);
	h = layout_v2(&l);
	assert_string_equal(h->own, "/sys/fs/cgroup/unified/u/v");
	assert_null(layout_of(&l, CG_PIDS));
}

static void what_is_out_of_sight_is_not_ours(void **state)
{
	autolayout struct layout l = {0};

	(void)state;
	layout_parse("1 1 0:1 /x /cg rw - cgroup2 c rw\n", "0::/y\n", &l);
	assert_null(l.v[0].own);
	layout_free(&l);
	layout_parse("1 1 0:1 / /cg rw - cgroup2 c rw\n", "0::/../y\n", &l);
	assert_null(l.v[0].own);
	layout_free(&l);
	layout_parse("", "", &l);
	assert_null(layout_v2(&l));
}

static void names_of_controllers(void **state)
{
	(void)state;
	assert_int_equal(layout_controllers("cpuset cpu io memory hugetlb\n"),
			 1U << CG_CPUSET | 1U << CG_CPU | 1U << CG_IO |
				 1U << CG_MEMORY);
	assert_string_equal(controller_name(CG_IO, 1), "blkio");
	assert_string_equal(controller_name(CG_IO, 2), "io");
}

/* ---- limits ----------------------------------------------------------------- */

static void weights_by_the_formula(void **state)
{
	/* cpu.shares and cpu.weight of the OCI runtime specification. */
	static const int64_t pairs[][2] = {
		{0, 1},    {2, 1},      {3, 2},          {1024, 100},
		{512, 59}, {2048, 174}, {262144, 10000}, {300000, 10000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(limits_weight_of_shares(pairs[i][0]),
				 pairs[i][1]);
	assert_int_equal(limits_io_weight(10), 1);
	assert_int_equal(limits_io_weight(100), 910);
	assert_int_equal(limits_io_weight(1000), 10000);
}

static const int v1[CG_CONTROLLERS] = {1, 1, 1, 1, 1, 1, 1, 1};
static const int v2[CG_CONTROLLERS] = {2, 2, 2, 2, 2, 2, 2, 2};

static void expect(const struct limits_spec *l, const int *version,
		   const char *want)
{
	autosettings struct settings s = {0};
	autobuf struct buf b = buf_make(4096);
	struct err e = {0};

	if (settings_make(l, version, &s, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < s.n; i++)
		buf_addf(&b, "%s=%s;", s.v[i].file, s.v[i].value);
	assert_string_equal(buf_str(&b), want);
}

static void limits_become_lines(void **state)
{
	char zero[] = "0,1";
	const struct limits_spec memory = {.memory_bytes = 1000000,
					   .memory_swap_bytes = 1500000,
					   .memory_reservation_bytes = 5};
	const struct limits_spec free_swap = {.memory_bytes = 4096,
					      .memory_swap_bytes = -1};
	const struct limits_spec implied = {.memory_bytes = 4096};
	const struct limits_spec cpus = {.nano_cpus = 500000000,
					 .cpu_shares = 1024,
					 .cpuset_cpus = zero};
	const struct limits_spec period = {.cpu_period_us = 20000};
	const struct limits_spec rest = {.pids = 7, .blkio_weight = 100};
	const struct limits_spec no_pids = {.pids = -1};

	(void)state;
	expect(&memory, v1,
	       "memory.limit_in_bytes=1000000;"
	       "memory.memsw.limit_in_bytes=1500000;"
	       "memory.soft_limit_in_bytes=5;");
	expect(&memory, v2,
	       "memory.max=1000000;memory.swap.max=500000;memory.low=5;");
	expect(&free_swap, v1,
	       "memory.limit_in_bytes=4096;memory.memsw.limit_in_bytes=-1;");
	expect(&free_swap, v2, "memory.max=4096;memory.swap.max=max;");
	expect(&implied, v2, "memory.max=4096;memory.swap.max=4096;");
	expect(&cpus, v1,
	       "cpu.cfs_period_us=100000;cpu.cfs_quota_us=50000;"
	       "cpu.shares=1024;cpuset.cpus=0,1;");
	expect(&cpus, v2,
	       "cpu.max=50000 100000;cpu.weight=100;cpuset.cpus=0,1;");
	expect(&period, v2, "cpu.max=max 20000;");
	expect(&period, v1, "cpu.cfs_period_us=20000;");
	expect(&rest, v1, "pids.max=7;blkio.bfq.weight=100;");
	expect(&rest, v2, "pids.max=7;io.bfq.weight=100;");
	expect(&no_pids, v2, "pids.max=max;");
}

static void what_the_host_lacks_is_an_error(void **state)
{
	static const int none[CG_CONTROLLERS] = {0};
	const struct limits_spec memory = {.memory_bytes = 4096};
	const struct limits_spec swappy = {.has_swappiness = true,
					   .memory_swappiness = 10};
	const struct limits_spec no_oom = {.oom_kill_disable = true};
	struct limits_spec lax = memory;
	struct settings s = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(settings_make(&memory, none, &s, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "--memory"));
	assert_non_null(strstr(e.text, "'memory'"));
	err_clear(&e);
	assert_int_equal(settings_make(&swappy, v2, &s, &e), -1);
	assert_non_null(strstr(e.text, "--memory-swappiness"));
	err_clear(&e);
	assert_int_equal(settings_make(&no_oom, v2, &s, &e), -1);
	err_clear(&e);
	expect(&swappy, v1, "memory.swappiness=10;");
	expect(&no_oom, v1, "memory.oom_control=1;");
	lax.best_effort = true;
	expect(&lax, none, "");
}

static void what_is_read_back_is_judged(void **state)
{
	(void)state;
	assert_true(setting_holds(CHECK_NUMBER, "4096", "4096\n"));
	assert_true(setting_holds(CHECK_NUMBER, "5000", "4096\n"));
	assert_false(setting_holds(CHECK_NUMBER, "9000", "4096\n"));
	assert_false(setting_holds(CHECK_NUMBER, "4096", "8192\n"));
	assert_false(setting_holds(CHECK_NUMBER, "4096", "max\n"));
	assert_true(setting_holds(CHECK_NUMBER, "max", "max\n"));
	assert_true(setting_holds(CHECK_NUMBER, "-1", "9223372036854771712\n"));
	assert_false(setting_holds(CHECK_NUMBER, "-1", "4096\n"));
	assert_true(setting_holds(CHECK_SET, "0,1,2,5", "0-2,5\n"));
	assert_false(setting_holds(CHECK_SET, "0,1", "0\n"));
	assert_false(setting_holds(CHECK_SET, "0", "0-1\n"));
	assert_false(setting_holds(CHECK_SET, "0", "\n"));
	assert_true(setting_holds(CHECK_TEXT, "5 100", "5 100\n"));
	assert_false(setting_holds(CHECK_TEXT, "5 100", "max 100\n"));
	assert_true(setting_holds(CHECK_TEXT, "1", "oom_kill_disable 1\n"));
	assert_false(setting_holds(CHECK_TEXT, "1", "oom_kill_disable 0\n"));
	assert_true(setting_holds(
		CHECK_LINE, "8:0 rbps=1",
		"7:0 rbps=9 wbps=max\n8:0 rbps=1 wbps=max riops=max\n"));
	assert_false(setting_holds(CHECK_LINE, "8:0 rbps=1",
				   "7:0 rbps=1\n8:0 rbps=10\n"));
	assert_false(setting_holds(CHECK_LINE, "8:0 rbps=1", ""));
}

static void devices_and_rates(void **state)
{
	int64_t n = 0;
	autofree char *path = limits_device_split("/dev/a:b:12", &n);

	(void)state;
	assert_string_equal(path, "/dev/a:b");
	assert_int_equal(n, 12);
	assert_null(limits_device_split("/dev/a", &n));
	assert_null(limits_device_split("dev:1", &n));
	assert_null(limits_device_split("/dev/a:x", &n));
}

/* ---- places ----------------------------------------------------------------- */

static void parents(void **state)
{
	static const char *const pairs[][2] = {
		{"/a/b", "/a/b"},
		{"a", "/a"},
		{"/a/", "/a"},
		{"/", ""},
		{"a.slice", "/a.slice"},
		{"a-b.slice", "/a.slice/a-b.slice"},
		{"/a-b.slice", "/a-b.slice"},
	};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		autofree char *path = place_parent_path(pairs[i][0], &e);

		assert_non_null(path);
		assert_string_equal(path, pairs[i][1]);
	}
	assert_null(place_parent_path("/a/../b", &e));
	assert_int_equal(e.kind, ERR_USAGE);
	err_clear(&e);
	assert_null(place_parent_path(".", &e));
}

static void the_file_of_paths_comes_back(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef"
				 "0123456789abcdef0123456789abcdef";
	autofree char *text = xasprintf("1 8 1 /a/memory/prism/%s\n"
					"2 3 0 /b c/%s\n",
					id, id);
	char *const bad[] = {
		xasprintf("2 3 0 /b/%s/x\n", id),
		xasprintf("2 3 0 b/%s\n", id),
		xasprintf("3 3 0 /b/%s\n", id),
		xstrdup("2 3 0 /\n"),
		xstrdup("2 3 /a\n"),
	};
	autobuf struct buf b = buf_make(4096);
	struct cgroup *g = xcalloc(1, sizeof(*g));
	struct err e = {0};

	(void)state;
	assert_int_equal(cgroup_parse(text, g, &e), 0);
	assert_int_equal(g->n, 2);
	assert_ptr_equal(cgroup_dir_of(g, CG_MEMORY), &g->v[0]);
	assert_ptr_equal(cgroup_dir_of(g, CG_CPU), &g->v[1]);
	assert_null(cgroup_dir_of(g, CG_PIDS));
	cgroup_text(g, &b);
	assert_string_equal(buf_str(&b), text);
	cgroup_free(g);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		g = xcalloc(1, sizeof(*g));
		assert_int_equal(cgroup_parse(bad[i], g, &e), -1);
		err_clear(&e);
		cgroup_free(g);
		free(bad[i]);
	}
}

/* ---- devices ---------------------------------------------------------------- */

static void rules_are_read(void **state)
{
	static const char *const good[] = {"c 1:3 rwm", "b *:* m", "a 7:* rw",
					   "c 136:0 r"};
	static const char *const bad[] = {
		"",        "c",          "c 1 r",   "c 1:3",      "d 1:3 r",
		"c 1:3 x", "c 1:3 rwmm", "c a:3 r", "c  1:3 rwm", "c 1:-3 r"};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct device_rule r;
		char text[DEVICE_RULE_MAX];

		assert_int_equal(device_rule_parse(good[i], &r, &e), 0);
		device_rule_text(&r, text);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct device_rule r;

		if (device_rule_parse(bad[i], &r, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		err_clear(&e);
	}
}

/* What the kernel would answer: enough of its machine for these programs. */
static uint64_t judge(const struct bpf_insn *p, size_t n, uint32_t type,
		      uint32_t access, uint32_t ma, uint32_t mi)
{
	const struct bpf_cgroup_dev_ctx ctx = {access << 16 | type, ma, mi};
	uint64_t r[11] = {0};

	for (size_t i = 0; i < n; i++) {
		const struct bpf_insn *const x = &p[i];
		const uint64_t by = BPF_SRC(x->code) == BPF_X
					    ? r[x->src_reg]
					    : (uint64_t)x->imm;

		switch (BPF_CLASS(x->code)) {
		case BPF_LDX:
			assert_int_equal(x->src_reg, 1);
			memcpy(&r[x->dst_reg], (const char *)&ctx + x->off, 4);
			break;
		case BPF_ALU:
		case BPF_ALU64:
			if (BPF_OP(x->code) == BPF_MOV)
				r[x->dst_reg] = by;
			else if (BPF_OP(x->code) == BPF_AND)
				r[x->dst_reg] &= by;
			else
				r[x->dst_reg] >>= by;
			break;
		case BPF_JMP:
			if (BPF_OP(x->code) == BPF_EXIT)
				return r[0];
			if (r[x->dst_reg] != by)
				i += (size_t)x->off;
			break;
		default:
			fail_msg("instruction %zu", i);
		}
	}
	fail_msg("it runs out");
	return 0;
}

static void the_program_answers_by_the_rules(void **state)
{
	enum {
		BLK = BPF_DEVCG_DEV_BLOCK,
		CHR = BPF_DEVCG_DEV_CHAR
	};
	enum {
		M = 1,
		R = 2,
		W = 4
	};
	struct run_spec s = {0};
	autodevices struct device_rules rules = {0};
	autofree struct bpf_insn *p = NULL;
	struct err e = {0};
	size_t n = 0;

	(void)state;
	strv_add(&s.limits.device_rules, "c 10:200 r");
	strv_add(&s.limits.device_rules, "b 7:* rw");
	assert_true(devices_are_ruled(&s));
	assert_int_equal(device_rules_make(&s, &rules, &e), 0);
	p = device_rules_program(&rules, &n);
	assert_int_equal(judge(p, n, CHR, R | W, 1, 3), 1);
	assert_int_equal(judge(p, n, CHR, M, 1, 3), 1);
	assert_int_equal(judge(p, n, BLK, R, 1, 3), 0);
	assert_int_equal(judge(p, n, CHR, R, 1, 1), 0);
	assert_int_equal(judge(p, n, CHR, R | W, 136, 77), 1);
	assert_int_equal(judge(p, n, CHR, R, 10, 200), 1);
	assert_int_equal(judge(p, n, CHR, W, 10, 200), 0);
	assert_int_equal(judge(p, n, CHR, R | W, 10, 200), 0);
	assert_int_equal(judge(p, n, CHR, M, 10, 200), 0);
	assert_int_equal(judge(p, n, CHR, R, 10, 201), 0);
	assert_int_equal(judge(p, n, BLK, R | W, 7, 12), 1);
	assert_int_equal(judge(p, n, BLK, M, 7, 12), 0);
	assert_int_equal(judge(p, n, BLK, R, 8, 0), 0);
	spec_free(&s);
}

static void only_scopes_of_prism_are_entered(void **state)
{
	const char *const foreign[] = {
		"/sys/fs/cgroup/user.slice/session-1.scope/a",
		"/sys/fs/cgroup/prism/a",
		"/sys/fs/cgroup/a/prism-1.scope",
		"/sys/fs/cgroup/prism-a/b.scope/c",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		struct err e = {0};

		assert_int_equal(scope_enter(foreign[i], &e), -1);
		assert_int_equal(e.kind, ERR_UNSUPPORTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hybrid_hosts_are_taken_apart),
		cmocka_unit_test(what_is_out_of_sight_is_not_ours),
		cmocka_unit_test(names_of_controllers),
		cmocka_unit_test(weights_by_the_formula),
		cmocka_unit_test(limits_become_lines),
		cmocka_unit_test(what_the_host_lacks_is_an_error),
		cmocka_unit_test(what_is_read_back_is_judged),
		cmocka_unit_test(devices_and_rates),
		cmocka_unit_test(parents),
		cmocka_unit_test(the_file_of_paths_comes_back),
		cmocka_unit_test(rules_are_read),
		cmocka_unit_test(the_program_answers_by_the_rules),
		cmocka_unit_test(only_scopes_of_prism_are_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
