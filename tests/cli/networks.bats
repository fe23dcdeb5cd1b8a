#!/usr/bin/env bats
# Networks: what they are told, what they are, who is in them.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

teardown()
{
	# A lock that a test holds.
	exec 7>&-
	if [ -e "$T/world" ]; then
		prism ps -aq | xargs -r "$PRISM_BIN" rm -f >/dev/null
		ip netns del "$WORLD-host"
		ip netns del "$WORLD-out"
	fi
	# A test's own networks are none of the next one's.
	rm -rf "$PRISM_ROOT/networks"
	test_teardown
}

network()
{
	prism network "$@"
}

# field NETWORK TEMPLATE: of network inspect.
field()
{
	prism network inspect --format "$2" "$1"
}

# world: "host" with an interface up0 (192.0.2.2) to "out" (192.0.2.1).
world()
{
	WORLD=prism-$BATS_TEST_NUMBER-$$
	ip netns add "$WORLD-host"
	ip netns add "$WORLD-out"
	touch "$T/world"
	ip link add up0 netns "$WORLD-host" type veth \
		peer name out0 netns "$WORLD-out"
	ip -n "$WORLD-host" addr add 192.0.2.2/24 dev up0
	ip -n "$WORLD-host" link set lo up
	ip -n "$WORLD-host" link set up0 up
	ip -n "$WORLD-host" route add default via 192.0.2.1
	ip -n "$WORLD-out" addr add 192.0.2.1/24 dev out0
	ip -n "$WORLD-out" link set lo up
	ip -n "$WORLD-out" link set out0 up
}

host()
{
	nsenter --net="/run/netns/$WORLD-host" "$@"
}

out()
{
	nsenter --net="/run/netns/$WORLD-out" "$@"
}

# hprism WORDS...: prism on the host of the world.
hprism()
{
	host "$PRISM_BIN" "$@"
}

# wait_in_line PID...: each waits for a lock of a file.
wait_in_line()
{
	local pid

	for pid; do
		wait_for grep -q -- "-> FLOCK .* $pid " /proc/locks
	done
}

# connecting NETWORK: web, in the background.
connecting()
{
	nsenter --net="/run/netns/$WORLD-host" "$PRISM_BIN" \
		network connect "$1" web 3>&- 7>&- &
}

is_dead()
{
	! grep -qs '^State:.[^Z]' "/proc/$1/status"
}

# addresses_of CONTAINER: as it sees them, with prefixes.
addresses_of()
{
	hprism exec "$1" ip -o -4 addr | awk '$2 ~ /^eth/ { print $4 }'
}

# ---- what they are ------------------------------------------------------------

@test "network create says what it is told, ls and inspect show it" {
	need ROOT
	must_work network create --subnet 198.18.4.0/22 --gateway 198.18.4.9 \
		--ip-range 198.18.5.0/24 --internal --ipv6 --label a=b \
		--label c web
	has '^[0-9a-f]{64}$'
	[ "$(field web '{{.Id}}')" = "$output" ]
	[ "$(field web '{{(index .IPAM.Config 0).Subnet}}')" = 198.18.4.0/22 ]
	[ "$(field web '{{(index .IPAM.Config 0).Gateway}}')" = 198.18.4.9 ]
	[ "$(field web '{{(index .IPAM.Config 0).IPRange}}')" = 198.18.5.0/24 ]
	[[ $(field web '{{(index .IPAM.Config 1).Subnet}}') == fd*::/64 ]]
	[ "$(field web '{{.Internal}} {{.EnableIPv6}} {{.Driver}}')" = \
		'true true bridge' ]
	[ "$(field web '{{.Labels.a}} {{len .Labels}}')" = 'b 2' ]
	must_work network inspect --format '{{.Name}}' web bridge
	prints 'web
bridge'
	must_work network ls
	has '^NETWORK ID +NAME +DRIVER +SCOPE$'
	has '^[0-9a-f]{12} +bridge +bridge +local$'
	has '^[0-9a-f]{12} +host +host +local$'
	has '^[0-9a-f]{12} +none +null +local$'
	has '^[0-9a-f]{12} +web +bridge +local$'
	must_fail 1 network inspect nosuch
	prints '[]'
	says 'network nosuch not found'
}

