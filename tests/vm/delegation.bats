#!/usr/bin/env bats
# Limits of an ordinary user where systemd runs: in a plain login session prism
# asks for a scope, what is delegated already is used, and where neither is to be
# had the error says what to do, which then works.
# vm: systemd
load ../lib/common

teardown()
{
	as_user "$PRISM_BIN" rm -f c >/dev/null 2>&1 || true
	test_teardown
}

setup_file()
{
	file_setup
	file_store_user busybox
	# The user's own systemd, as after a login.
	loginctl enable-linger "$TEST_USER"
	wait_for systemctl is-active --quiet "user@$(id -u "$TEST_USER").service"
}

teardown_file()
{
	loginctl disable-linger "$TEST_USER"
	file_teardown
}

# in_session CMD...: as the user's systemd runs a terminal's programs.
in_session()
{
	local dir

	dir=/run/user/$(id -u "$TEST_USER")
	run_as "$TEST_USER" "$FT/user" env XDG_RUNTIME_DIR="$dir" \
		DBUS_SESSION_BUS_ADDRESS="unix:path=$dir/bus" "$@"
}

# in_login CMD...: in a session as a terminal or ssh opens it, by PAM.
in_login()
{
	su -l "$TEST_USER" -c "exec env HOME=$FT/user/home \
		PRISM_CONFIG=$FT/prism.json $(printf '%q ' "$@")"
}

# by_sudo CMD...: outside of any session, and without its variables.
by_sudo()
{
	run_as "$TEST_USER" "$FT/user" env -u XDG_RUNTIME_DIR "$@"
}

# No scope of prism's and no cgroup in one.
nothing_asked()
{
	! find /sys/fs/cgroup -type d -name 'prism-*.scope' | grep -q . &&
		! in_session systemctl --user --all --plain --no-legend \
			list-units 'prism-*' | grep -q .
}

# in_scope CMD...: as who has a delegated cgroup already.
in_scope()
{
	in_session systemd-run --user --scope --quiet -p Delegate=yes -- "$@"
}

run()
{
	"$@" "$PRISM_BIN" run --rm --network none "${limits[@]}" busybox \
		sh -c "$program"
}

@test "no limits: no delegation is asked for" {
	limits=() program='echo ran'
	must_work run as_user
	prints ran
	[ -z "$stderr" ] || explain "a warning"
	nothing_asked
}

@test "in a login session --memory and --pids-limit hold, without a word" {
	limits=() program='cat /proc/self/cgroup'
	must_work run in_login
	limits=(--cgroupns host --memory 32m --memory-swap 32m --pids-limit 5)
	program='cat /proc/self/cgroup'
	must_work run in_login
	has '^0::/user\.slice/.*/prism-[0-9a-f]{12}-[0-9]+\.scope/[0-9a-f]{64}$'
	[ -z "$stderr" ] || explain "a warning"
	program='for i in 1 2 3 4 5 6; do sleep 99 & done; echo never'
	must_exit 2 run in_login
	says "can't fork"
	program='tail /dev/zero'
	must_exit 137 run in_login
	says 'out of memory: memory.max 33554432'
	wait_for nothing_asked
	# After su or sudo there is no XDG_RUNTIME_DIR.
	program='tail /dev/zero'
	must_exit 137 run by_sudo
	says 'out of memory: memory.max 33554432'
	wait_for nothing_asked
}

@test "the life of a detached one is that of any other" {
	local p=(in_login "$PRISM_BIN")

	must_work "${p[@]}" run -d --name c --network none busybox sleep 1000
	must_fail 1 "${p[@]}" update --pids-limit 20 c
	says '^hint: .*prism stop.* it, update it, .*prism start.* it'
	# Which works.
	must_work "${p[@]}" stop -t 0 c
	must_work "${p[@]}" update --pids-limit 20 c
	must_work "${p[@]}" start c
	must_work "${p[@]}" exec c cat /sys/fs/cgroup/pids.max
	prints 20
	must_work "${p[@]}" update --pids-limit 30 c
	must_work "${p[@]}" exec c cat /sys/fs/cgroup/pids.max
	prints 30
	must_work "${p[@]}" rm -f c
	must_work "${p[@]}" run -d --name c --network none --pids-limit 6 busybox \
		sleep 1000
	# From another session, into the same cgroup.
	must_exit 2 "${p[@]}" exec c sh -c \
		'sleep 99 & sleep 99 & sleep 99 & sleep 99 & sleep 99 & sleep 99 & true'
	says "can't fork"
	must_work "${p[@]}" update --pids-limit 20 c
	must_work "${p[@]}" exec c sh -c 'true & true & true & true & true & wait'
	must_work "${p[@]}" stats --no-stream --format '{{.PIDs}}' c
	has '^[1-9]$'
	must_work "${p[@]}" pause c
	must_work "${p[@]}" unpause c
	must_work "${p[@]}" restart -t 0 c
	must_work "${p[@]}" exec c cat /proc/self/cgroup
	must_work "${p[@]}" stop -t 0 c
	wait_for nothing_asked
	must_work "${p[@]}" start c
	must_work "${p[@]}" rm -f c
	wait_for nothing_asked
}

