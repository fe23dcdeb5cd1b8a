#!/usr/bin/env bats
# run -d: a monitor of its own, what it keeps and what it leaves; restarts, time
# limits, --cidfile, --replace. As root, and once as an ordinary user.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

# A test that failed leaves its containers; the next one is not to suffer.
teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		find "$PRISM_ROOT/containers" -mindepth 1 -maxdepth 1 \
			-not -name by-name -printf '%f\n' | xargs -r "$PRISM_BIN" rm -f
	fi
	test_teardown
}

# detach ARG...: starts it and sets $id.
detach()
{
	must_work prism run -d "$@"
	grep -qxE '[0-9a-f]{64}' <<<"$output" || explain "an id and nothing else"
	id=$output
}

state_file()
{
	printf '%s' "$PRISM_ROOT/containers/$1/state.json"
}

# state_says ID REGEX
state_says()
{
	grep -qE -- "$2" "$(state_file "$1")" 2>/dev/null
}

monitor_of()
{
	holder_of "$PRISM_ROOT/containers/$1/spec.json"
}

# To the end: its monitor has let go of it.
is_over()
{
	state_says "$1" '"status":"exited"' && [ -z "$(monitor_of "$1")" ]
}

logged()
{
	prism logs "$1" | grep -qE -- "$2"
}

# ---- starting --------------------------------------------------------------------

@test "run -d prints the id, returns at once, and the log keeps both outputs" {
	need ROOT OVERLAY
	detach busybox sh -c 'echo out; echo err >&2
		while [ ! -e /go ]; do sleep 0.1; done; echo late; exit 3'
	must_work prism exec "$id" touch /go
	wait_for is_over "$id"
	state_says "$id" '"exit_code":3'
	must_work prism logs "$id"
	prints $'out\nlate'
	[ "$stderr" = err ]
	must_work prism rm "$id"
}

@test "-d --rm: nothing is left at the end" {
	need ROOT OVERLAY
	detach --rm --name brief busybox sleep 0.2
	gone()
	{
		[ ! -e "$PRISM_ROOT/containers/$id" ]
	}
	wait_for gone
	[ ! -e "$PRISM_ROOT/containers/by-name/brief" ]
}

@test "a program that cannot run: its code; with --rm nothing is left" {
	need ROOT OVERLAY
	must_fail 127 prism run -d --rm busybox /no/such/program
	says 'ENOENT'
	[ -z "$output" ]
	must_fail 126 prism run -d --rm busybox /etc
	must_fail 125 prism run -d --rm --user nobody-knows-him busybox true
	must_fail 125 prism run -d -a stdout busybox true
	says 'Conflicting options'
	must_fail 125 prism run -d --rm --restart always busybox true
	says '[-]-restart and --rm'
	must_fail 125 prism run -d --restart sometimes busybox true
	must_fail 125 prism run -d --log-driver syslog busybox true
	must_fail 125 prism run -d --log-opt max-sise=1 busybox true
}

@test "the monitor is small, in a session of its own, and holds nothing of ours" {
	need ROOT OVERLAY
	detach busybox sleep 1000
	pid=$(monitor_of "$id")
	[ -n "$pid" ]
	kb=$(awk '/^Private_Dirty/ { print $2 }' "/proc/$pid/smaps_rollup")
	printf 'private dirty: %s KiB\n' "$kb"
	if [ "$PRISM_TEST_KIND" != asan ]; then
		[ "$kb" -lt 1024 ]
	fi
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
	# Session id is its own pid.
	[ "$(cut -d' ' -f6 "/proc/$pid/stat")" = "$pid" ]
	[ "$(cat "/proc/$pid/oom_score_adj")" = "$(cat /proc/self/oom_score_adj)" ]
	must_work prism rm -f "$id"
}

@test "it lives on when the one who started it is gone, also a whole session" {
	need ROOT OVERLAY
	setsid bash -c '"$1" run -d busybox sleep 1000 >"$2"; kill -HUP 0' - \
		"$PRISM_BIN" "$T/id" || true
	id=$(cat "$T/id")
	sleep 0.2
	[ -n "$(monitor_of "$id")" ]
	must_work prism rm -f "$id"
}

