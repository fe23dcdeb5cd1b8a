#!/usr/bin/env bats
# Networks on an interface of the host: macvlan, ipvlan, and a VLAN's interface
# that prism makes for them.
# vm: bare
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	file_store busybox
	world_up
	# A VLAN of the outside.
	if need_VLAN >/dev/null; then
		# shellcheck disable=SC2153 # world_up sets it
		ip -n "$WORLD_OUT" link add link out0 name out0.10 type vlan id 10
		ip -n "$WORLD_OUT" address add 203.0.113.1/24 dev out0.10
		ip -n "$WORLD_OUT" link set out0.10 up
	fi
}

setup()
{
	test_setup
	PEER=(-v "$FT/bin/netpeer:/netpeer")
	LAN=(--subnet 198.51.100.0/24 --gateway 198.51.100.1
		--ip-range 198.51.100.128/25)
	LAN6=(--ipv6 --subnet 2001:db8:1::/64 --gateway 2001:db8:1::1)
	TAGGED=(--subnet 203.0.113.0/24 --gateway 203.0.113.1
		--ip-range 203.0.113.128/25)
}

teardown()
{
	hprism ps -aq | xargs -r nsenter --net="/run/netns/$WORLD_HOST" \
		"$PRISM_BIN" rm -f >/dev/null
	# A test's own networks are none of the next one's.
	hprism network prune -f >/dev/null
	forget
	test_teardown
}

# out: which MAC address an address had.
forget()
{
	ip -n "$WORLD_OUT" neigh flush all
}

hprism()
{
	in_host "$PRISM_BIN" "$@"
}

# create NAME WORDS...
create()
{
	must_work hprism network create "${@:2}" "$1"
}

# serve NAME OPTION...: a container that answers on port 80.
serve()
{
	must_work hprism run -d --name "$1" "${PEER[@]}" "${@:2}" busybox \
		/netpeer serve "$1" 80
	wait_for hprism exec "$1" /netpeer ask tcp 127.0.0.1 80 \
		>/dev/null
}

# asks OPTION... -- PROTOCOL ADDRESS PORT: from a container of its own.
asks()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	hprism run --rm "${PEER[@]}" "${options[@]}" busybox /netpeer ask "$@"
}

# reached ADDRESS: web is, from out; a slow machine needs more than one try.
reached()
{
	local try

	for try in 1 2 3 4; do
		if in_out "$FT/bin/netpeer" ask tcp "$1" 80 >"$T/answer"; then
			grep -q '^web ' "$T/answer"
			return
		fi
	done
	printf '%s tries in vain\n' "$try"
	in_out ip neigh
	hprism exec web ip neigh
	return 1
}

# ---- macvlan -------------------------------------------------------------------------

@test "macvlan: a neighbour of the outside, with an address of its own" {
	need ROOT NETNS OVERLAY MACVLAN
	create lan -d macvlan -o parent=up0 "${LAN[@]}" "${LAN6[@]}"
	serve web --network lan
	must_work hprism exec web /netpeer ask tcp 198.51.100.1 80
	prints 'out 198.51.100.128'
	must_work hprism exec web /netpeer ask tcp 2001:db8:1::1 80
	has '^out 2001:db8:1::'
	reached 198.51.100.128
	must_work ip -n "$WORLD_OUT" neigh show 198.51.100.128
	has 'lladdr 02:42:c6:33:64:80'
	must_work hprism exec web ip route
	has '^default via 198.51.100.1 dev eth0'
	# Two on one parent see each other.
	must_work asks --network lan -- tcp web 80
	has '^web '
	must_work hprism network disconnect lan web
	must_work hprism exec web ip -o link
	has_not eth0
	must_work hprism network connect lan web
	must_work hprism exec web /netpeer ask tcp 198.51.100.1 80
	# The kernel may still be taking apart the one before.
	for _ in 1 2 3; do
		must_work hprism restart -t 0 web
	done
	wait_for hprism exec web /netpeer ask tcp 198.51.100.1 80
	must_work hprism rm -f web
	# Ports are the bridge's, whichever comes first.
	serve web --network lan --network bridge -p 8080:80
	must_work in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8080
	has '^web 10\.88\.'
	must_work hprism exec web ip route
	has '^default via 198.51.100.1 dev eth0'
	must_work hprism rm -f web
	must_work hprism network rm lan
	must_work in_host ip link show up0
	create lost -d macvlan -o parent=nosuch0
	must_fail 125 hprism run --rm --network lost busybox true
	says 'there is no interface nosuch0 on this host'
}

@test "macvlan: private is alone, passthru is the only one" {
	need ROOT NETNS OVERLAY MACVLAN
	create lan -d macvlan -o parent=up0 -o mode=private "${LAN[@]}"
	serve web --network lan
	must_work asks --network lan -- tcp 198.51.100.1 80
	must_not asks --network lan -- tcp web 80
	must_work hprism rm -f web
	must_work hprism network rm lan
	forget
	create only -d macvlan -o parent=up0 -o mode=passthru "${LAN[@]}"
	serve web --network only --ip 198.51.100.200
	reached 198.51.100.200
	must_work hprism restart -t 0 web
	reached 198.51.100.200
	must_fail 125 hprism run --rm --network only busybox true
	says 'up0 may be .*another mode'
}

