# The cgroups of a test, and which controllers there are for it:
# `load ../lib/cgroups`, behind common.
# shellcheck shell=bash

# cgroups_of NAME: those of a container that is there.
cgroups_of()
{
	find /sys/fs/cgroup -type d -name "$(prism inspect -f '{{.Id}}' "$1")" \
		2>/dev/null
}

no_empty_cgroup()
{
	local dir procs

	left=
	for dir in /sys/fs/cgroup{,/*}/prism{,-test*}/[0-9a-f]*; do
		[ -e "$dir/cgroup.procs" ] || continue
		take procs "$dir/cgroup.procs" 2>/dev/null || continue
		[ -n "$procs" ] || left+=" $dir"
	done
	[ -z "$left" ]
}

# Those of no container: without a process. Others may make containers on this
# machine meanwhile, so it is looked for a while until there is none.
no_cgroups_left()
{
	local left

	wait_for no_empty_cgroup || {
		printf 'cgroups left:%s\n' "$left"
		return 1
	}
}

# has_controller V1 V2: mounted somewhere.
has_controller()
{
	grep -qE " - cgroup [^ ]+ [^ ]*\b$1\b" /proc/self/mountinfo ||
		grep -qw "$2" /sys/fs/cgroup/cgroup.controllers 2>/dev/null
}

need_MEMCG()
{
	has_controller memory memory || ! echo "no memory controller"
}

need_CPUCG()
{
	has_controller cpu cpu || ! echo "no cpu controller"
}

need_PIDSCG()
{
	has_controller pids pids || ! echo "no pids controller"
}

need_CPUSETCG()
{
	has_controller cpuset cpuset || ! echo "no cpuset controller"
}

need_IOCG()
{
	has_controller blkio io || ! echo "no io controller"
}
