#!/usr/bin/env bats
# kill -9 at every crash point of a start, a life and an end with a bridge
# network and a published port: the next prism command leaves no link, address,
# rule or line of it, and the port is free.
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	file_store busybox
	world_up
	world_neighbour
	world_blue
}

prism()
{
	${WORLD_HOST:+in_host} "$PRISM_BIN" "$@"
}

start()
{
	prism run --name c --network blue -p 127.0.0.1:8080:80 -p 8081:81/udp \
		busybox true
}

# one_death POINT: at it; then a command, and nothing is left.
one_death()
{
	PRISM_CRASH_AT=$1 capture start
	must_work prism ps -a -q
	[ -z "$output" ] || must_work prism rm -f c
	wait_for world_is_clean || explain "left after $1: $(world_left)" || return 1
	# All of it can be had again at once.
	must_work start || explain "the start after $1" || return 1
	must_work prism rm c
	wait_for world_is_clean || explain "left at last: $(world_left)" || return 1
	must_work prism fsck
	nothing_left || explain "left after $1"
}

@test "at every point of a container with a network" {
	need ROOT OVERLAY
	local point n=0
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work start
	must_work prism rm c
	wait_for world_is_clean || explain "left without a crash: $(world_left)"
	for point in net-written net-linked net-named net-firewall \
		net-firewall-down net-ended; do
		grep -q "^$point\$" "$T/list" || explain "no crash point $point"
	done
	for point in $(points "$T/list" | grep -E '^(net|run)-'); do
		one_death "$point"
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 12 ]
}

# As long as init is not dead to the end, the container lives.
told()
{
	must_work prism ps -q
	must_work prism exec peer grep . /etc/hosts
	[ "$output" = "$want" ]
}

# Of a shorter text the old end must not stay: it would be the container's own.
@test "at every write of another container's hosts file" {
	need ROOT OVERLAY
	local point n=0 want
	must_work prism run -d --name peer --network blue busybox sleep 1000
	must_work prism exec peer cat /etc/hosts
	want=$output
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work start
	must_work prism rm c
	for point in $(points "$T/list" | grep hosts-written); do
		PRISM_CRASH_AT=$point capture start
		[ "$status" = 137 ] || explain "nobody died at $point"
		wait_for told || explain "after $point"
		must_work prism rm -f c
		n=$((n + 1))
	done
	must_work prism rm -f peer
	[ "$n" -ge 3 ] || explain "died at $n points"
}

# The port, and whose it is.
leads_to()
{
	in_host nft list table inet prism | grep -qE "8081.*$1\." ||
		explain "$1 does not publish: $(in_host nft list table inet prism)"
}

@test "at every point of connect and disconnect" {
	need ROOT OVERLAY
	local what point n=0
	create=(prism network create --subnet 10.78.0.0/24 red)
	must_work "${create[@]}"
	must_work prism run -d --name c --network blue -p 8081:80 busybox sleep 1000
	connect=(prism network connect --gw-priority 1 red c)
	disconnect=(prism network disconnect red c)
	for what in connect disconnect; do
		: >"$T/list"
		local -n words=$what
		[ $what = connect ] || must_work "${connect[@]}"
		PRISM_CRASH_LIST=$T/list must_work "${words[@]}"
		grep -q ports "$T/list"
		[ $what = disconnect ] || must_work "${disconnect[@]}"
		for point in $(points "$T/list"); do
			if [ $what = connect ]; then
				# Its bridge is made anew.
				must_work prism network rm red
				must_work "${create[@]}"
			else
				must_work "${connect[@]}"
			fi
			PRISM_CRASH_AT=$point capture "${words[@]}"
			[ "$status" = 137 ] || explain "nobody died at $point"
			# Whichever it is now, it can be made the other.
			capture "${disconnect[@]}"
			must_work "${connect[@]}"
			must_work prism exec c ip -o -4 addr show
			has 10.78.0
			has 10.77.0
			leads_to 10.78.0
			must_work "${disconnect[@]}"
			must_work prism exec c ip -o -4 addr show
			has_not 10.78.0
			leads_to 10.77.0
			n=$((n + 1))
		done
	done
	must_work prism rm -f c
	must_work prism network rm red
	wait_for world_is_clean || explain "left at last: $(world_left)"
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 3 ]
}

