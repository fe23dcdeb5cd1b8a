#!/usr/bin/env bats
# prism run as root: exit codes, environment, user, entrypoint, volumes, names.
# What isolates stands in run_isolation.bats, bytes and signals in run_io.bats.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox alpine
}

run()
{
	prism run --rm "$@"
}

# ---- the whole way ------------------------------------------------------------

@test "alpine through a mirror is docker.io/library/alpine and runs offline" {
	need ROOT OVERLAY NETNS ALPINE
	PRISM_ROOT=$T/fresh
	registry_start
	must_work prism pull alpine:3.20
	must_work run alpine:3.20 sh -c 'id; ps; cat /etc/alpine-release; apk --version'
	has '^uid=0\(root\) gid=0\(root\)'
	has 'sh -c id; ps'
	has '^3\.20\.3$'
	has '^apk-tools 2'
	must_work prism images
	has 'alpine +3\.20'
	registry_stop
	# The registry is gone: nothing of a second run may ask for it.
	must_work run docker.io/library/alpine:3.20 cat /etc/alpine-release
	prints 3.20.3
}

@test "run pulls what is absent; --pull=never does not" {
	need ROOT OVERLAY
	PRISM_ROOT=$T/fresh
	registry_start
	must_fail 125 run --pull=never busybox true
	must_work run busybox echo pulled
	prints pulled
	registry_stop
	must_fail 125 run --pull=always busybox true
	must_work run --pull=missing busybox true
}

@test "--platform runs what was pulled for it, and says so if it cannot" {
	need ROOT ALPINE
	PRISM_ROOT=$T/fresh
	registry_start
	must_work prism pull --platform linux/arm64 alpine
	registry_stop
	if [ "$(uname -m)" = x86_64 ]; then
		must_fail 126 run --platform linux/arm64 alpine /bin/busybox true
		says 'ENOEXEC'
		says 'arm64|aarch64'
	fi
}

# ---- exit codes -----------------------------------------------------------------

@test "the program's own exit code" {
	must_exit 3 run busybox sh -c 'exit 3'
	must_exit 0 run busybox true
	must_exit 125 run busybox sh -c 'exit 125'
	[ -z "$stderr" ] || explain "the program's own 125 is no error of prism's"
}

# Copied output ends separately.
quiet()
{
	"$@" >/dev/null 2>&1
}

# reaped CODE ARG...: a run with that exit code; true if it waited until the
# kernel had ended PID 1.
reaped()
{
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 must_exit "$1" \
		quiet strace -f -qq -e trace=waitid -o "$T/calls" \
		"$PRISM_BIN" run --rm --network none "${@:2}"
	grep -q 'waitid(P_PIDFD.*, WEXITED, ' "$T/calls"
}

@test "a container ends with the wait status of its PID 1, not earlier" {
	local code

	need ROOT OVERLAY TOOL_strace
	for code in 0 3 255; do
		reaped "$code" busybox sh -c "exit $code"
	done
	reaped 137 busybox sh -c 'kill -9 $$'
	reaped 4 busybox sh -c 'sleep 1000 & exit 4'
	reaped 4 busybox sh -c '(sleep 1000 &); exit 4'
	reaped 5 -v "$T:/x" busybox sh -c 'exit 5'
	reaped 6 --init=no busybox sh -c 'exit 6'
	reaped 124 --timeout 1 busybox sleep 1000
	must_exit 127 prism run --rm --network none busybox /nope
	must_exit 126 prism run --rm --network none busybox /etc
}

@test "killed by a signal: 128 + its number" {
	must_exit 137 run busybox sh -c 'kill -9 $$'
	must_exit 143 run busybox sh -c 'kill -15 $$'
	must_exit 139 run busybox sh -c 'kill -11 $$'
}

@test "a program that is not there: 127, its name is in the error" {
	must_fail 127 run busybox no-such-program
	says 'no-such-program'
	must_fail 127 run busybox /no/such/path
	says '/no/such/path.*ENOENT'
	must_fail 127 run busybox ''
}

@test "a directory, or a file without x bit: 126" {
	must_fail 126 run busybox /etc
	says 'EACCES'
	must_fail 126 run busybox /etc/passwd
	says '/etc/passwd.*EACCES'
}

