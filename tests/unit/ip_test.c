#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/own.h"

static struct ip_net net(const char *s)
{
	struct ip_net n = {0};

	if (!ip_net_parse(s, &n))
		fail_msg("%s was refused", s);
	return n;
}

static struct ip addr(const char *s)
{
	struct ip a = {0};

	if (!ip_parse(s, &a))
		fail_msg("%s was refused", s);
	return a;
}

static void text_is_read_strictly(void **state)
{
	static const char *const bad[] = {"",
					  "10.0.0.0",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0/8",
					  "10.0.0.0/+8",
					  "10.0.0.0/8 ",
					  "fd00::/129",
					  "300.1.1.1/8",
					  "/8",
					  "fd00::g/64"};
	struct ip_net n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ip_net_parse(bad[i], &n))
			fail_msg("'%s' was taken", bad[i]);
}

static void text_comes_back(void **state)
{
	static const char *const all[] = {"10.88.0.0/16", "0.0.0.0/0",
					  "fd12:3456::/64", "::1/128"};
	const struct ip none = {0};
	char text[IP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct ip_net n = net(all[i]);

		assert_string_equal(ip_net_text(&n, text), all[i]);
	}
	assert_string_equal(ip_text(&none, text), "");
}

static void first_and_last(void **state)
{
	const struct ip_net n = net("10.1.255.77/20");
	const struct ip_net six = net("fd00::5/127");
	struct ip a = ip_net_first(&n);
	char text[IP_TEXT_MAX];

	(void)state;
	assert_string_equal(ip_text(&a, text), "10.1.240.0");
	a = ip_net_last(&n);
	assert_string_equal(ip_text(&a, text), "10.1.255.255");
	a = ip_net_first(&six);
	assert_string_equal(ip_text(&a, text), "fd00::4");
	a = ip_net_last(&six);
	assert_string_equal(ip_text(&a, text), "fd00::5");
}

static void has_and_overlaps(void **state)
{
	const struct ip_net n = net("10.88.0.0/16");
	const struct ip_net inner = net("10.88.7.0/24");
	const struct ip_net next = net("10.89.0.0/16");
	const struct ip_net all = net("0.0.0.0/0");
	const struct ip_net six = net("::/0");
	const struct ip_net none = {0};
	const struct ip in = addr("10.88.255.255");
	const struct ip out = addr("10.89.0.0");
	const struct ip nothing = {0};

	(void)state;
	assert_true(ip_net_has(&n, &in));
	assert_false(ip_net_has(&n, &out));
	assert_false(ip_net_has(&six, &in));
	assert_false(ip_net_has(&n, &nothing));
	assert_false(ip_net_has(&none, &nothing));
	assert_true(ip_net_overlaps(&n, &inner));
	assert_true(ip_net_overlaps(&inner, &n));
	assert_true(ip_net_overlaps(&inner, &all));
	assert_false(ip_net_overlaps(&n, &next));
	assert_false(ip_net_overlaps(&n, &six));
	assert_false(ip_net_overlaps(&none, &none));
}

static void adding_carries_and_stops(void **state)
{
	struct ip a = addr("10.0.255.250");
	struct ip end = addr("255.255.255.255");
	struct ip six = addr("fd00::ffff:ffff:ffff:ffff");
	char text[IP_TEXT_MAX];

	(void)state;
	assert_true(ip_add(&a, 10));
	assert_string_equal(ip_text(&a, text), "10.1.0.4");
	assert_false(ip_add(&end, 1));
	assert_string_equal(ip_text(&end, text), "255.255.255.255");
	assert_true(ip_add(&six, 1));
	assert_string_equal(ip_text(&six, text), "fd00:0:0:1::");
}

static void macs(void **state)
{
	static const char *const bad[] = {"",
					  "02:42:0a:58:00",
					  "02:42:0a:58:00:0g",
					  "02:42:0a:58:00:002",
					  "02.42.0a.58.00.02",
					  "02:42:0a:58:00:02:"};
	uint8_t mac[6] = {0};
	char text[MAC_TEXT_MAX];

	(void)state;
	assert_true(mac_parse("02-42-0A-58:00:02", mac));
	assert_string_equal(mac_text(mac, text), "02:42:0a:58:00:02");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (mac_parse(bad[i], mac))
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_read_strictly),
		cmocka_unit_test(text_comes_back),
		cmocka_unit_test(first_and_last),
		cmocka_unit_test(has_and_overlaps),
		cmocka_unit_test(adding_carries_and_stops),
		cmocka_unit_test(macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
