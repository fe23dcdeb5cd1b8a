#!/usr/bin/env bats
# A container that sees the processes of the host (--pid host) and has no
# capability but the default ones. While a neighbour starts, or is copied from,
# prism's own processes have the host as their root.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
	"${MUSL_CC:-musl-gcc}" -static -O2 -D_GNU_SOURCE -o "$FT/bin/rootwatch" \
		"$LIB/rootwatch.c"
}

setup()
{
	test_setup
	need ROOT OVERLAY
	started=()
	host=
	mkdir "$T/mine"
	chmod 0711 "$T" "$T/mine"
}

teardown()
{
	if [ ${#started[@]} != 0 ]; then
		p rm -f "${started[@]}" >/dev/null 2>&1 || true
	fi
	if [ -n "$host" ]; then
		kill -9 "$host" || true
		wait "$host" || true
	fi
	test_teardown
}

p()
{
	"${as[@]}" "$PRISM_BIN" "$@"
}

# A pid namespace that is the host's for those in it; $T/go goes there.
make_host()
{
	unshare -pf --mount-proc --kill-child sleep 1000 &
	host=$!
	wait_for grep -q . "/proc/$host/task/$host/children"
	cat >"$T/go" <<-END
		#!/bin/sh
		exec nsenter -t $(cat "/proc/$host/task/$host/children") \
			-p -m -- "\$@"
	END
	chmod 0755 "$T/go"
}

# watched USERNS: starts and copies of neighbours, and nobody reads the canary.
watched()
{
	local i

	echo canary >"$T/mine/canary"
	chmod 0600 "$T/mine/canary"
	[ "${as[0]}" != as_user ] || chown "$TEST_USER:" "$T/mine/canary"
	must_work p run -d --name w --network none --pid host \
		-v "$FT/bin/rootwatch:/rootwatch:ro" busybox \
		/rootwatch "$T/mine/canary" /tmp/stop
	started=(w)
	must_work p create --name c --network none "$@" busybox sleep 1000
	started+=(c)
	for ((i = 0; i < 8; i++)); do
		must_work p run --rm --network none "$@" busybox true
		must_work p cp c:/etc/passwd - >"$T/o"
	done
	must_work p start c
	for ((i = 0; i < 4; i++)); do
		must_work p run --rm --network none --pid container:c \
			--ipc container:c "$@" busybox true
		must_work p exec c true
		must_work p cp c:/etc/passwd - >"$T/o"
	done
	must_work p exec w touch /tmp/stop
	must_work p wait w
	must_work p logs w
	has '^looked at [1-9]'
	has_not '^got '
	must_work p rm -f "${started[@]}"
	started=()
}

@test "--pid host shows no way to the host's root while neighbours start" {
	make_host
	as=("$T/go")
	watched --userns auto
	watched
	need USERNS
	RUN_IN=$T/go
	as=(as_user)
	watched
}
