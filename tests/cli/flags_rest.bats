#!/usr/bin/env bats
# Flags of several commands that docs/compat.md calls the same, and that no
# other file has a test for.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

teardown()
{
	if [ -n "${FAKE:-}" ]; then
		kill "$FAKE" 2>/dev/null || true
		wait "$FAKE" 2>/dev/null || true
	fi
	test_teardown
}

# keys TEXT CMD...: after "ready" these keys, on a terminal; prints the code.
keys()
{
	python3 - "$@" <<-'END'
	import os, pty, sys
	pid, master = pty.fork()
	if pid == 0:
	    os.execv(sys.argv[2], ['prism'] + sys.argv[3:])
	seen = b''
	while b'ready' not in seen:
	    seen += os.read(master, 100)
	os.write(master, sys.argv[1].encode())
	_, status = os.waitpid(pid, 0)
	print(os.waitstatus_to_exitcode(status))
	END
}

ready='while :; do echo ready; sleep 0.1; done'

state()
{
	must_work prism inspect -f '{{.State.Status}}' "$1"
	prints "$2"
}

@test "attach --detach-keys, start --detach-keys: other keys, and it goes on" {
	need ROOT OVERLAY
	must_work prism run -dit --name c busybox sh -c "$ready"
	[ "$(keys $'\x18' "$PRISM_BIN" attach --detach-keys ctrl-x c)" = 0 ]
	state c running
	must_work prism stop -t 1 c
	[ "$(keys $'\x02q' "$PRISM_BIN" start -ai --detach-keys ctrl-b,q c)" = 0 ]
	state c running
	must_fail 1 prism attach --detach-keys ctrl-xx c
	must_work prism rm -f c
}

@test "restart --signal, --timeout; stop --signal, --timeout" {
	need ROOT OVERLAY
	ready()
	{
		[ "$(prism logs c | grep -c ready)" = "$1" ]
	}
	# Its own time to stop is one that nobody waits for.
	must_work prism run -d --name c --stop-timeout 10000 busybox sh -c 'trap "echo usr >>/log; exit" USR1
		trap "echo term >>/log" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for ready 1
	must_work prism restart --signal USR1 --timeout 100 c
	must_work prism exec c cat /log
	prints usr
	wait_for ready 2
	must_work timeout 100 "$PRISM_BIN" restart --timeout 1 c
	wait_for ready 3
	must_work timeout 100 "$PRISM_BIN" stop --timeout 1 c
	must_work prism inspect -f '{{.State.ExitCode}}' c
	prints 137
	must_work prism start c
	wait_for ready 4
	must_work prism stop --signal SIGUSR1 --timeout 100 c
	must_work prism inspect -f '{{.State.ExitCode}}' c
	prints 0
	must_fail 1 prism stop --signal NOSUCH c
	must_fail 1 prism restart --signal NOSUCH c
	must_work prism rm c
}

@test "run --sig-proxy=false: the signal is not the program's" {
	need ROOT OVERLAY
	for proxy in true false; do
		"$PRISM_BIN" run --rm --name "c$proxy" --sig-proxy=$proxy busybox sh -c \
			'trap "echo heard; exit 9" TERM; echo ready
			while [ ! -e /go ]; do sleep 0.1; done' \
			>"$T/$proxy" 2>&1 3>&- &
		job=$!
		wait_for grep -q ready "$T/$proxy"
		kill -TERM $job
		wait $job || true
	done
	grep -q heard "$T/true"
	# The client is gone, and the program goes on.
	must_not grep -q heard "$T/false"
	state cfalse running
	must_work prism exec cfalse touch /go
	none_left()
	{
		[ -z "$(prism ps -aq)" ]
	}
	wait_for none_left
}

@test "run --unsetenv-all: the image's variables are not there" {
	need ROOT OVERLAY
	must_work prism run --rm --unsetenv-all -e A=1 busybox /bin/env
	has '^A=1$'
	has_not '^PATH='
	must_work prism run --rm -e A=1 busybox /bin/env
	has '^PATH='
}

