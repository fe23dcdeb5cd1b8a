#!/usr/bin/env bats
# A container, a volume, an archive or a layer makes trees deeper than a stack, the
# fd limit or PATH_MAX: every command must still work, in little memory, and
# leave nothing behind.
load ../lib/common

DEEP=10000

setup_file()
{
	# 10,000 nested directories take a minute on a disk.
	FILE_DIR=/dev/shm file_setup
	file_stores busybox
	"${MUSL_CC:-musl-gcc}" -D_GNU_SOURCE -static -Os -o "$FT/bin/trees" \
		"$LIB/trees.c"
	mkdir "$FT/canary"
	echo canary >"$FT/canary/file"
	chmod 0640 "$FT/canary/file"
}

setup()
{
	test_setup
	who=root
	: >"$T/peak"
	chmod 0666 "$T/peak"
	chmod 0777 "$T"
	canary=$(look_at_canary)
}

teardown()
{
	local w

	for w in root user; do
		who=$w
		[ "$w" = root ] || [ -n "${TEST_USER:-}" ] || continue
		p rm -f c d >/dev/null 2>&1 || true
		p volume rm -f vol >/dev/null 2>&1 || true
	done
	# The part of a failed image that was packed.
	rm -f "$PRISM_ROOT"/tmp/part-* \
		"$FT/user/home/.local/share/prism/tmp"/part-*
	[ "$(look_at_canary)" = "$canary" ] || {
		echo 'the canary is not what it was'
		return 1
	}
	test_teardown
}

look_at_canary()
{
	stat -c '%n %f %u:%g %s %Y' "$FT/canary" "$FT/canary/file"
	cat "$FT/canary/file"
}

# p ARG...: run prism as $who.
p()
{
	if [ "$who" = root ]; then
		prism "$@"
	else
		as_user "$PRISM_BIN" "$@"
	fi
}

# run_c ARG...: a container c with the program "trees" in it.
run_c()
{
	p run --network none --name c -v "$FT/bin/trees:/trees:ro" "$@"
}

# peak_of ARG...: like p; sets $peak to its maximum memory in KiB.
peak_of()
{
	if [ "$who" = root ]; then
		"$FT/bin/trees" peak "$T/peak" "$PRISM_BIN" "$@"
	else
		as_user "$FT/bin/trees" peak "$T/peak" "$PRISM_BIN" "$@"
	fi
}

# little_memory ARG...: succeeds with less than 8 MiB more than `version` of the
# same program, most of whose memory is libraries.
little_memory()
{
	local base

	if [ -n "${ASAN_OPTIONS:-}" ] && [ "${PRISM_TEST_KIND:-}" = asan ]; then
		must_work p "$@"
		return
	fi
	capture peak_of cp /nowhere c:/nowhere
	base=$(<"$T/peak")
	must_work peak_of "$@"
	[ "$(<"$T/peak")" -lt $((base + 8192)) ] ||
		explain "$*: $(<"$T/peak") KiB, and $base for nothing"
}

# as_both TEST: as root, and as the ordinary user.
as_both()
{
	who=root
	"$@" || return 1
	if [ -n "${TEST_USER:-}" ]; then
		who=user
		"$@"
	fi
}

every_command()
{
	must_work run_c busybox /trees dig / $DEEP
	little_memory diff c
	[ "$(grep -c '^A /d' <<<"$output")" = $((DEEP + 1)) ] ||
		explain 'diff: all of it'
	little_memory export -o /dev/null c
	little_memory ps -as
	[[ $output == *' c '* ]] || explain 'ps -s'
	little_memory system df
	little_memory images
	little_memory inspect -s c
	little_memory fsck
	# A layer cannot contain such a path: one error, nothing is left behind.
	must_fail 1 p commit c deep
	[[ $stderr == *ENAMETOOLONG* ]] || explain 'commit'
	little_memory rm c
	must_work p fsck
}

@test "every command over a container with 10,000 nested directories" {
	need ROOT OVERLAY
	as_both every_command
}

removed_at_its_end()
{
	must_work run_c --rm busybox /trees dig / $DEEP
	must_exit 1 p inspect c
	must_work p system df
}

@test "--rm of such a container" {
	need ROOT OVERLAY
	as_both removed_at_its_end
}

ready()
{
	p exec c ls /ready >/dev/null 2>&1
}

killed()
{
	local pid

	must_work run_c -d busybox sh -c \
		"/trees dig / $DEEP; touch /ready; sleep 1000"
	wait_for ready
	pid=$(p inspect -f '{{.State.Pid}}' c)
	# Kill the monitor, which ends its container.
	kill -9 "$(awk '{ print $4 }' "/proc/$pid/stat")"
	little_memory ps -a
	little_memory rm -f c
	must_work p images
	must_work p fsck
}

@test "kill -9 of its monitor, and the next commands" {
	need ROOT OVERLAY
	as_both killed
}

# A killed remover leaves this; an older prism could not remove it.
left_in_tmp()
{
	local root=$PRISM_ROOT

	[ "$who" = root ] || root=$FT/user/home/.local/share/prism
	mkdir "$root/tmp/gone-0123456789abcdef"
	"$FT/bin/trees" dig "$root/tmp/gone-0123456789abcdef" $DEEP
	if [ "$who" = user ]; then
		chown -R "$TEST_USER:" "$root/tmp/gone-0123456789abcdef"
	fi
	little_memory fsck
	[ ! -e "$root/tmp/gone-0123456789abcdef" ] || explain 'still there'
}

