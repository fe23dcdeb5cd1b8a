#!/usr/bin/env bats
# Bytes, terminals, signals, and who dies with whom. As root.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

run()
{
	prism run --rm "$@"
}

# ---- stdin, stdout, stderr ---------------------------------------------------

@test "without -i stdin is empty, so that loops around run keep their input" {
	must_work run busybox cat <<<'not for the container'
	prints ''
	printf 'a\nb\nc\n' >"$T/lines"
	n=0
	while read -r _; do
		run busybox true
		n=$((n + 1))
	done <"$T/lines"
	[ "$n" = 3 ]
}

@test "stdout and stderr are apart, and are the caller's own files" {
	must_work run busybox sh -c 'echo o; echo e >&2'
	prints o
	[ "$stderr" = e ] || explain "stderr is the program's alone"
	# A pipe whose reader left: SIGPIPE for the program, as anywhere.
	status=0
	timeout 100 bash -c 'set -o pipefail
		"$1" run --rm busybox yes | head -n 1' - "$PRISM_BIN" >"$T/o" || status=$?
	[ "$(cat "$T/o")" = y ]
	[ "$status" = 141 ]
}

@test "-i pipes 50 MB through, unharmed" {
	head -c 50000000 /dev/urandom >"$T/in"
	run -i busybox cat <"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
	run -i busybox sha256sum <"$T/in" >"$T/sum"
	[ "$(cut -d' ' -f1 "$T/sum")" = "$(sha256sum "$T/in" | cut -d' ' -f1)" ]
}

# ---- terminals -----------------------------------------------------------------

@test "-t without a terminal: one note, and on without it" {
	must_work run -t busybox sh -c 'tty || true; echo done' </dev/null
	says 'stdin is not a terminal, -t ignored'
	[ "$(wc -l <<<"$stderr")" = 1 ] || explain "one line"
	has '^not a tty$'
	has '^done$'
	# -it in a pipe must not hang.
	must_work timeout 100 "$PRISM_BIN" run --rm -it busybox cat </dev/null
}

@test "-t on a terminal: a tty of the caller's size, restored at the end" {
	python3 "$LIB/terminal.py" size 33 101 -- "$PRISM_BIN" run --rm -it busybox \
		sh -c 'tty; stty size; echo TERM=$TERM; ls -l /dev/console' >"$T/o"
	cat "$T/o"
	grep -q '/dev/pts/0' "$T/o"
	grep -q '^33 101' "$T/o"
	grep -q '^TERM=xterm' "$T/o"
	grep -q '^restored: yes' "$T/o"
	grep -q '^exit: 0' "$T/o"
}

@test "-t: raw mode ends also when the program fails or is killed" {
	for how in 'exit 7' 'kill -9 $$'; do
		python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" run --rm -it \
			busybox sh -c "$how" >"$T/o"
		cat "$T/o"
		grep -q '^restored: yes' "$T/o"
	done
	grep -q '^exit: 137' "$T/o"
	python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" run --rm -it busybox \
		/no/such/program >"$T/o"
	grep -q '^restored: yes' "$T/o"
	grep -q '^exit: 127' "$T/o"
	python3 "$LIB/terminal.py" term 24 80 -- "$PRISM_BIN" run --rm -it busybox \
		sh -c 'echo ready; exec sleep 1000' >"$T/o"
	cat "$T/o"
	grep -q '^exit: 143' "$T/o"
	grep -q '^restored: yes' "$T/o"
}

@test "-t: keys arrive, Ctrl-C is a signal inside, the size follows" {
	python3 "$LIB/terminal.py" keys 24 80 -- "$PRISM_BIN" run --rm -it busybox \
		sh -c 'trap "echo interrupted" INT; trap "stty size" WINCH; echo ready
		while ! read -r x; do :; done; echo got $x; stty size' >"$T/o"
	cat "$T/o"
	grep -q 'interrupted' "$T/o"
	grep -q 'got hello' "$T/o"
	grep -q '^50 132' "$T/o"
	grep -q '^exit: 0' "$T/o"
}

# ---- signals ---------------------------------------------------------------------

# start_in_background [OPTION...] -- CMD...: $pid; waits for "ready".
start_in_background()
{
	# What the last one said is not this one's word.
	rm -f "$T/o"
	"$PRISM_BIN" run --rm "$@" >"$T/o" 2>"$T/e" 3>&- &
	pid=$!
	wait_for grep -qs ready "$T/o"
}

@test "signals go to the program, its exit code comes back" {
	for sig in TERM INT HUP USR1 QUIT; do
		start_in_background busybox sh -c "trap 'echo got $sig; exit 9' $sig
			echo ready; while :; do sleep 0.1; done"
		kill -s "$sig" "$pid"
		status=0
		wait "$pid" || status=$?
		[ "$status" = 9 ]
		grep -q "got $sig" "$T/o"
	done
}

@test "a program without a handler dies of SIGTERM: 143, at once" {
	start_in_background busybox sh -c 'echo ready; exec sleep 1000'
	kill -TERM "$pid"
	status=0
	SECONDS=0
	wait "$pid" || status=$?
	[ "$status" = 143 ]
	[ "$SECONDS" -lt 100 ]
}

@test "--init=no: the program is PID 1 and gets signals that it handles" {
	start_in_background --init=no busybox sh -c 'trap "exit 5" TERM
		echo ready; while :; do sleep 0.1; done'
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 5 ]
}

# inside COMMAND: how many processes are this one.
inside()
{
	# Not the prism that has the same words, nor who cleans up after it.
	pgrep -c -f "^$1\$" || true
}

@test "kill -9 of prism kills everything in the container" {
	mark=4$RANDOM$BATS_TEST_NUMBER
	start_in_background busybox sh -c "echo ready; sleep $mark & sleep $mark"
	begun()
	{
		[ "$(inside "sleep $mark")" = 2 ]
	}
	wait_for begun
	kill -9 "$pid"
	wait "$pid" || true
	gone()
	{
		[ "$(inside "sleep $mark")" = 0 ]
	}
	wait_for gone
	# The next command ends what the dead one left, when all of it is dead.
	ended()
	{
		run busybox true &&
			[ -z "$(find "$PRISM_ROOT/containers" -mindepth 1 \
				-not -name by-name)" ]
	}
	wait_for ended
}

@test "what the program leaves running ends with it" {
	mark=5$RANDOM$BATS_TEST_NUMBER
	SECONDS=0
	must_work run busybox sh -c "sleep $mark >/dev/null 2>&1 & echo started"
	prints started
	[ "$SECONDS" -lt 100 ]
	[ "$(inside "sleep $mark")" = 0 ]
}

@test "a stopped program is stopped and goes on" {
	start_in_background busybox sh -c 'echo ready; sleep 2; exit 4'
	kill -STOP "$pid"
	sleep 0.1
	kill -CONT "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 4 ]
}
