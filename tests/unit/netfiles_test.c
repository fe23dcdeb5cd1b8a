/*
 * netfiles: /etc/hosts and /etc/resolv.conf of a container
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "runtime/netfiles.h"

static const char host_resolv[] = "# made by hand\n"
				  "domain example.org\n"
				  "search a.example b.example\n"
				  "nameserver 127.0.0.53\n"
				  "nameserver\t10.0.0.1\n"
				  "nameserver ::1\n"
				  "nameserverless 1.2.3.4\n"
				  "options ndots:2 edns0";

static void resolv_is(const struct run_spec *s, const char *want)
{
	autobuf struct buf b = buf_make(KIB(4));

	netfiles_resolv(s, host_resolv, &b);
	assert_string_equal(buf_str(&b), want);
}

static void the_hosts_own_with_its_network(void **state)
{
	const struct run_spec s = {.net = NET_HOST};

	(void)state;
	resolv_is(&s, host_resolv);
}

static void no_loopback_elsewhere(void **state)
{
	const struct run_spec s = {.net = NET_NONE};

	(void)state;
	resolv_is(&s, "nameserver 10.0.0.1\n"
		      "domain example.org\n"
		      "search a.example b.example\n"
		      "options ndots:2 edns0\n");
}

static void flags_replace_each_list(void **state)
{
	char *dns[] = {(char[]){"8.8.8.8"}, (char[]){"9.9.9.9"}, NULL};
	char *search[] = {(char[]){"x.example"}, (char[]){"y.example"}, NULL};
	char *none[] = {(char[]){"."}, NULL};
	char *options[] = {(char[]){"ndots:5"}, (char[]){"rotate"}, NULL};
	struct run_spec s = {.net = NET_HOST, .dns = {dns, 2}};

	(void)state;
	resolv_is(&s, "nameserver 8.8.8.8\n"
		      "nameserver 9.9.9.9\n"
		      "domain example.org\n"
		      "search a.example b.example\n"
		      "options ndots:2 edns0\n");
	s.dns_search = (struct strv){search, 2};
	s.dns_options = (struct strv){options, 2};
	resolv_is(&s, "nameserver 8.8.8.8\n"
		      "nameserver 9.9.9.9\n"
		      "search x.example y.example\n"
		      "options ndots:5 rotate\n");
	s.dns_search = (struct strv){none, 1};
	s.dns = (struct strv){0};
	resolv_is(&s, "nameserver 127.0.0.53\n"
		      "nameserver 10.0.0.1\n"
		      "nameserver ::1\n"
		      "options ndots:5 rotate\n");
}

static void hosts(void **state)
{
	char *add[] = {(char[]){"db:10.0.0.9"}, (char[]){"six:fe80::1"}, NULL};
	const struct run_spec s = {.add_hosts = {add, 2}};
	autobuf struct buf b = buf_make(KIB(4));
	autobuf struct buf h = buf_make(KIB(4));

	(void)state;
	netfiles_hosts(&s, "web", NULL, &b);
	assert_non_null(strstr(buf_str(&b), "127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(buf_str(&b), "\n127.0.1.1\tweb\n"));
	assert_non_null(strstr(buf_str(&b), "\n10.0.0.9\tdb\nfe80::1\tsix\n"));
	netfiles_hosts(&s, "web", "1.2.3.4 me", &h);
	assert_string_equal(buf_str(&h),
			    "1.2.3.4 me\n10.0.0.9\tdb\nfe80::1\tsix\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hosts_own_with_its_network),
		cmocka_unit_test(no_loopback_elsewhere),
		cmocka_unit_test(flags_replace_each_list),
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
