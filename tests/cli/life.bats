#!/usr/bin/env bats
# The life of a container: create, ps, stop, kill, pause, wait, rename, rm,
# prune, inspect, top, port; what scripts read of each.
load ../lib/common

BG=()

setup_file()
{
	file_setup
	file_store busybox
}

# bg NAME ARG...: a container that runs until it is stopped, by a prism in the
# background; returns when it runs.
bg()
{
	local name=$1

	shift
	"$PRISM_BIN" run --name "$name" "$@" >"$T/$name.out" 2>"$T/$name.err" 3>&- &
	BG+=($!)
	wait_for is "$name" running
}

# hears NAME TRAP ARG...: one whose shell has set its trap.
hears()
{
	local name=$1 words=$2

	shift 2
	bg "$name" "$@" busybox sh -c "trap $words; echo ready; while :; do sleep 0.1; done"
	wait_for grep -q ready "$T/$name.out"
}

# is NAME STATE
is()
{
	[ "$(prism ps -a --filter "name=^$1\$" --format '{{.State}}')" = "$2" ]
}

# Until those of bg have ended; a plain wait would wait for bats as well.
ended()
{
	local pid

	for pid in "${BG[@]}"; do
		wait "$pid" || true
	done
}

# What stopped ones need to go.
gone()
{
	must_work prism rm "$@"
	ended
}

@test "create makes it, and nothing runs" {
	need ROOT OVERLAY
	must_work prism create --name made busybox echo hi
	[[ $output =~ ^[0-9a-f]{64}$ ]] || explain "the id, and nothing else"
	id=$output
	must_work prism ps
	has_not made
	must_work prism ps -a --format '{{.Names}} {{.State}} {{.Status}}'
	prints 'made created Created'
	must_work prism inspect -f '{{.State.Status}} {{.State.StartedAt}} {{.State.Pid}}' made
	prints 'created 0001-01-01T00:00:00Z 0'
	must_work prism wait made
	prints 0
	must_fail 1 prism kill made
	says 'Cannot kill container made: .*is not running'
	must_work prism stop made
	prints made
	must_work prism rm "$id"
	prints "$id"
	must_work prism ps -aq
	prints ''
}

@test "create --rm waits for its start: no sweep takes it" {
	need ROOT OVERLAY
	must_work prism create --rm --name made busybox true
	must_work prism run --rm busybox true
	must_work prism ps -aq
	[ -n "$output" ] || explain "it must still be there"
	gone made
}

@test "ps: columns, states, and who is shown" {
	need ROOT OVERLAY
	bg up busybox sleep 1000
	must_exit 3 prism run --name over busybox sh -c 'exit 3'
	must_work prism ps
	has '^CONTAINER ID   IMAGE     COMMAND        CREATED         STATUS         PORTS     NAMES$|^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$'
	has '^[0-9a-f]{12} +busybox +"sleep 1000" +.* ago +Up .* +up$'
	has_not over
	must_work prism ps -a
	has 'Exited \(3\) .* ago +over$'
	must_work prism ps -q
	[[ $output =~ ^[0-9a-f]{12}$ ]] || explain "12 digits"
	must_work prism ps -q --no-trunc
	[[ $output =~ ^[0-9a-f]{64}$ ]] || explain "64 digits"
	must_work prism ps -l --format '{{.Names}}'
	prints over
	must_work prism ps -n 2 --format '{{.Names}}'
	prints 'over
up'
	must_work prism ps -a --format json
	has '"Names": ?"over"'
	must_work prism container ls --format '{{.Names}}'
	prints up
	must_work prism ps -s
	has '[0-9]+B \(virtual .*B\)'
	must_work prism stop up
	gone up over
}

