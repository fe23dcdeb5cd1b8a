# A small world for the tests of networks: `load ../lib/world` behind common.
# shellcheck shell=bash
#
#	host  198.51.100.2/24, 2001:db8:1::2/64 on up0, default routes to out
#	out   198.51.100.1/24, 2001:db8:1::1/64 on out0; answers on ports 80 and 5000
#	      of tcp and udp, and questions for names on 53 with 203.0.113.7
#
# Both are network namespaces of the test file; the machine's own network is
# left alone.
#
#	world_up [WORD...]        in setup_file; with "silent" out answers nothing
#	world_down                in teardown_file
#	in_host CMD..., in_out CMD...
#	as_user_here CMD...       the ordinary user in the host, with a /dev/net/tun
#	ask PROTOCOL ADDRESS PORT      netpeer's question, from where one is
#
# $FT/bin/netpeer is a static program: -v $FT/bin/netpeer:/netpeer.

need_TUN()
{
	unshare -m bash -c 'mount --make-rprivate / && mkdir -p /dev/net &&
		mount -t tmpfs tmpfs /dev/net &&
		mknod /dev/net/tun c 10 200 && exec 3<>/dev/net/tun' 2>&1
}

need_PASTA()
{
	command -v pasta
}

need_SLIRP()
{
	command -v slirp4netns
}

in_host()
{
	nsenter --net="/run/netns/$WORLD_HOST" "$@"
}

in_out()
{
	nsenter --net="/run/netns/$WORLD_OUT" "$@"
}

ask()
{
	"$FT/bin/netpeer" ask "$@"
}

# world_serve FILE ARG...: netpeer in out, as long as the test file runs; bats
# waits for whoever has its fds.
world_serve()
{
	local file=$FT/keep/$1

	shift
	nsenter --net="/run/netns/$WORLD_OUT" "$FT/bin/netpeer" "$@" \
		>"$file.log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$file.pid"
	disown
	wait_for grep -qs ready "$file.log"
}

world_addresses()
{
	ip -n "$WORLD_HOST" link add up0 type veth peer name out0 \
		netns "$WORLD_OUT"
	ip -n "$WORLD_HOST" address add 198.51.100.2/24 dev up0
	ip -n "$WORLD_HOST" address add 2001:db8:1::2/64 dev up0 nodad
	ip -n "$WORLD_OUT" address add 198.51.100.1/24 dev out0
	ip -n "$WORLD_OUT" address add 2001:db8:1::1/64 dev out0 nodad
	ip -n "$WORLD_HOST" link set lo up
	ip -n "$WORLD_OUT" link set lo up
	ip -n "$WORLD_HOST" link set up0 up
	ip -n "$WORLD_OUT" link set out0 up
	ip -n "$WORLD_HOST" route add default via 198.51.100.1
	ip -n "$WORLD_HOST" route add default via 2001:db8:1::1
}

world_up()
{
	export WORLD_HOST=prism-h$$ WORLD_OUT=prism-o$$
	ip netns add "$WORLD_HOST"
	ip netns add "$WORLD_OUT"
	cp "$PRISM_TEST_SITE/netpeer" "$FT/bin/netpeer"
	world_addresses
	[ "${1:-}" != silent ] || return 0
	world_serve out serve out 80 5000
	world_serve dns answer 203.0.113.7
}