@test "as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	must_work as_user "$PRISM_BIN" run -d busybox sh -c 'id -u; echo done'
	id=$output
	PRISM_ROOT=$FT/user/home/.local/share/prism
	wait_for is_over "$id"
	must_work as_user "$PRISM_BIN" logs "$id"
	prints $'0\ndone'
	must_work as_user "$PRISM_BIN" rm "$id"
	must_work as_user "$PRISM_BIN" run -d --rm busybox touch /a /b
	gone()
	{
		[ ! -e "$PRISM_ROOT/containers/$output" ]
	}
	wait_for gone
}

# ---- deaths ----------------------------------------------------------------------

@test "kill -9 of init: 137, and the log is whole" {
	need ROOT OVERLAY
	detach busybox sh -c 'echo before; sleep 1000'
	wait_for logged "$id" before
	kill -9 "$(sed -n 's/^{"pid": *\([0-9]*\).*/\1/p' "$PRISM_ROOT/containers/$id/spec.json")"
	wait_for is_over "$id"
	state_says "$id" '"exit_code":137'
	must_work prism rm "$id"
}

@test "kill -9 of the monitor: the container ends with it, rm leaves nothing" {
	need ROOT OVERLAY
	mark=6$RANDOM$BATS_TEST_NUMBER
	detach busybox sleep "$mark"
	kill -9 "$(monitor_of "$id")"
	gone()
	{
		[ "$(pgrep -c -f "^sleep $mark\$" || true)" = 0 ]
	}
	wait_for gone
	must_fail 1 prism attach "$id"
	says 'stopped container'
	must_work prism logs "$id"
	must_work prism rm "$id"
}

# ---- restart -------------------------------------------------------------------------

@test "--restart on-failure:2 starts it three times, in the same file system" {
	need ROOT OVERLAY
	detach --restart on-failure:2 busybox sh -c 'echo x >>/n; wc -l </n; exit 5'
	three()
	{
		is_over "$id" && [ "$(prism logs "$id" | wc -l)" = 3 ]
	}
	wait_for three
	must_work prism logs "$id"
	prints $'1\n2\n3'
	state_says "$id" '"restart_count":2'
	state_says "$id" '"exit_code":5'
	must_work prism rm "$id"
}

@test "--restart: success is the end for on-failure, not for always" {
	need ROOT OVERLAY
	detach --restart on-failure busybox true
	wait_for is_over "$id"
	must_work prism rm "$id"
	detach --restart always busybox echo again
	twice()
	{
		[ "$(prism logs "$id" | wc -l)" -ge 2 ]
	}
	wait_for twice
	must_work prism rm -f "$id"
}

@test "SIGTERM to the monitor ends it for good, also in the pause before a restart" {
	need ROOT OVERLAY
	detach --restart always busybox false
	late()
	{
		state_says "$id" '"status":"restarting".*"restart_count":([4-9]|[1-9][0-9])'
	}
	wait_for late
	kill -TERM "$(monitor_of "$id")"
	wait_for is_over "$id"
	must_work prism rm "$id"
}

# ---- limits of time --------------------------------------------------------------------

@test "--timeout ends it with 124, in the foreground and detached" {
	need ROOT OVERLAY
	must_exit 124 prism run --rm --timeout 1 busybox sleep 1000
	must_exit 6 prism run --rm --timeout 100 busybox sh -c 'exit 6'
	detach --timeout 1 busybox sleep 1000
	wait_for is_over "$id"
	state_says "$id" '"exit_code":124'
	must_work prism rm "$id"
}

# ---- files and names --------------------------------------------------------------------

@test "--cidfile: whole, never replaced, gone when nothing was started" {
	need ROOT OVERLAY
	detach --rm --cidfile "$T/cid" busybox true
	[ "$(cat "$T/cid")" = "$id" ]
	must_fail 125 prism run --rm --cidfile "$T/cid" busybox true
	says 'exists already'
	must_work prism run --rm --cidfile "$T/cid2" busybox true
	[ "$(wc -c <"$T/cid2")" = 64 ]
	must_fail 127 prism run --rm --cidfile "$T/cid3" busybox /nope
	must_fail 127 prism run -d --rm --cidfile "$T/cid3" busybox /nope
	must_work prism run --rm --cidfile "$T/cid3" busybox true
	must_fail 125 prism run --rm --cidfile "$T/no/dir/cid" busybox true
	[ "$(find "$T" -name 'cid*' | wc -l)" = 3 ]
}