# The book says whose an address is before the container does.
@test "a connect that died over its address: rm sees it, and it comes back" {
	need ROOT OVERLAY
	local point end n=0
	addresses()
	{
		find "$PRISM_ROOT/networks/red/used" -type l
	}
	for point in net-join-meant net-join-reserved; do
		for end in disconnect connect rm; do
			must_work prism network create red
			must_work prism run -d --name c --network blue busybox \
				sleep 1000
			PRISM_CRASH_AT=$point capture prism network connect red c
			[ "$status" = 137 ] || explain "nobody died at $point"
			[ $point = net-join-meant ] || [ -n "$(addresses)" ]
			must_fail 1 prism network rm red
			says 'network red has active endpoints \(name:"c"'
			must_work prism network prune -f
			prints ''
			case $end in
			disconnect)
				must_work prism network disconnect red c
				must_fail 1 prism network disconnect red c
				[ -z "$(addresses)" ] || explain "left: $(addresses)"
				;;
			connect)
				must_work prism network connect red c
				[ "$(addresses | wc -l)" = 1 ]
				;;
			esac
			must_work prism rm -f c
			[ -z "$(addresses)" ] || explain "left: $(addresses)"
			must_work prism network rm red
			n=$((n + 1))
		done
	done
	wait_for world_is_clean || explain "left at last: $(world_left)"
	[ "$n" = 6 ]
}

# What it starts with stands in another file than what it has.
@test "a disconnect that died before it was written down: in it once, or not" {
	need ROOT OVERLAY
	local again
	for again in connect disconnect; do
		must_work prism network create red
		must_work prism run -d --name c --network blue --network red \
			busybox sleep 1000
		PRISM_CRASH_AT=net-left capture prism network disconnect red c
		[ "$status" = 137 ]
		must_work prism network $again red c
		must_work prism ps --format '{{.Networks}}'
		if [ $again = connect ]; then
			prints 'blue,red'
		else
			prints blue
		fi
		must_work prism rm -f c
		must_work prism network rm red
	done
}

@test "at every point of a rename: reload tells the name that it has" {
	need ROOT OVERLAY
	local point name n=0
	must_work prism run -d --name c --network blue busybox sleep 1000
	must_work prism run -d --name peer --network blue busybox sleep 1000
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work prism rename c d
	must_work prism rename d c
	for point in $(points "$T/list"); do
		PRISM_CRASH_AT=$point capture prism rename c d
		[ "$status" = 137 ] || explain "nobody died at $point"
		must_work prism network reload
		must_work prism ps --format '{{.Names}}'
		name=$(grep -v peer <<<"$output")
		must_work prism exec peer grep -v peer /etc/hosts
		has "	$name [0-9a-f]{12}\$"
		[ "$name" = c ] || must_work prism rename d c
		must_work prism exec peer grep -c '	c ' /etc/hosts
		prints 1
		n=$((n + 1))
	done
	must_work prism rm -f c peer
	[ -z "$(find "$PRISM_ROOT/networks/blue/used" -type l)" ]
	[ "$n" -ge 3 ] || explain "died at $n points"
}

# The host would route for neighbours as soon as it forwards.
@test "a prism killed in between leaves no router" {
	need ROOT OVERLAY
	local point

	for point in net-routing-tagged net-routing-chains net-firewall \
		net-named; do
		world_no_router
		PRISM_CRASH_AT=$point capture start
		[ "$status" = 137 ] || explain "nobody died at $point"
		no_answer 4
		must_work prism ps -a
		must_work prism rm -f c
		no_answer 4
		must_work start
		no_answer 4
		must_work prism rm c
		no_answer 4
	done
}
