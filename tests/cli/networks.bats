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