@test "ps --filter" {
	need ROOT OVERLAY
	must_work prism create --name a -l k=v -l x busybox true
	must_work prism create --name ab -l k=w busybox true
	must_exit 4 prism run --name c busybox sh -c 'exit 4'
	names()
	{
		must_work prism ps -a --format '{{.Names}}' "$@"
		output=$(sort <<<"$output" | tr '\n' ' ')
	}
	names --filter name=a
	prints 'a ab '
	names --filter 'name=^a$'
	prints 'a '
	names --filter label=k
	prints 'a ab '
	names --filter label=k=v
	prints 'a '
	names --filter label=k=v --filter label=x
	prints 'a '
	names --filter status=exited
	prints 'c '
	names --filter status=created --filter status=exited
	prints 'a ab c '
	names --filter exited=4
	prints 'c '
	names --filter exited=5
	prints ' '
	names --filter ancestor=busybox
	prints 'a ab c '
	names --filter before=ab
	prints 'a '
	names --filter since=ab
	prints 'c '
	names --filter "id=$(prism ps -aq --filter name=c)"
	prints 'c '
	must_fail 1 prism ps --filter nope=1
	must_fail 1 prism ps --filter status=nope
	gone a ab c
}

@test "names: prefixes, derived ones, conflicts, rename" {
	need ROOT OVERLAY
	must_work prism create busybox true
	id=$output
	must_work prism ps -a --format '{{.Names}}'
	[[ $output =~ ^[a-z]+_[a-z]+_[0-9a-f]{4}$ ]] || explain "a derived name"
	derived=$output
	for way in "$id" "${id:0:12}" "${id:0:6}" "$derived" "/$derived"; do
		must_work prism inspect -f '{{.Id}} {{.Name}}' "$way"
		prints "$id /$derived"
	done
	must_work prism rename "$derived" web
	must_fail 1 prism inspect "$derived" 2>/dev/null || true
	must_work prism inspect -f '{{.Name}}' web
	prints /web
	must_fail 125 prism create --name web busybox true
	says "name 'web' is already in use by container ${id:0:12} \(stopped\)"
	must_work prism create --name other busybox true
	must_fail 1 prism rename other web
	says 'already in use'
	must_fail 1 prism rename other other
	must_fail 1 prism rename other 'a b'
	must_fail 1 prism rename nope x
	says 'No such container: nope'
	must_work prism rename other second
	gone web second
}

@test "rename of one that runs" {
	need ROOT OVERLAY
	bg old busybox sleep 1000
	must_work prism rename old new
	must_work prism ps --format '{{.Names}}'
	prints new
	must_work prism stop new
	gone new
	must_work prism create --name old busybox true
	gone old
}

@test "stop: by its signal, within its time" {
	need ROOT OVERLAY
	hears term '"exit 9" TERM'
	must_work prism stop term
	prints term
	must_work prism inspect -f '{{.State.ExitCode}} {{.State.Running}}' term
	prints '9 false'
	hears usr '"exit 8" USR1'
	must_work prism stop -s USR1 usr
	must_work prism inspect -f '{{.State.ExitCode}}' usr
	prints 8
	hears quit '"exit 7" INT' --stop-signal INT
	must_work prism stop quit
	must_work prism inspect -f '{{.State.ExitCode}}' quit
	prints 7
	# It hears and does not go: killed when its time is over.
	hears stay '"echo heard" TERM'
	must_work prism stop -t 5 stay
	must_work prism inspect -f '{{.State.ExitCode}}' stay
	prints 137
	grep -q heard "$T/stay.out" || explain "it must have heard first"
	gone term usr quit stay
}

@test "stop of a program that would not hear: at once, and says so" {
	need ROOT OVERLAY
	bg deaf --init=no --stop-timeout 10000 busybox sleep 1000
	must_work timeout 100 "$PRISM_BIN" stop deaf
	says 'deaf has no handler for SIGTERM: killed at once'
	must_work prism inspect -f '{{.State.ExitCode}}' deaf
	prints 137
	bg deaf2 --stop-timeout 10000 busybox sh -c 'trap "" TERM; echo ready; exec sleep 1000'
	wait_for grep -q ready "$T/deaf2.out"
	must_work timeout 100 "$PRISM_BIN" stop deaf2
	says 'deaf2 has no handler for SIGTERM'
	gone deaf deaf2
}