@test "run --health-start-period, --health-start-interval" {
	need ROOT OVERLAY
	# Looked at often while it starts, though the interval is long.
	must_work prism run -d --name c --health-cmd 'test -e /up' \
		--health-interval 6000s --health-start-period 5000s \
		--health-start-interval 200ms --health-retries 1 busybox \
		sh -c 'sleep 1; touch /up; sleep 1000'
	healthy()
	{
		[ "$(prism inspect -f '{{.State.Health.Status}}' c)" = healthy ]
	}
	wait_for healthy
	# What fails in that time does not count.
	must_work prism run -d --name d --health-cmd false --health-interval 100ms \
		--health-start-period 5000s --health-start-interval 100ms \
		--health-retries 1 busybox sleep 1000
	tried()
	{
		[ "$(prism inspect -f '{{len .State.Health.Log}}' d)" -ge 3 ]
	}
	wait_for tried
	must_work prism inspect -f '{{.State.Health.Status}}' d
	prints starting
	must_work prism rm -f c d
}

@test "run --arch, --variant choose from an index" {
	PRISM_ROOT=$T/root
	registry_start
	must_work prism create --name c --arch arm64 --variant v8 alpine:3.20
	must_work prism inspect -f '{{.Architecture}} {{.Variant}}' alpine:3.20
	prints 'arm64 v8'
	must_fail 125 prism create --pull always --arch arm --variant v7 alpine:3.20
	must_work prism rm c
	registry_stop
}

@test "rmi --no-prune: the name goes, the content stays" {
	PRISM_ROOT=$T/root
	registry_start
	must_work prism pull -q busybox
	registry_stop
	blobs()
	{
		find "$PRISM_ROOT/blobs" -type f | wc -l
	}
	before=$(blobs)
	must_work prism rmi --no-prune busybox
	has '^Untagged: busybox:latest$'
	has_not '^Deleted'
	[ "$(blobs)" = "$before" ]
	must_work prism images -q
	prints ''
	must_work prism image prune -f
	[ "$(blobs)" = 0 ]
}

@test "history --human" {
	must_work prism history --human=false --format '{{.Size}}' busybox
	has '^[0-9]{4,}$'
	must_work prism history --human --format '{{.Size}}' busybox
	has '^[0-9.]+[kM]B$'
}

@test "pull --authfile: who may" {
	PRISM_ROOT=$T/root
	python3 "$LIB/../registry/fake.py" --layout "$PRISM_TEST_SITE/layout" \
		--port-file "$T/ports" </dev/zero >"$T/fake.log" 2>&1 3>&- &
	FAKE=$!
	wait_for test -s "$T/ports"
	port=$(jq -r .ports.main "$T/ports")
	curl -sf -o /dev/null -d '{"rules": [], "auth": {"kind": "basic",
		"user": "me", "password": "secret"}}' "http://127.0.0.1:$port/_ctl"
	printf '{"auths":{"127.0.0.1:%s":{"auth":"%s"}}}' "$port" \
		"$(printf me:secret | base64)" >"$T/auth.json"
	must_fail 1 prism pull -q "127.0.0.1:$port/x:busybox"
	must_work prism pull -q --authfile "$T/auth.json" "127.0.0.1:$port/x:busybox"
	must_work prism image exists "127.0.0.1:$port/x:busybox"
}

@test "cp --quiet" {
	need ROOT OVERLAY
	echo content >"$T/f"
	must_work prism create --name c busybox
	must_work prism cp -q "$T/f" c:/f
	prints ''
	[ -z "$stderr" ]
	must_work prism cp --quiet c:/f "$T/g"
	[ "$(cat "$T/g")" = content ]
	must_work prism rm c
}

@test "commit --quiet: the id, and nothing else" {
	need ROOT OVERLAY
	must_work prism run --name c busybox touch /f
	must_work prism commit --quiet c made
	[ "$output" = "$(prism inspect -f '{{.Id}}' made)" ]
	[ -z "$stderr" ]
	must_work prism rm c
	must_work prism rmi made
}

@test "run --annotation is kept" {
	need ROOT OVERLAY
	must_work prism create --name c --annotation k=v --annotation two busybox
	must_work prism inspect -f '{{json .Config.Annotations}}' c
	prints '{"k":"v","two":""}'
	must_work prism rm c
}

@test "run --quiet: nothing is said of the pull" {
	need ROOT OVERLAY
	PRISM_ROOT=$T/root
	registry_start
	must_work prism run --rm --quiet busybox echo ran
	prints ran
	[ -z "$stderr" ] || explain 'the pull'
	must_work prism run --rm --quiet --pull always busybox echo ran
	[ -z "$stderr" ] || explain 'the second pull'
	must_work prism run --rm --pull always busybox echo ran
	says 'busybox'
	registry_stop
}
