#!/usr/bin/env bats
# An ordinary user where something is missing, odd or scarce: a container that
# works, or one error that says what to do; nothing is left behind.
load ../lib/common

setup_file()
{
	file_setup
	[ -n "${TEST_USER:-}" ] || return 0
	file_store_user busybox
	# What goes before a command, as root: /etc/subuid and /etc/subgid are
	# $SUBUID and $SUBGID, and $HIDE, words, cannot be executed.
	cat >"$FT/bin/with-etc" <<-'END'
	#!/bin/bash
	exec unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mount --bind "${SUBUID:-/etc/subuid}" /etc/subuid
		mount --bind "${SUBGID:-${SUBUID:-/etc/subgid}}" /etc/subgid
		for f in ${HIDE:-}; do
			mount --bind /etc/subuid "$f"
		done
		exec "$@"' with-etc "$@"
	END
	chmod +x "$FT/bin/with-etc"
}

setup()
{
	test_setup
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	uid=$(id -u "$TEST_USER")
	# Own directories, below one that belongs to the user.
	make_home "$T/h" "$TEST_USER"
}

run()
{
	as_user "$PRISM_BIN" run --rm "$@"
}

# subids LINE...: as /etc/subuid and /etc/subgid.
subids()
{
	printf '%s\n' "$@" >"$T/subids"
	chmod 0644 "$T/subids"
	export SUBUID=$T/subids RUN_IN=$FT/bin/with-etc
}

# maps LINE...: those of the container.
maps()
{
	must_work run busybox cat /proc/self/uid_map
	output=$(tr -s ' ' <<<"$output")
	prints "$(printf ' %s\n' "$@")"
}

# limited WORDS-OF-ULIMIT PRISM-ARG...
limited()
{
	local limit=$1

	shift
	# shellcheck disable=SC2016 # the inner shell's
	as_user bash -c 'ulimit $0; exec "$@"' "$limit" "$PRISM_BIN" "$@"
}

@test "/etc/subuid: by number, several, twice, overlapping, around oneself" {
	subids "$uid:300000:65536"
	maps "0 $uid 1" '1 300000 65536'
	subids "$TEST_USER:300000:1000" "other:1:1" "$TEST_USER:500000:65536"
	maps "0 $uid 1" '1 300000 1000' '1001 500000 65536'
	subids "$TEST_USER:300000:65536" "$uid:300000:65536"
	maps "0 $uid 1" '1 300000 65536'
	subids "$TEST_USER:300000:65536" "$TEST_USER:310000:65536"
	maps "0 $uid 1" '1 300000 65536' '65537 365536 10000'
	subids "$TEST_USER:$((uid - 1)):2000"
	maps "0 $uid 1" "1 $((uid + 1)) 1998"
	subids 'junk' ':::' "$TEST_USER:x:1" "$TEST_USER:300000:65536"
	maps "0 $uid 1" '1 300000 65536'
}

@test "/etc/subuid: what leaves one id, and what is refused" {
	subids "$TEST_USER:300000:0"
	maps "0 $uid 1"
	says "only your own id is mapped \(no range in /etc/subuid for $TEST_USER\)"
	subids "$TEST_USER:300000:65536"
	: >"$T/none"
	SUBGID=$T/none maps "0 $uid 1"
	says 'no range in /etc/subgid'
	HIDE='/usr/bin/newuidmap /usr/bin/newgidmap' maps "0 $uid 1"
	says 'package uidmap\) are not installed'
	cp /usr/bin/newuidmap "$T/h/newuidmap"
	HIDE=$T/h/newuidmap maps "0 $uid 1" '1 300000 65536'
	# One id more, and not that of the image's user.
	subids "$TEST_USER:300000:1"
	must_fail 125 run -u app busybox true
	says 'user 1000: .*no such id'
	# shellcheck disable=SC2046 # words
	subids $(seq -f "$TEST_USER:%.0f:10" 300000 1000 345000)
	must_fail 125 run busybox true
	says '/etc/subuid: more than 32 id ranges'
	subids "$TEST_USER:300000:65536"
	chmod 0600 "$T/subids"
	must_fail 125 run busybox true
	says 'openat /etc/subuid: EACCES'
}

