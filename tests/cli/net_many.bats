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
