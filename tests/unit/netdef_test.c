#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "runtime/net/netdef.h"
#include "runtime/net/pool.h"

static char *root;
static int root_fd;

static int up(void **state)
{
	char template[] = "/tmp/prism-netdef-test.XXXXXX";

	(void)state;
	root = xstrdup(mkdtemp(template));
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : 0;
}

static int down(void **state)
{
	struct err e = {0};

	(void)state;
	(void)close(root_fd);
	(void)fs_remove_tree_at(AT_FDCWD, root, &e);
	free(root);
	return 0;
}

static struct netdef want(const char *name, enum netdef_driver driver,
			  const char *subnet)
{
	struct netdef d = {.driver = driver};

	(void)snprintf(d.name, sizeof(d.name), "%s", name);
	if (subnet && !ip_net_parse(subnet, &d.v4.subnet))
		fail_msg("%s is not a subnet", subnet);
	return d;
}

static void make(struct netdef *d)
{
	struct err e = {0};

	if (netdef_create(root_fd, d, &e))
		fail_msg("%s", e.text);
}

static void refused(struct netdef *d, enum err_kind kind, const char *words)
{
	struct err e = {0};

	if (!netdef_create(root_fd, d, &e))
		fail_msg("%s was made", d->name);
	if (e.kind != (int32_t)kind || !strstr(e.text, words))
		fail_msg("kind %d: %s (not '%s')", e.kind, e.text, words);
	netdef_free(d);
}

/* ---- subnets -------------------------------------------------------------- */

/* 192.0.2.0/24 on eth0 and a default route, as a little-endian machine says. */
static const char routes4[] =
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU"
	"\tWindow\tIRTT\n"
	"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	"eth0\t0000590A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	"prism0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";

static void routes_of_the_host_are_read(void **state)
{
	autopool struct pool p = {0};
	char text[IP_TEXT_MAX];

	(void)state;
	pool_add_routes4(&p, routes4, "prism0");
	assert_int_equal(p.n, 1);
	assert_string_equal(ip_net_text(&p.v[0].net, text), "10.89.0.0/16");
	assert_string_equal(p.v[0].by, "the host's route on eth0");
	pool_add_routes4(&p, routes4, NULL);
	assert_int_equal(p.n, 3);
	pool_add_routes6(
		&p,
		"fd120000000000000000000000000000 30 "
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 "
		"00000001     eth1\n"
		"fe800000000000000000000000000000 40 "
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 "
		"00000001     eth1\n"
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 "
		"00000001     eth1\n",
		NULL);
	assert_int_equal(p.n, 4);
	assert_string_equal(ip_net_text(&p.v[3].net, text), "fd12::/48");
}