@test "a home without xattrs" {
	cat >"$FT/bin/ramfs" <<-'END'
	#!/bin/bash
	exec unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mount -t ramfs ramfs "$DIR"
		chown "$OWNER" "$DIR"
		exec "$@"' ramfs "$@"
	END
	chmod +x "$FT/bin/ramfs"
	export DIR=$T/h/home OWNER=$TEST_USER RUN_IN=$FT/bin/ramfs
	registry_start
	# shellcheck disable=SC2016 # the inner shell's
	must_work run_as "$TEST_USER" "$T/h" sh -ec '
		"$1" pull -q busybox
		"$1" run --rm busybox sh -c "stat -c %u:%g /home/app; touch /new; rm -r /bin/ls"
		"$1" run -d --name c busybox sleep 100 >/dev/null
		"$1" exec c rm /etc/passwd
		"$1" diff c
		"$1" rm -f c >/dev/null
		cd "$HOME/.local/share/prism"
		find containers tmp -mindepth 1 -not -name by-name' \
		- "$PRISM_BIN"
	registry_stop
	has '^1000:1000$'
	has '^D /etc/passwd$'
	has_not '^(containers|tmp)/'
	says 'warning: .*no user xattrs: .*no directory of the image can be'
	must_work run busybox true
	says_not xattrs
}

@test "parents of the store that let nobody look, or nobody through" {
	mkdir -m 0711 "$T/up"
	mkdir "$T/up/mine"
	chown "$TEST_USER:" "$T/up/mine"
	cp -a "$FT/user/home/.local/share/prism" "$T/up/mine/s"
	must_work as_user "$PRISM_BIN" --root "$T/up/mine/s" run --rm busybox \
		stat -c %u /home/app
	prints 1000
	chmod 0700 "$T/up"
	must_fail 125 as_user "$PRISM_BIN" --root "$T/up/mine/s" run --rm busybox true
	says "open $T/up/mine/s: EACCES"
	says '^hint: each directory on the way'
	must_fail 125 as_user env HOME=/proc/nowhere/at/all "$PRISM_BIN" run --rm \
		busybox true
	says 'store /proc/nowhere/at/all'
	must_fail 125 as_user env HOME=/none-of-ours "$PRISM_BIN" run --rm busybox true
	says '^hint: .*--root or PRISM_ROOT'
}

@test "umask 077 is the caller's, and no matter of the container's" {
	registry_start
	# shellcheck disable=SC2016 # the inner shell's
	must_work run_as "$TEST_USER" "$T/h" sh -ec 'umask 077
		"$1" pull -q busybox
		"$1" run --rm -u app busybox sh -c "umask; cat /etc/hosts >/dev/null
			stat -c %a / /etc/passwd /etc/hostname"' - "$PRISM_BIN"
	registry_stop
	has '^0022$'
	has '^755$'
	has_not '^(700|600)$'
}

@test "closed stdin, stdout and stderr" {
	must_work as_user sh -c '"$0" run --rm busybox echo in <&-' "$PRISM_BIN"
	prints in
	must_work as_user sh -c '"$0" run --rm busybox sh -c "echo a; echo b >&2" 2>&-' \
		"$PRISM_BIN"
	prints a
	must_exit 3 as_user sh -c '"$0" run --rm busybox sh -c "echo a; exit 3" >&-' \
		"$PRISM_BIN"
	must_work as_user sh -c '"$0" run -d --name c busybox sleep 100 <&- >&- 2>&-' \
		"$PRISM_BIN"
	must_work as_user "$PRISM_BIN" rm -f c
}

