#!/usr/bin/env bats
# What a container sees is what the image says: the tree inside equals what
# umoci unpacks from the same image, path by path.
load ../lib/common

setup_file()
{
	file_setup
}

# What prism puts into every container, on both sides left out; and the
# directories that these files and mount points stand in, whose mtime moves.
OURS="--skip etc/hosts --skip etc/hostname --skip etc/resolv.conf
	--skip etc/mtab --skip .dockerenv --skip run/.containerenv --skip dev
	--skip proc --skip sys --no-mtime etc --no-mtime run"

list()
{
	local top=$1

	shift
	# The mtime of the root moves too: '' is its name.
	# shellcheck disable=SC2086 # a list of words
	"$LIB/treelist" $OURS --no-mtime '' "$@" "$top"
}

# same_tree LAYOUT-NAME IMAGE [TREELIST-OPTION...]
same_tree()
{
	local name=$1 image=$2 pid

	shift 2
	umoci unpack --image "$PRISM_TEST_SITE/layout:$name" "$T/umoci"
	list "$T/umoci/rootfs" "$@" >"$T/want"

	"$PRISM_BIN" run --rm --init=no "$image" sleep 1000 3>&- &
	prism_pid=$!
	wait_for pid_of_sleep
	pid=$(pid_of_sleep)
	list "/proc/$pid/root" "$@" >"$T/have" || true
	kill -9 "$pid"
	wait "$prism_pid" || true
	[ "$(wc -l <"$T/want")" -gt 50 ]
	diff "$T/want" "$T/have"
}

# The program of the only container below this test.
pid_of_sleep()
{
	local p

	for p in $(pgrep -P "$prism_pid"); do
		if [ "$(tr '\0' ' ' <"/proc/$p/cmdline")" = 'sleep 1000 ' ]; then
			echo "$p"
			return 0
		fi
	done
	return 1
}

@test "Alpine" {
	need ROOT OVERLAY ALPINE TOOL_umoci
	registry_start
	must_work prism pull alpine:3.20
	registry_stop
	same_tree alpine-amd64 alpine:3.20
}

@test "Debian with whiteouts, hardlinks, capabilities, sparse files, devices" {
	need ROOT OVERLAY DEBIAN TOOL_umoci
	registry_start
	must_work prism pull debian:bookworm
	registry_stop
	# A name that a later layer removes still counts in the lower inode,
	# which overlay shows as it is.
	# umoci removes what is whited out after it has set the times of the
	# directory, and gives directories without an entry of their own the
	# time of the unpacking: prism keeps the header's, and 1970.
	same_tree debian debian:bookworm \
		--no-nlink opt/app/link-a --no-nlink opt/app/link-b \
		--no-mtime opt/app --no-mtime var/lib \
		--no-mtime var/lib/implied --no-mtime var/lib/implied/by \
		--no-mtime var/lib/implied/by/a
}

@test "the same layers as zstd and as plain tar give the same tree" {
	need ROOT OVERLAY
	registry_start
	must_work prism pull zstd
	registry_stop
	must_work prism run --rm zstd sh -c 'cat /etc/layer; busybox | head -n 1'
	has '^two$'
	has '^BusyBox'
}

@test "every blob in the store has the digest of its name" {
	need ROOT
	registry_start
	must_work prism pull busybox
	registry_stop
	n=0
	for blob in "$PRISM_ROOT"/blobs/sha256/*; do
		[ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "$(basename "$blob")" ]
		n=$((n + 1))
	done
	[ "$n" -ge 3 ]
	must_work prism fsck
}
