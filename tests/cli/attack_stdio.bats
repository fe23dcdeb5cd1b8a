#!/usr/bin/env bats
# A container tries to change the caller's stdin, stdout and stderr: their mode,
# owner and earlier content. All bytes must arrive, in order, at the offset that
# the caller's file had.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

need_MKNOD()
{
	{ mknod "$T/probe" c 1 3 && : >"$T/probe"; } 2>/dev/null ||
		echo "no device nodes here"
}

setup()
{
	test_setup
	runner=()
	target=
	mkdir "$T/mine"
}

teardown()
{
	if [ "$target" ]; then
		"${runner[@]}" "$PRISM_BIN" rm -f c >/dev/null 2>&1 || true
	fi
	test_teardown
}

# each_user FUNCTION: as root, then as the ordinary user, who owns the files.
each_user()
{
	need ROOT OVERLAY
	runner=()
	"$@"
	[ -n "${TEST_USER:-}" ] || return 0
	runner=(as_user)
	chown "$TEST_USER:" "$T/mine"
	"$@"
}

# start_target: start $runner's container c, which sleeps.
start_target()
{
	must_work "${runner[@]}" "$PRISM_BIN" run -d --rm --name c busybox \
		sleep 1000
	target=c
}

end_target()
{
	must_work "${runner[@]}" "$PRISM_BIN" rm -f c
	target=
}

# shell TEXT ARG...: run TEXT in a shell as $runner, in $T/mine; $0 is prism.
shell()
{
	local text=$1

	shift
	"${runner[@]}" bash -c "cd '$T/mine' && { $text; }" "$PRISM_BIN" "$@"
}

# For each of the three fds: change mode and owner; if it is no stream, also read
# it, append to it and truncate it. Exit code 40 + n: fd n was a file.
# shellcheck disable=SC2016 # the inner shell's
attack='bad=0
for n in 0 1 2; do
	f=/proc/self/fd/$n
	chmod 4777 $f
	chown 7:7 $f
	[ -p $f ] || [ -S $f ] || [ -c $f ] || {
		bad=$((40 + n))
		touch $f/evil
		cat $f
		echo evil >>$f
		: >$f
	}
done 2>/dev/null
echo out
echo err >&2
exit $bad'

look()
{
	stat -c '%n %F %a %u:%g %t,%T' "$T/mine/$1"
	stat -c '%Y' "$T/mine"
}

# canary: $T/mine/c, which is looked at, and not moved, by the attack.
canary()
{
	rm -rf "$T/mine/"*
	shell 'echo before >c; chmod 0640 c; mkdir dir; touch dir/inside'
	before=$(look c)
}

# attacks REDIRECTION WANT PRISM-ARG...: run the attack with these arguments and
# this redirection; afterwards the file must contain WANT.
attacks()
{
	local how=$1 want=$2

	shift 2
	canary
	capture shell "\"\$0\" \"\$@\" $how" "$@" sh -c "$attack"
	judge "$how" "$want" 0
}

# judge REDIRECTION WANT CODE
judge()
{
	[ "$status" = "$3" ] || explain "$1: the attack must end with $3"
	[ "$(cat "$T/mine/c")" = "$2" ] ||
		explain "$1: the file is now: $(cat "$T/mine/c")"
	[ "$(look c)" = "$before" ] ||
		explain "$1: it was $before and is $(look c)"
	[ "$(ls -A "$T/mine/dir")" = inside ]
}

# The same with what starts the program named by its words.
all_redirections()
{
	attacks '>c' out "$@"
	attacks '>>c' $'before\nout' "$@"
	attacks '1<>c' $'out\nre' "$@"
	attacks '2>c' err "$@"
	attacks '2>>c' $'before\nerr' "$@"
	attacks '>c 2>&1' $'out\nerr' "$@"
	attacks '>>c 2>>c' $'before\nout\nerr' "$@"
}

all_inputs()
{
	attacks '<c' before "$@"
	attacks '0<>c' before "$@"
	attacks '<c >/dev/null 2>&1' before "$@"
	attacks '<c >>c 2>&1' $'before\nout\nerr' "$@"
}

# ---- attacks --------------------------------------------------------------------

