#!/usr/bin/env bats
# prism attach, and what a terminal is like before and after. As root.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

# A test that failed leaves its containers; the next one is not to suffer.
teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		find "$PRISM_ROOT/containers" -mindepth 1 -maxdepth 1 \
			-not -name by-name -printf '%f\n' | xargs -r "$PRISM_BIN" rm -f
	fi
	test_teardown
}

detach()
{
	must_work prism run -d "$@"
	id=$output
}

logged()
{
	prism logs "$1" | grep -qE -- "$2"
}

terminal()
{
	python3 "$LIB/terminal.py" "$@" >"$T/o"
	cat "$T/o"
}

# waits: a program that says ready until it hears go.
waits='echo ready; read -r x; echo "got $x"; echo oops >&2; exit 7'

@test "attach shows what comes, and ends with the program's code" {
	need ROOT OVERLAY
	detach -i busybox sh -c "$waits"
	wait_for logged "$id" ready
	must_exit 7 prism attach "$id" <<<'go'
	prints 'got go'
	[ "$stderr" = oops ]
	must_work prism logs "$id"
	prints $'ready\ngot go'
	must_fail 1 prism attach "$id"
	says 'stopped container'
	must_work prism rm "$id"
	must_fail 1 prism attach nobody
	says 'No such container'
}

@test "several clients see the same, and the end of one's input is nobody's end" {
	need ROOT OVERLAY
	detach -i busybox sh -c 'while :; do echo tick; sleep 0.1; done &
		read -r x; kill $!; echo "got $x"; echo oops >&2; exit 7'
	for n in 1 2; do
		"$PRISM_BIN" attach --no-stdin "$id" >"$T/o$n" 2>"$T/e$n" 3>&- &
		eval "job$n=\$!"
		wait_for grep -q tick "$T/o$n"
	done
	"$PRISM_BIN" attach --sig-proxy=false "$id" </dev/null >"$T/o3" 2>&1 3>&- &
	job3=$!
	wait_for grep -q tick "$T/o3"
	kill -TERM "$job3"
	wait "$job3" || true
	must_exit 7 prism attach "$id" <<<'go'
	has '^got go$'
	for job in "$job1" "$job2"; do
		status=0
		wait "$job" || status=$?
		[ "$status" = 7 ]
	done
	for n in 1 2; do
		[ "$(grep -v tick "$T/o$n")" = 'got go' ]
		[ "$(cat "$T/e$n")" = oops ]
	done
	must_work prism rm "$id"
}

@test "signals of the client go to the program; without --sig-proxy they end it alone" {
	need ROOT OVERLAY
	detach busybox sh -c 'trap "echo got TERM; exit 9" TERM
		while :; do echo tick; sleep 0.1; done'
	"$PRISM_BIN" attach --sig-proxy=false "$id" >"$T/o" 2>&1 3>&- &
	job=$!
	wait_for grep -q tick "$T/o"
	kill -TERM "$job"
	status=0
	wait "$job" || status=$?
	[ "$status" = 143 ]
	"$PRISM_BIN" attach "$id" >"$T/o2" 2>&1 3>&- &
	job=$!
	wait_for grep -q tick "$T/o2"
	kill -TERM "$job"
	status=0
	wait "$job" || status=$?
	[ "$status" = 9 ]
	grep -qx 'got TERM' "$T/o2"
	must_work prism rm "$id"
}

@test "a client that is killed or stopped does the container no harm" {
	need ROOT OVERLAY
	detach busybox sh -c 'while [ ! -e /end ]; do echo tick; sleep 0.05; done; exit 3'
	"$PRISM_BIN" attach "$id" >"$T/o" 2>&1 3>&- &
	job=$!
	wait_for grep -q tick "$T/o"
	kill -9 "$job"
	wait "$job" 2>/dev/null || true
	"$PRISM_BIN" attach "$id" >"$T/o2" 2>&1 3>&- &
	job=$!
	wait_for grep -q tick "$T/o2"
	kill -STOP "$job"
	must_work timeout 100 "$PRISM_BIN" rm -f "$id"
	kill -CONT "$job"
	wait "$job" || true
}

@test "the end of input of run -i is the program's, also with a log between" {
	need ROOT OVERLAY
	head -c 3000000 /dev/urandom >"$T/in"
	want=$(sha256sum <"$T/in")
	must_work prism run -i --name sum busybox sha256sum <"$T/in"
	prints "$want"
	must_work prism rm sum
	# By way of a client: a monitor of its own, since the keys could detach.
	must_work prism run --rm -i --detach-keys ctrl-x busybox sha256sum <"$T/in"
	prints "$want"
	# A program that closes its input early.
	must_work timeout 100 "$PRISM_BIN" run --rm -i --detach-keys ctrl-x busybox \
		sh -c 'head -c 1 >/dev/null; exec <&-; sleep 0.3; echo over' <"$T/in"
	prints over
}

@test "a foreground run with a restart policy is a client of its monitor" {
	need ROOT OVERLAY
	must_exit 4 timeout 100 "$PRISM_BIN" run --name again \
		--restart on-failure:1 busybox sh -c 'echo out; echo err >&2; exit 4'
	prints out
	[ "$stderr" = err ]
	two()
	{
		[ "$(prism logs again 2>/dev/null | wc -l)" = 2 ]
	}
	wait_for two
	must_work prism rm -f again
}

