#!/usr/bin/env bats
# prism exec: one more program in a container that runs. As root; the ordinary
# user is at the end.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

teardown()
{
	if [ -n "${target:-}" ]; then
		prism rm -f c >/dev/null 2>&1 || true
		wait "$target" || true
	fi
	test_teardown
}

container_id()
{
	find "$PRISM_ROOT/containers" -mindepth 1 -maxdepth 1 \
		-regex '.*/[0-9a-f]*' -printf '%f\n'
}

# start_target [RUN-OPTION...] [-- CMD...]: the container c, which runs.
start_target()
{
	local options=()

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	if [ $# -gt 1 ]; then
		shift
	else
		set -- sleep 1000
	fi
	"$PRISM_BIN" run --rm --name c "${options[@]}" busybox "$@" \
		>"$T/target" 2>&1 </dev/null &
	target=$!
	wait_for prism exec c true 2>/dev/null
}

@test "the program's output, code and arguments" {
	start_target
	must_work prism exec c echo 'a  b' 'c d'
	prints 'a  b c d'
	must_exit 7 prism exec c sh -c 'echo out; echo err >&2; exit 7'
	prints out
	says '^err$'
	must_exit 137 prism exec c sh -c 'kill -9 $$'
	must_exit 143 prism exec c sh -c 'kill $$'
	must_work prism exec c sh -c 'ps; hostname'
	has '1 .*prism-init'
	id=$(container_id)
	has "^${id:0:12}\$"
}

@test "126 and 127 come from execve, everything else is 125" {
	start_target
	must_fail 127 prism exec c nosuch
	says 'not found in PATH'
	must_fail 127 prism exec c /no/such
	must_fail 126 prism exec c /etc
	must_fail 126 prism exec c /etc/passwd
	must_fail 125 prism exec -u nosuch c true
	says 'unable to find user nosuch'
	must_fail 125 prism exec -w /no/such c true
	says 'no such directory'
	must_fail 125 prism exec -w rel c true
	must_fail 125 prism exec --no-such-option c true
	must_fail 125 prism exec c
	must_fail 125 prism exec nosuch true
	says 'No such container: nosuch'
}

@test "a container that does not run, in Docker's words" {
	must_exit 0 prism run --name c busybox true
	id=$(container_id)
	must_fail 125 prism exec c true
	says "Container $id is not running"
	must_work prism rm c
}

@test "by name, id and the beginning of an id" {
	start_target
	id=$(container_id)
	for name in c "$id" "${id:0:12}" "${id:0:4}"; do
		must_work prism exec "$name" echo "$name"
		prints "$name"
	done
}

@test "environment, user, groups and directory as the container has them" {
	start_target -e A=run -e B=run -u app --group-add 77 -w /tmp
	must_work prism exec -e B=exec -e "C=x y" c sh -c 'env; id; pwd'
	has '^A=run$'
	has '^B=exec$'
	has '^C=x y$'
	has '^HOME=/home/app$'
	has '^container=prism$'
	has_not '^TERM='
	has '^uid=1000\(app\) gid=1000\(app\) groups=77,1000\(app\),2000\(extra\),2001\(more\)|^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\),2001\(more\),77'
	has '^/tmp$'
	must_work prism exec -u root:wheel -w /etc c sh -c 'id; pwd; echo $HOME'
	has '^uid=0\(root\) gid=10\(wheel\) groups='
	has '^/etc$'
	has '^/root$'
	must_work prism exec -u 4242 c sh -c 'id -u; echo $HOME'
	prints $'4242\n/'
}

@test "-e K passes on, --env-file, HOME of one's own" {
	start_target
	printf '# comment\nF=file\nE=file\nPASSED\n' >"$T/env"
	PASSED=yes must_work env PASSED=yes "$PRISM_BIN" exec -e E=flag -e NOTHERE \
		--env-file "$T/env" -e HOME=/x c env
	has '^F=file$'
	has '^E=flag$'
	has '^PASSED=yes$'
	has '^HOME=/x$'
	has_not NOTHERE
}

@test "a user's own /dev/stdout can be opened, as a pipe" {
	start_target
	out=$(prism exec -u app c sh -c 'echo x >/dev/stdout')
	[ "$out" = x ]
	out=$(prism run --rm -u app busybox sh -c 'echo y >/dev/stdout')
	[ "$out" = y ]
}

@test "stdin: /dev/null without -i, passed on with -i, binary-safe" {
	start_target
	must_work prism exec c cat </dev/null
	out=$(echo data | prism exec c cat)
	[ "$out" = '' ]
	out=$(echo data | prism exec -i c cat)
	[ "$out" = data ]
	head -c 3000000 /dev/urandom >"$T/in"
	prism exec -i c cat <"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
	# Half-closed stdin: the end comes through, the output still too.
	out=$(printf 'one\ntwo\n' | prism exec -i c sh -c 'cat >/dev/null; echo end')
	[ "$out" = end ]
}

@test "-t: a terminal of the caller's size, raw, restored on every way out" {
	start_target
	terminal()
	{
		python3 "$LIB/terminal.py" "$@" >"$T/o"
		cat "$T/o"
		grep -q '^restored: yes' "$T/o"
	}
	terminal size 33 101 -- "$PRISM_BIN" exec -it c \
		sh -c 'tty; stty size; echo TERM=$TERM; exit 3'
	grep -q '^/dev/pts/' "$T/o"
	grep -q '^33 101' "$T/o"
	grep -q '^TERM=xterm' "$T/o"
	grep -q '^exit: 3' "$T/o"
	terminal keys 24 80 -- "$PRISM_BIN" exec -it c \
		sh -c 'trap "echo interrupted" INT; trap "stty size" WINCH; echo ready
		while ! read -r x; do :; done; echo got $x; stty size'
	grep -q interrupted "$T/o"
	grep -q '^got hello' "$T/o"
	grep -q '^50 132' "$T/o"
	terminal size 24 80 -- "$PRISM_BIN" exec -it c sh -c 'kill -9 $$'
	grep -q '^exit: 137' "$T/o"
	terminal size 24 80 -- "$PRISM_BIN" exec -it c /no/such
	grep -q '^exit: 127' "$T/o"
	terminal term 24 80 -- "$PRISM_BIN" exec -it c \
		sh -c 'echo ready; exec sleep 1000'
	grep -q '^exit: 143' "$T/o"
	# The terminal belongs to the user: /dev/tty and /dev/stdout can be opened.
	terminal size 24 80 -- "$PRISM_BIN" exec -it -u app c \
		sh -c 'echo one >/dev/tty && echo two >/dev/stdout'
	grep -q '^two' "$T/o"
	grep -q '^exit: 0' "$T/o"
}

@test "-t without a terminal: dropped with a note, no hang" {
	start_target
	out=$(echo data | prism exec -it c cat 2>"$T/err")
	[ "$out" = data ]
	grep -q 'not a terminal' "$T/err"
}

@test "--detach-keys leave it running" {
	start_target
	python3 - "$PRISM_BIN" >"$T/o" <<-'END'
	import os, pty, sys, time
	pid, master = pty.fork()
	if pid == 0:
	    os.execv(sys.argv[1], ['prism', 'exec', '-it', '--detach-keys',
	             'ctrl-x,d', 'c', 'sh', '-c', 'echo ready; sleep 987'])
	seen = b''
	while b'ready' not in seen:
	    seen += os.read(master, 100)
	os.write(master, b'\x18d')
	_, status = os.waitpid(pid, 0)
	print(os.waitstatus_to_exitcode(status))
	END
	cat "$T/o"
	[ "$(cat "$T/o")" = 0 ]
	must_work prism exec c sh -c 'ps | grep "[s]leep 987"'
}

@test "-d returns at once, the program goes on" {
	start_target
	must_work prism exec -d c \
		sh -c 'while [ ! -e /go ]; do sleep 0.1; done; echo done >/tmp/done'
	prints ''
	must_exit 1 prism exec c cat /tmp/done
	must_work prism exec c touch /go
	wait_for prism exec c cat /tmp/done >/dev/null 2>&1
	must_fail 127 prism exec -d c nosuch
}

@test "signals go to the program; with its prism killed it is gone" {
	start_target
	"$PRISM_BIN" exec c sh -c 'trap "echo term; exit 9" TERM; echo ready
		while :; do sleep 0.1; done' >"$T/o" &
	pid=$!
	wait_for grep -q ready "$T/o"
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 9 ]
	grep -q '^term' "$T/o"
	"$PRISM_BIN" exec c sh -c 'echo again; sleep 986' >"$T/o2" &
	pid=$!
	wait_for grep -q again "$T/o2"
	kill -9 "$pid"
	wait "$pid" || true
	gone()
	{
		! prism exec c ps | grep -q '[e]cho again'
	}
	wait_for gone
}

