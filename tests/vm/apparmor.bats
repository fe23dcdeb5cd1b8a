#!/usr/bin/env bats
# The AppArmor profile of root's containers, on a kernel that has AppArmor.
#
# The attacks run with --privileged, so that the profile is the only protection
# left. Each attack also runs without the profile, where it must succeed, to show
# that it can. It writes back the value that was there.
# vm: bare
load ../lib/common

setup_file()
{
	[ "${PRISM_VM:-}" = bare ] || return 0
	file_setup
	file_stores busybox
	# strace from the host's own files, for --rootfs.
	mkdir -p "$FT/tools/usr" "$FT/tools/proc" "$FT/tools/sys" \
		"$FT/tools/dev" "$FT/tools/etc" "$FT/tools/tmp" "$FT/tools/mnt"
	for d in bin sbin lib lib64; do
		ln -s "usr/$d" "$FT/tools/$d"
	done
	cp /etc/passwd /etc/group "$FT/tools/etc/"
}

setup()
{
	[ "${PRISM_VM:-}" = bare ] ||
		skip "needs VM: it removes and loads policy of the kernel"
	test_setup
}

teardown()
{
	[ "${PRISM_VM:-}" = bare ] || return 0
	prism rm -f c d >/dev/null 2>&1 || true
	jobs -rp | xargs -r kill -9
	test_teardown
}

confined='prism-default (enforce)'
only=(--privileged --security-opt apparmor=prism-default)

# policy COMMAND: in a mount namespace where securityfs is mounted.
policy()
{
	unshare -m sh -c 'mount -t securityfs s /sys/kernel/security &&
		cd /sys/kernel/security/apparmor && '"$1"
}

# The number in the name changes with every load.
loaded()
{
	policy 'ls policy/profiles' | grep '^prism-default'
}

unload()
{
	policy 'printf prism-default >.remove' 2>/dev/null || true
}

# walls COMMAND... [-- RUN-OPTION...]: each COMMAND succeeds without the profile
# and is refused under it.
walls()
{
	local script='' all='' n=0

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		n=$((n + 1))
		script+="( $1 ) >/dev/null 2>&1 && echo done $n"$'\n'
		all+="${all:+$'\n'}done $n"
		shift
	done
	shift
	must_work prism run --rm --privileged "$@" sh -c "$script true"
	prints "$all"
	must_work prism run --rm "${only[@]}" "$@" sh -c "$script true"
	prints ''
}

tools()
{
	prism run --rm -v /usr:/usr:ro --rootfs "$FT/tools" "$@"
}

@test "the first container loads the profile, the next ones do not" {
	local first

	unload
	must_not loaded
	must_work prism run --rm busybox cat /proc/self/attr/current /proc/1/attr/current
	prints "$confined"$'\n'"$confined"
	must_work loaded
	first=$output
	must_work prism run --rm busybox cat /proc/self/attr/current
	prints "$confined"
	must_work prism run --rm --userns auto busybox cat /proc/self/attr/current
	prints "$confined"
	must_work loaded
	prints "$first"
	# For a container in a user namespace the monitor loads it.
	unload
	must_work prism run --rm --userns auto busybox cat /proc/self/attr/current
	prints "$confined"
}

@test "several first containers at once all run" {
	local i

	unload
	for i in 1 2 3; do
		prism run --rm busybox cat /proc/self/attr/current >"$T/$i" &
	done
	wait
	cat "$T"/[123] >"$T/all"
	must_work cat "$T/all"
	prints "$confined"$'\n'"$confined"$'\n'"$confined"
	must_work loaded
}

# write_back FILE: what was in it before.
write_back()
{
	printf 'v=$(cat %s) && echo "$v" >%s' "$1" "$1"
}

@test "/proc and /sys cannot be written, and nothing can be mounted" {
	walls "$(write_back /proc/sys/kernel/core_pattern)" \
		"$(write_back /proc/sys/vm/swappiness)" \
		': >>/proc/sysrq-trigger' 'head -c 1 /proc/kcore' \
		"$(write_back /sys/kernel/mm/ksm/run)" \
		'mount -t tmpfs t /tmp' 'mount -o bind /etc /tmp' \
		'mount -o remount,rw /proc' -- busybox
	# Masks and capabilities are gone: only the profile is left.
	must_work prism run --rm --cap-add ALL --security-opt seccomp=unconfined \
		--security-opt systempaths=unconfined busybox sh -c \
		"($(write_back /proc/sys/kernel/core_pattern)) 2>/dev/null ||
			mount -t tmpfs t /tmp 2>/dev/null || echo both refused"
	prints 'both refused'
	# What a container needs still works.
	must_work prism run --rm busybox sh -c 'echo 500 >/proc/self/oom_score_adj &&
		cat /proc/self/oom_score_adj /proc/sys/kernel/ostype'
	prints $'500\nLinux'
}

