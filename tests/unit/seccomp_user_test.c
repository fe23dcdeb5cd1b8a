/* Seccomp profiles given by users: Docker's JSON through libseccomp. */
#include "runtime/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/unit/seccomp_judge.h"

#ifdef __x86_64__

static void from_text(const char *text, uint64_t caps, struct filter *f)
{
	struct sock_filter *v = NULL;
	struct err e = {0};

	if (seccomp_from_text(text, strlen(text), "test", caps, &v, &f->n, &e) <
	    0)
		fail_msg("%s", e.text);
	assert_true(f->n < BPF_MAXINSNS);
	memcpy(f->v, v, f->n * sizeof(*v));
	free(v);
}

static void podmans_profile_compiles_to_what_it_says(void **state)
{
	static const uint64_t args[][3] = {
		{0, 0, 0},       {8, 0, 0},  {3, 0, 0},
		{0x20008, 0, 0}, {16, 3, 9}, {16, 3, 0},
	};
	json_t *doc = load_podman();

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(cap_sets); c++) {
		struct sock_filter *v = NULL;
		struct err e = {0};
		size_t n = 0;

		if (seccomp_from_file(PODMAN_JSON, cap_sets[c], &v, &n, &e) < 0)
			fail_msg("%s", e.text);
		for (int i = 0; i < 440 * (int)ARRAY_LEN(args); i++) {
			const uint64_t *a = args[i % (int)ARRAY_LEN(args)];
			const struct seccomp_data d = {
				.nr = i / (int)ARRAY_LEN(args),
				.arch = AUDIT_ARCH_X86_64,
				.args = {a[0], a[1], a[2]},
			};
			char *name = seccomp_syscall_resolve_num_arch(
				SCMP_ARCH_X86_64, d.nr);
			const uint32_t got = run(v, n, &d);

			if (name && got != judge(doc, name, cap_sets[c], &d))
				fail_msg("%s(%llu): 0x%x", name,
					 (unsigned long long)a[0], got);
			free(name);
		}
		free(v);
	}
	json_decref(doc);
}

static void small_profiles(void **state)
{
	static struct filter f;

	(void)state;
	from_text("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		  "\"name\":\"mkdir\",\"action\":\"SCMP_ACT_ERRNO\"},{"
		  "\"names\":[\"chmod\",\"nosuchcall\"],\"errnoRet\":13,"
		  "\"action\":\"SCMP_ACT_ERRNO\"},{\"names\":[\"socket\"],"
		  "\"action\":\"SCMP_ACT_KILL_PROCESS\",\"args\":[{\"index\":0,"
		  "\"value\":38,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":"
		  "40,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		  0, &f);
	assert_int_equal(ask64(&f, SYS_mkdir, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_chmod, 0), SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(ask64(&f, SYS_read, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_socket, 38), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask64(&f, SYS_socket, 40), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask64(&f, SYS_socket, 2), ALLOW);
	/* Allowing by default, nothing becomes ENOSYS. */
	assert_int_equal(ask64(&f, 9999, 0), ALLOW);
}

static void user_profiles_know_what_is_newer(void **state)
{
	static struct filter f;

	(void)state;
	from_text("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{"
		  "\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":"
		  "[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}],\"syscalls\":[{"
		  "\"names\":[\"read\",\"openat2\"],\"action\":"
		  "\"SCMP_ACT_ALLOW\"}]}",
		  0, &f);
	assert_int_equal(ask64(&f, SYS_read, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_openat2, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_write, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_openat2 + 1, 0), NOSYS);
	assert_int_equal(ask64(&f, 0x40000000, 0), ALLOW);
	assert_int_equal(ask64(&f, 0x40000001, 0), EPERM_);
	assert_int_equal(ask64(&f, 0x40000000 + 600, 0), NOSYS);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 3, 0), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 4, 0), EPERM_);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 438, 0), NOSYS);

	/* i386: socket by its own number is not taken for something new */
	from_text("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":["
		  "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"syscalls\":[{"
		  "\"names\":[\"read\",\"socket\"],\"action\":"
		  "\"SCMP_ACT_ALLOW\"}]}",
		  0, &f);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 359, AF_INET), ALLOW);
}

static void conditions(void **state)
{
	static struct filter f;
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_BPF\"]}},"
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"close\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"minKernel\":\"999.0\"}},"
		"{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"arches\":[\"s390x\"]}},"
		"{\"names\":[\"dup2\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"excludes\":{\"arches\":[\"s390x\"]}}]}";

	(void)state;
	from_text(text, 0, &f);
	assert_int_equal(ask64(&f, SYS_mount, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_read, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_write, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_close, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_dup, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_dup2, 0), ALLOW);
	from_text(text, BIT(CAP_SYS_ADMIN), &f);
	assert_int_equal(ask64(&f, SYS_mount, 0), EPERM_);
	assert_int_equal(ask64(&f, SYS_read, 0), EPERM_);
	from_text(text, BIT(CAP_SYS_ADMIN) | BIT(CAP_BPF), &f);
	assert_int_equal(ask64(&f, SYS_mount, 0), ALLOW);
}

static void broken_profiles_say_where(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *says;
	} rows[] = {
		{"", ERR_INVALID, "test"},
		{"{", ERR_INVALID, "test"},
		{"[]", ERR_INVALID, "test"},
		{"{}", ERR_INVALID, "defaultAction"},
		{"{\"defaultAction\":7}", ERR_INVALID, "defaultAction"},
		{"{\"defaultAction\":\"ALLOW\"}", ERR_INVALID, "'ALLOW'"},
		{"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", ERR_UNSUPPORTED,
		 "SCMP_ACT_NOTIFY"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
		 ERR_INVALID, "syscalls"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		 "\"names\":[\"read\",7],\"action\":\"SCMP_ACT_LOG\"}]}",
		 ERR_INVALID, "syscalls[0].names[1]"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		 "\"action\":\"SCMP_ACT_LOG\"}]}",
		 ERR_INVALID, "syscalls[0]"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		 "\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{"
		 "\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		 ERR_INVALID, "args[0].index"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		 "\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{"
		 "\"index\":0,\"value\":0,\"op\":\"EQ\"}]}]}",
		 ERR_INVALID, "args[0].op"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":"
		 "5000}",
		 ERR_INVALID, "defaultErrnoRet"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":["
		 "\"x86\"]}",
		 ERR_INVALID, "architectures[0]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sock_filter *v = NULL;
		struct err e = {0};
		size_t n = 0;

		assert_int_equal(seccomp_from_text(rows[i].text,
						   strlen(rows[i].text), "test",
						   0, &v, &n, &e),
				 -1);
		assert_null(v);
		if (e.kind != (int)rows[i].kind ||
		    !strstr(e.text, rows[i].says))
			fail_msg("%s: kind %d: %s", rows[i].text, e.kind,
				 e.text);
	}
}

static void absent_profile(void **state)
{
	struct sock_filter *v = NULL;
	struct err e = {0};
	size_t n = 0;

	(void)state;
	assert_int_equal(
		seccomp_from_file("/nonexistent/p.json", 0, &v, &n, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_non_null(strstr(e.text, "/nonexistent/p.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(podmans_profile_compiles_to_what_it_says),
		cmocka_unit_test(small_profiles),
		cmocka_unit_test(user_profiles_know_what_is_newer),
		cmocka_unit_test(conditions),
		cmocka_unit_test(broken_profiles_say_where),
		cmocka_unit_test(absent_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 0; /* the numbers above are those of x86_64 */
}

#endif