@test "stop of several at once takes as long as the slowest" {
	need ROOT OVERLAY
	for i in 1 2 3; do
		hears "s$i" '"echo heard" TERM'
	done
	"$PRISM_BIN" stop -t 10000 s1 nope s2 s3 >"$T/stop" 2>"$T/stop.err" 3>&- &
	stop=$!
	# All hear of it before one has ended.
	for i in 1 2 3; do
		wait_for grep -q heard "$T/s$i.out"
	done
	must_work prism kill s1 s2 s3
	status=0
	wait $stop || status=$?
	[ "$status" = 1 ]
	grep -q 'No such container: nope' "$T/stop.err"
	[ "$(cat "$T/stop")" = $'s1\ns2\ns3' ]
	gone s1 s2 s3
}

@test "kill: SIGKILL, or another signal that only arrives" {
	need ROOT OVERLAY
	hears k '"echo got" HUP'
	must_work prism kill -s HUP k
	prints k
	wait_for grep -q got "$T/k.out"
	is k running || explain "it must still run"
	must_work prism kill k
	must_work prism inspect -f '{{.State.ExitCode}}' k
	prints 137
	must_fail 1 prism kill -s NOPE k
	says 'Invalid signal: NOPE'
	gone k
}

@test "pause: nothing runs, nothing is lost; stop works all the same" {
	need ROOT OVERLAY
	bg p busybox sh -c 'n=0; while :; do n=$((n + 1)); echo $n >/n; sleep 0.02; done'
	upper=$(prism inspect -f '{{.GraphDriver.Data.UpperDir}}' p)
	wait_for test -s "$upper/n"
	must_work prism pause p
	prints p
	must_work prism ps --format '{{.State}} {{.Status}}'
	has '^paused Up .* \(Paused\)$'
	must_work prism inspect -f '{{.State.Paused}} {{.State.Running}}' p
	prints 'true true'
	before=$(cat "$upper/n")
	sleep 0.3
	[ "$before" = "$(cat "$upper/n")" ] || explain "it went on"
	must_fail 1 prism pause p
	says 'already paused'
	must_work prism unpause p
	must_fail 1 prism unpause p
	says 'is not paused'
	wait_for eval "[ '$before' != \"\$(cat '$upper/n')\" ]"
	must_work prism pause p
	must_work prism stop p
	is p exited || explain "stopped"
	must_fail 1 prism pause p
	gone p
}

@test "pause: also while a parent waits for its vfork" {
	need ROOT OVERLAY
	"${MUSL_CC:-musl-gcc}" -D_GNU_SOURCE -static -Os -o "$T/vforks" \
		"$LIB/vforks.c"
	bg v -v "$T/vforks:/vforks" busybox /vforks /go
	wait_for grep -q ready "$T/v.out"
	must_work prism pause v
	is v paused || explain "paused"
	must_work prism unpause v
	is v running || explain "running"
	must_work prism exec v touch /go
	ended
	# Nothing that was to stop it waits for it still.
	grep -q 'done' "$T/v.out"
	must_work prism inspect -f '{{.State.ExitCode}}' v
	prints 0
	gone v
}

@test "wait: the code, also of one that is removed at its end" {
	need ROOT OVERLAY
	hears w '"exit 6" TERM' --rm
	"$PRISM_BIN" wait w >"$T/code" 3>&- &
	waiter=$!
	# It waits, and does not only begin to.
	wait_for eval "ls -l /proc/$waiter/fd | grep -q 'spec.json'"
	must_work prism stop w
	wait $waiter
	[ "$(cat "$T/code")" = 6 ] || explain "code: $(cat "$T/code")"
	ended
	must_exit 5 prism run --name x busybox sh -c 'exit 5'
	must_work prism wait x x
	prints '5
5'
	must_fail 1 prism wait nope
	gone x
}

@test "rm: several, -f, and what it refuses" {
	need ROOT OVERLAY
	bg r busybox sleep 1000
	must_fail 1 prism rm r
	says 'is running'
	must_work prism create --name s busybox true
	must_work prism rm -f r s nope
	prints 'r
s'
	says 'No such container: nope'
	must_fail 1 prism rm nope
	ended
	must_work prism ps -aq
	prints ''
}