@test "the container's end ends exec with 137" {
	start_target
	status=0
	"$PRISM_BIN" exec c sh -c 'echo ready; sleep 1000' >"$T/o" &
	pid=$!
	wait_for grep -q ready "$T/o"
	must_work prism rm -f c
	wait "$pid" || status=$?
	[ "$status" = 137 ]
}

@test "a caller that is stopped does not keep the container from ending" {
	start_target
	"$PRISM_BIN" exec c sh -c 'echo ready; sleep 1000' >"$T/o" &
	pid=$!
	wait_for grep -q ready "$T/o"
	kill -STOP "$pid"
	must_work timeout 100 "$PRISM_BIN" rm -f c
	kill -CONT "$pid"
	wait "$pid" || true
}

@test "capabilities, seccomp, no_new_privs, limits and score as the container's" {
	start_target --cap-drop ALL --cap-add CHOWN
	status_lines()
	{
		prism exec "$@" grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
	}
	must_work status_lines c
	prints "CapInh:	0000000000000000
CapPrm:	0000000000000001
CapEff:	0000000000000001
CapBnd:	0000000000000001
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2"
	must_work status_lines --privileged c
	has '^CapEff:	0*[1-9a-f][0-9a-f]{8,}$'
	has '^Seccomp:	0$'
	must_work prism exec --privileged c sh -c 'mkdir /tmp/m && mount -t tmpfs t /tmp/m'
	init=$(prism exec c sh -c 'grep -m1 NSpid /proc/1/status' | wc -l)
	[ "$init" = 1 ]
	theirs=$(prism exec c cat /proc/1/limits)
	must_work bash -c 'ulimit -S -n 99; exec "$PRISM_BIN" exec c cat /proc/self/limits'
	prints "$theirs"
}

