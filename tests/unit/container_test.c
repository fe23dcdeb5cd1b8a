/*
 * Containers on disk, without one that runs: spec.json there and back, names,
 * status by lock and files, removal.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/own.h"
#include "runtime/container.h"
#include "runtime/name.h"

struct fix {
	char path[64];
	struct container_home home;
};

static int setup(void **state)
{
	struct fix *const f = xcalloc(1, sizeof(*f));

	(void)umask(0);
	(void)snprintf(f->path, sizeof(f->path), "/tmp/prism-unit.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->home.root_path = f->path;
	f->home.root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->home.root_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fix *const f = *state;
	struct err e = {0};
	const int rc = fs_remove_tree_at(AT_FDCWD, f->path, &e);

	(void)close(f->home.root_fd);
	free(f);
	return rc;
}

static void works(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%s", e->text);
}

/* A plain one; its lock is held until it is closed. */
static struct container make(struct fix *f, const char *name, bool keep)
{
	struct run_spec s = {.keep = keep};
	struct container_info i = {.created_ns = 1};
	const struct container_new n = {
		.name = name, .spec = &s, .info = &i, .root_mode = 0755};
	struct container c = CONTAINER_NONE;
	struct err e = {0};

	works(container_create(&f->home, &n, &c, &e), &e);
	return c;
}

static enum container_status status_of(struct fix *f, const char *text)
{
	autocontainer struct container c = CONTAINER_NONE;
	autostate struct container_state s = {0};
	struct err e = {0};

	works(container_open(&f->home, text, &c, &e), &e);
	works(container_state_get(&c, &s, &e), &e);
	return s.status;
}

/* ---- spec.json ------------------------------------------------------------ */

static void fill(struct run_spec *s, struct container_info *i,
		 const char *root_path)
{
	s->keep = true;
	strv_take(&s->lowers, xasprintf("%s/layers/sha256/1/fs", root_path));
	strv_add(&s->lowers, "/elsewhere/fs");
	s->userns = true;
	s->map = (struct idmap){.n_uid = 2, .n_gid = 1, .helpers = true};
	s->map.uid[1] = (struct idrange){1, 100000, 65536};
	s->net = NET_HOST;
	spec_add_mount(s, &(struct mount_spec){.source = xstrdup("/src"),
					       .target = xstrdup("/dst"),
					       .readonly = true,
					       .propagation = 1 << 19});
	spec_add_port(s, &(struct port_spec){.port = 80, .protocol = "tcp"});
	s->caps.bounding = CAPS_DEFAULT;
	s->filter = xcalloc(2, sizeof(*s->filter));
	s->n_filter = 2;
	s->filter[1].k = 42;
	strv_add(&s->args, "sh");
	strv_add(&s->args, "");
	strv_add(&s->env, "A=\xff");
	s->user = xstrdup("1:2");
	s->tty = true;
	s->stop_signal = 3;
	strv_add(&s->labels, "k=v");
	strv_add(&s->health.test, "CMD");
	s->health.retries = 3;
	s->restart.when = RESTART_ON_FAILURE;
	s->restart.max_retries = 5;
	i->image = xstrdup("alpine:3.20");
	i->created_ns = 1700000000123456789;
}

static void check_spec(const struct run_spec *s, const char *root_path)
{
	autofree char *lower = xasprintf("%s/layers/sha256/1/fs", root_path);

	assert_true(s->keep);
	assert_int_equal(s->lowers.n, 2);
	assert_string_equal(s->lowers.v[0], lower);
	assert_string_equal(s->lowers.v[1], "/elsewhere/fs");
	assert_int_equal(s->map.n_uid, 2);
	assert_int_equal(s->map.uid[1].outside, 100000);
	assert_true(s->map.helpers);
	assert_int_equal(s->net, NET_HOST);
	assert_int_equal(s->n_mounts, 1);
	assert_string_equal(s->mounts[0].target, "/dst");
	assert_true(s->mounts[0].readonly);
	assert_int_equal(s->mounts[0].propagation, 1 << 19);
	assert_true(s->caps.bounding == CAPS_DEFAULT);
	assert_int_equal(s->n_filter, 2);
	assert_int_equal(s->filter[1].k, 42);
	assert_int_equal(s->args.n, 2);
	assert_string_equal(s->env.v[0], "A=\xff");
	assert_string_equal(s->user, "1:2");
	assert_true(s->tty);
	assert_int_equal(s->stop_signal, 3);
	assert_int_equal(s->n_ports, 1);
	assert_int_equal(s->ports[0].port, 80);
	assert_string_equal(s->ports[0].protocol, "tcp");
	assert_string_equal(s->labels.v[0], "k=v");
	assert_string_equal(s->health.test.v[0], "CMD");
	assert_int_equal(s->health.retries, 3);
	assert_int_equal(s->restart.when, RESTART_ON_FAILURE);
	assert_int_equal(s->restart.max_retries, 5);
}