@test "a name is taken once" {
	need ROOT
	must_work network create web
	must_fail 1 network create web
	says 'network with name web already exists'
	must_work network create --ignore web
	prints web
	must_fail 1 network create bridge
	must_fail 1 network create host
	says 'operation is not permitted on predefined host network'
	must_fail 1 network create 'a b'
	says 'not a name for a network'
	must_fail 1 network create "$(printf 'x%.0s' {1..128})"
	says 'not a name for a network'
}

@test "subnets that overlap, and those that are none" {
	need ROOT
	must_work network create --subnet 198.18.0.0/20 one
	must_fail 1 network create --subnet 198.18.8.0/24 two
	says 'subnet 198.18.8.0/24 overlaps with 198.18.0.0/20 of network one'
	must_fail 1 network create --subnet 198.18.16.7/24 two
	says 'it should be 198.18.16.0/24'
	must_fail 1 network create --subnet 198.18.16.0 two
	says 'not ADDRESS/PREFIX'
	must_fail 1 network create --subnet 198.18.16.0/24 \
		--gateway 198.18.17.1 two
	says 'no matching subnet for gateway 198.18.17.1'
	must_fail 1 network create --subnet 198.18.16.0/24,198.18.17.0/24 two
	says 'one of IPv4 and one of IPv6'
	# Chosen around each other.
	must_work network create two
	must_work network create three
	[ "$(field two '{{(index .IPAM.Config 0).Subnet}}')" != \
		"$(field three '{{(index .IPAM.Config 0).Subnet}}')" ]
}

@test "a subnet that the host reaches elsewhere is refused, or avoided" {
	need ROOT NETNS
	# shellcheck disable=SC2016 # for the inner shell
	must_work unshare -n sh -c '
		ip link add up0 type bridge && ip link set up0 up &&
		ip route add 198.18.0.0/16 dev up0 &&
		ip route add 10.88.0.0/14 dev up0 || exit 9
		"$1" network create --subnet 198.18.3.0/24 web && exit 8
		"$1" network inspect bridge web --format \
			"{{(index .IPAM.Config 0).Subnet}}"
		"$1" network create free >&2 &&
		"$1" network inspect free --format \
			"{{(index .IPAM.Config 0).Subnet}}"
	' sh "$PRISM_BIN"
	prints '10.92.0.0/16
10.93.0.0/24'
	says "overlaps with 198.18.0.0/16 of the host's route on up0"
}

@test "addresses that nobody gets" {
	need ROOT
	must_work network create --subnet 198.18.0.0/24 \
		--aux-address router=198.18.0.7 --aux-address nas=198.18.0.8 web
	[ "$(field web '{{(index .IPAM.Config 0).AuxiliaryAddresses.nas}}')" = \
		198.18.0.8 ]
	must_fail 1 network create --subnet 198.18.1.0/24 \
		--aux-address router=198.18.0.7 two
	says "aux-address 'router=198.18.0.7'"
}

@test "a bridge is that of one network" {
	need ROOT
	local name=com.docker.network.bridge.name
	must_work network create -o $name=br0 one
	must_fail 1 network create --ignore -o $name=br0 two
	says 'bridge br0 is that of network one'
	must_fail 1 network create -o $name=prism0 two
	says 'bridge prism0 is that of network bridge'
	must_work network create -d macvlan -o parent=br0 \
		--subnet 198.18.0.0/24 lan
	must_work network rm one
	must_work network create -o $name=br0 two
}

