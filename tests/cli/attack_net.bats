#!/usr/bin/env bats
# Neighbours on the network try to use a host that runs containers as a router.
#
#	left  192.0.2.2 -- lan0 [ host ] up0 -- out 198.51.100.1
#
# left and out have routes to each other through the host, which forwards nothing
# before prism starts. (world.bash lists the other addresses.)
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	file_store busybox
	world_up
	world_neighbour
	printf '{}\n' >"$FT/bridge.json"
}

setup()
{
	test_setup
	need ROOT OVERLAY
	export PRISM_CONFIG=$FT/bridge.json
	world_no_router
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
		echo 0 >/proc/sys/net/ipv4/conf/lan0/rp_filter'
}

teardown()
{
	hprism ps -aq | xargs -r nsenter --net="/run/netns/$WORLD_HOST" \
		"$PRISM_BIN" rm -f >/dev/null
	hprism network ls -q --filter type=custom | xargs -r nsenter \
		--net="/run/netns/$WORLD_HOST" "$PRISM_BIN" network rm >/dev/null
	in_host nft flush ruleset
	ip netns delete "$WORLD_LEFT-vm" 2>/dev/null || true
	test_teardown
}

hprism()
{
	in_host "$PRISM_BIN" "$@"
}

# up NAME OPTION...: start a container that stays.
up()
{
	local name=$1

	shift
	must_work hprism run -d --name "$name" "$@" busybox sleep 300
}

forwarded4()
{
	must_work in_left "$FT/bin/netpeer" ask tcp 198.51.100.1 80
}

# Containers can be reached and can reach out.
container_talks()
{
	must_work hprism exec "$1" ping -c1 -w30 198.51.100.1
	must_work hprism exec "$1" ping -c1 -w30 192.0.2.2
	must_work in_left busybox ping -c1 -w30 192.0.2.1
}

chains()
{
	in_host nft -a list table inet prism 2>/dev/null |
		sed -n 's/.*chain \([^ ]*\) .*/\1/p' | sort | tr '\n' ' '
}

# ---- only for its own networks --------------------------------------------------

@test "a host whose forwarding prism switched on does not route for neighbours" {
	no_answer 4
	up web -p 8080:80 -v "$FT/bin/netpeer:/netpeer"
	says 'switched IPv4 forwarding on, for prism.s networks only'
	must_work in_host cat /proc/sys/net/ipv4/ip_forward
	prints 1
	no_answer 4
	container_talks web
	hprism exec -d web /netpeer serve web 80
	must_work in_left "$FT/bin/netpeer" ask tcp 192.0.2.1 8080
	prints 'web 192.0.2.2'
	must_work hprism info
	has 'IPv4: for prism.s networks only'
	has 'IPv6: off'
	must_work hprism info -f '{{.IPv4Forwarding}} {{.Forwarding.IPv4}}'
	prints "true for prism's networks only"
}

