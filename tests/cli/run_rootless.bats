#!/usr/bin/env bats
# The same as an ordinary user: with subordinate ids, and without.
load ../lib/common

setup_file()
{
	file_setup
	if [ -n "${TEST_USER:-}" ]; then
		file_store_user busybox alpine
	fi
}

setup()
{
	test_setup
	need ROOT USER USERNS OVERLAY
	# Nothing here may touch root's store.
	PRISM_ROOT=$T/not-used
	U=$FT/user/home
}

run()
{
	as_user "$PRISM_BIN" run --rm "$@"
}

@test "alpine as an ordinary user, offline" {
	need ALPINE
	must_work run alpine sh -c 'id; ps; cat /etc/alpine-release; apk --version'
	has '^uid=0\(root\) gid=0\(root\)'
	has '^3\.20\.3$'
	has '^apk-tools 2'
	[ ! -e "$PRISM_ROOT" ]
	[ -d "$U/.local/share/prism/layers" ]
}

@test "pull and run from nothing, the registry gone the second time" {
	rm -rf "$T/h"
	make_home "$T/h" "$TEST_USER"
	registry_start
	must_work run_as "$TEST_USER" "$T/h" "$PRISM_BIN" run --rm busybox echo first
	prints first
	registry_stop
	must_work run_as "$TEST_USER" "$T/h" "$PRISM_BIN" run --rm busybox echo second
	prints second
}

@test "root inside is the user outside, other ids are the subordinate ones" {
	must_work run busybox cat /proc/self/uid_map
	has "^ *0 +$(id -u "$TEST_USER") +1\$"
	has "^ *1 +$(sed -n "s/^$TEST_USER:\([0-9]*\):.*/\1/p" /etc/subuid) +65536\$"
	mkdir -m 0777 "$T/v"
	must_work run -v "$T/v:/v" busybox sh -c \
		'touch /v/root; touch /v/app; chown 1000:1000 /v/app; stat -c %u:%g /v/app'
	prints 1000:1000
	[ "$(stat -c %u "$T/v/root")" = "$(id -u "$TEST_USER")" ]
	base=$(sed -n "s/^$TEST_USER:\([0-9]*\):.*/\1/p" /etc/subuid)
	[ "$(stat -c %u "$T/v/app")" = $((base + 999)) ]
}

@test "-u, groups and files of other owners" {
	must_work run -u app busybox id
	has '^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\),2001\(more\)$'
	must_work run busybox stat -c '%u:%g' /home/app
	prints 1000:1000
	must_exit 1 run -u app busybox touch /root/x
}

@test "isolated like root's: caps, seccomp, masks, dev" {
	must_work run busybox grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
	has '^CapEff:	00000000a80425fb$'
	has '^CapBnd:	00000000a80425fb$'
	has '^CapAmb:	0000000000000000$'
	has '^Seccomp:	2$'
	has '^NoNewPrivs:	1$'
	must_work run busybox sh -c 'for n in null zero full random urandom tty; do
		stat -c "%n %t:%T" /dev/$n; done; echo x >/dev/null; head -c 3 /dev/zero | wc -c'
	has '^/dev/null 1:3$'
	has '^/dev/tty 5:0$'
	has '^3$'
	must_work run busybox sh -c 'cat /proc/kcore /proc/keys 2>/dev/null | wc -c'
	prints 0
	must_exit 1 run busybox sh -c 'echo x >/proc/sys/kernel/hostname'
	must_work run busybox cat /proc/mounts
	has ' /dev/pts devpts '
	has ' /dev/shm tmpfs .*size=65536k'
	has ' /sys sysfs ro'
	must_work run --network host busybox ls /sys/class/net
}

@test "exit codes are the same" {
	must_exit 3 run busybox sh -c 'exit 3'
	must_fail 127 run busybox no-such-program
	must_fail 126 run busybox /etc
	must_fail 125 run --no-such-flag busybox true
	must_fail 125 run -u nosuch busybox true
	must_exit 137 run busybox sh -c 'kill -9 $$'
}

@test "-i, -t and kill -9 work without root" {
	head -c 3000000 /dev/urandom >"$T/in"
	run -i busybox cat <"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
	as_user python3 "$LIB/terminal.py" size 31 99 -- "$PRISM_BIN" run --rm \
		-it busybox stty size >"$T/o"
	grep -q '^31 99' "$T/o"
	grep -q '^restored: yes' "$T/o"
	mark=6$RANDOM$BATS_TEST_NUMBER
	as_user "$PRISM_BIN" run --rm busybox sh -c "echo ready; sleep $mark" \
		>"$T/o" 2>&1 3>&- &
	pid=$!
	wait_for grep -q ready "$T/o"
	pkill -9 -u "$TEST_USER" -f "prism run.*$mark"
	wait "$pid" || true
	gone()
	{
		must_not pgrep -f "^sleep $mark\$"
	}
	wait_for gone
	must_work run busybox true
}

@test "what the container writes in its root is removed again, whoever owns it" {
	must_work run busybox sh -c 'mkdir /d; touch /d/f; chown -R 1000:1000 /d
		mkdir /closed; touch /closed/x; chown -R 5:5 /closed; chmod 0 /closed'
	[ -z "$(find "$U/.local/share/prism/containers" -mindepth 1 -not -name by-name)" ]
}

@test "without subordinate ids: one id, said once, and the program runs" {
	registry_start
	must_work as_plain_user "$PRISM_BIN" pull busybox
	registry_stop
	says '/etc/subuid|subordinate'
	must_work as_plain_user "$PRISM_BIN" run --rm busybox sh -c \
		'id -u; cat /proc/self/uid_map; stat -c %u /home/app'
	has '^0$'
	has "^ *0 +$(id -u "$TEST_USER_PLAIN") +1\$"
	# Ownership is squashed: everything is root's.
	[ "$(tail -n 1 <<<"$output")" = 0 ] || explain "owner must be squashed"
	[ "$(grep -cE 'subuid|subordinate' <<<"$stderr")" -le 1 ] ||
		explain "said once"
}

@test "without XDG_RUNTIME_DIR, as after su or in cron" {
	must_work as_user env -u XDG_RUNTIME_DIR "$PRISM_BIN" run --rm busybox \
		echo yes
	prints yes
}

@test "images and rmi see the user's own store" {
	must_work as_user "$PRISM_BIN" images
	has busybox
	must_work prism --root "$T/empty" images
	has_not busybox
}