@test "few open files" {
	must_work limited '-n 64' run --rm busybox sh -c 'ulimit -n'
	prints 64
	must_work limited '-n 64' run -d --name c busybox sleep 100
	must_work limited '-n 64' exec c echo in
	prints in
	must_work limited '-n 64' rm -f c
	must_fail 125 limited '-n 12' run --rm busybox true
	says 'EMFILE'
	says '^hint: .*ulimit -n'
}

@test "small files: the log loses records, and nobody dies" {
	must_work limited '-f 100' run -d --name c busybox sh -c \
		'i=0; while [ $i -lt 3000 ]; do echo 01234567890123456789012345678901234567890123456789; i=$((i + 1)); done; exit 7'
	must_work as_user "$PRISM_BIN" wait c
	prints 7
	must_work as_user "$PRISM_BIN" rm c
	must_fail 125 limited '-f 8' run --rm busybox true
	says 'memfd prism-init: EFBIG'
	says '^hint: .*ulimit -f'
	must_fail 125 limited '-f 1' run --rm --pid host busybox true
	says 'EFBIG'
	must_fail 125 limited '-f 1' create -e A="$(printf '%02000d' 0)" busybox
	says 'write spec\.json: EFBIG'
	says '^hint: .*ulimit -f'
	must_work as_user "$PRISM_BIN" fsck
	registry_start
	must_fail 1 limited '-f 100' --root "$T/h/home/s" pull busybox
	registry_stop
	says 'EFBIG'
	says '^hint: .*ulimit -f'
}

# SIGINT, SIGQUIT, SIGPIPE and SIGXFSZ; others may be ignored by who runs the
# tests (make does it to 32 and 33).
prism_ignores_none()
{
	[[ $output =~ ^SigIgn:.([0-9a-f]{16})$ ]]
	(( (16#${BASH_REMATCH[1]} & 16#1001006) == 0 ))
}

# A signal that is ignored stays so in what is executed.
@test "what prism ignores itself is not ignored in a container" {
	must_work run busybox grep SigIgn /proc/self/status
	prism_ignores_none
	must_work run --init busybox grep SigIgn /proc/self/status
	prism_ignores_none
	must_work as_user "$PRISM_BIN" run -d --name c busybox sleep 100
	must_work as_user "$PRISM_BIN" exec c grep SigIgn /proc/1/status
	prism_ignores_none
	must_work as_user "$PRISM_BIN" exec c grep SigIgn /proc/self/status
	prism_ignores_none
	must_work as_user "$PRISM_BIN" rm -f c
	must_exit 153 run busybox sh -c 'ulimit -f 0; echo x >/tmp/f'
}

@test "few processes: an error, and no files of the container" {
	# Looking for leaks takes a process.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	must_fail 125 limited '-u 1' run --rm busybox true
	says 'clone3 new namespaces: EAGAIN'
	says '^hint: .*ulimit -u'
	must_fail 1 limited '-u 1' pull busybox
	says '^hint: .*ulimit -u'
}

@test "without HOME, and with an XDG_RUNTIME_DIR of another's" {
	# A /var/tmp of its own: the user's other tests run beside.
	mkdir "$T/var"
	chmod 1777 "$T/var"
	cat >"$FT/bin/with-var" <<-'END'
	#!/bin/bash
	exec unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mount --bind "$VAR" /var/tmp
		exec "$@"' with-var "$@"
	END
	chmod +x "$FT/bin/with-var"
	export VAR=$T/var RUN_IN=$FT/bin/with-var
	# The home in /etc/passwd does not exist; /var/tmp must not replace it.
	must_fail 125 as_user env -u HOME "$PRISM_BIN" run --rm busybox true
	says 'store .*/none/.local/share/prism: mkdirat'
	[ -z "$(ls -A "$VAR")" ]
	unset RUN_IN
	mkdir -m 0700 "$T/others"
	must_work as_user env XDG_RUNTIME_DIR="$T/others" "$PRISM_BIN" run --rm \
		busybox echo in
	prints in
	[ -z "$(ls -A "$T/others")" ]
}