@test "macvlan and ipvlan name their parent and mode" {
	need ROOT
	must_work network create -d macvlan --opt parent=up0 \
		--subnet 198.18.0.0/24 lan
	[ "$(field lan '{{.Driver}} {{.Options.parent}}')" = 'macvlan up0' ]
	must_work network create -d ipvlan --interface-name up0 -o mode=l3 \
		--subnet 198.18.1.0/24 l3
	[ "$(field l3 '{{.Driver}} {{.Options.parent}} {{.Options.mode}}')" = \
		'ipvlan up0 l3' ]
	must_fail 1 network create -d macvlan x
	says 'macvlan needs the interface it is on'
	must_fail 1 network create -d macvlan -o parent=up0 --opt mode=l2 x
	says 'macvlan has bridge, private, vepa and passthru'
	must_fail 1 network create -d overlay x
	says 'bridge, macvlan and ipvlan'
	must_fail 1 network create -o parent=a/b -d ipvlan x
	says 'not a name for an interface'
}

@test "ls: filters, formats" {
	need ROOT
	local id

	must_work network create --label tier=front front
	id=$output
	must_work network create --label tier=back -d macvlan -o parent=x back
	must_work network ls --filter label=tier=back --format '{{.Name}}'
	prints back
	must_work network ls --filter driver=macvlan --quiet
	has '^[0-9a-f]{12}$'
	must_work network ls --filter "id=${id:0:9}" --no-trunc --format '{{.ID}}'
	prints "$id"
	must_work network ls -f name=fron -f name=nosuch --noheading
	has '^[0-9a-f]{12} +front +bridge +local$'
	has_not NAME
	must_work network ls -f type=builtin --format '{{.Name}}'
	prints 'bridge
host
none'
	must_work network ls -f dangling=true --format '{{.Name}} {{.Internal}}'
	prints 'back false
front false'
	must_work network ls --format json -f name=front
	has '"Name":"front"'
	must_fail 1 network ls -f nosuch=1
	must_fail 1 network ls -f type=nosuch
	must_work network inspect "${id:0:12}" --format '{{.Name}}'
	prints front
}

@test "rm: what is there, what is not, and what stays" {
	need ROOT
	local id

	must_work network create web
	id=$output
	must_fail 1 network rm nosuch web
	prints web
	says 'network nosuch not found'
	must_fail 1 network inspect "$id"
	must_work network rm --force nosuch
	must_fail 1 network rm bridge
	says 'bridge is a pre-defined network and cannot be removed'
	must_fail 1 network rm none
	must_work network create web
	must_work network remove "${output:0:12}"
	[ "$(ls "$PRISM_ROOT/networks")" = '' ]
}

@test "prune takes what no container uses" {
	need ROOT
	must_work network create --label keep one
	must_work network create two
	must_work network prune --force --filter label!=keep
	prints 'Deleted Networks:
two'
	must_work network prune <<<n
	has 'Are you sure'
	must_work network inspect one
	must_work network prune <<<y
	has '^one$'
	must_fail 1 network inspect one
	must_work network inspect bridge
}

@test "makers at once: each gets a subnet of its own" {
	need ROOT
	local i
	local -a pids=()

	for i in $(seq 20); do
		prism network create "n$i" >>"$T/made" &
		pids+=($!)
	done
	# bats has a job of its own.
	wait "${pids[@]}"
	[ "$(wc -l <"$T/made")" = 20 ]
	for i in $(seq 20); do
		field "n$i" '{{(index .IPAM.Config 0).Subnet}}' >>"$T/subnets"
	done
	[ "$(sort -u "$T/subnets" | wc -l)" = 20 ]
}

# ---- who is in them ----------------------------------------------------------

