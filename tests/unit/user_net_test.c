/*
 * The words of --network pasta and slirp4netns, and what the programs are
 * started with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "runtime/net/net.h"
#include "runtime/net/user_impl.h"

/* All arguments, " " between them, must be so. */
static void args_are(const struct user_net_conf *c, const char *want)
{
	autobuf struct buf b = buf_make(KIB(4));
	autostrv struct strv args = {0};
	struct err e = {0};

	assert_int_equal(user_net_args(c, &args, &e), 0);
	for (size_t i = 0; i < args.n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", args.v[i]);
	assert_string_equal(buf_str(&b), want);
}

#define PASTA                                                            \
	"pasta --config-net --foreground --quiet --no-netns-quit --pid " \
	"net.ready --userns /proc/self/fd/1 --netns /proc/self/fd/0 "
#define SLIRP_END \
	" --netns-type=path --userns-path=/proc/self/fd/1 /proc/self/fd/0 eth0"

static void pasta_forwards_nothing_by_itself(void **state)
{
	(void)state;
	args_are(&(struct user_net_conf){.how = "pasta"},
		 PASTA "--tcp-ports none --udp-ports none --tcp-ns none "
		       "--udp-ns none --ns-ifname eth0 --no-map-gw");
	args_are(&(struct user_net_conf){.how = "pasta", .dns = true},
		 PASTA "--tcp-ports none --udp-ports none --tcp-ns none "
		       "--udp-ns none --ns-ifname eth0 --dns-forward "
		       "169.254.1.1 --no-map-gw");
}

static void pasta_takes_ports_and_options(void **state)
{
	static char lo4[] = "127.0.0.1", lo6[] = "::1";
	const struct net_port ports[] = {
		{NULL, 8080, 80, "tcp"},
		{lo4, 5353, 53, "udp"},
		{lo6, 8443, 443, "tcp"},
	};

	(void)state;
	args_are(&(struct user_net_conf){.how = "pasta:-T,5432,-I,p0,--map-gw,"
						"--mtu=1400",
					 .ports = ports,
					 .n_ports = 3},
		 PASTA "-t 8080:80 -t ::1/8443:443 -u 127.0.0.1/5353:53 "
		       "--udp-ns none -T 5432 -I p0 --mtu=1400");
	args_are(&(struct user_net_conf){.how = "pasta:--tcp-ports=auto,"
						"--dns-forward=10.1.1.1",
					 .dns = true},
		 PASTA "--udp-ports none --tcp-ns none --udp-ns none "
		       "--ns-ifname eth0 --no-map-gw --tcp-ports=auto "
		       "--dns-forward=10.1.1.1");
}

static void both_families_are_one_socket(void **state)
{
	static char all4[] = "0.0.0.0", all6[] = "::";
	const struct net_port ports[] = {
		{all4, 8080, 80, "tcp"},
		{all6, 8080, 80, "tcp"},
		{all4, 9090, 90, "tcp"},
		{all6, 9091, 91, "tcp"},
	};

	(void)state;
	args_are(&(struct user_net_conf){.how = "pasta:-u,none,-T,none,-U,none,"
						"-I,x,--dns-forward,1.1.1.1",
					 .ports = ports,
					 .n_ports = 4},
		 PASTA "-t 8080:80 -t 0.0.0.0/9090:90 -t ::/9091:91 "
		       "--no-map-gw -u none -T none -U none -I x "
		       "--dns-forward 1.1.1.1");
}

static void slirp_keeps_the_host_to_itself(void **state)
{
	const struct net_port port = {NULL, 8080, 80, "tcp"};

	(void)state;
	args_are(&(struct user_net_conf){.how = "slirp4netns"},
		 "slirp4netns --configure --ready-fd=3 --enable-ipv6 "
		 "--disable-host-loopback --cidr=10.0.2.0/24 "
		 "--mtu=65520" SLIRP_END);
	args_are(
		&(struct user_net_conf){
			.how = "slirp4netns:allow_host_loopback=true,"
			       "enable_ipv6=false,cidr=10.9.0.0/16,mtu=1400,"
			       "outbound_addr=192.0.2.1",
			.ports = &port,
			.n_ports = 1},
		"slirp4netns --configure --ready-fd=3 --cidr=10.9.0.0/16 "
		"--mtu=1400 --outbound-addr=192.0.2.1 "
		"--api-socket=net.api" SLIRP_END);
}

static void sctp_is_carried_by_none(void **state)
{
	const struct net_port port = {NULL, 8080, 80, "sctp"};
	const struct user_net_conf c = {
		.how = "pasta", .ports = &port, .n_ports = 1};
	autostrv struct strv args = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(user_net_args(&c, &args, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

static void words_are_told_apart(void **state)
{
	(void)state;
	assert_true(user_net_is("pasta"));
	assert_true(user_net_is("pasta:-4"));
	assert_true(user_net_is("slirp4netns"));
	assert_true(user_net_is("slirp4netns:mtu=1400"));
	assert_false(user_net_is("pastasciutta"));
	assert_false(user_net_is("slirp4netns2"));
	assert_false(user_net_is("bridge"));
}

static void options_are_checked(void **state)
{
	static const char *const good[] = {
		"slirp4netns",
		"slirp4netns:",
		"slirp4netns:mtu=68,cidr=10.0.0.0/25,port_handler=rootlesskit",
		"slirp4netns:outbound_addr=eth0,outbound_addr6=::1",
		"pasta:--anything",
	};
	static const char *const bad[] = {
		"slirp4netns:mtu=67",
		"slirp4netns:mtu=65522",
		"slirp4netns:mtu",
		"slirp4netns:mt=1400",
		"slirp4netns:cidr=10.0.0.0",
		"slirp4netns:cidr=10.0.0.0/26",
		"slirp4netns:cidr=10.0.0.0/0",
		"slirp4netns:cidr=fd00::/24",
		"slirp4netns:cidr=1000.1000.1000.1000/24",
		"slirp4netns:enable_ipv6=yes",
		"slirp4netns:allow_host_loopback=",
		"slirp4netns:port_handler=x",
		"slirp4netns:outbound_addr=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = {0};

		if (user_net_check(good[i], &e) < 0)
			fail_msg("%s: %s", good[i], e.text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		if (user_net_check(bad[i], &e) == 0)
			fail_msg("%s is accepted", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static void dns_is_where_the_program_answers(void **state)
{
	char a[USER_NET_ADDRESS_MAX];

	(void)state;
	user_net_dns("pasta:-4", a);
	assert_string_equal(a, "169.254.1.1");
	user_net_dns("slirp4netns", a);
	assert_string_equal(a, "10.0.2.3");
	user_net_dns("slirp4netns:mtu=1400,cidr=10.9.8.7/16", a);
	assert_string_equal(a, "10.9.0.3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pasta_forwards_nothing_by_itself),
		cmocka_unit_test(pasta_takes_ports_and_options),
		cmocka_unit_test(both_families_are_one_socket),
		cmocka_unit_test(slirp_keeps_the_host_to_itself),
		cmocka_unit_test(sctp_is_carried_by_none),
		cmocka_unit_test(words_are_told_apart),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(dns_is_where_the_program_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