@test "macvlan: a way in that fails leaves nothing inside; one that is gone" {
	need ROOT NETNS OVERLAY MACVLAN
	create lan -d macvlan -o parent=up0 "${LAN[@]}" "${LAN6[@]}"
	must_work hprism run -d --name web --cap-add NET_ADMIN --network bridge \
		--sysctl net.ipv6.conf.default.disable_ipv6=1 busybox sleep 300
	must_fail 1 hprism network connect lan web
	# Older kernels say no more than the errno.
	says '2001:db8:1::2/64: .*(EACCES|IPv6 is disabled)'
	must_work hprism exec web ls /sys/class/net
	prints 'eth0
lo'
	must_work hprism exec web ip route
	has '^default via 10\.88\.'
	must_work hprism exec web cat /etc/hosts
	has_not '198\.51\.100\.'
	must_work hprism network rm lan
	create lan -d macvlan -o parent=up0 "${LAN[@]}"
	must_work hprism network connect lan web
	must_work hprism exec web ip link delete eth1
	must_work hprism network disconnect lan web
	must_work hprism rm -f web
}

# ---- ipvlan --------------------------------------------------------------------------

@test "ipvlan: layer 2, with the parent's MAC address" {
	need ROOT NETNS OVERLAY IPVLAN
	create lan -d ipvlan -o parent=up0 -o mtu=1400 "${LAN[@]}" "${LAN6[@]}"
	serve web --network lan --ip 198.51.100.200
	reached 198.51.100.200
	must_work hprism exec web ip link show eth0
	has ' mtu 1400 '
	has "link/ether $(in_host ip -j link show up0 | jq -r '.[0].address') "
	must_work asks --network lan -- tcp 198.51.100.1 80
	has '^out 198\.51\.100\.'
	must_work asks --network lan -- tcp 2001:db8:1::1 80
	has '^out 2001:db8:1::'
	must_work asks --network lan -- tcp web 80
	must_fail 125 hprism run --rm --network lan \
		--mac-address 02:00:00:00:00:01 busybox true
	says 'not for network lan'
	must_work hprism network disconnect lan web
	must_work hprism exec web ip -o link
	has_not eth0
	must_work hprism network connect --ip 198.51.100.200 lan web
	reached 198.51.100.200
	# The kernel has one of the two on an interface.
	create mac -d macvlan -o parent=up0 --subnet 198.18.9.0/24
	must_fail 125 hprism run --rm --network mac busybox true
	says 'up0 may be .*the other of macvlan and ipvlan'
}

@test "ipvlan: layer 3 and 3s, by the parent's routes" {
	need ROOT NETNS OVERLAY IPVLAN
	local mode

	ip -n "$WORLD_OUT" route add 198.18.3.0/24 via 198.51.100.2
	ip -n "$WORLD_OUT" route add fd00:3::/64 via 2001:db8:1::2
	for mode in l3 l3s; do
		create far -d ipvlan -o parent=up0 -o mode=$mode \
			--subnet 198.18.3.0/24 --ipv6 --subnet fd00:3::/64
		serve web --network far
		must_work hprism exec web ip route
		has '^default dev eth0'
		must_work hprism exec web /netpeer ask tcp 198.51.100.1 80
		has '^out 198\.18\.3\.'
		must_work hprism exec web /netpeer ask tcp 2001:db8:1::1 80
		has '^out fd00:3::'
		must_work asks --network far -- tcp web 80
		must_work hprism rm -f web
		must_work hprism network rm far
	done
	ip -n "$WORLD_OUT" route delete 198.18.3.0/24
	ip -n "$WORLD_OUT" route delete fd00:3::/64
}

# ---- a VLAN as the parent --------------------------------------------------------------

tagged_link()
{
	in_host ip -d link show "${1:-up0.10}"
}

@test "a VLAN's interface is made for its first container, and goes with the network" {
	need ROOT NETNS OVERLAY MACVLAN IPVLAN VLAN
	local driver

	for driver in macvlan ipvlan; do
		create tagged -d $driver -o parent=up0.10 "${TAGGED[@]}"
		must_not tagged_link
		serve web --network tagged
		must_work tagged_link
		has 'up0\.10@up0: .*UP'
		has 'vlan protocol 802\.1Q id 10 '
		must_work hprism exec web /netpeer ask tcp 203.0.113.1 80
		prints 'out 203.0.113.128'
		reached 203.0.113.128
		must_work asks --network tagged -- tcp web 80
		must_work hprism rm -f web
		must_work hprism network rm tagged
		must_not tagged_link
	done
}

@test "a VLAN's interface stays while another network is on it, or somebody else made it" {
	need ROOT NETNS OVERLAY MACVLAN VLAN
	create one -d macvlan -o parent=up0.10 "${TAGGED[@]}"
	create two -d macvlan -o parent=up0.10 --subnet 198.18.9.0/24
	serve web --network two
	must_work asks --network one -- tcp 203.0.113.1 80
	must_work hprism network rm one
	must_work tagged_link
	must_work hprism exec web ip -o link show eth0
	must_work hprism rm -f web
	must_work hprism network rm two
	must_not tagged_link
	in_host ip link add link up0 name up0.11 type vlan id 11
	in_host ip link set up0.11 up
	create three -d macvlan -o parent=up0.11 --subnet 198.18.9.0/24
	must_work hprism run --rm --network three busybox true
	must_work hprism network rm three
	must_work tagged_link up0.11
	in_host ip link delete up0.11
}

@test "a VLAN whose interface is not there or down" {
	need ROOT NETNS OVERLAY MACVLAN VLAN
	create lost -d macvlan -o parent=nosuch0.10 --subnet 198.18.8.0/24
	must_fail 125 hprism run --rm --network lost busybox true
	says 'there is no interface nosuch0\.10 on this host'
	in_host ip link add down0 type veth peer name down1
	create down -d macvlan -o parent=down0.10 --subnet 198.18.9.0/24
	must_work hprism run --rm --network down busybox ip -o link show eth0
	says 'down0\.10 is down'
	in_host ip link delete down0
}