@test "container prune" {
	need ROOT OVERLAY
	bg stays busybox sleep 1000
	must_work prism create --name goes -l a=b busybox true
	must_work prism create --name label busybox true
	must_work prism container prune -f --filter label=a=b
	has '^Deleted Containers:$'
	has '^Total reclaimed space: 0B$'
	must_work prism container prune </dev/null
	has 'Are you sure you want to continue\? \[y/N\]'
	must_work prism ps -a --format '{{.Names}}'
	prints 'label
stays'
	must_work prism container prune -f
	must_work prism ps -a --format '{{.Names}}'
	prints stays
	must_work prism stop stays
	gone stays
}

@test "inspect: what scripts ask for" {
	need ROOT OVERLAY
	bg i -e A=b -w /tmp -u 1000:1000 -l k=v -v "$T:/mnt:ro" --hostname h \
		busybox sleep 1000
	ask()
	{
		must_work prism inspect -f "$1" i
		prints "$2"
	}
	ask '{{.State.Status}}' running
	ask '{{.State.Running}}' true
	ask '{{.Name}}' /i
	ask '{{.Path}} {{join .Args ","}}' 'sleep 1000'
	ask '{{.Config.Image}}' busybox
	ask '{{index .Config.Labels "k"}}' v
	ask '{{.Config.WorkingDir}} {{.Config.User}} {{.Config.Hostname}}' \
		'/tmp 1000:1000 h'
	must_work prism inspect -f '{{range .Config.Env}}{{println .}}{{end}}' i
	has '^A=b$'
	ask '{{json .Config.Cmd}}' '["sleep","1000"]'
	ask '{{json .Config.Entrypoint}}' null
	ask '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}}{{end}}' \
		'bind /mnt false'
	ask '{{.HostConfig.RestartPolicy.Name}}' no
	ask '{{.HostConfig.NetworkMode}}' none
	ask '{{.HostConfig.Privileged}}' false
	ask '{{json .NetworkSettings.Ports}}' '{}'
	must_work prism inspect -f '{{.State.Pid}}' i
	[ -d "/proc/$output" ] || explain "a process of the host"
	must_work prism inspect i
	python3 -c 'import json,sys; assert len(json.load(sys.stdin)) == 1' \
		<<<"$output"
	must_work prism container inspect i
	must_fail 1 prism container inspect busybox 2>/dev/null || true
	must_work prism stop i
	gone i
}

@test "top and port" {
	need ROOT OVERLAY
	bg t busybox sh -c 'sleep 999; true'
	wait_for eval 'prism top t | grep -q " sleep 999$"'
	must_work prism top t
	has '^UID +PID +PPID +C +STIME +TTY +TIME +CMD$'
	has '^root +[0-9]+ .* sleep 999$'
	must_work prism port t
	prints ''
	must_fail 1 prism port t 80
	says "No public port '80/tcp' published for t"
	must_work prism stop t
	must_fail 1 prism top t
	says 'is not running'
	gone t
}

@test "generate systemd" {
	need ROOT OVERLAY
	must_work prism generate systemd
	has '^ExecStart=/.*prism .*start --all-restart$'
	has '^WantedBy=multi-user.target$'
	must_work prism create --name svc busybox true
	must_work prism generate systemd svc
	has '^ExecStart=/.*prism .*start --attach svc$'
	has '^ExecStop=/.*prism .*stop svc$'
	must_fail 1 prism generate systemd nope
	gone svc
}

@test "kill -9 of the monitor: ps tells the truth, and rm leaves nothing" {
	need ROOT OVERLAY
	bg m busybox sleep 1000
	kill -9 "${BG[-1]}"
	ended
	wait_for is m exited
	must_work prism inspect -f '{{.State.ExitCode}} {{.State.Pid}}' m
	prints '137 0'
	must_work prism ps -a --format '{{.Status}}'
	has '^Exited \(137\) .* ago$'
	gone m
	bg r --rm busybox sleep 1000
	kill -9 "${BG[-1]}"
	ended
	wait_for eval '[ -z "$(prism ps -aq)" ]'
}
