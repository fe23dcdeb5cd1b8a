#!/usr/bin/env bats
# Limits of an ordinary user in a session of systemd: what it delegates works,
# and where it does not the error says what to do, which then works.
# vm: systemd
load ../lib/common

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

# in_scope CMD...: the way out that the error names.
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
}

@test "outside of a session the error names the scope" {
	limits=(--memory 32m) program=true
	must_fail 125 run as_user
	says 'systemd-run --user --scope'
}

@test "in the scope --memory and --pids-limit hold" {
	limits=(--memory 32m --memory-swap 32m --pids-limit 5)
	program='for i in 1 2 3 4 5 6; do sleep 5 & done; echo never'
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
