#!/usr/bin/env bats
# prism logs, and the log that it reads. As root.
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

# kept ARG...: a container that ran to its end; $id.
kept()
{
	rm -f "$T/cid"
	capture prism run --cidfile "$T/cid" "$@"
	id=$(cat "$T/cid")
}

@test "a foreground container without --rm keeps what it wrote, as docker writes it" {
	need ROOT OVERLAY
	kept busybox sh -c 'printf "a\tb <&> \"q\" \\ \033[1m\n"; echo err >&2; printf "no end"'
	prints $'a\tb <&> "q" \\ \e[1m\nno end'
	[ "$stderr" = err ]
	sed 's/,"time":"[0-9T:.-]*Z"//' "$PRISM_ROOT/containers/$id/log" | sort >"$T/log"
	sort >"$T/want" <<-'END'
	{"log":"a\u0009b \u003c\u0026\u003e \"q\" \\ \u001b[1m\n","stream":"stdout"}
	{"log":"no end","stream":"stdout"}
	{"log":"err\n","stream":"stderr"}
	END
	diff "$T/want" "$T/log"
	must_work prism logs "$id"
	prints $'a\tb <&> "q" \\ \e[1m\nno end'
	[ "$stderr" = err ]
	must_work prism rm "$id"
}

@test "--tail, --since, --until, -t" {
	need ROOT OVERLAY
	kept busybox sh -c 'echo one; echo two; sleep 2; echo three'
	must_work prism logs --tail 2 "$id"
	prints $'two\nthree'
	must_work prism logs -n 0 "$id"
	prints ''
	must_work prism logs --tail all "$id"
	prints $'one\ntwo\nthree'
	must_work prism logs -t "$id"
	[ "$(grep -cE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z (one|two|three)$' <<<"$output")" = 3 ]
	third=$(tail -n 1 <<<"$output" | cut -d' ' -f1)
	must_work prism logs --since "$third" "$id"
	prints three
	must_work prism logs --until "$(date -d "$third" +%s)" "$id"
	prints $'one\ntwo'
	must_work prism logs --since 10m "$id"
	prints $'one\ntwo\nthree'
	must_work prism logs --until 10m "$id"
	prints ''
	must_work prism logs --since "$(date -d '1 hour' +%s)" "$id"
	prints ''
	must_fail 1 prism logs --since yesterday "$id"
	must_fail 1 prism logs --tail x "$id"
	must_work prism rm "$id"
}

@test "-f follows to the end, over restarts and rotation, and loses nothing" {
	need ROOT OVERLAY
	must_work prism run -d --log-opt max-size=2k --log-opt max-file=20 busybox \
		sh -c 'sleep 1; for i in $(seq 100); do echo line $i; done; sleep 1; echo end'
	id=$output
	must_work timeout 100 "$PRISM_BIN" logs -f "$id"
	[ "$(wc -l <<<"$output")" = 101 ]
	[ "$(tail -n 1 <<<"$output")" = end ]
	must_work prism rm "$id"
	must_work prism run -d --restart on-failure:2 busybox sh -c 'echo run; exit 1'
	id=$output
	must_work timeout 100 "$PRISM_BIN" logs -f "$id"
	prints $'run\nrun\nrun'
	must_work prism rm "$id"
}

@test "-f ends when the monitor is killed, and at once for one that is over" {
	need ROOT OVERLAY
	must_work prism run -d busybox sh -c 'echo here; sleep 1000'
	id=$output
	timeout 100 "$PRISM_BIN" logs -f "$id" >"$T/o" 3>&- &
	job=$!
	wait_for grep -q here "$T/o"
	must_work prism rm -f "$id"
	wait "$job"
	[ "$(cat "$T/o")" = here ]
}

@test "-f ends when the container can be removed, and not before" {
	need ROOT OVERLAY TOOL_strace
	DELAY_US=2000000 must_work slowly "$PRISM_BIN" run -d --cidfile "$T/cid" \
		busybox echo said
	id=$(cat "$T/cid")
	# Its monitor answers nobody any more, and has yet to record the end.
	answers_nobody()
	{
		[ ! -e "$PRISM_ROOT/containers/$id/attach" ]
	}
	wait_for answers_nobody
	must_work timeout 100 "$PRISM_BIN" logs -f "$id"
	prints said
	must_work prism rm "$id"
}

@test "a reader that leaves is no error" {
	need ROOT OVERLAY
	kept busybox seq 100000
	status=0
	timeout 100 bash -c 'set -o pipefail; "$1" logs "$2" | head -n 1' - \
		"$PRISM_BIN" "$id" >"$T/o" 2>"$T/e" || status=$?
	[ "$(cat "$T/o")" = 1 ]
	[ ! -s "$T/e" ]
	must_work prism rm "$id"
}