static void a_free_subnet_is_found(void **state)
{
	autopool struct pool p = {0};
	struct err e = {0};
	struct ip_net n;
	char text[IP_TEXT_MAX];

	(void)state;
	assert_int_equal(pool_choose4(&p, true, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "10.88.0.0/16");
	pool_add(&p, &n, "x");
	assert_int_equal(pool_choose4(&p, true, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "10.89.0.0/16");
	assert_int_equal(pool_choose4(&p, false, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "10.89.0.0/24");
	pool_add_routes4(&p, routes4, NULL);
	assert_int_equal(pool_choose4(&p, false, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "10.90.0.0/24");
	assert_true(ip_net_parse("10.0.0.0/8", &n));
	pool_add(&p, &n, "a VPN");
	assert_int_equal(pool_choose4(&p, false, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "172.16.0.0/24");
	assert_true(ip_net_parse("172.16.0.0/12", &n));
	pool_add(&p, &n, "another");
	assert_int_equal(pool_choose4(&p, true, &n, &e), 0);
	assert_string_equal(ip_net_text(&n, text), "192.168.0.0/16");
	pool_add(&p, &n, "the last");
	assert_int_equal(pool_choose4(&p, false, &n, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
}

static void unique_local_subnets_differ(void **state)
{
	autopool struct pool p = {0};
	struct ip_net a;
	struct ip_net b;

	(void)state;
	pool_choose6(&p, &a);
	pool_choose6(&p, &b);
	assert_int_equal(a.ip.b[0], 0xfd);
	assert_int_equal(a.prefix, 64);
	assert_false(ip_net_overlaps(&a, &b));
}

/* ---- on disk --------------------------------------------------------------- */

static void what_is_made_is_found(void **state)
{
	autonetdef struct netdef d =
		want("web", NETDEF_BRIDGE, "198.18.0.0/24");
	autonetdef struct netdef by_name = {0};
	autonetdef struct netdef by_id = {0};
	struct err e = {0};
	char text[IP_TEXT_MAX];
	char shortened[13];

	(void)state;
	d.internal = true;
	d.ipv6 = true;
	strv_add(&d.labels, "a=b");
	strv_add(&d.options, "com.docker.network.driver.mtu=1400");
	strv_add(&d.v4.aux, "router=198.18.0.7");
	make(&d);
	if (netdef_load(root_fd, "web", &by_name, &e))
		fail_msg("%s", e.text);
	assert_string_equal(by_name.id, d.id);
	assert_int_equal(by_name.mtu, 1400);
	assert_true(by_name.internal);
	assert_true(by_name.ipv6);
	assert_string_equal(by_name.labels.v[0], "a=b");
	assert_true(by_name.created_ns > 0);
	assert_true(by_name.created_ns == d.created_ns);
	assert_string_equal(ip_net_text(&by_name.v4.subnet, text),
			    "198.18.0.0/24");
	assert_string_equal(ip_text(&by_name.v4.gateway, text), "198.18.0.1");
	assert_int_equal(by_name.v6.subnet.prefix, 64);
	assert_true(ip_net_has(&by_name.v6.subnet, &by_name.v6.gateway));
	assert_memory_equal(by_name.link, "br-", 3);
	(void)snprintf(shortened, sizeof(shortened), "%.12s", d.id);
	assert_string_equal(by_name.link + 3, shortened);
	if (netdef_load(root_fd, shortened, &by_id, &e))
		fail_msg("%s", e.text);
	assert_string_equal(by_id.name, "web");
}

static void names_are_taken_once(void **state)
{
	autonetdef struct netdef d = want("web", NETDEF_BRIDGE, NULL);
	struct netdef again = want("web", NETDEF_BRIDGE, NULL);
	struct netdef def = want("bridge", NETDEF_BRIDGE, NULL);
	struct netdef host = want("host", NETDEF_BRIDGE, NULL);
	struct netdef lock = want(".lock", NETDEF_BRIDGE, NULL);

	(void)state;
	make(&d);
	refused(&again, ERR_EXISTS, "network with name web already exists");
	refused(&def, ERR_EXISTS, "bridge already exists");
	refused(&host, ERR_EXISTS, "predefined host network");
	refused(&lock, ERR_USAGE, "is not a name");
}

static void two_do_not_overlap(void **state)
{
	autonetdef struct netdef a = want("a", NETDEF_BRIDGE, "198.18.0.0/16");
	struct netdef b = want("b", NETDEF_BRIDGE, "198.18.7.0/24");
	autonetdef struct netdef c = want("c", NETDEF_BRIDGE, NULL);
	autonetdef struct netdef d = want("d", NETDEF_BRIDGE, NULL);

	(void)state;
	make(&a);
	refused(&b, ERR_BUSY, "overlaps with 198.18.0.0/16 of network a");
	make(&c);
	make(&d);
	assert_false(ip_net_overlaps(&c.v4.subnet, &d.v4.subnet));
	assert_int_equal(c.v4.subnet.prefix, 24);
}

static void mistakes_are_told(void **state)
{
	struct netdef d = want("x", NETDEF_BRIDGE, "198.18.0.5/24");

	(void)state;
	refused(&d, ERR_USAGE, "it should be 198.18.0.0/24");
	d = want("x", NETDEF_BRIDGE, "198.18.0.0/31");
	refused(&d, ERR_USAGE, "too small");
	d = want("x", NETDEF_BRIDGE, "198.18.0.0/24");
	(void)ip_parse("198.19.0.1", &d.v4.gateway);
	refused(&d, ERR_USAGE, "no matching subnet for gateway 198.19.0.1");
	d = want("x", NETDEF_BRIDGE, "198.18.0.0/24");
	(void)ip_net_parse("198.18.0.0/16", &d.v4.range);
	refused(&d, ERR_USAGE, "no matching subnet for range");
	d = want("x", NETDEF_BRIDGE, NULL);
	(void)ip_parse("198.19.0.1", &d.v4.gateway);
	refused(&d, ERR_USAGE, "needs its --subnet");
	d = want("x", NETDEF_MACVLAN, NULL);
	refused(&d, ERR_USAGE, "needs the interface");
	d = want("x", NETDEF_MACVLAN, NULL);
	strv_add(&d.options, "mode=l2");
	refused(&d, ERR_USAGE, "macvlan has bridge, private");
	d = want("x", NETDEF_MACVLAN, NULL);
	strv_add(&d.options, "parnet=eth0");
	refused(&d, ERR_USAGE, "option 'parnet'");
	d = want("x", NETDEF_BRIDGE, NULL);
	strv_add(&d.options, "mtu=12");
	refused(&d, ERR_USAGE, "mtu '12'");
	d = want("x", NETDEF_BRIDGE, NULL);
	strv_add(&d.options, "com.docker.network.bridge.name=0123456789abcdef");
	refused(&d, ERR_USAGE, "not a name for an interface");
}

static void vlans_have_a_parent_and_a_mode(void **state)
{
	autonetdef struct netdef d =
		want("lan", NETDEF_IPVLAN, "10.203.0.0/24");
	autonetdef struct netdef got = {0};
	struct err e = {0};

	(void)state;
	strv_add(&d.options, "parent=eth7");
	strv_add(&d.options, "ipvlan_mode=l3");
	make(&d);
	if (netdef_load(root_fd, "lan", &got, &e))
		fail_msg("%s", e.text);
	assert_string_equal(got.link, "eth7");
	assert_int_equal(got.mode, NETDEF_MODE_L3);
	assert_false(ip_is(&got.v4.gateway));
}

static void the_default_is_there_before_it_is_written(void **state)
{
	autonetdef struct netdef d = {0};
	autonetdef struct netdef used = {0};
	autonetdef struct netdef again = {0};
	autostrv struct strv names = {0};
	struct err e = {0};
	int lock;

	(void)state;
	assert_int_equal(netdef_names(root_fd, &names, &e), 0);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "bridge");
	assert_int_equal(netdef_load(root_fd, "bridge", &d, &e), 0);
	assert_true(d.implicit);
	assert_int_equal(faccessat(root_fd, "networks", F_OK, 0), -1);
	lock = netdef_use(root_fd, "bridge", &used, &e);
	if (lock < 0)
		fail_msg("%s", e.text);
	assert_false(used.implicit);
	assert_string_equal(used.link, "prism0");
	assert_string_equal(used.id, d.id);
	assert_int_equal(used.v4.subnet.prefix, 16);
	/* It is held: nobody removes the network now. */
	assert_int_equal(fs_lock_at(root_fd, "networks/.lock",
				    FS_LOCK_EXCLUSIVE, false, &e),
			 -1);
	assert_int_equal(e.kind, ERR_BUSY);
	err_clear(&e);
	(void)close(lock);
	lock = netdef_use(root_fd, "bridge", &again, &e);
	assert_true(lock >= 0);
	(void)close(lock);
	assert_int_equal(ip_cmp(&again.v4.subnet.ip, &used.v4.subnet.ip), 0);
}

static void removed_is_gone(void **state)
{
	autonetdef struct netdef d = want("web", NETDEF_BRIDGE, NULL);
	autonetdef struct netdef got = {0};
	struct err e = {0};

	(void)state;
	make(&d);
	assert_int_equal(netdef_remove(root_fd, "web", &e), 0);
	assert_int_equal(netdef_load(root_fd, "web", &got, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_string_equal(e.text, "network web not found");
	err_clear(&e);
	assert_int_equal(netdef_remove(root_fd, "web", &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void names_are_sorted_with_the_default(void **state)
{
	autonetdef struct netdef a = want("a", NETDEF_BRIDGE, NULL);
	autonetdef struct netdef z = want("z", NETDEF_BRIDGE, NULL);
	autostrv struct strv names = {0};
	struct err e = {0};

	(void)state;
	make(&z);
	make(&a);
	assert_int_equal(netdef_names(root_fd, &names, &e), 0);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "a");
	assert_string_equal(names.v[1], "bridge");
	assert_string_equal(names.v[2], "z");
}

static void some_addresses_are_nobodys(void **state)
{
	struct netdef_pool p = {0};
	static const struct {
		const char *ip;
		bool reserved;
	} all[] = {{"10.0.0.0", true},  {"10.0.0.255", true},
		   {"10.0.0.1", true},  {"10.0.0.9", true},
		   {"10.0.0.2", false}, {"10.0.0.254", false}};

	(void)state;
	(void)ip_net_parse("10.0.0.0/24", &p.subnet);
	(void)ip_parse("10.0.0.1", &p.gateway);
	strv_add(&p.aux, "printer=10.0.0.9");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct ip a;

		assert_true(ip_parse(all[i].ip, &a));
		if (netdef_reserved(&p, &a) != all[i].reserved)
			fail_msg("%s", all[i].ip);
	}
	strv_free(&p.aux);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_of_the_host_are_read),
		cmocka_unit_test(a_free_subnet_is_found),
		cmocka_unit_test(unique_local_subnets_differ),
		T(what_is_made_is_found),
		T(names_are_taken_once),
		T(two_do_not_overlap),
		T(mistakes_are_told),
		T(vlans_have_a_parent_and_a_mode),
		T(the_default_is_there_before_it_is_written),
		T(removed_is_gone),
		T(names_are_sorted_with_the_default),
		cmocka_unit_test(some_addresses_are_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
