#!/usr/bin/env bats
# Many containers on one network: at once, and one after the other.
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	file_store busybox
	world_up silent
	world_blue
}

prism()
{
	${WORLD_HOST:+in_host} "$PRISM_BIN" "$@"
}

@test "a hundred at once: distinct addresses, all reachable by name" {
	need ROOT OVERLAY
	local i pids=()
	for ((i = 0; i < 100; i++)); do
		prism run -d --name "c$i" --network blue busybox sleep 1000 \
			>"$T/id$i" 2>"$T/e$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$T"/e*
	must_work prism ps -q
	[ "$(wc -w <<<"$output")" = 100 ] || explain 'a hundred run'
	must_work prism inspect --format \
		'{{.NetworkSettings.Networks.blue.IPAddress}}' c{0..99}
	[ "$(sort -u <<<"$output" | wc -l)" = 100 ] || explain 'a hundred addresses'
	fits '^10\.77\.0\.[0-9]+$' "$output"
	must_work prism exec c0 sh -c 'for i in $(seq 0 99); do
		ping -c1 -w30 c$i >/dev/null || echo "not c$i"; done'
	prints ''
	must_work prism exec c99 ping -c1 -w30 c0
	must_work prism rm -f c{0..99}
	wait_for world_is_clean || explain "left: $(world_left | head)"
}

@test "fifty lives leave no link, rule, address or namespace" {
	need ROOT OVERLAY
	local i
	for ((i = 0; i < 50; i++)); do
		must_work prism run --rm --network blue -p 18080:80 busybox true
	done
	wait_for world_is_clean || explain "left: $(world_left)"
	[ -z "$(find "$PRISM_ROOT/containers" -mindepth 2)" ]
}

@test "no program of networks is run: ip, iptables, nft, sysctl, modprobe" {
	need ROOT OVERLAY
	local all
	# Leaks cannot be looked for below strace.
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	in_host strace -f -qq -e trace=execve -e signal=none -o "$T/trace" \
		"$PRISM_BIN" run --rm --network blue -p 18081:80 busybox echo hi
	in_host strace -f -qq -e trace=execve -e signal=none -o "$T/trace2" \
		"$PRISM_BIN" network create other
	in_host strace -f -qq -e trace=execve -e signal=none -o "$T/trace3" \
		"$PRISM_BIN" network rm other
	all=$(sed -n 's/^[0-9]* *execve("\([^"]*\)".*= 0$/\1/p' "$T"/trace*)
	# prism itself, PID 1 from memory, the program.
	fits "^$PRISM_BIN\$" "$all" || explain "$all"
	fits '/echo$' "$all" || explain "$all"
	must_not grep -vE "^($PRISM_BIN|/proc/self/fd/[0-9]+|(/usr)?/bin/echo|)\$" \
		<<<"$all"
	must_not grep -E 'execve\("[^"]*/(ip|iptables|ip6tables|nft|sysctl|modprobe)"' \
		"$T"/trace*
}

@test "twenty networks of one container, and two more while it runs" {
	need ROOT OVERLAY
	local i nets=()
	for ((i = 1; i <= 22; i++)); do
		must_work prism network create --subnet "10.79.$i.0/24" "n$i"
		((i > 20)) || nets+=(--network "n$i")
	done
	# One has the name that would be another's turn.
	nets[9]=n5:interface_name=eth16
	must_work prism run -d --name c "${nets[@]}" busybox sleep 1000
	must_work prism network connect n21 c
	must_work prism network connect n22 c
	must_work prism exec c ip -o -4 addr show
	[ "$(grep -c ' eth[0-9]' <<<"$output")" = 22 ]
	for ((i = 1; i <= 22; i++)); do
		has "inet 10\.79\.$i\.2/24"
	done
	must_work prism exec c sh -c 'for i in $(seq 22); do
		ping -c1 -w30 10.79.$i.1 >/dev/null || echo "not $i"; done'
	prints ''
	must_fail 1 prism network connect --driver-opt \
		com.docker.network.endpoint.ifname=eth7 blue c
	says 'network blue: the container has an interface eth7 already, for n8'
	must_fail 125 prism run --rm --network n1:interface_name=lo busybox true
	says 'an interface lo already'
	must_work prism rm -f c
	for ((i = 1; i <= 22; i++)); do
		must_work prism network rm "n$i"
	done
	wait_for world_is_clean || explain "left: $(world_left)"
}
