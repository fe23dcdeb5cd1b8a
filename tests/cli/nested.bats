#!/usr/bin/env bats
# Where uid 0 is not root of the machine: in a user namespace, without
# CAP_SYS_ADMIN, without CAP_MKNOD; as in containers of others.
load ../lib/common

setup()
{
	test_setup
	need ROOT USER USERNS OVERLAY
	inner=
}

teardown()
{
	if [ -n "$inner" ]; then
		kill "$inner" || true
		wait
	fi
	[ -z "$(store_left "$T/h/home/.local/share/prism")" ]
	test_teardown
}

# A namespace that stays: containers of one cannot be joined from another.
# enter USER UNSHARE-OPTION...: make it; then "one ARG..." is prism in it, of a
# user without subordinate ids, "many ARG..." of one with.
enter()
{
	local user=$1

	shift
	make_home "$T/h" "$user"
	run_as "$user" "$T/h" unshare "$@" sh -c 'echo $$; exec sleep 1000' >"$T/inner" 3>&- &
	wait_for test -s "$T/inner"
	inner=$(cat "$T/inner")
}

one()
{
	run_as "$TEST_USER_PLAIN" "$T/h" nsenter --user --preserve-credentials -t "$inner" \
		"$PRISM_BIN" "$@"
}

many()
{
	run_as "$TEST_USER" "$T/h" nsenter --user --preserve-credentials -t "$inner" \
		"$PRISM_BIN" "$@"
}

# less CAPABILITY PRISM-ARG...: root without it.
less()
{
	local cap=$1

	shift
	setpriv --bounding-set "-$cap" --inh-caps "-$cap" -- "$PRISM_BIN" "$@"
}

# life ONE-OF-THEM...: what everybody does.
life()
{
	registry_start
	must_work "$@" pull busybox
	registry_stop
	must_work "$@" run --rm busybox sh -c \
		'id -u; echo x >/dev/null; head -c 3 /dev/zero | wc -c; cat /proc/1/comm'
	prints $'0\n3\nprism-init'
	must_exit 3 "$@" run --rm busybox sh -c 'exit 3'
	must_work "$@" create --name late busybox sh -c \
		'mkdir /d; touch /d/f; chmod 0 /d; exit 4'
	must_exit 4 "$@" start -a late
	must_work "$@" rm late
	must_work "$@" run -d --name c busybox sh -c \
		'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for has_logged "$@" logs c
	must_work "$@" exec c sh -c 'id -u; hostname'
	has '^0$'
	must_work "$@" run --rm --network container:c --pid container:c \
		--ipc container:c busybox ps
	has 'sleep 0.1'
	has_not 'sleep 1000|reaper'
	mkdir "$T/v"; echo in >"$T/v/in"
	must_work "$@" cp "$T/v/in" c:/tmp/in
	must_work "$@" exec c cat /tmp/in
	prints in
	must_work "$@" commit -q c mine
	must_work "$@" stop c
	must_work "$@" ps -a --format '{{.Status}}'
	has '^Exited \(5\)'
	must_work "$@" rm c
	must_work "$@" run --rm mine cat /tmp/in
	prints in
	must_work "$@" rmi mine
	must_work "$@" fsck
}

has_logged()
{
	"$@" | grep -q ready
}

@test "root of a user namespace with one id" {
	enter "$TEST_USER_PLAIN" -Ur
	life one
	must_work one run --rm busybox sh -c 'cat /proc/self/uid_map; stat -c %u /home/app'
	has '^ +0 +0 +1$'
	has '^0$'
	says 'only your own id is mapped \(the user namespace around has no other\)'
	must_work one info
	has rootless
}

@test "root of a user namespace with many ids: owners are kept" {
	enter "$TEST_USER" --map-root-user --map-auto
	life many
	says_not 'own id'
	must_work many run --rm -u app busybox id
	has '^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\),2001\(more\)$'
	must_work many run --rm busybox stat -c '%u:%g' /home/app
	prints 1000:1000
	must_work many run --rm busybox sh -c 'mkdir /d; chown -R 5:5 /d; chmod 0 /d'
}

@test "an id that is not there is named" {
	enter "$TEST_USER_PLAIN" -Ur
	registry_start
	must_work one pull busybox
	registry_stop
	must_fail 125 one run --rm -u app busybox true
	says "look up 'app': user 1000: the container's user namespace has no such id"
	must_fail 125 one run --rm -u 0:7 busybox true
	says 'group 7: .*no such id'
	must_work one run -d --name c busybox sleep 1000
	must_fail 125 one exec -u 1000 c true
	says 'user 1000: .*no such id'
	must_work one rm -f c
}

@test "exec from another namespace says where the container is" {
	enter "$TEST_USER_PLAIN" -Ur
	registry_start
	must_work one pull busybox
	registry_stop
	must_work one run -d --name c busybox sleep 1000
	must_fail 125 run_as "$TEST_USER_PLAIN" "$T/h" unshare -Ur "$PRISM_BIN" \
		exec c true
	says 'EACCES'
	says 'it runs in another user namespace: .*nsenter -U'
	must_work one rm -f c
}

@test "what only root of the host may is refused in a word" {
	enter "$TEST_USER_PLAIN" -Ur
	registry_start
	must_work one pull busybox
	registry_stop
	must_fail 125 one run --rm --network bridge busybox true
	says "only root of the host can make the host's side"
	must_fail 125 one run --rm --userns keep-id busybox true
	says 'root is itself already'
}

@test "root without CAP_SYS_ADMIN: by a user namespace" {
	life less sys_admin
	must_work less sys_admin run --rm -u app busybox id -G
	prints '1000 2000 2001'
	must_work less sys_admin run --rm busybox cat /proc/self/uid_map
	has '^ +0 +0 4294967295$'
}

@test "root without CAP_MKNOD: the host's nodes" {
	life less mknod
	must_work less mknod run --rm busybox cat /proc/self/uid_map
	has '^ +0 +0 4294967295$'
	must_work less mknod run --rm --device /dev/zero:/dev/nil busybox sh -c \
		'head -c 3 /dev/nil | wc -c; stat -c %t:%T /dev/null /dev/nil'
	prints $'3\n1:3\n1:5'
	# Nodes that a container makes itself lead nowhere, here too.
	must_exit 1 less mknod run --rm busybox mknod /dev/mine c 1 3
	must_work less mknod run --rm busybox grep ' /dev tmpfs' /proc/mounts
	has nodev
}