@test "oom score and cgroup follow init" {
	start_target
	must_work prism exec c cat /proc/1/oom_score_adj
	theirs=$output
	must_work bash -c 'echo 500 >/proc/self/oom_score_adj; exec "$PRISM_BIN" exec c cat /proc/self/oom_score_adj'
	prints "$theirs"
	must_work prism exec c sh -c 'cmp /proc/1/cgroup /proc/self/cgroup'
}

@test "namespaces: all of them" {
	start_target
	for n in mnt pid uts ipc net cgroup; do
		must_work prism exec c sh -c "(readlink /proc/self/ns/$n; readlink /proc/1/ns/$n) | sort -u | wc -l"
		prints 1
	done
	must_work prism exec c readlink /proc/self/ns/pid
	[ "$output" != "$(readlink /proc/self/ns/pid)" ]
}

@test "as an ordinary user, with a user namespace" {
	need ROOT USER USERNS OVERLAY
	as_user "$PRISM_BIN" run --rm --name u busybox sleep 1000 >"$T/o" 2>&1 &
	pid=$!
	wait_for as_user "$PRISM_BIN" exec u true 2>/dev/null
	must_work as_user "$PRISM_BIN" exec u sh -c \
		'id -u; cat /proc/self/uid_map; touch /tmp/x; stat -c %u /tmp/x; grep Seccomp: /proc/self/status'
	has '^0$'
	has '^ *1 +[0-9]+ +65536'
	has '^Seccomp:	2'
	must_work as_user "$PRISM_BIN" exec -u app u id -u
	prints 1000
	must_fail 127 as_user "$PRISM_BIN" exec u nosuch
	as_user "$PRISM_BIN" rm -f u
	wait "$pid" || true
}

@test "--userns auto: root inside is nobody outside" {
	need ROOT OVERLAY
	start_target --userns auto
	must_work prism exec c sh -c 'id -u; cat /proc/self/uid_map; touch /new; stat -c %u:%g /new'
	has '^0$'
	has '^0:0$'
	must_work prism exec -u app c id -u
	prints 1000
}
