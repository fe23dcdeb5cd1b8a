/* Who has which address: chosen in turn, given once, taken back from the dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "runtime/net/book.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

struct world {
	char path[64];
	int root;
	struct netdef net;
};

static int make(void **state)
{
	struct world *const w = xcalloc(1, sizeof(*w));
	struct err e = {0};

	(void)snprintf(w->path, sizeof(w->path), "/tmp/book_test.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->root = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fs_mkdirs_at(w->root, "networks/web", 0700, &e), 0);
	(void)snprintf(w->net.name, sizeof(w->net.name), "web");
	assert_true(ip_net_parse("10.1.2.0/29", &w->net.v4.subnet));
	assert_true(ip_parse("10.1.2.1", &w->net.v4.gateway));
	*state = w;
	return 0;
}

static int drop(void **state)
{
	struct world *const w = *state;
	struct err e = {0};

	(void)close(w->root);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, w->path, &e), 0);
	free(w);
	return 0;
}

/* For container number n: the address, or the kind of the error. */
static int reserve(struct world *w, char n, const char *want, char *ret,
		   struct err *e)
{
	char id[65];
	char text[IP_TEXT_MAX];
	struct book_ask a = {.net = &w->net, .id = id, .names = "db d"};
	struct ip ip;
	struct ip ip6;

	(void)snprintf(id, sizeof(id), "%s%c", ID, n);
	if (want)
		assert_true(ip_parse(want, &a.ip));
	if (book_reserve(w->root, &a, &ip, &ip6, e) < 0)
		return e->kind;
	(void)snprintf(ret, IP_TEXT_MAX, "%s", ip_text(&ip, text));
	assert_int_equal(ip6.len, 0);
	return 0;
}

static int release(struct world *w, char n, const char *address)
{
	char id[65];
	struct err e = {0};

	(void)snprintf(id, sizeof(id), "%s%c", ID, n);
	return book_release(w->root, "web", id, address, &e);
}

/* Its monitor lives: somebody holds the lock of its spec.json. */
static void be_alive(const struct world *w, char n)
{
	char path[128];
	struct err e = {0};
	const struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd;

	(void)snprintf(path, sizeof(path), "containers/%s%c", ID, n);
	assert_int_equal(fs_mkdirs_at(w->root, path, 0700, &e), 0);
	(void)snprintf(path, sizeof(path), "containers/%s%c/spec.json", ID, n);
	fd = openat(w->root, path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
}

static void addresses_are_given_in_turn(void **state)
{
	struct world *const w = *state;
	char a[IP_TEXT_MAX];
	struct err e = {0};

	assert_int_equal(reserve(w, '1', NULL, a, &e), 0);
	assert_string_equal(a, "10.1.2.2");
	assert_int_equal(release(w, '1', a), 0);
	/* Not the one that was let go just now. */
	assert_int_equal(reserve(w, '2', NULL, a, &e), 0);
	assert_string_equal(a, "10.1.2.3");
	for (int n = '3'; n <= '5'; n++)
		assert_int_equal(reserve(w, (char)n, NULL, a, &e), 0);
	assert_string_equal(a, "10.1.2.6");
	assert_int_equal(reserve(w, '6', NULL, a, &e), 0);
	assert_string_equal(a, "10.1.2.2");
}

static void the_last_ones_are_those_of_the_dead(void **state)
{
	struct world *const w = *state;
	char a[IP_TEXT_MAX];
	struct err e = {0};

	for (int n = '1'; n <= '5'; n++) {
		assert_int_equal(reserve(w, (char)n, NULL, a, &e), 0);
		if (n != '3')
			be_alive(w, (char)n);
	}
	assert_int_equal(reserve(w, '6', NULL, a, &e), 0);
	assert_string_equal(a, "10.1.2.4");
	be_alive(w, '6');
	assert_int_equal(reserve(w, '7', NULL, a, &e), ERR_BUSY);
	assert_string_equal(e.text, "in network web: no address of "
				    "10.1.2.0/29 is free");
}

static void a_wanted_one_is_had_or_explained(void **state)
{
	struct world *const w = *state;
	char a[IP_TEXT_MAX];
	struct err e = {0};

	assert_int_equal(reserve(w, '1', "10.1.2.5", a, &e), 0);
	assert_string_equal(a, "10.1.2.5");
	be_alive(w, '1');
	assert_int_equal(reserve(w, '2', "10.1.2.5", a, &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "in use by container 0123456789ab"));
	err_clear(&e);
	assert_int_equal(reserve(w, '2', "10.1.3.5", a, &e), ERR_USAGE);
	err_clear(&e);
	assert_int_equal(reserve(w, '2', "10.1.2.7", a, &e), ERR_USAGE);
	err_clear(&e);
	assert_int_equal(reserve(w, '2', "10.1.2.1", a, &e), ERR_USAGE);
}

static int one(void *ctx, const char *address, const char *id,
	       const char *names, struct err *e)
{
	(void)e;
	assert_string_equal(address, "10.1.2.2");
	assert_string_equal(id, ID "1");
	assert_string_equal(names, "db d");
	++*(int *)ctx;
	return 0;
}

static void who_is_in_it_can_be_read_and_only_the_owner_lets_go(void **state)
{
	struct world *const w = *state;
	char a[IP_TEXT_MAX];
	struct err e = {0};
	int n = 0;

	assert_int_equal(book_each(w->root, "web", one, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(reserve(w, '1', NULL, a, &e), 0);
	assert_int_equal(release(w, '2', a), 0);
	assert_int_equal(book_each(w->root, "web", one, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(release(w, '1', a), 0);
	assert_int_equal(book_each(w->root, "web", one, &n, &e), 0);
	assert_int_equal(n, 1);
}

/* Or ext4 takes a block for it. */
static void an_entry_fits_in_an_inode(void **state)
{
	struct world *const w = *state;
	struct book_ask a = {.net = &w->net, .id = ID "f", .names = ""};
	struct err e = {0};
	struct ip ip;
	struct ip ip6;
	char text[128];

	assert_int_equal(book_reserve(w->root, &a, &ip, &ip6, &e), 0);
	assert_in_range(readlinkat(w->root, "networks/web/used/10.1.2.2", text,
				   sizeof(text)),
			1, 59);
	assert_memory_equal(text, ID, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses_are_given_in_turn,
						make, drop),
		cmocka_unit_test_setup_teardown(
			the_last_ones_are_those_of_the_dead, make, drop),
		cmocka_unit_test_setup_teardown(
			a_wanted_one_is_had_or_explained, make, drop),
		cmocka_unit_test_setup_teardown(
			who_is_in_it_can_be_read_and_only_the_owner_lets_go,
			make, drop),
		cmocka_unit_test_setup_teardown(an_entry_fits_in_an_inode, make,
						drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
