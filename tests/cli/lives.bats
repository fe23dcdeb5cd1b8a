#!/usr/bin/env bats
# kill -9 of the monitor, and of init, while a container runs with clients of
# all kinds, is paused, is being stopped, or waits to be started again: ps says
# what is true, every client ends and says why, terminals are as they were, the
# container can be started again, and rm leaves nothing.
load ../lib/common

declare -A JOB=()

setup_file()
{
	file_setup
	file_stores busybox
}

teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		# shellcheck disable=SC2046 # words are meant
		"${RUNNER[@]}" rm -f $("${RUNNER[@]}" ps -aq) none
	fi
	test_teardown
}

as_root()
{
	RUNNER=("$PRISM_BIN")
	BEHIND=()
}

as_ordinary()
{
	export PRISM_ROOT=$T/not-used
	RUNNER=(as_user "$PRISM_BIN")
	BEHIND=(as_user)
}

p()
{
	must_work "${RUNNER[@]}" "$@"
}

# is NAME STATE
is()
{
	[ "$("${RUNNER[@]}" ps -a --filter "name=^$1\$" --format '{{.State}}')" = "$2" ]
}

# murder monitor|init NAME
murder()
{
	local pid

	p inspect -f '{{.State.Pid}}' "$2"
	pid=$output
	if [ "$1" = monitor ]; then
		pid=$(awk '{ print $4 }' "/proc/$pid/stat")
	fi
	kill -9 "$pid"
}

# ended_with NAME CODE: it is over, all agree on it, and it can be started again.
ended_with()
{
	wait_for is "$1" exited || explain "$1 must be exited" || return 1
	p ps -a --filter "name=^$1\$" --format '{{.Status}}'
	has "^Exited \($2\) " || return 1
	p inspect -f '{{.State.Running}} {{.State.Paused}} {{.State.Pid}} {{.State.ExitCode}}' "$1"
	prints "false false 0 $2" || return 1
	p wait "$1"
	prints "$2" || return 1
	must_fail 1 "${RUNNER[@]}" kill "$1" || return 1
	must_fail 125 "${RUNNER[@]}" exec "$1" true || return 1
	p start "$1" || return 1
	is "$1" running || explain "$1 must run again"
}

# code_to FILE CMD...: bats' traps make another of the code of a function in the
# background.
code_to()
{
	local file=$1 code=0

	shift
	"$@" || code=$?
	printf '%s\n' "$code" >"$file"
}

# job NAME CMD...: in the background.
job()
{
	local name=$1

	shift
	code_to "$T/$name.code" "$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null 3>&- &
	JOB[$name]=$!
}

