#!/usr/bin/env bats
# kill -9 at every crash point of pull and of rmi: afterwards the store is
# whole, the next pull works, and nothing is left of the dead one.
load ../lib/common

setup_file()
{
	file_setup
	registry_start
}

# some_points LIST-FILE: each point with how often it was passed, as name:n; of
# what is passed at each piece of a transfer the first, second and last.
some_points()
{
	sort "$1" | uniq -c | awk '{
		for (i = 1; i <= $1; i++)
			if (i <= 2 || i == $1 || $1 <= 8)
				print $2 ":" i
	}'
}

# clean_after WHAT RUNNER...: whole, and nobody holds or runs anything.
clean_after()
{
	local what=$1

	shift
	must_work "$@" fsck || explain "fsck after $what" || return 1
	has ': clean$' || return 1
	[ -z "$(held_locks "$PRISM_ROOT")" ] || explain "lock after $what"
}

# die_in_pull IMAGE RUNNER...
die_in_pull()
{
	local image=$1 point n=0

	shift
	: >"$T/list"
	chmod 0666 "$T/list"
	PRISM_CRASH_LIST=$T/list must_work "$@" pull -q "$image"
	for point in $(some_points "$T/list"); do
		must_work "$@" rmi "$image"
		PRISM_CRASH_AT=$point capture "$@" pull -q "$image"
		# How often bytes arrive differs from pull to pull: the last
		# pass of one may be one more than another has.
		if [[ $status = 0 && $point = blob-bytes:* ]]; then
			continue
		fi
		[ "$status" = 137 ] || explain "nobody died at $point" || return 1
		clean_after "$point" "$@" || return 1
		must_work "$@" pull -q "$image" || return 1
		clean_after "$point and a pull" "$@" || return 1
		MAY_LEAVE_TMP='' nothing_left ||
			explain "left after $point" || return 1
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge "$MIN_POINTS" ]
	must_work "$@" rmi "$image"
}

@test "at every point of a pull, as root" {
	MIN_POINTS=15 die_in_pull zstd prism
}

@test "at every point of a pull that needs a skeleton" {
	need DEBIAN ROOT
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work prism pull -q debian:bookworm
	grep -q skeleton "$T/list" || explain "no skeleton was made"
	for point in skeleton-dir skeleton-renamed renamed; do
		must_work prism rmi debian:bookworm
		PRISM_CRASH_AT=$point capture prism pull -q debian:bookworm
		[ "$status" = 137 ] || explain "nobody died at $point"
		must_work prism fsck
		must_work prism pull -q debian:bookworm
		must_work prism fsck
		has ': clean$'
	done
}

as_user_prism()
{
	as_user "$PRISM_BIN" "$@"
}

@test "at every point of a pull, as an ordinary user" {
	need ROOT USER USERNS
	PRISM_ROOT=$FT/user/home/.local/share/prism
	export PRISM_CRASH_AT PRISM_CRASH_LIST
	MIN_POINTS=15 die_in_pull busybox as_user_prism
}

@test "a pull goes on where the dead one stopped" {
	local size part digest

	need ALPINE
	must_work prism pull -q alpine
	digest=$(find "$PRISM_ROOT/blobs/sha256" -type f -size +1000k -printf '%f\n')
	size=$(stat -c %s "$PRISM_ROOT/blobs/sha256/$digest")
	must_work prism rmi alpine
	# No piece is larger than 16 KiB: there are as many in any case.
	PRISM_CRASH_AT=blob-bytes:$((size * 3 / 4 / 16384)) \
		capture prism pull -q alpine
	[ "$status" = 137 ]
	part=$(stat -c %s "$PRISM_ROOT/tmp/part-sha256-$digest")
	[ "$part" -gt 0 ]
	must_work prism pull -q alpine
	# Only the rest was asked for.
	wait_for grep -q "blobs/sha256:$digest HTTP/1.1\" 206 $((size - part)) " \
		"$FT/keep/registry.log"
	must_work prism fsck
	has ': clean$'
}

@test "at every point of an rmi" {
	local point

	must_work prism pull -q zstd
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work prism rmi zstd
	for point in $(some_points "$T/list"); do
		must_work prism pull -q zstd
		PRISM_CRASH_AT=$point capture prism rmi zstd
		[ "$status" = 137 ] || explain "nobody died at $point"
		clean_after "$point" prism
		must_work prism pull -q zstd
		clean_after "$point and a pull" prism
		capture prism rmi zstd
	done
}

@test "kill -9 at any moment, thirty times" {
	local i pid

	for i in $(seq 30); do
		"$PRISM_BIN" pull -q zstd >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		must_work prism fsck
		has ': clean$'
		if [ $((i % 3)) = 0 ]; then
			must_work prism rmi -f zstd
		fi
	done
	must_work prism pull -q zstd
	must_work prism fsck
}