@test "what a killed command left in tmp/" {
	need ROOT OVERLAY
	as_both left_in_tmp
}

@test "a tree that cannot be removed does not stop the others" {
	local gone

	need ROOT OVERLAY
	gone=$PRISM_ROOT/tmp/gone-0123456789abcdef
	mkdir -p "$gone/a/mounted" "$PRISM_ROOT/tmp/gone-1123456789abcdef"
	# shellcheck disable=SC2016 # the inner shell's
	must_work unshare -m sh -c 'mount --bind "$1" "$2/a/mounted" &&
		exec "$3" rmi -f nothing' sh "$FT/canary" "$gone" "$PRISM_BIN"
	[[ $stderr == *'ignoring tmp/gone-0'* ]] || explain 'no warning'
	[ ! -e "$PRISM_ROOT/tmp/gone-1123456789abcdef" ] || explain 'the other'
	must_work prism fsck
	[ ! -e "$gone" ] || explain 'now it can go'
}

copied()
{
	must_work p create --network none --name c busybox true
	mkdir "$T/$who" "$T/$who/out"
	"$FT/bin/trees" dig "$T/$who" $DEEP
	touch -d 2001-02-03T04:05:06Z "$T/$who/d"
	chmod 0750 "$T/$who/d"
	if [ "$who" = user ]; then
		chown -R "$TEST_USER:" "$T/$who"
	fi
	little_memory cp "$T/$who/d" c:/deep
	little_memory cp c:/deep "$T/$who/out/d"
	[ "$("$FT/bin/trees" depth "$T/$who/out")" = $DEEP ] || explain 'depth'
	[ "$(stat -c '%a %Y' "$T/$who/out/d")" = \
		"$(stat -c '%a %Y' "$T/$who/d")" ] || explain 'mode and time'
	must_work p rm c
	rm -rf "${T:?}/$who"
}

@test "cp of 10,000 nested directories into a container and out again" {
	need ROOT OVERLAY
	as_both copied
}

volumes()
{
	must_work run_c --rm -v vol:/v busybox /trees dig /v $DEEP
	little_memory system df
	little_memory volume rm vol
	must_exit 1 p volume inspect vol
	must_work run_c --rm -v vol:/v busybox /trees dig /v 3000 0
	must_work p volume prune -af
	must_exit 1 p volume inspect vol
}

@test "a volume with 10,000 nested directories, readable or not" {
	need ROOT OVERLAY
	as_both volumes
}

filled()
{
	rm -rf "$T/rootfs"
	mkdir -p "$T/rootfs/v" "$T/rootfs/bin"
	cp "$FT/bin/trees" "$T/rootfs/bin/"
	"$FT/bin/trees" dig "$T/rootfs/v" $DEEP
	if [ "$who" = user ]; then
		chown -R "$TEST_USER:" "$T/rootfs"
	fi
	little_memory run --network none --rm -v vol:/v --rootfs "$T/rootfs" \
		/bin/trees depth /v
	[ "$output" = $DEEP ] || explain 'copy-up'
	must_work p volume rm vol
	rm -rf "$T/rootfs"
}

@test "copy-up of 10,000 nested directories into a volume" {
	need ROOT OVERLAY
	as_both filled
}

# layer TAR: a layer of 10,000 nested directories.
layer()
{
	python3 - "$1" $DEEP <<-'END'
		import sys, tarfile
		with tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT) as t:
		    path = ''
		    for i in range(int(sys.argv[2])):
		        path += 'd/'
		        if i % 500 == 499:
		            x = tarfile.TarInfo(path)
		            x.type = tarfile.DIRTYPE
		            x.mode = 0o755
		            t.addfile(x)
	END
}

loaded()
{
	capture p load -i "$T/layout"
	[ "$status" = 1 ] || explain 'a clean error'
	[[ $stderr == prism:* ]] || explain 'in words'
	must_work p fsck
	capture p import "$T/layer.tar" deep
	[ "$status" = 1 ] || explain 'import: a clean error'
	must_work p fsck
}

@test "a layer with paths of 10,000 levels" {
	need ROOT OVERLAY
	layer "$T/layer.tar"
	"$LIB/mkimage" "$T/layout" deep "$T/layer.tar" >/dev/null
	as_both loaded
}

wide()
{
	must_work run_c busybox /trees fill / 50000
	must_work p system df
	little_memory ps -as
	little_memory rm c
}

@test "50,000 files in one directory" {
	need ROOT OVERLAY
	as_both wide
}

@test "cgroups that a container made in one another" {
	need ROOT OVERLAY CGROUP2
	# shellcheck disable=SC2016 # the inner shell's
	must_work run_c --privileged busybox sh -c '
		cd /sys/fs/cgroup && i=0
		while [ $i -lt 60 ]; do
			mkdir x || exit 9
			cd x || exit 9
			i=$((i + 1))
		done'
	id=$(p inspect -f '{{.Id}}' c)
	must_work p rm c
	[ -z "$(find /sys/fs/cgroup -type d -name "*$id*")" ] ||
		explain 'cgroups stay'
}
