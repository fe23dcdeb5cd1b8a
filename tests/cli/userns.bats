#!/usr/bin/env bats
# User namespaces: whose files are those that a container writes into a bind
# mount, in a start and in an exec. --userns auto as root; the map of an
# ordinary user; keep-id.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

setup()
{
	test_setup
	need ROOT OVERLAY
	target=
	mkdir -m 0777 "$T/v"
}

teardown()
{
	if [ -n "$target" ]; then
		"${as[@]}" "$PRISM_BIN" rm -f c >/dev/null 2>&1 || true
		wait "$target" || true
	fi
	test_teardown
}

# start_target [RUN-OPTION...]: the container c with $T/v as /v; ${as[@]} says
# as whom.
start_target()
{
	"${as[@]}" "$PRISM_BIN" run --rm --name c -v "$T/v:/v" "$@" busybox \
		sh -c 'touch /v/by-run; sleep 1000' >"$T/target" 2>&1 </dev/null &
	target=$!
	wait_for "${as[@]}" "$PRISM_BIN" exec c test -e /v/by-run 2>/dev/null
}

owner()
{
	stat -c %u:%g "$T/v/$1"
}

@test "--userns auto: files belong to the container's range, exec's too" {
	as=(env)
	start_target --userns auto
	must_work prism exec c sh -c 'id -u; touch /v/root; stat -c %u:%g /v/root /v/by-run'
	prints $'0\n0:0\n0:0'
	must_work prism exec -u app c sh -c 'id -u; touch /v/app; stat -c %u:%g /v/app'
	prints $'1000\n1000:1000'
	read -r _ base count <<<"$(prism exec c cat /proc/self/uid_map)"
	[ "$base" -ge 65536 ]
	[ "$count" = 65536 ]
	[ "$(owner by-run)" = "$base:$base" ]
	[ "$(owner root)" = "$base:$base" ]
	[ "$(owner app)" = "$((base + 1000)):$((base + 1000))" ]
	# Root's own files are nobody's inside, and stay as they are.
	touch "$T/v/hosts"
	must_work prism exec c stat -c %u:%g /v/hosts
	prints 65534:65534
	must_exit 1 prism exec c sh -c 'echo x >/v/hosts'
	must_exit 1 prism exec c chown 0:0 /v/hosts
}

@test "--userns auto: joined pids and networks are that container's, and not the host's" {
	as=(env)
	start_target
	must_work prism run --rm --userns auto --pid container:c \
		--network container:c busybox sh -c 'ps; ls /sys/class/net'
	has 'sleep 1000'
	has '^lo$'
	has_not 'tests/lib|eth0'
	must_exit 1 prism run --rm --userns auto --pid container:c busybox sh -c \
		'echo x >/proc/sys/kernel/hostname'
	says 'Read-only file system'
}

@test "an ordinary user: root inside is the user, others are its ranges'" {
	need USER USERNS
	as=(as_user)
	start_target
	must_work as_user "$PRISM_BIN" exec c sh -c 'id -u; touch /v/root; stat -c %u:%g /v/root /v/by-run'
	prints $'0\n0:0\n0:0'
	must_work as_user "$PRISM_BIN" exec -u app c sh -c 'touch /v/app; stat -c %u:%g /v/app'
	prints 1000:1000
	me=$(id -u "$TEST_USER"):$(id -g "$TEST_USER")
	base=$(sed -n "s/^$TEST_USER:\([0-9]*\):.*/\1/p" /etc/subuid)
	[ "$(owner by-run)" = "$me" ]
	[ "$(owner root)" = "$me" ]
	[ "$(stat -c %u "$T/v/app")" = "$((base + 999))" ]
	# The capabilities inside are those of the namespace, not of the host.
	must_work as_user "$PRISM_BIN" exec c grep CapEff /proc/self/status
	has '00000000a80425fb$'
}

@test "an ordinary user with --userns keep-id: the user is itself inside" {
	need USER USERNS
	as=(as_user)
	start_target --userns keep-id
	me=$(id -u "$TEST_USER")
	must_work as_user "$PRISM_BIN" exec c sh -c 'id -u; touch /v/mine; stat -c %u /v/mine'
	prints "$me"$'\n'"$me"
	[ "$(stat -c %u "$T/v/mine")" = "$me" ]
	[ "$(stat -c %u "$T/v/by-run")" = "$me" ]
}

@test "an ordinary user's exec reaches no other's container" {
	need USER USERNS
	as=(env)
	start_target
	must_fail 125 as_user "$PRISM_BIN" exec c true
	says 'No such container'
}