runs()
{
	all_redirections run --rm busybox
	all_inputs run --rm -i busybox
	# A container without --rm has a log, or a hub without one.
	attacks '<c >>c' $'before\nout' run -i --name kept busybox
	must_work "${runner[@]}" "$PRISM_BIN" rm kept
	attacks '<c >>c 2>&1' $'before\nout\nerr' run -i --name kept \
		--log-driver none busybox
	must_work "${runner[@]}" "$PRISM_BIN" rm kept
}

@test "run: a file as stdin, stdout or stderr stays the caller's" {
	each_user runs
}

execs()
{
	start_target
	all_redirections exec c
	all_inputs exec -i c
	end_target
}

@test "exec: a file as stdin, stdout or stderr stays the caller's" {
	each_user execs
}

@test "exec at a terminal: other redirected fds stay the caller's" {
	need ROOT OVERLAY
	start_target
	canary
	# shellcheck disable=SC2016 # the inner shell's
	python3 "$LIB/terminal.py" size 24 80 -- bash -c 'cd "$1"
		"$0" exec -i c sh -c "$2" >>c 2>/dev/null
		exit $?' "$PRISM_BIN" "$T/mine" "$attack" >"$T/o"
	cat "$T/o"
	grep -q '^exit: 0' "$T/o"
	status=0 judge 'a terminal and >>c' $'before\nout' 0
	end_target
}

starts()
{
	must_work "${runner[@]}" "$PRISM_BIN" create -i --name c busybox \
		sh -c "$attack"
	target=c
	for how in '>c' '>>c' '<c >>c 2>&1'; do
		canary
		capture shell "\"\$0\" start -ai c $how" </dev/null
		case $how in
		'>c') judge "$how" out 0 ;;
		'>>c') judge "$how" $'before\nout' 0 ;;
		*)
			[ "$status" = 0 ]
			[ "$(sort "$T/mine/c")" = $'before\nerr\nout' ]
			[ "$(look c)" = "$before" ]
			;;
		esac
	done
	end_target
}

@test "start -ai: a file as stdin, stdout or stderr stays the caller's" {
	each_user starts
}

# no_dir WORD...: prism reports that a directory cannot be read.
no_dir()
{
	canary
	capture shell "\"\$0\" \"\$@\" <dir" "$@" sh -c "$attack"
	judge '<dir' before 125
	says 'prism: .*read stdin: EISDIR'
}

directories()
{
	no_dir run -i --rm busybox
	start_target
	no_dir exec -i c
	end_target
	must_work "${runner[@]}" "$PRISM_BIN" create -i --name c busybox cat
	target=c
	canary
	capture shell '"$0" start -ai c <dir'
	judge '<dir' before 1
	says 'prism: start: .*read stdin: EISDIR'
	end_target
	must_work "${runner[@]}" "$PRISM_BIN" run -d -i --name c busybox \
		sh -c 'read -r line || exit 3; exit 4'
	target=c
	canary
	shell '"$0" attach c <dir' 2>"$T/e" &
	attached=$!
	must_work "${runner[@]}" "$PRISM_BIN" kill c
	must_exit 1 wait "$attached"
	end_target
}

@test "a directory as stdin stays the caller's" {
	each_user directories
}

# node NAME REDIRECTION WORD...: with a node in $T/mine, not the host's own.
node()
{
	local name=$1 how=$2

	shift 2
	before=$(look "$name")
	capture shell "\"\$0\" \"\$@\" $how" "$@" sh -c "$attack"
	[ "$status" = "${want:-0}" ] || explain "$how: must end with ${want:-0}"
	[ "$(look "$name")" = "$before" ] ||
		explain "$how: it was $before and is $(look "$name")"
}

all_nodes()
{
	node null '<null >null 2>null' "$@"
	node zero '<zero' "$@"
	node zero '>zero 2>&1' "$@"
	want=125 node full '>full' "$@"
	says 'prism: .*write stdout: ENOSPC'
	want=125 node full '2>full' "$@"
	prints out
	cat "$T/mine/fifo" >"$T/read" &
	node fifo '>fifo' "$@"
	wait $!
	[ "$(cat "$T/read")" = out ]
	node fifo '0<>fifo' "$@"
}