@test "two networks on one container: both reach it, one leads out" {
	need ROOT NETNS OVERLAY
	world
	hprism network create --subnet 198.18.1.0/24 one
	hprism network create --subnet 198.18.2.0/24 two
	must_work hprism run -d --name web --network one \
		--network name=two,ip=198.18.2.77,alias=www,mac-address=02:00:00:00:00:77 \
		busybox sleep 300
	must_work hprism run --rm --network two busybox ping -c 1 -W 20 www
	has '198.18.2.77'
	must_work hprism run --rm --network one busybox ping -c 1 -W 20 web
	has '198.18.1.2'
	must_work hprism exec web ip route
	has '^default via 198.18.1.1 dev eth0'
	has '^198.18.2.0/24 dev eth1'
	must_work hprism exec web cat /sys/class/net/eth1/address
	prints 02:00:00:00:00:77
	must_work hprism run --rm --network one \
		--network name=two,gw-priority=3 busybox ip route
	has '^default via 198.18.2.1 dev eth1'
	must_work hprism run --rm --network one:interface_name=lan0 --network \
		name=two,driver-opt=com.docker.network.endpoint.ifname=up9 \
		busybox ls /sys/class/net
	prints 'lan0
lo
up9'
	must_fail 125 hprism run --rm --network name=one,driver-opt=a.b=c \
		busybox true
	says "driver-opt 'a\.b=c'"
	must_fail 125 hprism run --rm --network one:interface_name=a/b busybox true
	says "'a/b' is not a name for an interface"
	must_work hprism run --rm --network name=one,gw-priority=-1 \
		--network two busybox ip route
	has '^default via 198.18.2.1 dev eth1'
	must_work hprism ps --filter network=two --format '{{.Names}} {{.Networks}}'
	prints 'web one,two'
	must_work hprism ps -q --filter network=bridge
	prints ''
	must_work hprism network inspect two \
		-f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.MacAddress}}{{end}}'
	prints 'web 198.18.2.77/24 02:00:00:00:00:77'
	must_fail 1 hprism network rm two
	says 'network two has active endpoints \(name:"web"'
	must_work hprism network ls -f dangling=false -f type=custom -q
	[ "$(wc -l <<<"$output")" = 2 ]
	must_work hprism rm -f web
	must_work hprism network rm one two
	must_work host ip -br link show type bridge
	prints ''
}

@test "--ip, --mac-address, --network-alias: what is asked for, or why not" {
	need ROOT NETNS OVERLAY
	world
	hprism network create --subnet 198.18.1.0/24 one
	must_work hprism run --rm --network one --ip 198.18.1.9 \
		--mac-address 02:00:00:00:00:09 busybox ip addr show eth0
	has 'inet 198.18.1.9/24'
	has 'link/ether 02:00:00:00:00:09'
	must_fail 125 hprism run --rm --network one --ip 198.18.2.9 busybox true
	says '198.18.2.9'
	must_fail 125 hprism run --rm --network one --ip 198.18.1.1 busybox true
	says '198.18.1.1'
	must_fail 125 hprism run --rm --network one --ip 1.2.3 busybox true
	says "not an IPv4 address"
	must_fail 125 hprism run --rm --network one \
		--mac-address 01:00:00:00:00:09 busybox true
	says "a group's"
	must_fail 125 hprism run --rm --network bridge --network-alias x \
		busybox true
	says 'user defined networks'
	must_fail 125 hprism run --rm --network one --network one busybox true
	says 'network one is specified multiple times'
	must_fail 125 hprism run --rm --network one --network host busybox true
	says 'conflicting options'
	must_fail 125 hprism run --rm --network name=one,nosuch=1 busybox true
	says "'nosuch' is not one of name"
	must_fail 125 hprism run --rm --network nosuch busybox true
	says 'network nosuch not found'
	must_work hprism run -d --name web --network one:ip=198.18.1.7 \
		--network-alias www busybox sleep 300
	must_work hprism run --rm --network one busybox ping -c 1 -W 20 www
	has '198.18.1.7'
	must_fail 125 hprism run --rm --network one --ip 198.18.1.7 busybox true
	says '198.18.1.7'
}