@test "nor does it after the last container or network is gone" {
	must_work hprism network create --subnet 10.79.0.0/24 own
	up one
	up two --network own
	must_work hprism rm -f one
	no_answer 4
	container_talks two
	must_work hprism rm -f two
	# Forwarding is still on; no other rule of prism's is left.
	[ "$(in_host cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	[ "$(chains)" = 'inuse routed routed_out ' ] || explain "$(chains)"
	no_answer 4
	must_work hprism network rm own
	no_answer 4
	up again
	says_not 'forwarding'
	no_answer 4
	container_talks again
	must_work hprism rm -f again
	# When forwarding is switched off, the chains go too.
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	up last
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	must_work hprism rm -f last
	[ -z "$(chains)" ] || explain "$(chains)"
	[ "$(in_host cat /proc/sys/net/ipv4/conf/all/tag)" = 0 ]
}

@test "IPv6 is forwarded only for networks that have it" {
	must_work hprism network create --ipv6 --subnet 10.79.1.0/24 \
		--subnet fd00:79::/64 six
	no_answer 6
	up one
	no_answer 6
	[ "$(in_host cat /proc/sys/net/ipv6/conf/all/forwarding)" = 0 ]
	up both --network six
	says 'switched IPv6 forwarding on, for prism.s networks only'
	no_answer 6
	no_answer 4
	must_work hprism exec both ping -6 -c1 -w30 2001:db8:1::1
	must_work hprism exec both ping -6 -c1 -w30 2001:db8:2::2
	must_work hprism info
	has 'IPv6: for prism.s networks only'
	must_work hprism rm -f one both
	no_answer 6
	no_answer 4
}

@test "a host that forwarded before stays a router" {
	in_host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	forwarded4
	up one
	says_not forwarding
	forwarded4
	must_work hprism info
	has 'IPv4: on'
	must_work hprism rm -f one
	forwarded4
	[ -z "$(chains)" ]
	# One family only.
	must_work hprism network create --ipv6 --subnet 10.79.1.0/24 \
		--subnet fd00:79::/64 six
	up both --network six
	says_not 'IPv4 forwarding'
	says 'IPv6 forwarding'
	forwarded4
	no_answer 6
	must_work hprism rm -f both
	forwarded4
	no_answer 6
}

@test "interfaces that forwarded before still do" {
	in_host sh -c 'echo 1 >/proc/sys/net/ipv4/conf/lan0/forwarding
		echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding'
	forwarded4
	up one
	says 'on for all interfaces; it was on for some'
	forwarded4
}

@test "an administrator can make the host a router afterwards" {
	up one
	no_answer 4
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/tag'
	must_work in_host nft 'delete chain inet prism routed; delete chain inet prism routed_out'
	forwarded4
	must_work hprism network create --subnet 10.79.2.0/24 own
	up two --network own
	must_work hprism network reload
	forwarded4
	container_talks two
	must_work hprism rm -f one two
	forwarded4
	[ -z "$(chains)" ] || explain "$(chains)"
}

# ---- and still so --------------------------------------------------------------------

@test "after a flush of all rules the next prism command restores them" {
	up one
	in_host nft flush ruleset
	must_work hprism network reload
	no_answer 4
	container_talks one
	in_host nft flush ruleset
	must_work hprism rm -f one
	no_answer 4
	in_host nft flush ruleset
	must_work hprism network reload
	no_answer 4
	in_host nft flush ruleset
	up two
	no_answer 4
	container_talks two
}

@test "concurrent starts do not leave a router" {
	local i

	must_work hprism network create --ipv6 --subnet 10.79.1.0/24 \
		--subnet fd00:79::/64 six
	for i in 1 2 3; do
		world_no_router
		hprism run --rm busybox true 3>&- &
		hprism run --rm --network six busybox true 3>&- &
		hprism run --rm --network six busybox true 3>&- &
		wait
		no_answer 4
		no_answer 6
		in_host nft flush ruleset
	done
}

# ---- others -------------------------------------------------------------------------

# A network like those of docker, podman and libvirt, a bridge whose traffic is
# translated, made with plain rules after prism.
other_network()
{
	ip netns add "$WORLD_LEFT-vm"
	ip -n "$WORLD_HOST" link add other0 type bridge
	ip -n "$WORLD_HOST" link set other0 up
	ip -n "$WORLD_HOST" address add 172.31.9.1/24 dev other0
	ip -n "$WORLD_HOST" link add vm0 type veth peer name eth0 \
		netns "$WORLD_LEFT-vm"
	ip -n "$WORLD_HOST" link set vm0 master other0 up
	ip -n "$WORLD_LEFT-vm" address add 172.31.9.2/24 dev eth0
	ip -n "$WORLD_LEFT-vm" link set eth0 up
	ip -n "$WORLD_LEFT-vm" route add default via 172.31.9.1
	in_host nft -f - <<-END
	table ip other {
		chain out {
			type nat hook postrouting priority srcnat;
			ip saddr 172.31.9.0/24 oifname != other0 masquerade
		}
		chain in {
			type nat hook prerouting priority dstnat;
			fib daddr type local tcp dport 8099 dnat to 172.31.9.2:80
		}
	}
	END
}

@test "networks of other programs work, even if they are made later" {
	local server

	up one
	other_network
	must_work nsenter --net="/run/netns/$WORLD_LEFT-vm" "$FT/bin/netpeer" \
		ask tcp 198.51.100.1 80
	prints 'out 198.51.100.2'
	must_work nsenter --net="/run/netns/$WORLD_LEFT-vm" "$FT/bin/netpeer" \
		ask udp 198.51.100.1 80
	nsenter --net="/run/netns/$WORLD_LEFT-vm" "$FT/bin/netpeer" serve vm 80 \
		>"$T/vm" 2>&1 </dev/null 3>&- 4>&- &
	server=$!
	wait_for grep -qs ready "$T/vm"
	must_work in_left "$FT/bin/netpeer" ask tcp 192.0.2.1 8099
	prints 'vm 192.0.2.2'
	no_answer 4
	# Forged sources, to be translated like their network or ours.
	for address in 172.31.9.7 10.88.0.77; do
		ip -n "$WORLD_LEFT" address add "$address/32" dev left0
		in_host nft add table ip seen
		in_host nft add chain ip seen out \
			'{ type filter hook postrouting priority 300; }'
		in_host nft add rule ip seen out oifname up0 udp dport 5000 counter
		in_left ip route replace 198.51.100.1 via 192.0.2.1 src "$address"
		must_exit 1 in_left "$FT/bin/netpeer" try udp 198.51.100.1 5000
		in_host nft list table ip seen | grep 'packets 0 ' ||
			explain "$(in_host nft list table ip seen)"
		in_host nft delete table ip seen
		in_left ip route delete 198.51.100.1
		ip -n "$WORLD_LEFT" address delete "$address/32" dev left0
	done
	kill "$server"
	ip netns delete "$WORLD_LEFT-vm"
	ip -n "$WORLD_HOST" link delete other0
}

# A host that forwards ignores router advertisements unless accept_ra is 2.
@test "a default route that a router announced survives the switch" {
	must_work hprism network create --ipv6 --subnet 10.79.1.0/24 \
		--subnet fd00:79::/64 six
	in_host sh -c 'echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra'
	# The kernel marks an announced route: RTPROT_RA, with an expiry.
	must_work in_out "$PRISM_TEST_SITE/netpeer" announce out0
	announced()
	{
		in_host ip -6 route show default dev up0 | grep -q 'proto ra'
	}
	wait_for announced
	up both --network six
	says 'set accept_ra to 2 on up0'
	[ "$(in_host cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
	announced || explain "$(in_host ip -6 route)"
	must_work in_out "$PRISM_TEST_SITE/netpeer" announce out0
	in_host sh -c 'echo 0 >/proc/sys/net/ipv6/conf/up0/accept_ra
		ip -6 route flush proto ra'
}
