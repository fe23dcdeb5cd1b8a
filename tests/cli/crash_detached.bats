#!/usr/bin/env bats
# kill -9 at every crash point of run -d, in whichever process it stands: what
# is left is a container that rm takes away whole, or nothing.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

# Everything that is there, by id.
ids()
{
	find "$1/containers" -mindepth 1 -maxdepth 1 -not -name by-name -printf '%f\n'
}

# ended ROOT ID: nobody holds its lock any longer, or it is gone.
ended()
{
	! find /proc/[0-9]*/fd -lname "$1/containers/$2/spec.json" -print -quit \
		2>/dev/null | grep -q .
}

# die_at_each ROOT RUNNER...: RUNNER runs prism.
die_at_each()
{
	local root=$1 point id n=0

	shift
	: >"$T/list"
	chmod 0666 "$T/list"
	PRISM_CRASH_LIST=$T/list must_work "$@" run -d busybox sh -c 'echo hi; exit 3'
	id=$output
	wait_for ended "$root" "$id"
	must_work "$@" rm "$id"
	grep -q '^run-ended$' "$T/list" || explain "the monitor has crash points"
	for point in $(points "$T/list"); do
		PRISM_CRASH_AT=$point capture "$@" run -d busybox \
			sh -c 'echo hi; exit 3'
		if [ "$status" = 0 ]; then
			id=$output
			wait_for ended "$root" "$id"
		fi
		for id in $(ids "$root"); do
			wait_for ended "$root" "$id"
			must_work "$@" logs "$id"
			must_work "$@" rm "$id"
		done
		must_work "$@" run --rm busybox echo again
		prints again
		must_work "$@" fsck
		nothing_left || explain "left after $point"
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 8 ]
}

@test "at every point, as root" {
	need ROOT OVERLAY
	die_at_each "$PRISM_ROOT" prism
}

as_user_prism()
{
	as_user "$PRISM_BIN" "$@"
}

@test "at every point, as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	export PRISM_CRASH_AT PRISM_CRASH_LIST
	die_at_each "$FT/user/home/.local/share/prism" as_user_prism
}

@test "between two starts of a restart policy" {
	need ROOT OVERLAY
	must_work env PRISM_CRASH_AT=run-restarting "$PRISM_BIN" run -d \
		--restart always busybox sh -c 'echo once; exit 1'
	id=$output
	wait_for ended "$PRISM_ROOT" "$id"
	must_work prism logs "$id"
	prints once
	must_work prism rm "$id"
}
