#!/usr/bin/env bats
# A process that reads or writes the files of a container or an image has an empty
# root with the tree in it, few capabilities and few system calls. These tests
# check what shows from outside.
load ../lib/common

setup_file()
{
	file_setup
	if [ "$(id -u)" = 0 ]; then
		file_stores busybox
	fi
}

# confined N CMD...: succeeds, and at least N of its processes give up the root,
# then capabilities, then system calls, and afterwards open nothing by a path of
# the host.
confined()
{
	local want=$1 n=0 calls

	shift
	rm -f "$T"/calls.*
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 must_work strace -ff -qq \
		-o "$T/calls" -e signal=none \
		-e trace=chroot,seccomp,capset,openat,openat2,open "$@"
	for calls in "$T"/calls.*; do
		grep -q 'SECCOMP_SET_MODE_FILTER.* = 0$' "$calls" || continue
		# Decompressors see bytes only.
		grep -q '^chroot("\.") *= 0$' "$calls" || continue
		n=$((n + 1))
		sed -n '/^chroot(/p; /^capset(/p; /^seccomp(/p' "$calls" |
			sed 's/(.*//' | uniq | tr '\n' ' ' >"$T/order"
		[ "$(<"$T/order")" = 'chroot capset seccomp ' ]
		must_not grep -E '(AT_FDCWD, |^open\()"/.* = [0-9]+$' \
			<(sed '1,/^seccomp(/d' "$calls")
	done
	[ "$n" -ge "$want" ] || explain "$n confined processes: $*"
}

@test "export, diff, commit, cp and fsck read a tree in confined workers" {
	need ROOT OVERLAY TOOL_strace
	must_work prism run --name c busybox sh -c 'echo x >/new; rm /etc/passwd'
	confined 1 "$PRISM_BIN" export -o "$T/c.tar" c
	tar -tf "$T/c.tar" | grep -q '^new$'
	confined 1 "$PRISM_BIN" diff c
	has '^A /new$'
	has '^D /etc/passwd$'
	# The reader, and the unpack worker.
	confined 2 "$PRISM_BIN" commit c confined
	# Two workers look, one reads, and one writes on the host.
	confined 3 "$PRISM_BIN" cp c:/new "$T/new"
	[ "$(cat "$T/new")" = x ]
	confined 2 "$PRISM_BIN" cp "$T/new" c:/newer
	must_work prism cp c:/newer -
	confined 1 "$PRISM_BIN" fsck
	must_work prism rmi confined
	must_work prism rm c
}

@test "cp reads a running container from its mount namespace" {
	need ROOT OVERLAY TOOL_strace
	must_work prism run -d --name c --tmpfs /mem busybox \
		sh -c 'echo x >/mem/f; ln -s /mem /link; mkfifo /made; sleep 1000'
	wait_for prism exec c test -p /made
	confined 3 "$PRISM_BIN" cp c:/link/f "$T/f"
	[ "$(cat "$T/f")" = x ]
	confined 2 "$PRISM_BIN" cp "$T/f" c:/link/g
	must_work prism exec c cat /mem/g
	prints x
	must_work prism rm -f c
}

@test "a container's links lead nowhere on the host" {
	need ROOT OVERLAY
	mkdir "$T/canary"
	printf 'untouched\n' >"$T/canary/keep"
	touch -d '2001-02-03 04:05:06' "$T/canary/keep" "$T/canary"
	find "$T/canary" -printf '%P %m %U:%G %n %s %T@\n' >"$T/before"
	must_work prism run --name c busybox sh -c "
		mkdir -p '/up$T'; ln -s '$T/canary' '/up$T/canary'
		ln -s '$T/canary' /abs; ln -s ../../../..$T/canary /rel
		ln -s /proc/self/root /proc1; ln -s /proc/1/root /proc2
		ln -s /proc/self/fd/3 /fd; mkdir /d; ln -s /abs /d/abs"
	printf 'evil\n' >"$T/evil"
	for way in abs rel proc1"$T/canary" proc2"$T/canary" fd d/abs "up$T/canary"; do
		capture prism cp "$T/evil" "c:/$way/evil"
		capture prism cp "$T/evil" "c:/$way"
		capture prism cp "c:/$way/keep" "$T/got"
		[ "$status" != 0 ]
		[ ! -e "$T/got" ]
	done
	must_work prism cp c:/ "$T/all"
	must_work prism export -o "$T/all.tar" c
	must_work prism diff c
	must_work prism commit c linked
	find "$T/canary" -printf '%P %m %U:%G %n %s %T@\n' | diff "$T/before" -
	must_work prism rmi linked
	must_work prism rm c
}

@test "a hostile tar for the host names files outside its target" {
	need ROOT OVERLAY
	mkdir "$T/canary" "$T/to"
	printf 'untouched\n' >"$T/canary/keep"
	# What a container has is what the tar says: a link, and then something
	# in it when the tree changes meanwhile. Here it is there already.
	ln -s "$T/canary" "$T/to/out"
	must_work prism run --name c busybox sh -c \
		'mkdir -p /x/out; echo evil >/x/out/keep; chmod 4755 /x/out/keep'
	capture prism cp c:/x/. "$T/to"
	[ "$status" != 0 ]
	[ "$(cat "$T/canary/keep")" = untouched ]
	[ "$(ls -A "$T/canary")" = keep ]
	must_work prism rm c
}

@test "the same for an ordinary user" {
	need ROOT USER USERNS OVERLAY
	must_work as_user "$PRISM_BIN" run --name c busybox sh -c \
		'echo x >/new; ln -s /etc/hostname /link; rm /etc/group'
	must_work as_user "$PRISM_BIN" diff c
	has '^A /new$'
	has '^D /etc/group$'
	must_work as_user "$PRISM_BIN" export -o "$FT/user/home/c.tar" c
	tar -tf "$FT/user/home/c.tar" | grep -q '^new$'
	must_work as_user "$PRISM_BIN" cp c:/new "$FT/user/home/got"
	must_work as_user "$PRISM_BIN" cp "$FT/user/home/got" c:/newer
	must_work as_user "$PRISM_BIN" commit c theirs
	must_work as_user "$PRISM_BIN" run --rm theirs cat /newer
	prints x
	must_work as_user "$PRISM_BIN" fsck
	must_work as_user "$PRISM_BIN" rmi theirs
	must_work as_user "$PRISM_BIN" rm c
}