@test "long lines and binary bytes come back, as docker keeps them" {
	need ROOT OVERLAY
	kept busybox sh -c 'head -c 50000 /dev/zero | tr "\0" x; echo; echo end'
	must_work prism logs "$id"
	[ "${#output}" = 50004 ]
	[ "$(wc -l <"$PRISM_ROOT/containers/$id/log")" = 5 ]
	must_work prism rm "$id"
}

@test "there is none: with --log-driver none, with --rm in the foreground, of nobody" {
	need ROOT OVERLAY
	kept --log-driver none busybox echo seen
	prints seen
	must_fail 1 prism logs "$id"
	says '[-]-log-driver none'
	must_work prism rm "$id"
	must_fail 1 prism logs nobody
	says 'No such container: nobody'
	must_work prism run -d --log-driver none busybox sleep 1000
	id=$output
	must_fail 1 prism logs "$id"
	must_work prism rm -f "$id"
}

@test "with -t the log is one stream, with the terminal's line ends" {
	need ROOT OVERLAY
	must_work prism run -d -t busybox sh -c 'echo o; echo e >&2; tty'
	id=$output
	must_work timeout 100 "$PRISM_BIN" logs -f "$id"
	prints $'o\r\ne\r\n/dev/pts/0\r'
	[ -z "$stderr" ]
	must_work prism rm "$id"
}

@test "full speed: 100 MB through a log, binary-safe through to the caller" {
	need ROOT OVERLAY
	head -c 100000000 /dev/urandom >"$T/in"
	rm -f "$T/cid"
	prism run -i --cidfile "$T/cid" --log-opt max-size=1m busybox cat \
		<"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
	must_work prism rm "$(cat "$T/cid")"
	rm "$T/in" "$T/out"
}

@test "compress: what is full becomes .gz, and logs reads it back" {
	need ROOT OVERLAY
	kept --log-opt max-size=4k --log-opt max-file=30 --log-opt compress=true \
		busybox seq 1000
	[ "$(find "$PRISM_ROOT/containers/$id" -name 'log.[0-9]*' ! -name '*.gz')" = '' ]
	[ "$(find "$PRISM_ROOT/containers/$id" -name 'log.*.gz' | wc -l)" -gt 5 ]
	gzip -t "$PRISM_ROOT/containers/$id"/log.*.gz
	must_work prism logs "$id"
	prints "$(seq 1000)"
	must_work prism logs --tail 500 "$id"
	prints "$(seq 501 1000)"
	must_work prism rm "$id"
	must_work prism run -d --log-opt max-size=4k --log-opt max-file=30 \
		--log-opt compress=true busybox \
		sh -c 'sleep 0.3; seq 500; sleep 0.3; seq 501 1000'
	id=$output
	must_work timeout 100 "$PRISM_BIN" logs -f "$id"
	prints "$(seq 1000)"
	must_work prism rm "$id"
}

@test "labels, env and tag: attrs in each record, shown by --details" {
	need ROOT OVERLAY
	rm -f "$T/cid"
	kept --name tagged -l a=b -l 'c d=e&f' -l g=h -e V=1 -e WHO='x=y' \
		--log-opt 'labels=a,c d,none' --log-opt env=V --log-opt env-regex='^WH' \
		--log-opt 'tag={{.Name}}/{{.ID}}/{{index .ContainerLabels "g"}}' busybox echo line
	grep -qF '"stream":"stdout","attrs":{"V":"1","WHO":"x=y","a":"b","c d":"e&f","tag":"tagged/'"${id:0:12}"'/h"},"time":"' \
		"$PRISM_ROOT/containers/$id/log"
	must_work prism logs --details "$id"
	prints "V=1,WHO=x%3Dy,a=b,c+d=e%26f,tag=tagged%2F${id:0:12}%2Fh line"
	must_work prism logs -t --details "$id"
	[[ $output =~ ^20[^\ ]*Z\ V=1,[^\ ]*\ line$ ]]
	must_work prism logs "$id"
	prints line
	must_work prism rm "$id"
	must_fail 125 prism run --log-opt 'tag={{.Nope' busybox true
	says '--log-opt tag'
	must_fail 125 prism run --log-opt 'labels-regex=(' busybox true
	says 'no regular expression'
	must_fail 125 prism run --log-opt compress=true busybox true
	says 'needs max-size'
}