@test "--replace takes the place of the one that has the name" {
	need ROOT OVERLAY
	detach --name web busybox sleep 1000
	first=$id
	must_fail 125 prism run -d --name web busybox sleep 1000
	detach --replace --name web busybox sleep 1000
	[ ! -e "$PRISM_ROOT/containers/$first" ]
	[ "$(readlink "$PRISM_ROOT/containers/by-name/web")" = "../$id" ]
	must_fail 125 prism run -d --replace busybox true
	must_work prism rm -f web
}

# ---- what a container can do to its monitor ---------------------------------------------

@test "one that writes without end is stopped at once, and its log is bounded" {
	need ROOT OVERLAY
	detach --log-opt max-size=100k --log-opt max-file=2 busybox yes
	sleep 1
	must_work timeout 100 "$PRISM_BIN" rm -f "$id"
	detach --log-opt max-size=100k --log-opt max-file=2 busybox \
		sh -c 'seq 100000; exit 0'
	wait_for is_over "$id"
	[ "$(du -bc "$PRISM_ROOT/containers/$id"/log* | tail -n 1 | cut -f1)" -lt 310000 ]
	must_work prism logs --tail 1 "$id"
	prints 100000
	must_work prism rm "$id"
}

@test "a disk that is full: the program ends, and is removed" {
	need ROOT OVERLAY TMPFS
	mkdir -p "$T/small" "$T/rootfs/bin" "$T/rootfs/dev" "$T/rootfs/proc" \
		"$T/rootfs/sys" "$T/rootfs/etc"
	cp "$(command -v busybox)" "$T/rootfs/bin/"
	ln -s busybox "$T/rootfs/bin/sh"
	status=0
	PRISM_ROOT=$T/small/root unshare -m bash -eu -c '
		mount -t tmpfs -o size=2m none "${PRISM_ROOT%/*}"
		"$1" run --rm --rootfs "$2" busybox true
		id=$("$1" run -d --rootfs "$2" busybox sh -c "busybox yes; exit 9")
		for i in $(seq 1000); do
			test "$(df --output=avail "$PRISM_ROOT" | tail -n 1)" -gt 64 || break
			sleep 0.1
		done
		test "$i" != 1000
		sleep 0.2
		"$1" rm -f "$id"
		test ! -e "$PRISM_ROOT/containers/$id"
		"$1" run --rm --rootfs "$2" busybox true
	' - "$PRISM_BIN" "$T/rootfs" >"$T/log" 2>&1 || status=$?
	cat "$T/log"
	[ "$status" = 0 ]
}

# ---- health ------------------------------------------------------------------------------

@test "health checks: starting, unhealthy, healthy, and what they printed" {
	need ROOT OVERLAY
	detach --health-cmd 'echo looked; test -e /ok' --health-interval 200ms \
		--health-retries 2 busybox sh -c 'while [ ! -e /go ]; do sleep 0.1; done
			echo >/ok; sleep 1000'
	wait_for state_says "$id" '"health":"unhealthy"'
	state_says "$id" '"output":"looked'
	must_work prism exec "$id" touch /go
	wait_for state_says "$id" '"health":"healthy"'
	must_work prism rm -f "$id"
	detach --health-cmd true busybox sleep 1000
	state_says "$id" '"health":"starting"'
	must_work prism rm -f "$id"
	# A check that hangs is cut off, and does not hold up the end.
	detach --health-cmd 'sleep 1000' --health-interval 100ms \
		--health-timeout 300ms --health-retries 1 busybox sleep 1000
	wait_for state_says "$id" '"output":"Health check exceeded timeout'
	state_says "$id" '"health":"unhealthy"'
	must_work timeout 100 "$PRISM_BIN" rm -f "$id"
}