@test "kill -9 of all of it leaves nothing either" {
	local p=(in_login "$PRISM_BIN") scope

	must_work "${p[@]}" run -d --name c --network none --pids-limit 6 busybox \
		sleep 1000
	scope=$(find /sys/fs/cgroup -type d -name 'prism-*.scope')
	[ -n "$scope" ] || explain "no scope"
	echo 1 >"$scope/cgroup.kill"
	wait_for eval '[ -z "$("${p[@]}" ps -q)" ]'
	must_work "${p[@]}" ps -a --format '{{.Status}}'
	has 'Exited \(137\)'
	wait_for nothing_asked
	must_work "${p[@]}" rm c
}

@test "without a systemd of the user the error says what to do, and that works" {
	local uid

	uid=$(id -u "$TEST_USER")
	loginctl disable-linger "$TEST_USER"
	loginctl terminate-user "$TEST_USER"
	wait_for eval '! systemctl is-active --quiet "user@$uid.service"'
	limits=(--memory 32m --memory-swap 32m --pids-limit 5) program=true
	must_fail 125 run by_sudo
	says 'no cgroup is delegated to you: /sys/fs/cgroup.* is not yours to write'
	says "no systemd of user $uid answers in /run/user/$uid"
	says "loginctl enable-linger $uid"
	loginctl enable-linger "$uid"
	wait_for systemctl is-active --quiet "user@$uid.service"
	program='tail /dev/zero'
	must_exit 137 run by_sudo
	says 'out of memory: memory.max 33554432'
}

@test "without systemd the error says which cgroup root can give, and that works" {
	local own=/sys/fs/cgroup/prism-given

	limits=(--memory 32m --memory-swap 32m) program=true
	mkdir "$own"
	# A systemd that does not answer: nobody listens there.
	in_given()
	{
		run_as "$TEST_USER" "$FT/user" env \
			DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere sh -c \
			'exec "$@"' sh "$@"
	}
	must_fail 125 run in_given
	says 'let root give you the cgroup: chown it, its cgroup.procs and its cgroup.subtree_control'
	chown "$TEST_USER" "$own" "$own"/cgroup.{procs,subtree_control}
	# The shell of the test is root's: it puts the user's there.
	in_given()
	{
		sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$own" \
			setpriv --reuid="$TEST_USER" \
			--regid="$(id -g "$TEST_USER")" --init-groups -- \
			env -i PATH="$PATH" HOME="$FT/user/home" \
			PRISM_CONFIG="$FT/prism.json" "$@"
	}
	program='tail /dev/zero'
	must_exit 137 run in_given
	says 'out of memory: memory.max 33554432'
	wait_for eval 'rmdir "$own/prism-host" "$own" 2>/dev/null'
}

@test "in the scope --memory and --pids-limit hold" {
	limits=(--memory 32m --memory-swap 32m --pids-limit 5)
	program='for i in 1 2 3 4 5 6; do sleep 99 & done; echo never'
	must_exit 2 run in_scope
	says "can't fork"
	program='tail /dev/zero'
	must_exit 137 run in_scope
	says 'out of memory: memory.max 33554432'
	program='echo fits'
	must_work run in_scope
	prints fits
}

@test "in the scope --cpus holds" {
	limits=(--cpus 0.25) program='timeout 4 sh -c "while :; do :; done"
		cat /proc/$$/stat'
	capture run in_scope
	# A quarter of 400 ticks, and not much more by the rounding of the rest.
	ticks=$(awk 'END { print $16 + $17 }' <<<"$output")
	[ "$ticks" -ge 30 ] && [ "$ticks" -lt 240 ] || explain "$ticks ticks"
}

@test "what is not delegated says which file and which setting, and that works" {
	local unit=/run/systemd/system/user@.service.d uid

	uid=$(id -u "$TEST_USER")
	mkdir -p "$unit"
	printf '[Service]\nDelegate=memory pids\n' >"$unit/prism.conf"
	systemctl daemon-reload
	systemctl restart "user@$uid.service"
	limits=(--cpuset-cpus 0) program='grep Cpus_allowed_list /proc/self/status'
	must_fail 125 run in_scope
	says cpuset
	says 'cgroup\.subtree_control'
	says 'Delegate=yes in user@\.service\.d'
	printf '[Service]\nDelegate=yes\n' >"$unit/prism.conf"
	systemctl daemon-reload
	systemctl restart "user@$uid.service"
	must_work run in_scope
	has 'Cpus_allowed_list:[[:space:]]0$'
	rm "$unit/prism.conf"
	systemctl daemon-reload
	systemctl restart "user@$uid.service"
}
