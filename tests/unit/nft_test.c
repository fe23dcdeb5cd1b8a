/*
 * nft and nftforeign, against the kernel, in a network namespace of its own.
 * What packets make of the rules is for tests/cli/net_ports.bats.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/own.h"
#include "runtime/net/nft.h"
#include "runtime/net/nftask.h"
#include "runtime/net/nftforeign.h"
#include "runtime/net/nftmsg.h"
#include "runtime/net/nftrule.h"
#include "runtime/net/nftsock.h"
#include "runtime/net/ports.h"

#define WORLD()                                             \
	do {                                                \
		if (getuid() != 0)                          \
			skip();                             \
		assert_int_equal(unshare(CLONE_NEWNET), 0); \
		nftsock_forget();                           \
	} while (0)

static const struct nft_table ours = {NFPROTO_INET, "prism"};
static const struct nft_table iptables = {NFPROTO_IPV4, "filter"};

static struct port_map port(const char *ip, uint16_t host, uint16_t inside)
{
	struct port_map p = {.host = host, .port = inside, .protocol = "tcp"};

	assert_true(ip_parse(ip, &p.ip));
	return p;
}

static struct nft_endpoint end(const char *bridge, const char *subnet,
			       const char *ifname, const char *ip)
{
	struct nft_endpoint x = {
		.net = {.bridge = bridge}, .ifname = ifname, .owner = "web"};

	assert_true(ip_net_parse(subnet, &x.net.v4));
	assert_true(ip_parse(ip, &x.v4));
	return x;
}

static int count(void *ctx, const struct nft_elem *x)
{
	(void)x;
	++*(int *)ctx;
	return 0;
}

static int n_in(const char *map)
{
	struct err e = {0};
	int n = 0;

	assert_int_equal(nft_each_elem(ours, map, count, &n, &e), 0);
	return n;
}

static int has(struct nft_table t, const char *chain)
{
	struct err e = {0};
	const int rc = nft_has_chain(t, chain, &e);

	assert_string_equal(e.text, "");
	return rc;
}

static void must_up(const struct nft_endpoint *p)
{
	struct err e = {0};

	(void)nft_up(p, &e);
	assert_string_equal(e.text, "");
}

static void must_down(const struct nft_endpoint *p)
{
	struct err e = {0};

	(void)nft_down(p, &e);
	assert_string_equal(e.text, "");
}

static void flush_all(void)
{
	struct nft_tx tx;
	struct err e = {0};

	nft_tx_begin(&tx, ours);
	nft_table_del(&tx);
	assert_int_equal(nft_tx_commit(&tx, &e), 0);
}

/* The host forwarded before prism: prism leaves no chain that restricts it. */
static void be_router(void)
{
	const int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1", 1), 1);
	(void)close(fd);
}

/* ---- the table comes and goes with those who need it ------------------------------ */

static void last_one_takes_the_table_with_it(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr0", "10.88.0.1/16", "veb", "10.88.0.3");
	const struct nft_endpoint c =
		end("pr1", "10.89.0.1/24", "vec", "10.89.0.2");
	struct err e = {0};

	(void)state;
	WORLD();
	be_router();
	assert_int_equal(nft_up(&a, &e), 1);
	assert_int_equal(nft_up(&b, &e), 0);
	assert_int_equal(nft_up(&c, &e), 1);
	assert_int_equal(n_in("members"), 3);
	assert_int_equal(n_in("networks"), 2);
	must_down(&a);
	assert_int_equal(has(ours, "net_pr0"), 1);
	must_down(&b);
	assert_int_equal(has(ours, "net_pr0"), 0);
	assert_int_equal(has(ours, "from_pr0"), 0);
	assert_int_equal(n_in("networks"), 1);
	assert_int_equal(has(ours, "net_pr1"), 1);
	must_down(&c);
	assert_int_equal(has(ours, "forward"), 0);
	assert_int_equal(has(ours, "inuse"), 0);
	/* And again it is as the first time. */
	must_down(&c);
	must_up(&a);
	assert_int_equal(n_in("members"), 1);
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
}

/* Forwarding stays on, and so do the chains that restrict it. */
static void forwarding_of_prism_stays_restricted(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");

	(void)state;
	WORLD();
	must_up(&a);
	must_down(&a);
	assert_int_equal(has(ours, "routed"), 1);
	assert_int_equal(has(ours, "net_pr0"), 0);
	assert_int_equal(has(ours, "forward"), 0);
}