static void spec_comes_back(void **state)
{
	struct fix *const f = *state;
	struct run_spec s = {0};
	struct container_info i = {0};
	struct container c = CONTAINER_NONE;
	struct run_spec s2 = {0};
	struct container_info i2 = {0};
	struct err e = {0};

	fill(&s, &i, f->path);
	works(container_create(&f->home,
			       &(struct container_new){.name = "web",
						       .spec = &s,
						       .info = &i,
						       .root_mode = 0751},
			       &c, &e),
	      &e);
	container_close(&c);
	works(container_open(&f->home, "web", &c, &e), &e);
	works(container_load(&f->home, &c, &s2, &i2, &e), &e);
	check_spec(&s2, f->path);
	assert_string_equal(i2.image, "alpine:3.20");
	assert_true(i2.created_ns == 1700000000123456789);
	container_close(&c);
	spec_free(&s);
	spec_free(&s2);
	info_free(&i);
	info_free(&i2);
}

/* ---- names ---------------------------------------------------------------- */

static void derived_names_are_words(void **state)
{
	char id[CONTAINER_ID_MAX];
	char name[CONTAINER_NAME_MAX];
	struct err e = {0};

	(void)state;
	memset(id, '0', 64);
	id[64] = '\0';
	for (int n = 0; n < 0x1000; n++) {
		char digits[8];

		(void)snprintf(digits, sizeof(digits), "%03x", (unsigned)n);
		memcpy(id + 4, digits, 3);
		name_derive(id, name);
		works(name_check(name, &e), &e);
		assert_non_null(strchr(name, '_'));
		assert_null(strstr(name, "__"));
		assert_true(str_ends(name, "_0000"));
	}
}