@test "devices and fifos keep their mode and owner" {
	need ROOT OVERLAY MKNOD
	runner=()
	mknod -m 0666 "$T/mine/null" c 1 3
	mknod -m 0666 "$T/mine/zero" c 1 5
	mknod -m 0666 "$T/mine/full" c 1 7
	mkfifo -m 0600 "$T/mine/fifo"
	all_nodes run --rm -i busybox
	start_target
	all_nodes exec -i c
	end_target
}

@test "without -i and with -d the null device is the container's own" {
	need ROOT OVERLAY
	host=$(stat -c '%d:%i' /dev/null)
	where='stat -L -c %d:%i /proc/self/fd/0 >/tmp/null; cat /tmp/null'
	must_work prism run --rm busybox sh -c "$where"
	[ "$output" != "$host" ]
	start_target
	must_work prism exec c sh -c "$where"
	[ "$output" != "$host" ]
	must_work prism exec -d c sh -c "$where; : >/tmp/done"
	wait_for prism exec c test -e /tmp/done
	must_work prism exec c cat /tmp/null
	[ "$output" != "$host" ]
	# A container that removed it still gets an empty stdin.
	must_work prism exec --privileged c \
		sh -c 'mount -t tmpfs none /dev; echo no >/dev/null'
	must_work prism exec c cat
	prints ''
	must_fail 125 prism exec -d c true
	says '/dev/null'
	end_target
}

# ---- the bytes -------------------------------------------------------------------

# shellcheck disable=SC2016 # the inner shell's
interleaved='i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); echo o$i; echo e$i >&2; done'

orders()
{
	local how

	bash -c "$interleaved" >"$T/want" 2>&1
	start_target
	for how in '>c 2>&1' '2>c >&2' '>>c 2>>c'; do
		shell 'rm -f c'
		shell "\"\$0\" run --rm busybox sh -c '$interleaved' $how"
		cmp "$T/want" "$T/mine/c"
		shell 'rm c'
		shell "\"\$0\" exec c sh -c '$interleaved' $how"
		cmp "$T/want" "$T/mine/c"
	done
	end_target
}

@test "stdout and stderr in one file keep their order" {
	each_user orders
}

@test "the caller's offset ends where the program's output ends" {
	need ROOT OVERLAY
	start_target
	{
		echo 1
		prism run --rm busybox echo 2
		echo 3
		prism exec c echo 4
		echo 5
		prism run busybox echo 6
		echo 7
	} >"$T/c"
	[ "$(tr -d '\n' <"$T/c")" = 1234567 ]
	must_work prism container prune -f
	end_target
}

@test "the program leaves the unread rest of a file on stdin" {
	need ROOT OVERLAY
	seq 1 1000 >"$T/in"
	start_target
	{
		prism run -i --rm busybox sh -c 'read -r a; read -r b; echo $a $b'
		prism exec -i c sh -c 'read -r a; echo $a'
		prism run -i --rm busybox true
		read -r line
		echo "$line"
		prism run -i --name kept busybox sh -c 'read -r a; echo $a'
		prism run -i --rm busybox cat
		prism run -i --rm busybox cat
	} <"$T/in" >"$T/out"
	[ "$(head -n 4 "$T/out")" = $'1 2\n3\n4\n5' ]
	tail -n +5 "$T/out" | cmp - <(seq 6 1000)
	must_work prism rm kept
	end_target
}

@test "200 MB arrive whole in a file, appended and from a file" {
	need ROOT OVERLAY
	start_target
	fill='yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c 200000000'
	want=$(bash -c "$fill" | sha256sum)
	prism run --rm busybox sh -c "$fill" >"$T/c"
	[ "$(sha256sum <"$T/c")" = "$want" ]
	[ "$(prism run -i --rm busybox cat <"$T/c" | sha256sum)" = "$want" ]
	[ "$(prism exec -i c cat <"$T/c" | sha256sum)" = "$want" ]
	prism exec c sh -c "$fill" >"$T/c"
	[ "$(sha256sum <"$T/c")" = "$want" ]
	echo before >"$T/c"
	prism run --rm busybox sh -c "$fill" >>"$T/c"
	[ "$(tail -c +8 "$T/c" | sha256sum)" = "$want" ]
	rm "$T/c"
	end_target
}

