#!/usr/bin/env bats
# The flags as an ordinary user.
load ../lib/common

setup_file()
{
	file_setup
	if [ -n "${TEST_USER:-}" ]; then
		file_store_user busybox
	fi
}

setup()
{
	test_setup
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
}

run()
{
	as_user "$PRISM_BIN" run --rm "$@"
}

@test "--userns keep-id: the caller is itself, inside and outside" {
	uid=$(id -u "$TEST_USER") gid=$(id -g "$TEST_USER")
	mkdir -m 0777 "$T/v"
	must_work run --userns keep-id -v "$T/v:/v" busybox sh -c \
		'id -u; id -g; touch /v/mine; whoami; grep ^Cap[EP] /proc/self/status'
	has "^$uid\$"
	has "^$TEST_USER\$"
	has '^CapEff:	0000000000000000$'
	[ "$(stat -c %u:%g "$T/v/mine")" = "$uid:$gid" ]
	must_work run --userns keep-id:uid=1000,gid=1000 -v "$T/v:/v" busybox \
		sh -c 'id -u; id -g; touch /v/app; stat -c %u /v/mine'
	prints $'1000\n1000\n1000'
	[ "$(stat -c %u:%g "$T/v/app")" = "$uid:$gid" ]
	# Who else is asked for stays what the image says.
	must_work run --userns keep-id -u 0 busybox id -u
	prints 0
	must_fail 125 run --userns keep-id:foo=1 busybox true
	says 'foo=1'
}

@test "--userns keep-id is not for root" {
	must_fail 125 prism run --userns keep-id x
	says 'ordinary users'
}

@test "--userns keep-id without subordinate ids" {
	registry_start
	must_work as_plain_user "$PRISM_BIN" pull -q busybox
	registry_stop
	mkdir -m 0777 "$T/v"
	must_work as_plain_user "$PRISM_BIN" run --rm --userns keep-id \
		-v "$T/v:/v" busybox sh -c 'id -u; touch /v/x'
	prints "$(id -u "$TEST_USER_PLAIN")"
	[ "$(stat -c %u "$T/v/x")" = "$(id -u "$TEST_USER_PLAIN")" ]
}

@test "--privileged: all of its user namespace, and what the user can open" {
	must_work run --privileged busybox sh -c \
		'grep -E "^(CapEff|Seccomp):" /proc/self/status; ls /dev
		mkdir /m && mount -t tmpfs none /m && echo mounted'
	has '^CapEff:	0*1ff+$'
	has '^Seccomp:	0$'
	has '^mounted$'
	has '^null$'
	has_not '^(vda|sda|nvme0n1)$'
}

@test "mounts: tmpfs, O, U, order" {
	mkdir -m 0777 "$T/v"
	as_user sh -c "echo old >'$T/v/f'"
	must_work run --tmpfs /m:size=1m,exec -v "$T/v:/v:O" busybox sh -c \
		'grep " /m " /proc/mounts; echo new >/v/f; cat /v/f'
	has 'size=1024k'
	has '^new$'
	[ "$(cat "$T/v/f")" = old ]
	as_user mkdir "$FT/user/home/u$BATS_TEST_NUMBER"
	must_work run -u 1000 -v "$FT/user/home/u$BATS_TEST_NUMBER:/u:U" busybox \
		touch /u/x
	base=$(sed -n "s/^$TEST_USER:\([0-9]*\):.*/\1/p" /etc/subuid)
	[ "$(stat -c %u "$FT/user/home/u$BATS_TEST_NUMBER/x")" = $((base + 999)) ]
	must_fail 125 run -v "$FT/user/home/u$BATS_TEST_NUMBER:/u:idmap" busybox true
	says 'idmap needs root and --userns auto'
}

@test "--device lends the host's node; limits and sysctls of its own" {
	must_work run --device /dev/null:/dev/other busybox sh -c \
		'echo x >/dev/other; stat -c %t:%T /dev/other'
	prints 1:3
	must_fail 125 run --device /dev/nope busybox true
	must_work run --ulimit nofile=64 --umask 027 --sysctl net.core.somaxconn=9 \
		--shm-size 1m --oom-score-adj 900 busybox sh -c 'ulimit -n; umask
		cat /proc/sys/net/core/somaxconn /proc/self/oom_score_adj
		grep " /dev/shm " /proc/mounts'
	has '^64$'
	has '^0027$'
	has '^9$'
	has '^900$'
	has 'size=1024k'
	must_fail 125 run --oom-score-adj -900 busybox true
	says 'oom_score_adj.*(EACCES|EPERM)'
}

@test "ping and low ports in its own network" {
	must_work run busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start \
		/proc/sys/net/ipv4/ping_group_range
	prints $'0\n0\t65536'
}

@test "namespaces of the host" {
	must_work run --pid host busybox sh -c 'readlink /proc/self/ns/pid'
	prints "$(readlink /proc/self/ns/pid)"
	must_work run --ipc host --uts host busybox sh -c \
		'hostname; readlink /proc/self/ns/ipc'
	prints "$(hostname)
$(readlink /proc/self/ns/ipc)"
}

@test "an unknown user has a name here too" {
	must_work run -u 4242:4242 busybox whoami
	prints 4242
}

@test "container:NAME joins the user namespace too" {
	as_user "$PRISM_BIN" run --rm --name web busybox sh -c \
		'echo shared >/dev/shm/f; sleep 1000' >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for as_user "$PRISM_BIN" exec web test -s /dev/shm/f 2>/dev/null
	must_work run --network container:web --pid container:web \
		--ipc container:web busybox sh -c 'cat /dev/shm/f; ps; id -u'
	has '^shared$'
	has 'sleep 1000'
	# Its processes, and none of the host's.
	has_not 'tests/lib'
	has '^0$'
	must_work as_user "$PRISM_BIN" rm -f web
	wait "$pid" || true
}

@test "ps --size and prune count what only the container's ids may read" {
	u()
	{
		as_user "$PRISM_BIN" "$@"
	}
	must_work u run --name sized busybox sh -c \
		'mkdir -m 700 /d; head -c 5000 /dev/zero >/d/f; chown -R 33:33 /d'
	must_work u ps -a --size --filter name=sized --format '{{.Size}}'
	has '^5(\.[0-9]+)?kB'
	must_work u container prune -f
	has 'reclaimed space: 5(\.[0-9]+)?kB'
}
