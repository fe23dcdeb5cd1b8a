/* netlink's framing, and what is said when the kernel refuses a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "runtime/net/nl.h"

static int count(const struct nlattr *a, void *ctx)
{
	*(int *)ctx += mnl_attr_get_type(a);
	return MNL_CB_OK;
}

static void attributes_are_read_as_they_were_put(void **state)
{
	_Alignas(struct nlmsghdr) char mem[256];
	struct nlmsghdr *const h = mnl_nlmsg_put_header(mem);
	struct nlattr *nest;
	const struct nlattr *a;
	int sum = 0;

	(void)state;
	(void)mnl_nlmsg_put_extra_header(h, 1);
	mnl_attr_put_u8(h, 1, 7);
	nest = mnl_attr_nest_start(h, 2);
	mnl_attr_put_strz(h, 3, "prism0");
	mnl_attr_put_u64(h, 4, UINT64_C(1) << 40);
	mnl_attr_nest_end(h, nest);
	assert_int_equal(h->nlmsg_len, 16 + 4 + 8 + 4 + 12 + 12);

	a = mnl_nlmsg_get_payload_offset(h, 1);
	assert_int_equal(mnl_attr_get_type(a), 1);
	assert_int_equal(mnl_attr_get_u8(a), 7);
	a = mnl_attr_next(a);
	assert_int_equal(mnl_attr_get_type(a), 2);
	assert_int_equal(mnl_attr_parse_nested(a, count, &sum), MNL_CB_OK);
	assert_int_equal(sum, 3 + 4);
	a = mnl_attr_get_payload(a);
	assert_string_equal(mnl_attr_get_str(a), "prism0");
	a = mnl_attr_next(a);
	assert_true(mnl_attr_get_u64(a) == UINT64_C(1) << 40);
}

static void lengths_that_lie_are_seen(void **state)
{
	_Alignas(struct nlmsghdr) char mem[64];
	struct nlmsghdr *const h = mnl_nlmsg_put_header(mem);
	struct nlattr *a;

	(void)state;
	mnl_attr_put_u32(h, 1, 5);
	a = mnl_nlmsg_get_payload(h);
	assert_true(mnl_attr_ok(a, 8));
	assert_false(mnl_attr_ok(a, 7));
	assert_int_equal(mnl_attr_validate(a, MNL_TYPE_U32), 0);
	assert_int_equal(mnl_attr_validate(a, MNL_TYPE_U64), -1);
	assert_int_equal(errno, ERANGE);
	a->nla_len = 3;
	assert_false(mnl_attr_ok(a, 8));
	assert_false(mnl_nlmsg_ok(h, (int)h->nlmsg_len - 1));
	h->nlmsg_len = 15;
	assert_false(mnl_nlmsg_ok(h, 64));
}

static int take_name(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *const a = nl_attr(
		h, sizeof(struct ifinfomsg), IFLA_IFNAME, MNL_TYPE_NUL_STRING);

	if (a)
		(void)snprintf(ctx, IFNAMSIZ, "%s", mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static void the_kernel_answers(void **state)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	char name[IFNAMSIZ] = "";
	autonl struct nl n = {.fd = -1};
	struct err e = {0};
	struct nlmsghdr *h;

	(void)state;
	assert_int_equal(nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), &e), 0);
	h = nl_put(&n, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "look for lo");
	mnl_attr_put_strz(h, IFLA_IFNAME, "lo");
	assert_int_equal(nl_ask(&n, take_name, name, &e), 0);
	assert_string_equal(name, "lo");
}

/* The words of the one that failed, the errno, and the kernel's own words. */
static void the_message_that_failed_is_named(void **state)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	struct err e = {0};
	struct nlmsghdr *h;

	(void)state;
	assert_int_equal(nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), &e), 0);
	for (int i = 0; i < 3; i++) {
		h = nl_put(&n, RTM_GETLINK, 0, sizeof(struct ifinfomsg),
			   "look for %s", i == 1 ? "nosuch0" : "lo");
		mnl_attr_put_strz(h, IFLA_IFNAME, i == 1 ? "nosuch0" : "lo");
	}
	assert_int_equal(nl_talk(&n, &e), -1);
	assert_int_equal(e.sys, ENODEV);
	assert_non_null(strstr(e.text, "look for nosuch0"));

	/* And the next one finds nothing of it. */
	err_clear(&e);
	h = nl_put(&n, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "lo");
	mnl_attr_put_strz(h, IFLA_IFNAME, "lo");
	assert_int_equal(nl_talk(&n, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_read_as_they_were_put),
		cmocka_unit_test(lengths_that_lie_are_seen),
		cmocka_unit_test(the_kernel_answers),
		cmocka_unit_test(the_message_that_failed_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