@test "a network that is named by its id is the same one" {
	need ROOT NETNS OVERLAY
	local id bridge
	world
	id=$(hprism network create one)
	bridge=$(field bridge '{{.Id}}')
	must_work hprism create --name web --network "${id:0:12}" busybox true
	must_work hprism ps -a --filter network=one \
		--format '{{.Names}} {{.Networks}}'
	prints 'web one'
	must_work hprism network prune -f
	prints ''
	must_fail 1 hprism network connect one web
	says 'already exists in network one'
	must_work hprism run -d --name two --network "name=$id,alias=www" \
		busybox sleep 300
	must_fail 1 hprism network rm one
	must_work hprism network disconnect "$id" two
	must_work hprism network disconnect one web
	must_fail 125 hprism run --rm --network one --network "$id" busybox true
	says 'network one is specified multiple times'
	must_fail 125 hprism run --rm --network "${bridge:0:9}" \
		--network-alias x busybox true
	says 'user defined networks'
	must_work hprism network rm one
}

@test "connect and disconnect a running container: names, routes, restart" {
	need ROOT NETNS OVERLAY
	world
	hprism network create --subnet 198.18.1.0/24 one
	hprism network create --subnet 198.18.2.0/24 two
	hprism run -d --name web --network one busybox sleep 300
	hprism run -d --name db --network two busybox sleep 300
	must_work hprism network connect --driver-opt \
		com.docker.network.endpoint.ifname=up9 --gw-priority -2 two web
	must_work hprism inspect web -f \
		'{{with .NetworkSettings.Networks.two}}{{.DriverOpts}} {{.GwPriority}}{{end}}'
	prints 'map[com.docker.network.endpoint.ifname:up9] -2'
	must_work hprism exec web ip -o -4 addr show dev up9
	has '198\.18\.2\.'
	must_work hprism network disconnect two web
	must_work hprism network connect --alias www --ip 198.18.2.50 two web
	must_work hprism exec db ping -c 1 -W 20 www
	has '198.18.2.50'
	must_work hprism exec web ping -c 1 -W 20 db
	must_fail 1 hprism network connect two web
	says 'endpoint with name web already exists in network two'
	must_work hprism network disconnect one web
	must_work hprism exec web ip -o link
	has_not eth0
	must_work hprism exec web ip route
	has '^default via 198.18.2.1 dev eth1'
	must_work hprism exec web cat /etc/hosts
	has_not '198\.18\.1\.'
	must_fail 1 hprism network disconnect one web
	says 'not connected to network one'
	must_work hprism network disconnect --force one web
	must_work hprism restart -t 0 web
	[ "$(addresses_of web)" = 198.18.2.50/24 ]
	must_work hprism exec db ping -c 1 -W 20 www
	must_work hprism network disconnect two web
	must_work hprism exec db cat /etc/hosts
	has_not www
	must_work hprism network rm one
	must_fail 1 hprism network connect nosuch web
	says 'network nosuch not found'
}

@test "connects of one container at once: none is forgotten" {
	need ROOT NETNS OVERLAY
	local i
	local -a pids=()

	world
	hprism network create n0
	hprism run -d --name web --network n0 busybox sleep 300
	for i in 1 2 3; do
		hprism network create "n$i"
	done
	# All have begun before the first one is done.
	exec 7>"$PRISM_ROOT/networks/.lock"
	flock 7
	for i in 1 2 3; do
		connecting "n$i"
		pids+=($!)
	done
	wait_in_line "${pids[@]}"
	exec 7>&-
	for i in "${pids[@]}"; do
		wait "$i"
	done
	must_work hprism ps --format '{{.Networks}}'
	[ "$(tr , '\n' <<<"$output" | sort | paste -sd' ')" = 'n0 n1 n2 n3' ]
	must_work hprism restart -t 0 web
	[ "$(addresses_of web | wc -l)" = 4 ]
	must_work hprism rm -f web
}