# A host process that sends SIGTERM to its tracer.
ends_its_tracer()
{
	exec sh -c 'while :; do
		t=$(sed -n "s/^TracerPid:\t//p" /proc/$$/status)
		[ "$t" = 0 ] || kill $t
		sleep 0.3
	done'
}

@test "ptrace and signals end at the border of the profile" {
	local host

	ends_its_tracer &
	host=$!
	echo "$host" >"$FT/keep/host.pid"
	# strace sees the end of a process of its own container.
	must_work tools "${only[@]}" sh -c 'sleep 2 & strace -q -o /tmp/o -p $! &&
		grep -c exited /tmp/o'
	prints 1
	walls "strace -q -o /tmp/o -p $host; [ \$? = 143 ]" \
		"cat /proc/$host/environ" "kill -CONT $host" \
		-- --pid host -v /usr:/usr:ro --rootfs "$FT/tools"
	kill -9 "$host"
	rm "$FT/keep/host.pid"
}

@test "stop, kill, signals inside, and the end of PID 1" {
	must_work prism run -d --name c busybox sh -c \
		'trap "echo term; exit 3" TERM; sleep 1000 & wait'
	must_work prism exec c cat /proc/self/attr/current
	prints "$confined"
	must_work prism exec --privileged c cat /proc/self/attr/current
	prints "$confined"
	must_work prism kill -s TERM c
	must_exit 0 prism wait c
	prints 3
	must_work prism start c
	must_work prism exec c cat /proc/1/attr/current
	prints "$confined"
	must_work prism stop -t 60 c
	must_work prism inspect -f '{{.State.ExitCode}} {{.AppArmorProfile}}' c
	prints '3 prism-default'
	must_exit 143 prism run --rm busybox sh -c 'kill -TERM 1; sleep 1000'
}

@test "a kill -9 of the monitor ends the container, one of exec the program" {
	local init monitor

	must_work prism run -d --name c busybox sleep 1000
	"$PRISM_BIN" exec c sleep 2000 &
	wait_for eval 'prism top c | grep -q "sleep 2000"'
	kill -9 $!
	wait_for eval '! prism top c | grep -q "sleep 2000"'
	init=$(prism inspect -f '{{.State.Pid}}' c)
	monitor=$(sed -n 's/^PPid:\t//p' "/proc/$init/status")
	kill -9 "$monitor"
	wait_for eval '[ ! -d "/proc/$init" ]'
}

@test "--privileged and apparmor=unconfined are unconfined, a name is a profile" {
	must_work prism run --rm --privileged busybox cat /proc/self/attr/current
	prints unconfined
	must_work prism run --name c --security-opt apparmor=unconfined busybox \
		cat /proc/self/attr/current
	prints unconfined
	must_work prism inspect -f '{{.AppArmorProfile}} {{.HostConfig.SecurityOpt}}' c
	prints 'unconfined [apparmor=unconfined no-new-privileges]'
	must_work prism run -d --name d --privileged busybox sleep 1000
	must_work prism exec d cat /proc/self/attr/current
	prints unconfined
	must_work prism inspect -f '{{.AppArmorProfile}}' d
	prints unconfined
	must_fail 125 prism run --rm --security-opt apparmor=nosuch busybox true
	says 'AppArmor profile nosuch: .*not loaded|AppArmor profile nosuch: no such profile is loaded'
	says '^hint: .*apparmor_parser'
	must_work prism info -f '{{.SecurityOptions}}'
	has 'name=apparmor'
	must_work prism info
	has '^  apparmor$'
}

@test "an ordinary user's containers get the profile that they ask for" {
	must_work as_user "$PRISM_BIN" run --rm busybox cat /proc/self/attr/current
	prints unconfined
	must_work as_user "$PRISM_BIN" run -d --name c --security-opt \
		apparmor=prism-default busybox sleep 1000
	must_work as_user "$PRISM_BIN" exec c cat /proc/self/attr/current /proc/1/attr/current
	prints "$confined"$'\n'"$confined"
	must_work as_user "$PRISM_BIN" rm -f c
	must_fail 125 as_user "$PRISM_BIN" run --rm --security-opt \
		apparmor=nosuch busybox true
	says 'no such profile is loaded'
}