static void twice_is_once(void **state)
{
	struct nft_endpoint a = end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct port_map p[] = {port("0.0.0.0", 8080, 80),
				     port("192.0.2.1", 8081, 80),
				     port("127.0.0.1", 8082, 80)};

	(void)state;
	WORLD();
	a.ports = p;
	a.n_ports = ARRAY_LEN(p);
	must_up(&a);
	must_up(&a);
	assert_int_equal(n_in("members"), 1);
	/* The one of loopback is no rule's. */
	assert_int_equal(n_in("ports4"), 1);
	assert_int_equal(n_in("ports4_at"), 1);
	must_down(&a);
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
}

static void after_a_flush_up_is_all(void **state)
{
	struct nft_endpoint a = end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr1", "10.89.0.1/16", "veb", "10.89.0.2");
	const struct port_map p = port("0.0.0.0", 8080, 80);

	(void)state;
	WORLD();
	a.ports = &p;
	a.n_ports = 1;
	must_up(&a);
	must_up(&b);
	flush_all();
	must_up(&a);
	assert_int_equal(n_in("ports4"), 1);
	assert_int_equal(n_in("networks"), 1);
	/* One that was flushed and did not come back can end. */
	must_down(&b);
	assert_int_equal(n_in("members"), 1);
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
}

/* ---- ports ---------------------------------------------------------------------------- */

static int target(void *ctx, const struct nft_elem *x)
{
	memcpy(ctx, x->data, 4);
	return 1;
}

/* The dead one's port is the living one's, and is not taken away with it. */
static void port_of_a_dead_one_is_taken_over(void **state)
{
	struct nft_endpoint dead =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	struct nft_endpoint alive =
		end("pr0", "10.88.0.1/16", "veb", "10.88.0.3");
	const struct port_map p = port("0.0.0.0", 8080, 80);
	unsigned char to[4] = {0};
	struct err e = {0};

	(void)state;
	WORLD();
	dead.ports = alive.ports = &p;
	dead.n_ports = alive.n_ports = 1;
	must_up(&dead);
	must_up(&alive);
	assert_int_equal(nft_each_elem(ours, "ports4", target, to, &e), 1);
	assert_memory_equal(to, alive.v4.b, 4);
	must_down(&dead);
	assert_int_equal(n_in("ports4"), 1);
	assert_int_equal(n_in("members"), 1);
	must_down(&alive);
	assert_int_equal(has(ours, "forward"), 0);
}

/* sctp has no socket that says who is alive. */
static void sctp_port_is_not_taken_over(void **state)
{
	struct nft_endpoint a = end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	struct nft_endpoint b = end("pr0", "10.88.0.1/16", "veb", "10.88.0.3");
	struct port_map p = port("0.0.0.0", 8080, 80);
	struct err e = {0};

	(void)state;
	WORLD();
	(void)snprintf(p.protocol, sizeof(p.protocol), "sctp");
	a.ports = b.ports = &p;
	a.n_ports = b.n_ports = 1;
	must_up(&a);
	assert_int_equal(nft_up(&b, &e), -1);
	assert_non_null(strstr(e.text, "add to map ports4"));
	assert_int_equal(n_in("members"), 1);
	must_down(&a);
}

static void two_thousand_ports_in_one_go(void **state)
{
	enum {
		MANY = 2000
	};
	struct nft_endpoint a = end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	struct port_map *const p = xcalloc(MANY, sizeof(*p));

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		p[i] = port("0.0.0.0", (uint16_t)(20000 + i), 80);
	a.ports = p;
	a.n_ports = MANY;
	WORLD();
	must_up(&a);
	assert_int_equal(n_in("ports4"), MANY);
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
	free(p);
}