@test "connect to a container that ends meanwhile: said once, nothing stays" {
	need ROOT NETNS OVERLAY
	local pid rm

	world
	hprism network create one
	hprism network create two
	hprism run -d --name db --network two busybox sleep 300
	for rm in '' --rm; do
		# shellcheck disable=SC2086 # or none
		hprism run -d $rm --name web --network one busybox sleep 300
		exec 7>"$PRISM_ROOT/networks/.lock"
		flock 7
		connecting two >"$T/out" 2>&1
		pid=$!
		wait_in_line $pid
		# Its end waits for us.
		pid=$(hprism inspect -f '{{.State.Pid}}' web)
		kill -9 "$pid"
		wait_for is_dead "$pid"
		exec 7>&-
		must_not wait $!
		must_work cat "$T/out"
		prints 'prism: network connect: container web has ended meanwhile'
		capture hprism wait web
		[ "$(find "$PRISM_ROOT/networks/two/used" -type l | wc -l)" = 1 ]
		must_work hprism exec db cat /etc/hosts
		has_not web
		must_work host ip -br link show master \
			"$(field two 'br-{{printf "%.12s" .Id}}')"
		[ "$(wc -l <<<"$output")" = 1 ]
		# One that is there still is as it was.
		if [ -z "$rm" ]; then
			must_work hprism start web
			[ "$(addresses_of web | wc -l)" = 1 ]
			must_work hprism kill web
			must_work hprism wait web
			must_work hprism network connect two web
			must_work hprism rm web
		else
			must_fail 1 hprism network connect two web
			says 'No such container: web'
		fi
	done
}

@test "a new name is the one by which others find it, also when it runs again" {
	need ROOT NETNS OVERLAY
	local id pid
	world
	hprism network create one
	hprism network create two
	id=$(hprism run -d --name web --network one --network-alias www \
		--network two --restart always busybox sleep 300)
	hprism run -d --name db --network one busybox sleep 300
	hprism run -d --name db2 --network two busybox sleep 300
	must_work hprism rename web front
	must_work hprism exec db cat /etc/hosts
	has "	front ${id:0:12} www\$"
	has_not '[[:space:]]web( |$)'
	must_work hprism exec db ping -c1 -W 20 front
	must_work hprism exec db2 ping -c1 -W 20 front
	must_exit 1 hprism exec db2 ping -c1 -W 20 web
	# One who comes later.
	must_work hprism run --rm --network one busybox ping -c1 -W 20 front
	# Its monitor starts it again.
	pid=$(hprism inspect -f '{{.State.Pid}}' front)
	kill -9 "$pid"
	again()
	{
		[ "$(hprism inspect -f '{{.RestartCount}} {{.State.Status}}' \
			front)" = '1 running' ]
	}
	wait_for again
	must_work hprism exec db cat /etc/hosts
	has "	front ${id:0:12} www\$"
	has_not '[[:space:]]web( |$)'
	must_work hprism rm -f front
	must_work hprism exec db cat /etc/hosts
	has_not front
	must_work hprism rm -f db db2
}

@test "connect and disconnect a stopped container" {
	need ROOT NETNS OVERLAY
	world
	hprism network create --subnet 198.18.1.0/24 one
	hprism network create --subnet 198.18.2.0/24 two
	hprism create --name web --network one busybox ip -o -4 addr
	must_work hprism network connect two web
	must_fail 1 hprism network connect two web
	must_work hprism network prune -f
	prints ''
	must_work hprism start -a web
	has 'eth0.*198.18.1.2/24'
	has 'eth1.*198.18.2.2/24'
	must_work hprism network disconnect one web
	must_work hprism start -a web
	has 'eth0.*198.18.2.'
	has_not '198\.18\.1\.'
	hprism create --name none --network none busybox true
	must_fail 1 hprism network connect one none
	says '\(none\) mode'
	hprism create --name host --network host busybox true
	must_fail 1 hprism network connect one host
	says 'host network'
	must_work hprism network rm two
	must_fail 1 hprism start web
	says 'network two not found'
}