static void each_way_to_name_one(void **state)
{
	struct fix *const f = *state;
	struct container a = make(f, "web", true);
	struct container b = make(f, NULL, true);
	struct container found = CONTAINER_NONE;
	char prefix[13];
	struct err e = {0};
	const char *const ways[] = {a.id, "web", "/web", prefix};

	(void)snprintf(prefix, sizeof(prefix), "%.12s", a.id);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		works(container_open(&f->home, ways[i], &found, &e), &e);
		assert_string_equal(found.id, a.id);
		assert_string_equal(found.name, "web");
		assert_true(found.named);
		container_close(&found);
	}
	works(container_open(&f->home, b.name, &found, &e), &e);
	assert_string_equal(found.id, b.id);
	assert_false(found.named);
	container_close(&found);
	assert_int_equal(container_open(&f->home, "nope", &found, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_string_equal(e.text, "No such container: nope");
	err_clear(&e);
	/* All fit the empty one, so it is none. */
	assert_int_equal(container_open(&f->home, "", &found, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	container_close(&a);
	container_close(&b);
}

static void a_name_is_taken_once(void **state)
{
	struct fix *const f = *state;
	struct container a = make(f, "web", true);
	struct run_spec s = {.keep = true};
	struct container_info i = {0};
	struct container_new n = {.name = "web", .spec = &s, .info = &i};
	struct container c = CONTAINER_NONE;
	struct err e = {0};

	assert_int_equal(container_create(&f->home, &n, &c, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_non_null(strstr(e.text, "(running)"));
	err_clear(&e);
	container_close(&a);
	n.name = "a/b";
	assert_int_equal(container_create(&f->home, &n, &c, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
}

static void renames_are_true_at_once(void **state)
{
	struct fix *const f = *state;
	struct container a = make(f, "old", true);
	struct container b = make(f, NULL, true);
	struct container found = CONTAINER_NONE;
	struct err e = {0};

	works(name_move(&f->home, a.id, "old", "new", &e), &e);
	works(container_open(&f->home, "new", &found, &e), &e);
	assert_string_equal(found.id, a.id);
	container_close(&found);
	assert_int_equal(container_open(&f->home, "old", &found, &e), -1);
	err_clear(&e);
	assert_int_equal(name_move(&f->home, b.id, b.name, "new", &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	err_clear(&e);
	works(name_move(&f->home, b.id, b.name, "other", &e), &e);
	works(container_open(&f->home, "other", &found, &e), &e);
	assert_string_equal(found.id, b.id);
	container_close(&found);
	/* The derived name is not its own any more. */
	assert_int_equal(container_open(&f->home, b.name, &found, &e), -1);
	container_close(&a);
	container_close(&b);
}

static void links_of_the_gone_are_swept(void **state)
{
	struct fix *const f = *state;
	struct container a = make(f, "stays", true);
	struct container b = make(f, "goes", true);
	autofree char *dir = xasprintf("%s/containers/%s", f->path, b.id);
	autofree char *link = xasprintf("%s/containers/by-name/goes", f->path);
	struct container found = CONTAINER_NONE;
	struct stat st;
	struct err e = {0};

	container_close(&a);
	container_close(&b);
	works(fs_remove_tree_at(AT_FDCWD, dir, &e), &e);
	assert_int_equal(container_open(&f->home, "goes", &found, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	err_clear(&e);
	works(name_sweep(&f->home, &e), &e);
	assert_int_equal(lstat(link, &st), -1);
	works(container_open(&f->home, "stays", &found, &e), &e);
	container_close(&found);
}

/* ---- status --------------------------------------------------------------- */

static void status_follows_lock_and_files(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);
	struct container_state s = {.status = CONTAINER_PAUSED};
	struct err e = {0};

	assert_int_equal(status_of(f, "x"), CONTAINER_CREATED);
	works(container_started(&c, getpid(), &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_CREATED);
	works(container_runs(&c, &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_RUNNING);
	works(container_state_put(&c, &s, &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_PAUSED);
	/* The next run: what was said of the one before counts no more. */
	works(container_started(&c, getpid(), &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_CREATED);
	works(container_runs(&c, &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_RUNNING);
	works(container_finish(&f->home, &c, 7, -1, &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_EXITED);
	works(container_open(&f->home, "x", &c, &e), &e);
	works(container_state_get(&c, &s, &e), &e);
	assert_int_equal(s.exit_code, 7);
	assert_int_equal(s.run, 2);
	assert_int_equal(s.pid, 0);
	assert_true(s.finished_ns >= s.started_ns);
	state_free(&s);
	/* Started again, and its monitor killed. */
	works(container_lock(&c, &e), &e);
	works(container_started(&c, getpid(), &e), &e);
	container_close(&c);
	works(container_open(&f->home, "x", &c, &e), &e);
	works(container_state_get(&c, &s, &e), &e);
	assert_int_equal(s.status, CONTAINER_EXITED);
	assert_int_equal(s.exit_code, 137);
	assert_true(s.finished_ns == 0);
	state_free(&s);
	works(container_sweep(&f->home, &e), &e);
	works(container_state_get(&c, &s, &e), &e);
	assert_int_equal(s.exit_code, 137);
	assert_true(s.finished_ns != 0);
	state_free(&s);
	container_close(&c);
}

/* It runs when its program was executed, and not when its init is there. */
static void one_that_is_being_started_is_what_it_was(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);
	struct container_state s = {.status = CONTAINER_EXITED, .exit_code = 4};
	struct container other = CONTAINER_NONE;
	struct err e = {0};
	pid_t pid = 0;
	int fd;

	works(container_open(&f->home, "x", &other, &e), &e);
	works(container_started(&c, getpid(), &e), &e);
	assert_int_equal(container_pidfd(&other, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	err_clear(&e);
	fd = container_init_pidfd(&other, &pid, &e);
	works(fd, &e);
	assert_int_equal(pid, getpid());
	(void)close(fd);
	works(container_runs(&c, &e), &e);
	fd = container_pidfd(&other, &pid, &e);
	works(fd, &e);
	assert_int_equal(pid, getpid());
	(void)close(fd);
	works(container_state_put(&c, &s, &e), &e);
	works(container_started(&c, getpid(), &e), &e);
	works(container_state_get(&other, &s, &e), &e);
	assert_int_equal(s.status, CONTAINER_EXITED);
	assert_int_equal(s.exit_code, 4);
	assert_int_equal(s.run, 2);
	assert_int_equal(s.pid, 0);
	assert_true(s.alive);
	state_free(&s);
	s = (struct container_state){.status = CONTAINER_RESTARTING};
	works(container_state_put(&c, &s, &e), &e);
	works(container_started(&c, getpid(), &e), &e);
	assert_int_equal(status_of(f, "x"), CONTAINER_RESTARTING);
	container_close(&other);
	container_close(&c);
}

static void created_and_dead(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);

	container_close(&c);
	assert_int_equal(status_of(f, "x"), CONTAINER_CREATED);
}

static void the_fleeting_are_swept(void **state)
{
	struct fix *const f = *state;
	struct container lives = make(f, "lives", false);
	struct container dead = make(f, "dead", false);
	struct container made = make(f, "made", false);
	struct container_state s = {.status = CONTAINER_CREATED};
	struct container found = CONTAINER_NONE;
	struct err e = {0};

	container_close(&dead);
	/* One of `create --rm`, which is yet to be started. */
	works(container_state_put(&made, &s, &e), &e);
	container_close(&made);
	works(container_sweep(&f->home, &e), &e);
	assert_int_equal(status_of(f, "made"), CONTAINER_CREATED);
	assert_int_equal(status_of(f, "lives"), CONTAINER_CREATED);
	assert_int_equal(container_open(&f->home, "dead", &found, &e), -1);
	err_clear(&e);
	works(container_finish(&f->home, &lives, 0, -1, &e), &e);
	assert_int_equal(container_open(&f->home, "lives", &found, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void who_waits_reads_the_exit_code_of_the_gone(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", false);
	struct container other = CONTAINER_NONE;
	struct container_head h = {0};
	struct err e = {0};

	works(container_started(&c, getpid(), &e), &e);
	works(container_open(&f->home, "x", &other, &e), &e);
	assert_true(lock_is_held(other.lock_fd));
	assert_int_equal(container_lock(&other, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	err_clear(&e);
	works(container_finish(&f->home, &c, 3, -1, &e), &e);
	works(container_wait_unlocked(&other, &e), &e);
	works(head_read(other.lock_fd, &h, &e), &e);
	assert_int_equal(h.exit_code, 3);
	assert_int_equal(container_lock(&other, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	container_close(&other);
}

/* Neither a start nor a look is fooled by one that cleans up. */
static void who_works_for_the_dead_does_not_look_alive(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);
	struct container sweeper = CONTAINER_NONE;
	struct container other = CONTAINER_NONE;
	autostate struct container_state s = {0};
	struct err e = {0};

	works(container_started(&c, getpid(), &e), &e);
	works(container_open(&f->home, "x", &sweeper, &e), &e);
	works(container_open(&f->home, "x", &other, &e), &e);
	assert_int_equal(container_lock_dead(&sweeper, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	err_clear(&e);
	container_close(&c);
	works(container_lock_dead(&sweeper, &e), &e);
	assert_false(lock_is_held(other.lock_fd));
	assert_int_equal(container_lock_dead(&other, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	err_clear(&e);
	works(container_wait_unlocked(&other, &e), &e);
	works(container_state_get(&other, &s, &e), &e);
	assert_int_equal(s.status, CONTAINER_EXITED);
	assert_int_equal(s.exit_code, 137);
	lock_drop(sweeper.lock_fd);
	works(container_lock(&other, &e), &e);
	container_close(&other);
	container_close(&sweeper);
}

static void a_reused_pid_is_nobody(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);
	struct container other = CONTAINER_NONE;
	struct container_head h;
	struct err e = {0};
	int fd;

	works(container_started(&c, getpid(), &e), &e);
	works(container_runs(&c, &e), &e);
	works(container_open(&f->home, "x", &other, &e), &e);
	fd = container_pidfd(&other, NULL, &e);
	works(fd, &e);
	(void)close(fd);
	/* Recorded long before this process was born. */
	h = c.head;
	h.boot_ns = 1;
	works(head_write(c.lock_fd, &h, &e), &e);
	assert_int_equal(container_pidfd(&other, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	container_close(&other);
	container_close(&c);
}

static int count(void *ctx, struct container *c, struct err *e)
{
	(void)c;
	(void)e;
	++*(int *)ctx;
	return 0;
}

static void each_sees_all(void **state)
{
	struct fix *const f = *state;
	struct err e = {0};
	int n = 0;

	works(container_each(&f->home, count, &n, &e), &e);
	assert_int_equal(n, 0);
	for (int i = 0; i < 3; i++) {
		struct container c = make(f, NULL, true);

		container_close(&c);
	}
	works(container_each(&f->home, count, &n, &e), &e);
	assert_int_equal(n, 3);
}

static void remove_refuses_the_living(void **state)
{
	struct fix *const f = *state;
	struct container c = make(f, "x", true);
	struct container other = CONTAINER_NONE;
	struct err e = {0};

	works(container_open(&f->home, "x", &other, &e), &e);
	assert_int_equal(container_remove(&f->home, &other, false, false, &e),
			 -1);
	assert_int_equal(e.kind, ERR_BUSY);
	err_clear(&e);
	container_close(&c);
	works(container_remove(&f->home, &other, false, false, &e), &e);
	container_close(&other);
	assert_int_equal(container_open(&f->home, "x", &other, &e), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(spec_comes_back),
		cmocka_unit_test(derived_names_are_words),
		T(each_way_to_name_one),
		T(a_name_is_taken_once),
		T(renames_are_true_at_once),
		T(links_of_the_gone_are_swept),
		T(status_follows_lock_and_files),
		T(one_that_is_being_started_is_what_it_was),
		T(created_and_dead),
		T(the_fleeting_are_swept),
		T(who_waits_reads_the_exit_code_of_the_gone),
		T(who_works_for_the_dead_does_not_look_alive),
		T(a_reused_pid_is_nobody),
		T(each_sees_all),
		T(remove_refuses_the_living),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
