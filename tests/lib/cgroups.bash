# The cgroups of a test, and which controllers there are for it:
# `load ../lib/cgroups`, behind common.
# shellcheck shell=bash

# What prism made and nobody else: /prism of each hierarchy, and what --parent
# of a test named.
cgroups_of()
{
	find /sys/fs/cgroup -type d \
		\( -path '*/prism/*' -o -path '*/prism-test*' \) 2>/dev/null |
		grep -E '/(prism|prism-test[^/]*)(/|$)' |
		grep -E '/[0-9a-f]{64}$|/prism-test'
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