@test "another architecture: 126, and a missing interpreter: 127" {
	mkdir "$T/v"
	# An ELF header of a machine that this one is not (s390x).
	printf '\177ELF\002\002\001\000\000\000\000\000\000\000\000\000\000\002\000\026\000\000\000\001' \
		>"$T/v/foreign"
	head -c 200 /dev/zero >>"$T/v/foreign"
	printf '#!/no/such/interpreter\necho never\n' >"$T/v/script"
	printf '#!/bin/sh\r\necho never\r\n' >"$T/v/crlf"
	chmod 0755 "$T"/v/*
	must_fail 126 run -v "$T/v:/v" busybox /v/foreign
	says 'ENOEXEC'
	must_fail 127 run -v "$T/v:/v" busybox /v/script
	says '/no/such/interpreter'
	must_fail 127 run -v "$T/v:/v" busybox /v/crlf
	says 'CRLF'
}

@test "a missing dynamic loader: 127, and the loader is named" {
	mkdir "$T/v"
	cp "$(type -P true)" "$T/v/dynamic"
	must_fail 127 run -v "$T/v:/v" busybox /v/dynamic
	says 'ld-linux'
}

@test "usage errors: 125 with a name" {
	must_fail 125 run --no-such-flag busybox true
	says 'no-such-flag'
	must_fail 125 run
	must_fail 125 run 'UPPER/CASE' true
	must_fail 125 run -u nosuchuser busybox true
	says "unable to find user nosuchuser|nosuchuser"
	must_fail 125 run -u root:nosuchgroup busybox true
	says nosuchgroup
	must_fail 125 run -v /no/such/source:/m busybox true
	says '/no/such/source'
	must_fail 125 run -v "$T:/m:nonsense" busybox true
	says nonsense
	must_fail 125 run -v "$T:/" busybox true
	must_fail 125 run -v "$T:/m" -v "$T:/m" busybox true
	must_fail 125 run -e =x busybox true
	must_fail 125 run --network nosuch busybox true
	says nosuch
	must_fail 125 run --cap-add NOT_A_CAP busybox true
	says NOT_A_CAP
	must_fail 125 run --security-opt seccomp=/no/such/file busybox true
	says '/no/such/file'
	must_fail 125 run -w relative/path busybox true
	must_fail 125 run --stop-signal NOPE busybox true
	says NOPE
}

# ---- environment, directory, user -------------------------------------------------

@test "the default environment" {
	must_work run busybox env
	has '^PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin$'
	has '^HOME=/root$'
	has '^HOSTNAME=[0-9a-f]{12}$'
	has '^container=prism$'
	has_not '^(TERM|PRISM_)'
	[ "$(wc -l <<<"$output")" = 4 ] || explain "no more than these"
}

@test "-e sets, passes on, and leaves unset what is unset" {
	export FROM_OUTSIDE=yes
	unset NOT_OUTSIDE
	must_work run -e A=1 -e A=2 -e EMPTY= -e FROM_OUTSIDE -e NOT_OUTSIDE \
		-e 'S=two words' busybox env
	has '^A=2$'
	has_not '^A=1$'
	has '^EMPTY=$'
	has '^FROM_OUTSIDE=yes$'
	has_not '^NOT_OUTSIDE'
	has '^S=two words$'
}

@test "the working directory: default, given, created, a file" {
	must_work run busybox pwd
	prints /
	must_work run -w /etc busybox pwd
	prints /etc
	must_work run -w /new/deep busybox sh -c 'pwd; stat -c "%u:%g %a" .'
	prints $'/new/deep\n0:0 755'
	must_fail 126 run -w /etc/passwd busybox true
}

@test "the image's Env, User, WorkingDir, Entrypoint and Cmd" {
	"$LIB/mkimage" "$T/layout" image --config '{"Env": ["PATH=/bin", "X=image"],
		"User": "app", "WorkingDir": "/srv/new", "Entrypoint": ["echo", "ep"],
		"Cmd": ["cmd"]}' "list:-" < <(busybox_entries) >/dev/null
	PRISM_ROOT=$T/fresh
	registry_own image
	push_layout "$T/layout" image library/conf:latest
	must_work prism pull conf
	registry_own_stop image
	must_work run conf
	prints 'ep cmd'
	must_work run conf args replace cmd
	prints 'ep args replace cmd'
	must_work run --entrypoint id conf
	has '^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\)'
	must_work run --entrypoint '' conf pwd
	prints /srv/new
	must_work run --entrypoint '["sh","-c","echo $X $HOME"]' conf
	prints 'image /home/app'
	must_work run --entrypoint sh -e X=flag conf -c 'echo $X'
	prints flag
	must_fail 125 run --entrypoint '' conf
}

busybox_entries()
{
	cat <<-END
	{"path":"bin/","type":"dir"}
	{"path":"bin/busybox","mode":"0755","copy":"$(command -v busybox)"}
	{"path":"bin/sh","type":"symlink","link":"busybox"}
	{"path":"bin/echo","type":"symlink","link":"busybox"}
	{"path":"bin/id","type":"symlink","link":"busybox"}
	{"path":"bin/pwd","type":"symlink","link":"busybox"}
	{"path":"etc/passwd","content":"root:x:0:0::/root:/bin/sh\\napp:x:1000:1000::/home/app:/bin/sh\\n"}
	{"path":"etc/group","content":"root:x:0:\\napp:x:1000:\\nextra:x:2000:app\\n"}
	END
}

@test "-u: names and numbers are looked up in the image" {
	must_work run busybox id
	has '^uid=0\(root\) gid=0\(root\) groups=0\(root\),10\(wheel\)$'
	must_work run -u app busybox id
	has '^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\),2001\(more\)$'
	must_work run -u 1000 busybox sh -c 'id -u; id -g; echo $HOME'
	prints $'1000\n1000\n/home/app'
	must_work run -u app:extra busybox id
	has '^uid=1000\(app\) gid=2000\(extra\)'
	has_not 'more'
	must_work run -u 4242 busybox sh -c 'id -u; id -g; echo $HOME'
	prints $'4242\n0\n/'
	must_work run -u 4242:4343 busybox sh -c 'id -u; id -g'
	prints $'4242\n4343'
	must_work run -u guest busybox sh -c 'echo $HOME; id -g'
	prints $'/dev/null\n100'
	must_work run -u app busybox sh -c 'echo x >/root/x 2>/dev/null || echo denied'
	prints denied
}

@test "--hostname, /etc/hosts, /etc/hostname, /etc/resolv.conf" {
	must_work run --hostname web.example busybox sh -c \
		'hostname; cat /etc/hostname; echo $HOSTNAME; cat /etc/hosts'
	has '^web\.example$'
	[ "$(head -n 3 <<<"$output" | sort -u)" = web.example ] ||
		explain "hostname, file and variable agree"
	has '^127\.0\.0\.1[[:space:]]+localhost'
	has '^::1[[:space:]]+(localhost )?ip6-localhost'
	has '[[:space:]]web\.example'
	must_work run busybox sh -c '[ "$(hostname)" = "$(cat /etc/hostname)" ] &&
		grep -q "$(hostname)" /etc/hosts && hostname'
	has '^[0-9a-f]{12}$'
	must_work run --network host busybox cat /etc/resolv.conf
	must_work run --network host busybox hostname
	prints "$(hostname)"
}

# ---- volumes and roots ---------------------------------------------------------------

@test "-v: read-write, read-only (submounts too), files, relative, missing target" {
	mkdir "$T/v"
	echo inside >"$T/v/f"
	must_work run -v "$T/v:/data" busybox sh -c 'cat /data/f; echo out >/data/g'
	prints inside
	[ "$(cat "$T/v/g")" = out ]
	must_exit 1 run -v "$T/v:/data:ro" busybox touch /data/no
	says 'Read-only file system'
	[ ! -e "$T/v/no" ]
	must_work run -v "$T/v/f:/etc/deep/new/f:ro" busybox cat /etc/deep/new/f
	prints inside
	must_work run -v ./v:/data busybox cat /data/g
	prints out
	must_exit 1 run -v /sys:/hsys:ro busybox mkdir /hsys/fs/cgroup/prism-not
	must_work run busybox ls /etc
	has_not deep
}

@test "a volume's target that is a link leads nowhere outside the root" {
	mkdir "$T/v" "$T/outside" "$T/r"
	echo secret >"$T/outside/f"
	"$LIB/mkimage" "$T/layout" image "list:-" --config '{}' >/dev/null <<-END
	$(busybox_entries)
	{"path":"out","type":"symlink","link":"$T/outside"}
	{"path":"up","type":"symlink","link":"../../../../../../$T/outside"}
	END
	PRISM_ROOT=$T/fresh
	registry_own image
	push_layout "$T/layout" image library/links:latest
	must_work prism pull links
	registry_own_stop image
	echo from-volume >"$T/v/f"
	must_work run -v "$T/v:/out" links /bin/busybox cat /out/f
	prints from-volume
	must_work run -v "$T/v:/up/new" links /bin/busybox cat /up/new/f
	prints from-volume
	[ "$(ls "$T/outside")" = f ]
	[ "$(cat "$T/outside/f")" = secret ]
}

@test "--read-only: nothing but volumes and tmpfs can be written" {
	mkdir "$T/v"
	must_exit 1 run --read-only busybox touch /x
	says 'Read-only file system'
	must_exit 1 run --read-only busybox touch /etc/hosts
	must_work run --read-only -v "$T/v:/v" busybox sh -c \
		'touch /v/x /dev/shm/x && cat /etc/hosts'
	[ -e "$T/v/x" ]
}

@test "what a container writes is gone with it, and not in the image" {
	must_work run busybox sh -c 'echo x >/etc/passwd; rm -r /home; touch /new'
	must_work run busybox sh -c 'ls -d /home /new; head -n 1 /etc/passwd'
	has '^/home$'
	has_not new
	has '^root:'
}

@test "--rootfs runs a directory as it is" {
	mkdir -p "$T/r/bin" "$T/r/etc"
	cp "$(command -v busybox)" "$T/r/bin/"
	must_work run --rootfs "$T/r" /bin/busybox sh -c 'echo here >/left; echo ran'
	prints ran
	[ "$(cat "$T/r/left")" = here ]
	must_fail 125 run --rootfs "$T/nowhere" /bin/busybox true
	says nowhere
}

# ---- names, --rm -----------------------------------------------------------------------

@test "--name: a second of the same name is 125 and leaves the first alone" {
	"$PRISM_BIN" run --rm --name web busybox sleep 1000 3>&- &
	pid=$!
	wait_for test -e "$PRISM_ROOT/containers/by-name/web"
	must_fail 125 run --name web busybox true
	says "web"
	says 'in use|already|taken'
	must_fail 125 run --name 'a/b' busybox true
	must_fail 125 run --name '.x' busybox true
	kill "$pid"
	wait "$pid" || true
	must_work run --name web busybox echo free again
	prints 'free again'
}

@test "without --rm the container stays, with its exit code, until prism rm" {
	must_exit 3 prism run --name kept busybox sh -c 'echo data >/f; exit 3'
	[ -L "$PRISM_ROOT/containers/by-name/kept" ]
	[ "$(cat "$PRISM_ROOT"/containers/by-name/kept/upper/f)" = data ]
	grep -q '"exit_code": *3' "$PRISM_ROOT"/containers/by-name/kept/state.json ||
		grep -q 3 "$PRISM_ROOT"/containers/by-name/kept/state.json
	must_fail 125 run --name kept busybox true
	must_work prism rm kept
	[ ! -e "$PRISM_ROOT/containers/by-name/kept" ]
}

@test "ten at once, each in its own root" {
	pids=
	for i in $(seq 10); do
		"$PRISM_BIN" run --rm busybox sh -c "echo $i >/n; sleep 0.2; cat /n" \
			>"$T/o$i" 2>&1 3>&- &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list; bats has jobs of its own
	wait $pids
	for i in $(seq 10); do
		[ "$(cat "$T/o$i")" = "$i" ]
	done
}

# ---- trace -------------------------------------------------------------------------------

@test "--trace: the steps of monitor and init, in microseconds" {
	must_work run --trace busybox true
	says 'monitor'
	says 'init'
	says 'overlay|rootfs|root'
	says 'took us'
	says '^ +[0-9]+ +[0-9]+ +init +overlay'
	[ "$(wc -l <<<"$stderr")" -ge 8 ] || explain "a line per step"
	must_work run busybox true
	[ -z "$stderr" ] || explain "without --trace there is nothing to say"
}