world_down()
{
	local file

	for file in "$FT"/keep/*.pid; do
		[ -e "$file" ] || continue
		kill "$(cat "$file")" 2>/dev/null || true
		rm -f "$file"
	done
	if [ -n "${WORLD_LEFT:-}" ]; then
		ip netns delete "$WORLD_LEFT" || true
	fi
	ip netns delete "$WORLD_HOST" || true
	ip netns delete "$WORLD_OUT" || true
}

teardown_file()
{
	if [ -n "${WORLD_HOST:-}" ]; then
		world_down
	fi
	file_teardown
}

# What goes before a command of run_as: the host of this world, and a
# /dev/net/tun that everybody may open (TUN_MODE: another mode; none: no file).
# RESOLV: the host's resolv.conf; UPSTREAM: systemd-resolved's own.
world_user_setup()
{
	cat >"$FT/bin/here" <<-END
	#!/bin/bash
	exec nsenter --net=/run/netns/$WORLD_HOST unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mkdir -p /dev/net
		mount -t tmpfs -o mode=0755 tmpfs /dev/net
		if [ "\${TUN_MODE:-}" != none ]; then
			mknod /dev/net/tun c 10 200
			chmod "\${TUN_MODE:-666}" /dev/net/tun
		fi
		if [ -n "\${RESOLV:-}" ]; then
			mount --bind "\$RESOLV" /etc/resolv.conf
		fi
		if [ -n "\${UPSTREAM:-}" ]; then
			mount -t tmpfs tmpfs /run
			mkdir -p /run/systemd/resolve
			cp "\$UPSTREAM" /run/systemd/resolve/resolv.conf
		fi
		exec "\$@"' here "\$@"
	END
	chmod +x "$FT/bin/here"
}

as_user_here()
{
	RUN_IN=$FT/bin/here as_user "$@"
}

# ---- a neighbour that tries to use the host as its router ---------------------------

# world_neighbour: in setup_file, after world_up. "left" is 192.0.2.2 and
# 2001:db8:2::2 on a separate link of the host, lan0; left and out have routes to
# each other through the host, which decides what it forwards.
world_neighbour()
{
	export WORLD_LEFT=prism-l$$
	ip netns add "$WORLD_LEFT"
	ip -n "$WORLD_HOST" link add lan0 type veth peer name left0 \
		netns "$WORLD_LEFT"
	ip -n "$WORLD_HOST" address add 192.0.2.1/24 dev lan0
	ip -n "$WORLD_HOST" address add 2001:db8:2::1/64 dev lan0 nodad
	ip -n "$WORLD_LEFT" address add 192.0.2.2/24 dev left0
	ip -n "$WORLD_LEFT" address add 2001:db8:2::2/64 dev left0 nodad
	ip -n "$WORLD_HOST" link set lan0 up
	ip -n "$WORLD_LEFT" link set lo up
	ip -n "$WORLD_LEFT" link set left0 up
	ip -n "$WORLD_LEFT" route add default via 192.0.2.1
	ip -n "$WORLD_LEFT" route add default via 2001:db8:2::1
	ip -n "$WORLD_OUT" route add 192.0.2.0/24 via 198.51.100.2
	ip -n "$WORLD_OUT" route add 2001:db8:2::/64 via 2001:db8:1::2
}

in_left()
{
	nsenter --net="/run/netns/$WORLD_LEFT" "$@"
}

# no_answer FAMILY: left gets no answer from out, by tcp or udp.
no_answer()
{
	local to=198.51.100.1 udp

	[ "$1" = 4 ] || to=2001:db8:1::1
	in_left "$FT/bin/netpeer" try udp $to 80 >"$T/udp" 2>&1 3>&- &
	udp=$!
	must_exit 1 in_left "$FT/bin/netpeer" try tcp $to 80
	! wait $udp || explain "over udp: $(cat "$T/udp")"
}

# No host of a test is a router of before.
world_no_router()
{
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward
		echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
		echo 0 >/proc/sys/net/ipv4/conf/all/tag
		echo 0 >/proc/sys/net/ipv4/conf/lo/tag'
}

# ---- files whose containers are in one network, of root: "blue" -------------------

# world_blue: in setup_file, after world_up; prism is then in the host.
world_blue()
{
	PRISM_ROOT=$FT/root in_host "$PRISM_BIN" network create \
		--subnet 10.77.0.0/24 blue
}

# What there is of networks: links, addresses that are taken, firewall.
world_left()
{
	in_host ip -br link | grep -o '^ve[0-9a-f]*'
	find "$PRISM_ROOT"/networks/*/used -type l -printf 'address %f\n'
	world_rules
}

# Chains of prism's table, except those that stay with forwarding (routing.h).
world_rules()
{
	in_host nft list table inet prism 2>/dev/null |
		sed -n 's/^.*chain \([^ ]*\) .*/\1/p' |
		grep -vxE 'inuse|routed|routed_out'
}

world_is_clean()
{
	[ -z "$(world_left)" ]
}
