#!/usr/bin/env bats
# start, restart, and what comes back after a reboot.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

state()
{
	must_work prism ps -a --filter "name=^$1\$" --format '{{.State}}'
}

@test "create, start, stop, start again" {
	need ROOT OVERLAY
	must_work prism create --name c busybox sh -c 'echo again >>/n; sleep 1000'
	must_work prism start c
	prints c
	state c
	prints running
	# Running already: nothing to do, as with Docker.
	must_work prism start c
	must_work prism stop c
	state c
	prints exited
	must_work prism start c
	upper=$(prism inspect -f '{{.GraphDriver.Data.UpperDir}}' c)
	wait_for eval "[ \"\$(wc -l <'$upper/n')\" = 2 ]"
	must_work prism rm -f c
	must_fail 1 prism start c
	says 'No such container: c'
}

@test "start -a shows the output and has the exit code" {
	need ROOT OVERLAY
	must_work prism create --name c busybox sh -c 'echo out; echo err >&2; exit 4'
	must_exit 4 prism start -a c
	prints out
	says '^err$'
	must_exit 4 prism start --attach c
	prints out
	must_fail 1 prism start -a c c
	must_work prism rm c
	must_work prism create -i --name cat busybox cat
	output=$(echo through | prism start -ai cat)
	[ "$output" = through ] || explain "stdin goes in"
	must_work prism rm cat
}

@test "a start that fails says why, and leaves the container" {
	need ROOT OVERLAY
	must_work prism create --name c busybox /nope
	must_fail 1 prism start c 2>/dev/null || must_fail 127 prism start c
	says "execve '/nope'"
	must_work prism inspect -f '{{.State.ExitCode}} {{.State.Running}}' c
	prints '127 false'
	must_work prism rm c
}

# cannot_start NAME CODE [ERROR-REGEX]: what is to be seen of a failed start.
cannot_start()
{
	must_work prism ps -a --filter "name=$1" --format '{{.Status}} {{.State}}'
	prints 'Created created'
	must_work prism ps -aq --filter "name=$1" --filter status=created
	has .
	must_work prism inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$1"
	prints "created $2"
	must_work prism inspect -f '{{.State.StartedAt}} {{.State.FinishedAt}}' "$1"
	prints '0001-01-01T00:00:00Z 0001-01-01T00:00:00Z'
	must_work prism inspect -f '{{.State.Error}}' "$1"
	has "${3:-execve}"
	must_work prism wait "$1"
	prints "$2"
}

@test "one that never could start is created, with the code and the error" {
	need ROOT OVERLAY
	must_fail 127 prism run -d --name c busybox /nope
	cannot_start c 127
	must_fail 1 prism start c
	cannot_start c 127
	must_work prism rm c
	must_fail 126 prism run --name c busybox /etc
	cannot_start c 126
	must_work prism rm c
	must_work prism create --name c busybox /nope
	must_fail 1 prism start c
	cannot_start c 127
	must_work prism rm c
	must_fail 125 prism run -d --name c --cidfile "$T/cid" --user nobody-knows-him busybox true
	cannot_start c 128 nobody-knows-him
	must_work prism rm "$(cat "$T/cid")"
}

@test "a start that failed and then works; a later one that fails" {
	need ROOT OVERLAY
	mkdir "$T/v"
	must_fail 127 prism run -d --name c -v "$T/v:/v" busybox /v/prog
	printf '#!/bin/sh\nexit 5\n' >"$T/v/prog"
	chmod 755 "$T/v/prog"
	must_exit 5 prism start -a c
	must_work prism inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}.' c
	prints 'exited 5 .'
	must_work prism inspect -f '{{.State.StartedAt}}' c
	started=$output
	rm "$T/v/prog"
	must_fail 1 prism start c
	must_work prism inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.StartedAt}}' c
	prints "exited 127 $started"
	must_work prism ps -a --filter status=exited --format '{{.Status}}'
	has '^Exited \(127\) '
	must_work prism inspect -f '{{.State.Error}}' c
	has /v/prog
	must_work prism rm c
}

@test "everything that was asked for is there at the second start" {
	need ROOT OVERLAY
	must_work prism create --name c -e A=b -w /tmp -u 1000 --hostname h \
		-v "$T:/mnt:ro" --cap-drop ALL --read-only busybox sh -c \
		'echo $A $PWD $(id -u) $(hostname); grep CapBnd /proc/self/status; touch /x; touch /mnt/x; true'
	must_work prism start -a c
	first=$output$stderr
	has '^b /tmp 1000 h$'
	has '^CapBnd:.0+$'
	says 'Read-only'
	must_work prism start -a c
	[ "$first" = "$output$stderr" ] || explain "the same as: $first"
	must_work prism rm c
}

@test "restart" {
	need ROOT OVERLAY
	must_work prism run -d --name c busybox sh -c \
		'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for eval 'prism logs c | grep -q ready'
	must_work prism inspect -f '{{.State.Pid}}' c
	before=$output
	must_work prism restart c
	prints c
	must_work prism inspect -f '{{.State.Pid}} {{.State.Running}}' c
	has ' true$'
	has_not "^$before "
	must_work prism stop c
	must_work prism restart -t 1 c
	state c
	prints running
	must_work prism rm -f c
}

@test "create --rm, --cidfile, --replace" {
	need ROOT OVERLAY
	must_work prism create --rm --cidfile "$T/cid" --name c busybox sleep 1000
	[ "$output" = "$(cat "$T/cid")" ] || explain "the same id"
	must_fail 125 prism create --cidfile "$T/cid" busybox true
	must_work prism create --replace --name c --rm busybox sleep 1000
	must_work prism start c
	must_work prism stop c
	must_work prism ps -aq
	prints ''
}

@test "after a reboot: those that are to run, and no others" {
	need ROOT OVERLAY
	for p in no always unless-stopped on-failure; do
		must_work prism run -d --name "up-$p" --restart "$p" busybox sleep 1000
		must_work prism run -d --name "down-$p" --restart "$p" busybox sleep 1000
	done
	must_work prism create --name never --restart always busybox sleep 1000
	must_work prism stop down-no down-always down-unless-stopped down-on-failure
	# A reboot ends monitors and programs, and nobody writes anything.
	for p in no always unless-stopped on-failure; do
		pid=$(prism inspect -f '{{.State.Pid}}' "up-$p")
		kill -9 "$(awk '{ print $4 }' "/proc/$pid/stat")"
	done
	wait_for eval '[ -z "$(prism ps -q)" ]'
	must_work prism start --all-restart
	must_work prism ps --format '{{.Names}}'
	output=$(sort <<<"$output" | tr '\n' ' ')
	prints 'down-always up-always up-on-failure up-unless-stopped '
	# shellcheck disable=SC2046 # words are meant
	must_work prism rm -f $(prism ps -aq)
}
