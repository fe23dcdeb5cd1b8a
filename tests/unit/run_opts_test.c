/*
 * run_opts: the single words of run's flags
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/run_opts.h"

/* ---- volumes --------------------------------------------------------------- */

static void volumes_in_all_forms(void **state)
{
	static const struct {
		const char *text;
		enum mount_type type;
		const char *source;
		const char *volume;
		const char *target;
		bool readonly;
	} all[] = {
		{"/a:/b", MOUNT_BIND, "/a", NULL, "/b", false},
		{"/a:/b:ro", MOUNT_BIND, "/a", NULL, "/b", true},
		{"./a:/b/c/", MOUNT_BIND, "./a", NULL, "/b/c", false},
		{"..:/b/../c", MOUNT_BIND, "..", NULL, "/c", false},
		{"data:/b", MOUNT_VOLUME, NULL, "data", "/b", false},
		{"d_1.x-y:/b:ro,z", MOUNT_VOLUME, NULL, "d_1.x-y", "/b", true},
		{"/b", MOUNT_VOLUME, NULL, NULL, "/b", false},
		{"/a:/b:rw,Z,cached", MOUNT_BIND, "/a", NULL, "/b", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct mount_spec m = {0};
		struct err e = {0};

		if (volume_parse(all[i].text, &m, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		assert_int_equal(m.type, all[i].type);
		assert_string_equal(m.target, all[i].target);
		assert_string_equal(m.source ? m.source : "",
				    all[i].source ? all[i].source : "");
		assert_string_equal(m.volume ? m.volume : "",
				    all[i].volume ? all[i].volume : "");
		assert_int_equal(m.readonly, all[i].readonly);
		spec_mount_free(&m);
	}
}

static void volume_options(void **state)
{
	struct mount_spec m = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(volume_parse("/a:/b:rslave,nosuid,noexec,U", &m, &e),
			 0);
	assert_int_equal(m.propagation, MS_SLAVE);
	assert_int_equal(m.attr, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	assert_true(m.chown);
	spec_mount_free(&m);
	assert_int_equal(volume_parse("/a:/b:O", &m, &e), 0);
	assert_true(m.throw_away);
	assert_int_equal(m.propagation, MS_PRIVATE);
	spec_mount_free(&m);
	assert_int_equal(volume_parse("v:/b:nocopy", &m, &e), 0);
	assert_true(m.no_copy);
	spec_mount_free(&m);
}

static void volumes_refused(void **state)
{
	static const char *const bad[] = {
		"",       "/a:",      ":/b",       "/a:b",       "/a:/b:foo",
		"/a:/",   "/a:/x/..", "/a:/b:ro:", "a b:/b",     "/",
		"a/b:/c", "~/a:/b",   "-x:/b",     "/a:/b:ro,x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct mount_spec m = {0};
		struct err e = {0};

		if (volume_parse(bad[i], &m, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

/* ---- --mount and --tmpfs ----------------------------------------------------- */

static void mounts_by_keys(void **state)
{
	struct mount_spec m = {0};
	struct err e = {0};
	bool create = false;

	(void)state;
	assert_int_equal(mount_parse("type=bind,source=/a,target=/b,readonly,"
				     "bind-propagation=rslave,bind-create-src",
				     &m, &create, &e),
			 0);
	assert_int_equal(m.type, MOUNT_BIND);
	assert_string_equal(m.source, "/a");
	assert_string_equal(m.target, "/b");
	assert_true(m.readonly);
	assert_true(create);
	assert_int_equal(m.propagation, MS_SLAVE);
	spec_mount_free(&m);

	assert_int_equal(mount_parse("type=bind,src=/a,dst=/b,ro=false", &m,
				     &create, &e),
			 0);
	assert_false(m.readonly);
	assert_false(create);
	spec_mount_free(&m);

	assert_int_equal(mount_parse("\"type=bind\",\"src=/a,b\",dst=/b", &m,
				     &create, &e),
			 0);
	assert_string_equal(m.source, "/a,b");
	spec_mount_free(&m);

	assert_int_equal(mount_parse("source=data,destination=/b,volume-nocopy",
				     &m, &create, &e),
			 0);
	assert_int_equal(m.type, MOUNT_VOLUME);
	assert_string_equal(m.volume, "data");
	assert_true(m.no_copy);
	spec_mount_free(&m);

	assert_int_equal(mount_parse("type=tmpfs,dst=/t,tmpfs-size=64m,"
				     "tmpfs-mode=700",
				     &m, &create, &e),
			 0);
	assert_int_equal(m.type, MOUNT_TMPFS);
	assert_string_equal(m.data, "mode=700,size=67108864");
	spec_mount_free(&m);
}

static void mounts_refused(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} bad[] = {
		{"type=bind,src=/a", ERR_USAGE},
		{"type=bind,dst=/b", ERR_USAGE},
		{"type=bind,src=/a,dst=b", ERR_USAGE},
		{"type=bind,src=/a,dst=/b,nonsense", ERR_USAGE},
		{"type=bind,src=/a,dst=/b,foo=1", ERR_USAGE},
		{"type=bind,src=/a,dst=/b,bind-propagation=x", ERR_USAGE},
		{"type=image,src=alpine,dst=/b", ERR_UNSUPPORTED},
		{"type=npipe,src=a,dst=/b", ERR_UNSUPPORTED},
		{"type=tmpfs,dst=/b,src=/a", ERR_USAGE},
		{"type=tmpfs,dst=/b,tmpfs-size=x", ERR_USAGE},
		{"type=tmpfs,dst=/b,tmpfs-mode=9", ERR_USAGE},
		{"src=/a,dst=/b", ERR_USAGE},
		{"dst=/b,volume-driver=nfs", ERR_UNSUPPORTED},
		{"type", ERR_USAGE},
		{"", ERR_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct mount_spec m = {0};
		struct err e = {0};
		bool create;

		if (mount_parse(bad[i].text, &m, &create, &e) == 0)
			fail_msg("'%s' was taken", bad[i].text);
		if (e.kind != (int)bad[i].kind)
			fail_msg("'%s': kind %d: %s", bad[i].text, e.kind,
				 e.text);
	}
}

static void tmpfs_words(void **state)
{
	struct mount_spec m = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(tmpfs_parse("/m", &m, &e), 0);
	assert_int_equal(m.attr, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					 MOUNT_ATTR_NOEXEC);
	assert_string_equal(m.data, "");
	spec_mount_free(&m);
	assert_int_equal(tmpfs_parse("/m:rw,exec,suid,size=6144m,mode=777,"
				     "uid=7",
				     &m, &e),
			 0);
	assert_int_equal(m.attr, MOUNT_ATTR_NODEV);
	assert_string_equal(m.data, "size=6144m,mode=777,uid=7");
	spec_mount_free(&m);
	assert_int_equal(tmpfs_parse("m", &m, &e), -1);
	err_clear(&e);
	assert_int_equal(tmpfs_parse("/m:nonsense", &m, &e), -1);
	err_clear(&e);
	assert_int_equal(tmpfs_parse("/m:tmpcopyup", &m, &e), -1);
}

/* ---- devices and ulimits ------------------------------------------------------- */

static void devices(void **state)
{
	static const struct {
		const char *text, *source, *target, *access;
	} all[] = {
		{"/dev/a", "/dev/a", "/dev/a", "rwm"},
		{"/dev/a:/dev/b", "/dev/a", "/dev/b", "rwm"},
		{"/dev/a:/dev/b:rw", "/dev/a", "/dev/b", "rw"},
		{"/dev/a:r", "/dev/a", "/dev/a", "r"},
		{"/dev/a::rw", "/dev/a", "/dev/a", "rw"},
	};
	static const char *const bad[] = {
		"dev/a",      "/dev/a:/dev/b:x",    "/dev/a:b",
		"/dev/a:/b:", "nvidia.com/gpu=all", "/dev/a:/b:rwmr",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct device_spec d = {0};
		struct err e = {0};

		if (device_parse(all[i].text, &d, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		assert_string_equal(d.source, all[i].source);
		assert_string_equal(d.target, all[i].target);
		assert_string_equal(d.access, all[i].access);
		free(d.source);
		free(d.target);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct device_spec d = {0};
		struct err e = {0};

		if (device_parse(bad[i], &d, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void ulimits(void **state)
{
	static const char *const bad[] = {
		"nofile",       "nofile=",  "nofile=x",  "nofile=2:1",
		"nofile=1:2:3", "nosuch=1", "nofile=-2", "=1",
	};
	struct rlimit_spec r = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(ulimit_parse("nofile=1024", &r, &e), 0);
	assert_int_equal(r.resource, RLIMIT_NOFILE);
	assert_int_equal(r.soft, 1024);
	assert_int_equal(r.hard, 1024);
	assert_int_equal(ulimit_parse("nofile=1024:4096", &r, &e), 0);
	assert_int_equal(r.soft, 1024);
	assert_int_equal(r.hard, 4096);
	assert_int_equal(ulimit_parse("memlock=-1", &r, &e), 0);
	assert_int_equal(r.resource, RLIMIT_MEMLOCK);
	assert_true(r.soft == UINT64_MAX && r.hard == UINT64_MAX);
	assert_int_equal(ulimit_parse("core=0:-1", &r, &e), 0);
	assert_int_equal(r.soft, 0);
	assert_true(r.hard == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err why = {0};

		if (ulimit_parse(bad[i], &r, &why) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(why.kind, ERR_USAGE);
	}
}

/* ---- ports ------------------------------------------------------------------------ */

/* "ip|first-last|port/protocol" of the ports of s, with blanks between. */
static void ports_text(const struct run_spec *s, char *out, size_t n)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct port_spec *const p = &s->ports[i];

		at += (size_t)snprintf(out + at, n - at, "%s%s|%u-%u|%u/%s",
				       i ? " " : "", p->ip ? p->ip : "",
				       p->host_first, p->host_last, p->port,
				       p->protocol);
	}
}

static void ports(void **state)
{
	static const struct {
		const char *text, *want;
	} all[] = {
		{"80", "|0-0|80/tcp"},
		{"8080:80", "|8080-8080|80/tcp"},
		{"8080:80/udp", "|8080-8080|80/udp"},
		{"127.0.0.1:8080:80", "127.0.0.1|8080-8080|80/tcp"},
		{"127.0.0.1::80", "127.0.0.1|0-0|80/tcp"},
		{"[::1]:8080:80/sctp", "::1|8080-8080|80/sctp"},
		{"8000-8001:9000-9001",
		 "|8000-8000|9000/tcp |8001-8001|9001/tcp"},
		{"8000-8005:80", "|8000-8005|80/tcp"},
		{"90-91", "|0-0|90/tcp |0-0|91/tcp"},
		{":80", "|0-0|80/tcp"},
		{"0:80", "|0-0|80/tcp"},
		{"127.0.0.1:0:80/udp", "127.0.0.1|0-0|80/udp"},
		{"[::1]:0:80", "::1|0-0|80/tcp"},
		{"0:90-91", "|0-0|90/tcp |0-0|91/tcp"},
		{"published=0,target=80", "|0-0|80/tcp"},
		{"published=8080,target=80", "|8080-8080|80/tcp"},
		{"target=53,protocol=udp,mode=host", "|0-0|53/udp"},
		{"published=8000-8001,target=90-91",
		 "|8000-8000|90/tcp |8001-8001|91/tcp"},
	};
	static const char *const bad[] = {
		"",
		"99999:80",
		"80:99999",
		"0-5:80",
		"80:0",
		"a:80",
		"80:b",
		"80:80/xyz",
		"80:",
		"1.2.3:80:80",
		"[::1]80",
		"8000-8001:9000-9005",
		"81-80",
		"1:2:3:4",
		"target=",
		"published=80",
		"target=80,80",
		"target=80,host=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct run_spec s = {0};
		struct err e = {0};
		char text[256];

		if (port_parse(all[i].text, &s, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		ports_text(&s, text, sizeof(text));
		assert_string_equal(text, all[i].want);
		spec_free(&s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct run_spec s = {0};
		struct err e = {0};

		if (port_parse(bad[i], &s, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		spec_free(&s);
	}
}

static void exposed(void **state)
{
	struct strv v = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(expose_parse("80", &v, &e), 0);
	assert_int_equal(expose_parse("80/tcp", &v, &e), 0);
	assert_int_equal(expose_parse("53/UDP", &v, &e), 0);
	assert_int_equal(expose_parse("7000-7001", &v, &e), 0);
	assert_int_equal(v.n, 4);
	assert_string_equal(v.v[0], "80/tcp");
	assert_string_equal(v.v[1], "53/udp");
	assert_string_equal(v.v[2], "7000/tcp");
	assert_string_equal(v.v[3], "7001/tcp");
	assert_int_equal(expose_parse("x", &v, &e), -1);
	strv_free(&v);
}

/* ---- env files ------------------------------------------------------------------- */

static void env_files(void **state)
{
	struct strv v = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(env_file_parse("\xef\xbb\xbf# comment\n"
					"A=1\r\n"
					"  B=two words # not a comment\n"
					"\n"
					"C=\"quoted\"\n"
					"BARE\n"
					"D=",
					"file", false, &v, &e),
			 0);
	assert_int_equal(v.n, 5);
	assert_string_equal(v.v[0], "A=1");
	assert_string_equal(v.v[1], "B=two words # not a comment");
	assert_string_equal(v.v[2], "C=\"quoted\"");
	assert_string_equal(v.v[3], "BARE");
	assert_string_equal(v.v[4], "D=");
	strv_free(&v);
	v = (struct strv){0};
	assert_int_equal(env_file_parse("G = 3\n", "file", false, &v, &e), -1);
	assert_non_null(strstr(e.text, "file:1"));
	err_clear(&e);
	assert_int_equal(env_file_parse("=3\n", "file", false, &v, &e), -1);
	err_clear(&e);
	assert_int_equal(env_file_parse("A=1\n\nB C\n", "file", false, &v, &e),
			 -1);
	assert_non_null(strstr(e.text, "file:3"));
	strv_free(&v);
}

static void env_files_of_shells(void **state)
{
	struct strv v = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(env_file_parse("export A=\"x y\"\n"
					"B='$not expanded' # comment\n"
					"C=a\\ b\n"
					"D=\"say \\\"hi\\\"\"\n",
					"file", true, &v, &e),
			 0);
	assert_int_equal(v.n, 4);
	assert_string_equal(v.v[0], "A=x y");
	assert_string_equal(v.v[1], "B=$not expanded");
	assert_string_equal(v.v[2], "C=a b");
	assert_string_equal(v.v[3], "D=say \"hi\"");
	strv_free(&v);
	v = (struct strv){0};
	assert_int_equal(env_file_parse("A=$HOME\n", "file", true, &v, &e), -1);
	err_clear(&e);
	assert_int_equal(env_file_parse("A='open\n", "file", true, &v, &e), -1);
	err_clear(&e);
	assert_int_equal(env_file_parse("A=b c\n", "file", true, &v, &e), -1);
	strv_free(&v);
}

/* ---- limits ----------------------------------------------------------------------- */

static int limits(struct run_opts *o, struct err *e)
{
	struct run_spec s = {0};
	int rc;

	o->limits = "best-effort";
	rc = run_opts_limits(o, &s, e);
	spec_free(&s);
	return rc;
}

static void limits_as_docker_checks_them(void **state)
{
	struct run_opts bad[] = {
		{.memory = "5m"},
		{.memory = "x"},
		{.memory_swap = "100m"},
		{.memory = "100m", .memory_swap = "50m"},
		{.memory = "100m", .memory_reservation = "200m"},
		{.memory_reservation = "1m"},
		{.cpus = "0.001"},
		{.cpus = "100000"},
		{.cpus = "1", .cpu_quota = "1000"},
		{.cpu_period = "10"},
		{.cpu_quota = "10"},
		{.cpu_shares = "-1"},
		{.cpuset_cpus = "0-"},
		{.cpuset_cpus = "8000"},
		{.cpuset_cpus = "1-0"},
		{.cpuset_mems = "a"},
		{.pids_limit = "-2"},
		{.pids_limit = "many"},
		{.blkio_weight = "5"},
		{.oom_score_adj = "1001"},
		{.shm_size = "big"},
	};
	struct run_opts good[] = {
		{.memory = "6m"},
		{.memory = "1g", .memory_swap = "-1"},
		{.memory = "1g", .memory_swap = "1g"},
		{.memory = "1g", .memory_reservation = "512m"},
		{.cpus = "0.5"},
		{.cpu_period = "100000", .cpu_quota = "50000"},
		{.cpuset_cpus = "0"},
		{.pids_limit = "-1"},
		{.oom_score_adj = "-1000"},
		{.shm_size = "2g"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = {0};

		if (limits(&bad[i], &e) == 0)
			fail_msg("bad[%zu] was taken", i);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct err e = {0};

		if (limits(&good[i], &e) < 0)
			fail_msg("good[%zu]: %s", i, e.text);
	}
}

static void limits_are_kept_in_the_spec(void **state)
{
	const struct run_opts o = {.memory = "1.5g",
				   .memory_swap = "2g",
				   .cpus = "0.5",
				   .cpu_shares = "512",
				   .cpuset_cpus = "0",
				   .pids_limit = "100",
				   .limits = "best-effort"};
	struct run_spec s = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(run_opts_limits(&o, &s, &e), 0);
	assert_int_equal(s.limits.memory_bytes, INT64_C(3) << 29);
	assert_int_equal(s.limits.memory_swap_bytes, INT64_C(2) << 30);
	assert_int_equal(s.limits.nano_cpus, 500000000);
	assert_int_equal(s.limits.cpu_shares, 512);
	assert_int_equal(s.limits.pids, 100);
	assert_string_equal(s.limits.cpuset_cpus, "0");
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volumes_in_all_forms),
		cmocka_unit_test(volume_options),
		cmocka_unit_test(volumes_refused),
		cmocka_unit_test(mounts_by_keys),
		cmocka_unit_test(mounts_refused),
		cmocka_unit_test(tmpfs_words),
		cmocka_unit_test(devices),
		cmocka_unit_test(ulimits),
		cmocka_unit_test(ports),
		cmocka_unit_test(exposed),
		cmocka_unit_test(env_files),
		cmocka_unit_test(env_files_of_shells),
		cmocka_unit_test(limits_as_docker_checks_them),
		cmocka_unit_test(limits_are_kept_in_the_spec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
