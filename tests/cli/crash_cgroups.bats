#!/usr/bin/env bats
# kill -9 of everything between the making of a container's cgroups and their
# removal: the next prism command leaves none of them.
# vm: bare
load ../lib/common
load ../lib/cgroups

setup_file()
{
	file_setup
	file_store busybox
	# Others use /prism at the same time.
	export PARENT=prism-deaths-$$
}

limited()
{
	prism run --network none --name c -m 64m --cpus 1 --pids-limit 50 \
		--cpu-shares 512 --cgroup-parent "$PARENT" "$@"
}

ours()
{
	find /sys/fs/cgroup -type d -path "*/$PARENT*" 2>/dev/null
}

no_cgroups()
{
	[ -z "$(ours)" ]
}

# As long as init is not dead to the end, the container lives.
swept()
{
	must_work prism ps -a -q && no_cgroups
}

# after_it WHAT: the next command, whichever it is, and all is gone.
after_it()
{
	wait_for swept || explain "cgroups left after $1: $(ours)" || return 1
	[ -z "$output" ] || must_work prism rm -f c || return 1
	nothing_left || explain "left after $1"
}

@test "at every point of a start and of an end" {
	need ROOT OVERLAY MEMCG CPUCG PIDSCG
	local point n=0

	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work limited busybox true
	must_work prism rm c
	for point in cgroup-noted cgroup-made cgroup-limited cgroup-entered \
		run-cloned run-recorded cgroup-removed; do
		grep -q "^$point\$" "$T/list" || explain "no crash point $point"
	done
	for point in $(points "$T/list" | grep -E '^(cgroup|run)-'); do
		PRISM_CRASH_AT=$point capture limited busybox true
		after_it "$point" || return 1
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 8 ]
	must_work limited busybox true
	must_work prism rm c
	no_cgroups
}

# after_removal WHAT: its files may be for the next remover, its cgroups not.
after_removal()
{
	must_work prism run --network none --rm busybox true || return 1
	wait_for no_cgroups || explain "cgroups left after $1: $(ours)"
}

@test "at every point of --rm and of rm -f" {
	need ROOT OVERLAY MEMCG CPUCG PIDSCG
	local point n=0

	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work limited --rm busybox true
	wait_for no_cgroups
	for point in $(points "$T/list" | grep -vE '^(cgroup-[^r]|run-)'); do
		PRISM_CRASH_AT=$point capture limited --rm busybox true
		after_removal "--rm at $point" || return 1
		n=$((n + 1))
	done
	must_work limited -d busybox sleep 1000
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work prism rm -f c
	wait_for no_cgroups
	for point in $(points "$T/list"); do
		must_work limited -d busybox sleep 1000
		PRISM_CRASH_AT=$point capture prism rm -f c
		capture prism rm -f c
		after_removal "rm -f at $point" || return 1
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 5 ]
	must_work prism fsck
	nothing_left || explain "left at last"
}

@test "monitor, init and program at once" {
	need ROOT OVERLAY MEMCG CPUCG PIDSCG
	local pid stat

	must_work limited -d busybox sh -c 'sleep 1000 & sleep 1000'
	[ -n "$(ours)" ] || explain "it has none"
	pid=$(prism inspect -f '{{.State.Pid}}' c)
	read -r -a stat <"/proc/$pid/stat"
	kill -9 "${stat[3]}" "$pid"
	wait_for eval '! kill -0 "$pid" 2>/dev/null'
	after_it "the end of all"
}