# full CODE WORD...: into a file system of 64 KiB.
full()
{
	local code=$1

	shift
	# shellcheck disable=SC2016 # the inner shell's
	capture unshare -m bash -c 'mount -t tmpfs -o size=64k small "$1" &&
		cd "$1" && shift && status=0
		"$0" "$@" >full || status=$?
		stat -c %s full >&2
		exit $status' "$PRISM_BIN" "$T/mine" "$@"
	[ "$status" = "$code" ] || explain "must end with $code"
	says '^prism: .*write stdout: ENOSPC'
	says '^65536$'
}

@test "a full disk is an error of prism's, and SIGPIPE for the program" {
	need ROOT OVERLAY
	start_target
	full 125 run --rm busybox yes
	full 125 run --rm busybox sh -c 'yes | head -c 70000; exit 0'
	full 125 exec c yes
	# Without --rm there is a log: the program continues and its code is recorded.
	full 125 run --name kept busybox sh -c 'yes | head -c 100000; exit 3'
	must_work prism inspect -f '{{.State.ExitCode}}' kept
	prints 3
	[ "$(prism logs kept | wc -c)" = 100000 ]
	full 1 start -a kept
	must_work prism rm -f kept
	end_target
}

@test "RLIMIT_FSIZE kills neither prism nor the container" {
	need ROOT OVERLAY
	start_target
	for words in 'run --rm busybox' 'exec c'; do
		# shellcheck disable=SC2016,SC2086 # the inner shell's; words
		capture bash -c 'ulimit -f 4096; exec "$0" "$@" >"$T/c"' \
			"$PRISM_BIN" $words yes
		[ "$status" = 125 ] || explain "$words: 125"
		says '^prism: .*write stdout: EFBIG'
		[ "$(stat -c %s "$T/c")" = 4194304 ]
	done
	end_target
}

@test "a fifo whose reader left is SIGPIPE for the program" {
	need ROOT OVERLAY
	mkfifo "$T/fifo"
	head -n 1 "$T/fifo" >"$T/o" &
	must_exit 141 bash -c '"$0" run --rm busybox yes >"$T/fifo"' "$PRISM_BIN"
	wait $!
	[ "$(cat "$T/o")" = y ]
}

@test "an exec does not wait for processes that its program left running" {
	need ROOT OVERLAY
	start_target
	must_exit 3 prism exec c sh -c 'sleep 1000 & echo said; exit 3'
	prints said
	must_exit 3 prism exec c sh -c \
		'while usleep 1000; do echo more; done & usleep 50000; exit 3'
	has more
	end_target
}

@test "closed stdin, stdout and stderr" {
	need ROOT OVERLAY
	start_target
	must_work bash -c '"$0" run --rm -i busybox sh -c "cat; echo x" <&- >&- 2>&-' \
		"$PRISM_BIN"
	must_work bash -c '"$0" exec -i c sh -c "cat; echo x" <&- >&- 2>&-' \
		"$PRISM_BIN"
	end_target
}

# An fd of O_PATH leads to a file and cannot be read: it counts as closed.
by_path()
{
	local code='import os, sys
for fd in map(int, sys.argv[2]):
    os.dup2(os.open(sys.argv[1], os.O_PATH), fd)
os.execvp(sys.argv[3], sys.argv[3:])'
	local name

	canary
	shell 'mkfifo -m 0600 fifo'
	"${runner[@]}" python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/mine/sock"
	for name in c dir fifo sock; do
		before=$(look "$name")
		must_work "${runner[@]}" python3 -c "$code" "$T/mine/$name" 0 \
			"$PRISM_BIN" run -i --rm busybox sh -c "$attack; cat"
		prints out
		must_work "${runner[@]}" python3 -c "$code" "$T/mine/$name" 012 \
			"$PRISM_BIN" run -i --rm busybox sh -c "$attack"
		prints ''
		[ "$(look "$name")" = "$before" ] ||
			explain "it was $before and is $(look "$name")"
	done
	[ "$(cat "$T/mine/c")" = before ]
}

@test "fds of O_PATH are as good as closed" {
	each_user by_path
}
