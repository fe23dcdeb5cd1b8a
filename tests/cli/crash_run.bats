#!/usr/bin/env bats
# kill -9 at every crash point of run: afterwards the store is whole, the next
# run works and ends what the dead one left.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

# Nobody has anything of a container open: PID 1 hears of its monitor's death
# only when it is about.
dead()
{
	! find /proc/[0-9]*/fd -lname "$FT/*/containers/*/spec.json" -print -quit \
		2>/dev/null | grep -q .
}

# die_at_each RUNNER...: RUNNER is a function that runs prism with arguments.
die_at_each()
{
	local point n=0

	: >"$T/list"
	chmod 0666 "$T/list"
	PRISM_CRASH_LIST=$T/list must_work "$@" run --rm busybox echo ok
	prints ok
	[ "$(wc -l <"$T/list")" -ge 6 ] || explain "run has crash points"
	for point in $(points "$T/list"); do
		PRISM_CRASH_AT=$point capture "$@" run --rm busybox echo ok
		# The point may stand in a child, then prism reports its death.
		if [ "$status" = 0 ]; then
			explain "nobody died at $point" || return 1
		fi
		wait_for dead
		must_work "$@" fsck
		must_work "$@" run --rm busybox echo again
		prints again
		nothing_left || explain "left after $point" || return 1
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
}

@test "at every point, as root" {
	need ROOT OVERLAY
	die_at_each prism
}

@test "at every point, with --name and without --rm" {
	need ROOT OVERLAY
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work prism run --name n busybox true
	must_work prism rm n
	for point in $(points "$T/list"); do
		PRISM_CRASH_AT=$point capture prism run --name n busybox true
		wait_for dead
		# The name is free, or it is held by a container that is over.
		capture prism rm n
		must_work prism run --name n busybox echo again
		prints again
		must_work prism rm n
		must_work prism fsck
		nothing_left || explain "left after $point"
	done
}

as_user_prism()
{
	as_user "$PRISM_BIN" "$@"
}

@test "at every point, as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	export PRISM_CRASH_AT PRISM_CRASH_LIST
	die_at_each as_user_prism
}

@test "kill -9 at any moment, forty times" {
	need ROOT OVERLAY
	for i in $(seq 40); do
		prism run --rm busybox sh -c 'echo x >/x; sleep 0.02' \
			>/dev/null 2>&1 3>&- &
		sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
	done
	wait_for dead
	must_work prism fsck
	must_work prism run --rm busybox echo "after $i"
	prints 'after 40'
}

# made_dirs: how many directories of containers that are being made there are.
made_dirs()
{
	find "$PRISM_ROOT/tmp" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l
}

none_is_made()
{
	must_work prism rm -f none
	[ "$(made_dirs)" = 0 ]
}

@test "what a killed run was making goes with the next command, and nothing else" {
	local point dir

	need ROOT OVERLAY
	dir=$PRISM_ROOT/tmp/$(printf 'ab%.0s' {1..32})
	for point in container-written container-named; do
		PRISM_CRASH_AT=$point capture prism create --name n busybox true
		[ "$(made_dirs)" = 1 ]
		none_is_made
	done
	# Locked, it is somebody's.
	mkdir "$dir" "$dir/upper"
	: >"$dir/spec.json"
	must_work python3 -c 'import fcntl, subprocess, sys
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
sys.exit(subprocess.call(sys.argv[2:]))' "$dir/spec.json" "$PRISM_BIN" rm -f none
	[ "$(made_dirs)" = 1 ]
	none_is_made
	# Without an upper, its lock may come yet: not for long.
	mkdir "$dir"
	: >"$dir/spec.json"
	must_work prism rm -f none
	[ "$(made_dirs)" = 1 ]
	wait_for none_is_made
}