/* More than are asked for at once, with gaps. */
static void what_is_there_is_found_by_its_key(void **state)
{
	enum {
		MANY = 50
	};
	struct nft_endpoint a = end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	struct nft_wanted w[2 * MANY] = {0};
	struct port_map p[MANY];
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < 2 * (size_t)MANY; i++) {
		const uint16_t at = htons((uint16_t)(20000 + i));

		w[i] = (struct nft_wanted){.map = "ports4",
					   .x = {.key = {6}, .key_len = 8}};
		memcpy(w[i].x.key + 4, &at, sizeof(at));
		if (i % 2)
			p[i / 2] = port("0.0.0.0", (uint16_t)(20000 + i), 80);
	}
	a.ports = p;
	a.n_ports = MANY;
	WORLD();
	/* There is no table yet. */
	assert_int_equal(nft_find(ours, w, ARRAY_LEN(w), &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		assert_false(w[i].there);
	must_up(&a);
	assert_int_equal(nft_find(ours, w, ARRAY_LEN(w), &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		assert_int_equal(w[i].there, i % 2);
		if (w[i].there)
			assert_memory_equal(w[i].has.data, a.v4.b, 4);
	}
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
}

static size_t n_fds(void)
{
	DIR *const d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static int ask_again(void *ctx, const struct nft_elem *x)
{
	(void)ctx;
	(void)x;
	return n_in("members") == 2 && has(ours, "inuse") ? 0 : -1;
}

/* Also where a question is asked while another one is answered. */
static void there_is_one_socket(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr0", "10.88.0.1/16", "veb", "10.88.0.3");
	struct err e = {0};
	size_t n;

	(void)state;
	WORLD();
	must_up(&a);
	n = n_fds();
	must_up(&b);
	assert_int_equal(nft_each_elem(ours, "members", ask_again, NULL, &e),
			 0);
	must_down(&b);
	must_down(&a);
	assert_int_equal(n_fds(), n);
	nftsock_forget();
	assert_int_equal(n_fds(), n - 1);
}

static void overlapping_subnets_are_an_error(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr1", "10.88.7.1/24", "veb", "10.88.7.2");
	struct err e = {0};

	(void)state;
	WORLD();
	must_up(&a);
	assert_int_equal(nft_up(&b, &e), -1);
	assert_non_null(strstr(e.text, "subnets4"));
	assert_non_null(strstr(e.hint, "pr1"));
	/* A transaction: nothing of it is there. */
	assert_int_equal(has(ours, "net_pr1"), 0);
	must_down(&a);
	assert_int_equal(has(ours, "forward"), 0);
}

/* ---- others' firewalls ------------------------------------------------------------------ */

static void add_foreign(struct nft_table t, const char *chain)
{
	const struct nft_base base = {"filter", NF_INET_FORWARD, 0};
	struct nftnl_rule *const r = nft_rule_make();
	struct nft_tx tx;
	struct err e = {0};

	nft_tx_begin(&tx, t);
	nft_table_add(&tx);
	nft_chain_add(&tx, chain, &base);
	nft_counter(r);
	nft_rule_comment(r, "theirs");
	nft_rule_put(&tx, chain, r, false);
	(void)nft_tx_commit(&tx, &e);
	assert_string_equal(e.text, "");
}

static int count_rule(void *ctx, const struct nlmsghdr *m)
{
	(void)m;
	++*(int *)ctx;
	return 0;
}

static int n_rules(struct nft_table t, const char *chain)
{
	struct err e = {0};
	int n = 0;

	assert_int_equal(nft_each_rule(t, chain, count_rule, &n, &e), 0);
	return n;
}

static void iptables_are_opened_and_closed_again(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr00", "10.89.0.1/16", "veb", "10.89.0.2");

	(void)state;
	WORLD();
	add_foreign(iptables, "FORWARD");
	must_up(&a);
	must_up(&a);
	assert_int_equal(n_rules(iptables, "FORWARD"), 3);
	/* A name that begins like ours is another. */
	must_up(&b);
	assert_int_equal(n_rules(iptables, "FORWARD"), 5);
	must_down(&a);
	assert_int_equal(n_rules(iptables, "FORWARD"), 3);
	must_down(&b);
	assert_int_equal(n_rules(iptables, "FORWARD"), 1);
}

static void a_name_that_ends_like_ours_is_another(void **state)
{
	static const char *const longer[] = {"xpr0", "mypr0", "netpr0",
					     "mynetpr0"};
	struct err e = {0};

	(void)state;
	WORLD();
	add_foreign(iptables, "FORWARD");
	for (size_t i = 0; i < ARRAY_LEN(longer); i++)
		assert_int_equal(nftforeign_open(longer[i], &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 9);
	assert_int_equal(nftforeign_open("pr0", &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 11);
	assert_int_equal(nftforeign_close("pr0", &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 9);
	for (size_t i = 0; i < ARRAY_LEN(longer); i++)
		assert_int_equal(nftforeign_close(longer[i], &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 1);
}

/* Each of many that looked at once has put its own. */
static void however_many_there_are_all_are_closed(void **state)
{
	struct nft_tx tx;
	struct err e = {0};

	(void)state;
	WORLD();
	add_foreign(iptables, "FORWARD");
	nft_tx_begin(&tx, iptables);
	for (int i = 0; i < 40; i++) {
		struct nftnl_rule *const r = nft_rule_make();

		nft_meta(r, NFT_META_IIFNAME, NFT_REG_1);
		nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, "pr0", sizeof("pr0"));
		nft_verdict(r, NF_ACCEPT, NULL);
		nft_rule_comment(r, "prism");
		nft_rule_put(&tx, "FORWARD", r, true);
	}
	assert_int_equal(nft_tx_commit(&tx, &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 41);
	assert_int_equal(nftforeign_close("pr0", &e), 0);
	assert_int_equal(n_rules(iptables, "FORWARD"), 1);
}

/* docker came, or somebody flushed the chain, after our network was made. */
static void iptables_that_come_later_are_opened_by_the_next(void **state)
{
	const struct nft_endpoint a =
		end("pr0", "10.88.0.1/16", "vea", "10.88.0.2");
	const struct nft_endpoint b =
		end("pr0", "10.88.0.1/16", "veb", "10.88.0.3");

	(void)state;
	WORLD();
	must_up(&a);
	add_foreign(iptables, "FORWARD");
	must_up(&b);
	assert_int_equal(n_rules(iptables, "FORWARD"), 3);
	must_down(&b);
	must_down(&a);
	assert_int_equal(n_rules(iptables, "FORWARD"), 1);
}

static void set_policy_drop(struct nft_table t, const char *chain)
{
	int status = -1;
	const pid_t pid = fork();

	if (pid == 0) {
		(void)execlp("nft", "nft", "chain", "inet", t.name, chain,
			     "{ policy drop; }", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_drops_elsewhere_is_told(void **state)
{
	const struct nft_table admin = {NFPROTO_INET, "mine"};
	autobuf struct buf b = buf_make(4096);
	struct nftnl_rule *r;
	struct nft_tx tx;
	struct err e = {0};

	(void)state;
	WORLD();
	add_foreign(admin, "wall");
	nftforeign_warn("pr0", &b);
	assert_string_equal(buf_str(&b), "");
	set_policy_drop(admin, "wall");
	nftforeign_warn("pr0", &b);
	assert_non_null(strstr(buf_str(&b), "chain wall of table inet mine"));
	assert_non_null(strstr(buf_str(&b),
			       "nft insert rule inet mine wall iifname pr0"));
	/* Who knows us there has thought about it. */
	r = nft_rule_make();
	nft_ifname(r, NFT_META_IIFNAME, NFT_CMP_EQ, "pr0");
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_tx_begin(&tx, admin);
	nft_rule_put(&tx, "wall", r, false);
	assert_int_equal(nft_tx_commit(&tx, &e), 0);
	buf_reset(&b);
	nftforeign_warn("pr0", &b);
	assert_string_equal(buf_str(&b), "");
}

static void firewalld_is_told_too(void **state)
{
	const struct nft_table t = {NFPROTO_INET, "firewalld"};
	autobuf struct buf b = buf_make(4096);

	(void)state;
	WORLD();
	add_foreign(t, "filter_FORWARD");
	nftforeign_warn("pr0", &b);
	assert_non_null(strstr(buf_str(&b),
			       "firewall-cmd --permanent --zone=trusted "
			       "--add-interface=pr0"));
}

static void a_refusal_names_the_message(void **state)
{
	struct nft_tx tx;
	struct err e = {0};

	(void)state;
	WORLD();
	nft_tx_begin(&tx, ours);
	nft_table_add(&tx);
	nft_chain_del(&tx, "nosuch");
	nft_chain_del(&tx, "neither");
	assert_int_equal(nft_tx_commit(&tx, &e), -1);
	assert_int_equal(e.sys, 2);
	assert_non_null(strstr(e.text, "delete chain nosuch: ENOENT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_one_takes_the_table_with_it),
		cmocka_unit_test(forwarding_of_prism_stays_restricted),
		cmocka_unit_test(twice_is_once),
		cmocka_unit_test(after_a_flush_up_is_all),
		cmocka_unit_test(port_of_a_dead_one_is_taken_over),
		cmocka_unit_test(sctp_port_is_not_taken_over),
		cmocka_unit_test(two_thousand_ports_in_one_go),
		cmocka_unit_test(what_is_there_is_found_by_its_key),
		cmocka_unit_test(there_is_one_socket),
		cmocka_unit_test(overlapping_subnets_are_an_error),
		cmocka_unit_test(iptables_are_opened_and_closed_again),
		cmocka_unit_test(a_name_that_ends_like_ours_is_another),
		cmocka_unit_test(however_many_there_are_all_are_closed),
		cmocka_unit_test(
			iptables_that_come_later_are_opened_by_the_next),
		cmocka_unit_test(what_drops_elsewhere_is_told),
		cmocka_unit_test(firewalld_is_told_too),
		cmocka_unit_test(a_refusal_names_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
