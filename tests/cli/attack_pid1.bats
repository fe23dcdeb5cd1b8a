#!/usr/bin/env bats
# A container must not get into PID 1, into a program before its execve, or into
# any other process of prism's that it sees; and prism must not believe what a
# container says about its own end. As root and as an ordinary user.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
	"${MUSL_CC:-musl-gcc}" -static -Os -D_GNU_SOURCE -idirafter /usr/include \
		-idirafter "/usr/include/$(gcc -dumpmachine)" \
		-o "$FT/bin/tracer" "$LIB/tracer.c"
}

setup()
{
	test_setup
	need ROOT OVERLAY
	as=(env)
	started=()
	host=
	programs='[1-9]'
}

teardown()
{
	if [ ${#started[@]} != 0 ]; then
		"${as[@]}" "$PRISM_BIN" rm -f "${started[@]}" >/dev/null 2>&1 ||
			true
	fi
	if [ -n "$host" ]; then
		kill -KILL "$host"
		wait "$host" || true
	fi
	test_teardown
}

# each_user FUNCTION: once as root, once as the ordinary user.
each_user()
{
	as=(env)
	"$1"
	need USERNS
	as=(as_user)
	"$1"
	as=(env)
}

p()
{
	"${as[@]}" "$PRISM_BIN" "$@"
}

# start NAME [OPTION...]: a container that sleeps and has the tracer.
start()
{
	must_work p run -d --name "$1" "${@:2}" -v "$FT/bin/tracer:/tracer:ro" \
		busybox sleep 1000
	started+=("$1")
}

end()
{
	must_work p rm -f "${started[@]}"
	started=()
}

# ---- PID 1 of one's own container -----------------------------------------------

refused_in()
{
	start c "$@"
	must_work p exec c /tracer refused
	must_work p exec -u app c /tracer refused
	end
	must_work p run --rm "$@" -v "$FT/bin/tracer:/tracer:ro" busybox \
		/tracer refused
}

all_refused()
{
	refused_in
	refused_in --security-opt seccomp=unconfined
	refused_in --security-opt no-new-privileges=false
	refused_in --init=no --pid host
}

@test "no way leads into PID 1 of one's own container" {
	each_user all_refused
}

@test "nor where prism itself has no CAP_SYS_PTRACE, and exec still works" {
	as=(setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace --)
	refused_in
	start c
	must_work p exec c grep -E '^Cap(Prm|Eff):' /proc/1/status
	# CAP_KILL is in effect; the other capability is only permitted.
	has '^CapEff:.0000000000000020$'
	must_work p top c
	must_work p cp c:/etc/passwd "$T/passwd"
	must_work p pause c
	must_work p unpause c
	must_work p run --rm --pid container:c --network container:c \
		--ipc container:c busybox true
	end
}

nothing_won_in()
{
	start c "$@"
	must_work p exec c grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/1/status
	has '^CapPrm:.0000000000000020$'
	has '^CapEff:.0000000000000020$'
	has '^CapInh:.0000000000000000$'
	has '^CapAmb:.0000000000000000$'
	has '^NoNewPrivs:.1$'
	has '^Seccomp:.2$'
	must_work p exec -u root c ls /proc/1/fd
	prints ''
	must_work p exec c /tracer drive
	# PID 1 still reaps and forwards signals.
	must_work p exec c sh -c '(sleep 0.01 &); sleep 0.1; ps'
	has_not 'Z'
	must_work p stop -t 10 c
	end
}

all_nothing_won()
{
	nothing_won_in --cap-add SYS_PTRACE
	nothing_won_in --cap-add SYS_PTRACE --security-opt seccomp=unconfined
	nothing_won_in --privileged
	nothing_won_in --cap-add SYS_PTRACE --security-opt \
		no-new-privileges=false -u app
}

@test "with CAP_SYS_PTRACE PID 1 can be driven, and there is nothing to win" {
	each_user all_nothing_won
}

# ---- the end --------------------------------------------------------------------

# sleepers: processes of the container that still run.
sleepers()
{
	grep -lzxs 54321 /proc/[0-9]*/cmdline
}

forged()
{
	# Without volumes: PID 1 once told its end ahead only there.
	must_work p create --name t busybox true
	must_work p cp "$FT/bin/tracer" t:/tracer
	must_work p commit -q t tracer
	must_work p rm t
	must_exit 7 p run --rm --cap-add SYS_PTRACE tracer sh -c \
		'sleep 54321 & sleep 0.2; /tracer drive 7; sleep 54321'
	must_not sleepers
	has '^forged, 0 calls worked$'
	# The same for a kept container.
	must_work p run -d --name c --cap-add SYS_PTRACE tracer sh -c \
		'sleep 54321 & sleep 0.2; /tracer drive 7; sleep 54321'
	started=(c)
	must_work p wait c
	prints 7
	must_not sleepers
	must_work p logs c
	has '^forged, 0 calls worked$'
	end
	must_work p rmi tracer
}

@test "a container cannot forge its end" {
	each_user forged
}

# ---- neighbours -----------------------------------------------------------------

# attack CONTAINER [EXEC-OPTION...]: trace every process that starts.
attack()
{
	rm -f "$T/watch"
	p exec "${@:2}" "$1" /tracer watch /tmp/stop >"$T/watch" 2>&1 &
	watch=$!
	wait_for grep -q ready "$T/watch"
}

# The tracer must have caught some programs, or it tried nothing.
attacked()
{
	must_work p exec "$1" touch /tmp/stop
	wait "$watch" || true
	must_not grep caught "$T/watch"
	grep -q "^programs: $programs" "$T/watch"
}

# neighbours N WORDS...: N starts; each tenth goes on for a moment.
neighbours()
{
	local i long

	for ((i = 0; i < $1; i++)); do
		long=0
		[ $((i % 10)) != 0 ] || long=0.1
		must_work p "${@:2}" sleep $long
	done
}

share_with_container()
{
	start a
	attack a
	neighbours 250 run --rm --pid container:a busybox
	neighbours 200 exec a
	neighbours 50 exec -u app a
	attacked a
	end
}

@test "500 starts of a neighbour in the same pid namespace, none is traced" {
	each_user share_with_container
}

# The test's own pid namespace stands for the host's.
share_with_host()
{
	start a --pid host
	attack a
	neighbours 100 run --rm busybox
	neighbours 50 run --rm --pid host busybox
	start b
	neighbours 50 exec b
	attacked a
	end
}

@test "200 starts beside a container with --pid host, none is traced" {
	unshare -pf --mount-proc --kill-child sleep 1000 3>&- &
	host=$!
	wait_for grep -q . "/proc/$host/task/$host/children"
	cat >"$T/go" <<-END
		#!/bin/sh
		exec nsenter -t $(cat "/proc/$host/task/$host/children") \
			-p -m -- "\$@"
	END
	chmod 0755 "$T/go"
	as=("$T/go")
	share_with_host
	# Each container of a user has its own user namespace, so that not even
	# programs can be traced.
	need USERNS
	RUN_IN=$T/go
	as=(as_user)
	programs=0
	share_with_host
	RUN_IN=
}

# ---- around ---------------------------------------------------------------------

own_keyring()
{
	local opts=(--security-opt seccomp=unconfined)
	local ours theirs

	ours=$("${as[@]}" "$FT/bin/tracer" keys)
	start a "${opts[@]}"
	start b "${opts[@]}"
	must_work p exec a /tracer keys
	theirs=$output
	[ "$theirs" != "$ours" ]
	must_work p exec a /tracer keys
	prints "$theirs"
	must_work p exec b /tracer keys
	[ "$output" != "$ours" ] && [ "$output" != "$theirs" ]
	end
	must_work p run --rm "${opts[@]}" -v "$FT/bin/tracer:/tracer:ro" busybox \
		/tracer keys
	[ "$output" != "$ours" ]
}

@test "each container has a session keyring of its own, and exec joins it" {
	each_user own_keyring
}

# start_slowly SECONDS: the message that lets the program go is sent late.
start_slowly()
{
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -D -f -qq \
		-o "$T/calls" -e signal=none -e trace=sendmsg \
		-e "inject=sendmsg:delay_enter=${1}000000" \
		"$PRISM_BIN" start c >"$T/start" 2>&1 3>&- &
	slow=$!
	wait_for grep -q '"pid": *-[1-9]' "$PRISM_ROOT"/containers/*/spec.json
}

@test "inspect says running only after the program was executed" {
	need TOOL_strace
	must_work prism create --name c busybox sleep 1000
	started=(c)
	start_slowly 15
	must_work prism inspect -f \
		'{{.State.Status}} {{.State.Running}} {{.State.Pid}}' c
	prints 'created false 0'
	must_fail 125 prism exec c true
	says 'is not running'
	must_fail 125 prism run --rm --pid container:c busybox true
	says 'is not running'
	wait "$slow"
	must_work prism inspect -f '{{.State.Status}} {{.State.Running}}' c
	prints 'running true'
	must_work prism exec c true
	must_work prism stop -t 0 c
	start_slowly 6
	must_work prism ps -a --format '{{.State}}'
	prints exited
	must_work prism rm -f c
	started=()
	must_not wait "$slow"
}