gone()
{
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# job_ends NAME CODE: soon, and so.
job_ends()
{
	local pid=${JOB[$1]}

	wait_for gone "$pid" || explain "$1 must end" || return 1
	wait "$pid" || true
	status=$(cat "$T/$1.code")
	output=$(cat "$T/$1.out")
	# shellcheck disable=SC2034 # for says
	stderr=$(cat "$T/$1.err")
	[ "$status" = "$2" ] || explain "$1 must end with $2"
}

# On a terminal of its own; tells what became of it.
on_terminal()
{
	local name=$1

	shift
	job "$name" "${BEHIND[@]}" python3 "$FT/terminal.py" size 24 80 -- \
		"$PRISM_BIN" "$@"
}

# terminal_ends NAME CODE
terminal_ends()
{
	job_ends "$1" 0 && has '^restored: yes$' && has "^exit: $2\$"
}

# is_raw NAME: the terminal of that job's first process that has one.
is_raw()
{
	local pid=${JOB[$1]} pts=

	while [ -n "$pid" ]; do
		pts=$(readlink "/proc/$pid/fd/0")
		if [[ $pts == /dev/pts/* ]]; then
			stty -a -F "$pts" | grep -q -- '-icanon'
			return
		fi
		pid=$(pgrep -P "$pid" | head -n 1)
	done
	return 1
}

execs()
{
	[ "$("${RUNNER[@]}" top "$1" | grep -c 'sleep 7777')" = 2 ]
}

# with_clients monitor|init CODE-OF-ATTACH
with_clients()
{
	local c=c-$1

	p run -dit --name "$c" busybox sh -c 'while :; do echo tick; sleep 0.1; done'
	job logs "${RUNNER[@]}" logs -f "$c"
	job waiter "${RUNNER[@]}" wait "$c"
	job attach "${RUNNER[@]}" attach --no-stdin "$c"
	job exec "${RUNNER[@]}" exec "$c" sleep 7777
	on_terminal tattach attach "$c"
	on_terminal texec exec -it "$c" sleep 7777
	wait_for grep -q tick "$T/attach.out"
	wait_for grep -q tick "$T/logs.out"
	wait_for execs "$c"
	wait_for is_raw tattach
	wait_for is_raw texec
	murder "$1" "$c"
	job_ends logs 0
	job_ends waiter 0
	prints 137
	job_ends attach "$2"
	if [ "$1" = monitor ]; then
		says '^prism: .*the monitor of the container was killed, and the container with it'
	fi
	job_ends exec 137
	terminal_ends tattach "$2"
	terminal_ends texec 137
	ended_with "$c" 137
	p rm -f "$c"
}

# while_paused monitor|init
while_paused()
{
	p run -d --name "p-$1" busybox sleep 1000
	p pause "p-$1"
	is "p-$1" paused
	murder "$1" "p-$1"
	ended_with "p-$1" 137
	p rm -f "p-$1"
}

says_in_log()
{
	"${RUNNER[@]}" logs "$2" | grep -q "$1"
}

# while_stopping monitor|init
while_stopping()
{
	p run -d --name "s-$1" busybox sh -c \
		'trap "echo heard" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for says_in_log ready "s-$1"
	job stop "${RUNNER[@]}" stop -t 100 "s-$1"
	wait_for says_in_log heard "s-$1"
	is "s-$1" running
	murder "$1" "s-$1"
	job_ends stop 0
	prints "s-$1"
	ended_with "s-$1" 137
	p rm -f "s-$1"
}

# Of stop itself: the container is none the worse, and hears the next one.
stop_is_killed()
{
	p run -d --name s --stop-signal USR1 busybox sh -c \
		'trap "exit 9" USR2; trap "echo heard" USR1; echo ready
		 while :; do sleep 0.1; done'
	wait_for says_in_log ready s
	job stop env "${RUNNER[@]}" stop -t 100 s
	wait_for says_in_log heard s
	pkill -9 -P "${JOB[stop]}" -x prism
	job_ends stop 137
	is s running
	p stop -s USR2 s
	ended_with s 9
	p stop -t 0 s
	ended_with s 137
	p rm -f s
}

# waits NAME N: between two starts, after N of them.
waits()
{
	local format='{{.State.Status}} {{.State.Pid}} {{.State.Restarting}} {{.RestartCount}}'

	"${RUNNER[@]}" inspect -f "$format" "$1" >"$T/state"
	grep -q '^restarting 0 true' "$T/state" &&
		[ "$(cut -d' ' -f4 "$T/state")" -ge "$2" ]
}

while_restarting()
{
	local monitor

	# A second and more to the next start.
	for name in r1 r2 r3; do
		p run -d --name $name --restart always busybox sh -c 'sleep 0.01; exit 3'
	done
	p run -d --name up --restart always busybox sleep 1000
	for name in r1 r2 r3; do
		wait_for waits $name 4
	done
	monitor=$(holder_of "*/containers/$("${RUNNER[@]}" inspect -f '{{.Id}}' r1)/spec.json")
	kill -9 "$monitor"
	wait_for is r1 exited
	p stop -t 100 r2
	is r2 exited
	p rm -f r3
	# One whose init is killed runs again, as another run.
	murder init up
	again()
	{
		[ "$("${RUNNER[@]}" inspect -f '{{.RestartCount}} {{.State.Running}}' up)" = '1 true' ]
	}
	wait_for again
	# Docker too calls it running while it waits for its next run.
	wait_for is up running
	p start r1
	wait_for waits r1 1
	p rm -f r1 r2 up
}

all_deaths()
{
	cp "$LIB/terminal.py" "$FT/"
	chmod 0644 "$FT/terminal.py"
	with_clients monitor 1
	with_clients init 137
	while_paused monitor
	while_paused init
	while_stopping monitor
	while_stopping init
	while_restarting
	p ps -aq
	prints ''
	p fsck
}

@test "kill -9 of monitor and init, as root" {
	need ROOT OVERLAY
	as_root
	all_deaths
	stop_is_killed
}

@test "kill -9 of monitor and init, as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	as_ordinary
	all_deaths
}
