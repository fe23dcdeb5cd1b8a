#!/usr/bin/env bats
# top: the columns that ps of the host would show, of the container alone.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

teardown()
{
	prism rm -f t >/dev/null 2>&1 || true
	test_teardown
}

@test "top: -ef, aux, ax, and -o agree with the ps of the host" {
	need ROOT OVERLAY
	must_work prism run -d --name t busybox sh -c 'sleep 1000 & sleep 1001'
	both()
	{
		[ "$(prism top t -o pid,stat,comm | grep -cE ' S[^ ]* +sleep$')" = 2 ]
	}
	wait_for both
	must_work prism top t
	has '^UID +PID +PPID +C +STIME +TTY +TIME +CMD$'
	has '^root +[0-9]+ .* sleep 1001$'
	ef=$output
	must_work prism top t -ef
	[ "$(wc -l <<<"$output")" = "$(wc -l <<<"$ef")" ]
	must_work prism top t aux
	has '^USER +PID +%CPU +%MEM +VSZ +RSS +TTY +STAT +START +TIME +COMMAND$'
	must_work prism top t ax
	has '^PID +TTY +STAT +TIME +COMMAND$'
	must_work prism top t -o pid
	has '^PID$'
	pids=$(tail -n +2 <<<"$output")
	[ "$(wc -l <<<"$pids")" -ge 3 ] || explain 'init, sh or sleep, and sleep'
	list=pid,ppid,user,uid,comm,vsz,rss,stat,tty,ni,pri,args
	must_work prism top t -o "$list"
	ps -o "$list" -p "$(paste -sd, <<<"$pids")" >"$T/ps"
	diff <(tr -s ' ' <<<"$output" | sed 's/ $//' | sort) \
		<(sed 's/^ *//; s/ *$//' "$T/ps" | tr -s ' ' | sort)
	must_work prism top t "-eo pid,etime,time,pcpu,pmem,rss"
	has '^PID +ELAPSED +TIME +%CPU +%MEM +RSS$'
	has '^[0-9]+ +[0-9:]+ +00:00:0[0-9] +[0-9.]+ +[0-9.]+ +[0-9]+$'
	must_fail 1 prism top t -o comm
	says "Couldn't find PID field in ps output"
	must_fail 1 prism top t -o pid,wchan
	says "unknown column 'wchan'"
	must_fail 1 prism top t -l
	says "option of ps '-l'"
	must_work prism rm -f t
	must_fail 1 prism top t
	says 'No such container: t'
}
