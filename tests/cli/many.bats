#!/usr/bin/env bats
# Many containers at once: MANY of them (60; issue 3 asks for 500). No figures
# here, those are tests/bench/run many: counts, bounds, and that nothing is left.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		prism ps -aq | xargs -r "$PRISM_BIN" rm -f
	fi
	test_teardown
}

# calls_of ARG...: system calls of prism.
calls_of()
{
	strace -f -c -o "$T/calls" "$PRISM_BIN" "$@" >/dev/null
	awk '$NF == "total" { print $4 }' "$T/calls"
}

# private_kib PID
private_kib()
{
	awk '/^Private_(Clean|Dirty)/ { n += $2 } END { print n }' \
		"/proc/$1/smaps_rollup"
}

@test "many at once: listed, small, stopped and removed" {
	need ROOT OVERLAY TOOL_strace
	local many=${MANY:-60} none i pid ids half

	must_work prism ps -a
	none=$(calls_of ps)
	for i in $(seq "$many"); do
		prism run -d --name "m$i" -l "n=$i" busybox sleep 1000 >"$T/id"
	done
	mapfile -t ids < <(prism ps -q --no-trunc)
	[ "${#ids[@]}" = "$many" ]
	must_work prism ps --format '{{.Names}} {{.State}}' --filter name='^m1'
	[ "$(grep -c ' running$' <<<"$output")" = "$(seq "$many" | grep -c ^1)" ] ||
		explain "all that begin with 1"
	must_work prism ps -n 3 --format '{{.Names}}'
	prints "$(printf 'm%s\n' "$many" $((many - 1)) $((many - 2)))"
	if [ "$PRISM_TEST_KIND" != asan ]; then
		i=$(calls_of ps)
		printf 'calls of ps: %s without one, %s with %s\n' "$none" "$i" "$many"
		[ $(((i - none) / many)) -le 15 ]
		must_work prism inspect -f '{{.State.Pid}}' "${ids[@]}"
		for pid in $output; do
			# Its parent is the monitor.
			i=$(private_kib "$(awk '{ print $4 }' "/proc/$pid/stat")")
			[ "$i" -lt 1024 ] || explain "monitor of $pid: $i KiB"
		done
	fi
	half=$((many / 2))
	must_work prism stop "${ids[@]:0:half}"
	[ "$(wc -l <<<"$output")" = "$half" ]
	[ "$(prism ps -q | wc -l)" = $((many - half)) ]
	[ "$(prism ps -aq --filter status=exited | wc -l)" = "$half" ]
	must_fail 1 prism rm "${ids[half]}" "${ids[@]:0:half}"
	says 'is running'
	[ "$(prism ps -aq | wc -l)" = $((many - half)) ]
	must_work prism rm -f "${ids[@]:half}" "${ids[0]}"
	says "No such container: ${ids[0]}"
	must_work prism ps -aq
	prints ''
	[ -z "$(find "$PRISM_ROOT/tmp" "$PRISM_ROOT/containers/by-name" \
		-mindepth 1)" ]
	must_work prism fsck
}