@test "names of a network that it left while it was stopped are forgotten" {
	need ROOT NETNS OVERLAY
	world
	hprism network create one
	hprism network create two
	must_work hprism run -d --name db --network one busybox sleep 300
	must_work hprism run -d --name web --network one --network two busybox \
		sleep 300
	must_work hprism exec web cat /etc/hosts
	has db
	must_work hprism stop -t 0 web
	must_work hprism network disconnect one web
	must_work hprism start web
	must_work hprism exec web cat /etc/hosts
	has_not '[[:space:]]db( |$)'
	must_work hprism rm -f web db
}

@test "one without a hosts file of its own is found by the others" {
	need ROOT NETNS OVERLAY
	world
	hprism network create one
	hprism network create two
	must_work hprism run -d --name db --network one --network two busybox \
		sleep 300
	must_work hprism run -d --name web --no-hosts --network one busybox \
		sleep 300
	must_work hprism exec db grep -c '	web ' /etc/hosts
	prints 1
	must_work hprism network connect two web
	must_work hprism exec db grep -c '	web ' /etc/hosts
	prints 2
	must_work hprism exec web cat /etc/hosts
	has_not 'db|prism'
	must_work hprism rm -f web db
}

# A lease is broken when 45 s are over; its file's owner can lay one on it.
@test "nobody waits for a container's lease on its hosts file" {
	need ROOT NETNS OVERLAY
	local holder

	world
	hprism network create one
	must_work hprism run -d --name db --network one busybox sleep 300
	python3 - "$PRISM_ROOT/containers/$output/hosts" >"$T/leased" <<-'END' &
	import fcntl, signal, sys, time
	signal.signal(signal.SIGIO, signal.SIG_IGN)
	f = open(sys.argv[1], 'r+')
	fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
	print('leased', flush=True)
	time.sleep(300)
	END
	holder=$!
	wait_for grep -q leased "$T/leased"
	must_work timeout 40 nsenter --net="/run/netns/$WORLD-host" \
		"$PRISM_BIN" run --rm --network one busybox true
	says 'ignoring: container .*hosts'
	kill $holder
	must_work hprism rm -f db
}

@test "--link: a name of another container" {
	need ROOT NETNS OVERLAY
	world
	hprism run -d --name db --network bridge busybox sleep 300
	must_work hprism run --rm --network bridge --link db:store busybox \
		ping -c 1 -W 20 store
	must_fail 125 hprism run --rm --network bridge --link nosuch busybox true
	says 'nosuch'
	must_fail 125 hprism run --rm --network none --link db busybox true
}

# As with docker, whose hosts files name what was true at the start.
@test "--link: the linked one is renamed" {
	need ROOT NETNS OVERLAY
	world
	hprism run -d --name db --network bridge busybox sleep 300
	hprism run -d --name web --network bridge --link db:store busybox sleep 300
	must_work hprism inspect -f '{{json .HostConfig.Links}}' web
	prints '["/db:/web/store"]'
	must_work hprism rename db other
	must_work hprism inspect -f '{{json .HostConfig.Links}}' web
	prints '["/other:/web/store"]'
	must_work hprism exec web grep -w store /etc/hosts
	has '\bdb$'
	has_not other
	# It is the container that is linked, not the name.
	must_work hprism run -d --name db --network bridge busybox sleep 300
	must_work hprism restart -t 0 web
	must_work hprism exec web grep -w store /etc/hosts
	has '\bother$'
	must_work hprism exec web ping -c 1 -W 20 store
	must_fail 125 hprism create --network bridge --link nosuch busybox
	says '--link nosuch: No such container: nosuch'
	must_work hprism rm -f web other db
}