@test "run --rm by a client leaves nothing when it returns" {
	need ROOT OVERLAY
	must_exit 3 prism run --rm --detach-keys ctrl-x busybox sh -c 'exit 3'
	[ -z "$(find "$PRISM_ROOT/containers" -mindepth 1 -not -name by-name)" ]
	must_fail 127 prism run --rm --detach-keys ctrl-x busybox /nope
	must_fail 125 prism run --rm --detach-keys ctrl-xx busybox true
}

@test "whoever was told of the end can start or remove it at once" {
	need ROOT OVERLAY TOOL_strace
	must_work prism create -i --name slow busybox sh -c "$waits"
	must_exit 7 slowly "$PRISM_BIN" start -ai slow <<<'go'
	prints $'ready\ngot go'
	must_exit 7 slowly "$PRISM_BIN" start -ai slow <<<'again'
	must_work slowly "$PRISM_BIN" start slow
	must_exit 7 prism attach slow <<<'attached'
	must_work prism rm slow
	grep -q 'renameat(.*DELAYED' "$T/calls"
	# Though who started it has not let go of it yet.
	must_work prism create -i --name slow busybox sh -c "$waits"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -o "$T/starter" \
		-e trace=recvfrom -e inject=recvfrom:delay_exit=5000000 \
		"$PRISM_BIN" start slow 3>&- &
	starter=$!
	wait_for logged slow ready
	must_exit 7 prism attach slow <<<'go'
	must_work prism rm slow
	wait "$starter"
}

@test "-a chooses what is attached" {
	need ROOT OVERLAY
	must_work prism run --rm -a stdout busybox sh -c 'echo o; echo e >&2'
	prints o
	[ -z "$stderr" ]
	must_work prism run --rm -a stderr busybox sh -c 'echo o; echo e >&2'
	prints ''
	[ "$stderr" = e ]
	must_work prism run --rm -a stdin -a stdout -i busybox cat <<<'in and out'
	prints 'in and out'
	must_fail 125 prism run --rm -a nothing busybox true
}

# ---- terminals -----------------------------------------------------------------------

@test "-dit: a terminal that clients come to and leave" {
	need ROOT OVERLAY
	detach -it busybox sh -c 'stty -echo; while read -r x; do stty size; echo "got $x"; done'
	terminal detach 33 101 -- "$PRISM_BIN" attach "$id"
	grep -q 'got hello' "$T/o"
	grep -q '^33 101' "$T/o"
	grep -q '^restored: yes' "$T/o"
	grep -q '^exit: 0' "$T/o"
	# It goes on, and the next one finds it.
	terminal detach 40 90 -- "$PRISM_BIN" attach "$id"
	grep -q '^40 90' "$T/o"
	must_work prism logs "$id"
	[ "$(grep -c 'got hello' <<<"$output")" = 2 ]
	must_work prism rm -f "$id"
}

@test "detach keys of run: off by default, and the container goes on when given" {
	need ROOT OVERLAY
	terminal detach 24 80 -- "$PRISM_BIN" run -it --name d \
		--detach-keys ctrl-p,ctrl-q busybox \
		sh -c 'stty -echo; while read -r x; do echo "got $x"; done'
	grep -q 'got hello' "$T/o"
	grep -q '^restored: yes' "$T/o"
	grep -q '^exit: 0' "$T/o"
	must_fail 1 prism rm d
	must_work prism rm -f d
	terminal plain 24 80 -- "$PRISM_BIN" run --rm -it busybox \
		sh -c 'stty raw -echo; echo ready; head -c 3 | od -An -tx1'
	grep -q '10 11 78' "$T/o"
}

@test "raw mode ends, whatever ends the container" {
	need ROOT OVERLAY
	for how in init monitor; do
		detach -it busybox sleep 1000
		pid=$(sed -n 's/^{"pid": *\([0-9]*\).*/\1/p' \
			"$PRISM_ROOT/containers/$id/spec.json")
		if [ "$how" = monitor ]; then
			pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
		fi
		terminal "kill:$pid" 24 80 -- "$PRISM_BIN" attach "$id"
		grep -q '^exit: 1' "$T/o"
		grep -q '^restored: yes' "$T/o"
		must_work prism rm -f "$id"
	done
}

@test "stopped by SIGTSTP the shell has its terminal, and fg is raw again" {
	need ROOT OVERLAY
	terminal stop 24 80 -- "$PRISM_BIN" run --rm -it busybox \
		sh -c 'stty -echo; echo ready; read -r x; echo "got $x"'
	grep -q '^stopped: restored' "$T/o"
	grep -q 'got hello' "$T/o"
	grep -q '^restored: yes' "$T/o"
	detach -it busybox sh -c 'stty -echo
		while ! read -r -t 1 x; do echo ready; done; echo "got $x"'
	terminal stop 24 80 -- "$PRISM_BIN" attach "$id"
	grep -q '^stopped: restored' "$T/o"
	grep -q 'got hello' "$T/o"
	must_work prism rm -f "$id"
}

@test "the socket is the owner's alone" {
	need ROOT OVERLAY
	detach busybox sleep 1000
	[ "$(stat -c %a "$PRISM_ROOT/containers/$id/attach")" = 600 ]
	must_work prism rm -f "$id"
	detach busybox true
	gone()
	{
		[ ! -e "$PRISM_ROOT/containers/$id/attach" ]
	}
	wait_for gone
	must_work prism wait "$id"
	must_work prism rm "$id"
}
