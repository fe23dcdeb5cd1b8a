# need WORD...: what a test cannot do without. Each probe tries the thing
# itself; what is missing skips the test with the word and the reason, and
# tests/lib/may_skip decides whether CI accepts that.
# shellcheck shell=bash

need()
{
	local word why

	for word in "$@"; do
		if ! why=$("need_$word" 2>&1); then
			skip "needs $word: ${why:-the probe failed}"
		fi
	done
}

need_ROOT()
{
	[ "$(id -u)" = 0 ] || ! echo "not root"
}

need_USER()
{
	[ -n "${TEST_USER:-}" ] || ! echo "there is no ordinary user for tests"
}

need_USERNS()
{
	need_USER && setpriv --reuid="$TEST_USER" \
		--regid="$(id -g "$TEST_USER")" --init-groups \
		unshare -U true 2>&1
}

need_NETNS()
{
	unshare -n true 2>&1
}

need_OVERLAY()
{
	local d status=0

	d=$(mktemp -d "${FT:-/tmp}/need.XXXXXX")
	mkdir "$d/l" "$d/u" "$d/w" "$d/m"
	unshare -m mount -t overlay overlay -o \
		"lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m" 2>&1 || status=1
	rm -rf "$d"
	return $status
}

need_TMPFS()
{
	unshare -m mount -t tmpfs tmpfs /mnt 2>&1
}

need_CGROUP2()
{
	[ -e /sys/fs/cgroup/cgroup.controllers ] ||
		! echo "no cgroup v2 on /sys/fs/cgroup"
}

need_CGROUP1()
{
	grep -q ' - cgroup [^ ]* .*freezer' /proc/self/mountinfo ||
		! echo "no freezer of cgroup v1"
}

need_ALPINE()
{
	[ "${HAVE_ALPINE:-no}" = yes ] || ! echo "the real layers are not here"
}

need_DEBIAN()
{
	[ "${HAVE_DEBIAN:-no}" = yes ] || ! echo "no Debian mirror answered"
}

# need_tool is for programs: need TOOL_umoci.
need_TOOL_umoci()
{
	command -v umoci
}

need_TOOL_strace()
{
	command -v strace
}

need_TOOL_apparmor_parser()
{
	command -v apparmor_parser
}

need_TOOL_docker()
{
	command -v docker
}

need_TOOL_dockerd()
{
	command -v dockerd
}

need_TOOL_podman()
{
	command -v podman
}

need_TOOL_bwrap()
{
	command -v bwrap
}

# need_link KIND WORDS...: can an interface of this kind be made?
need_link()
{
	unshare -n sh -c 'ip link add prism-up type veth peer name prism-down &&
		ip link add link prism-up name prism-on type "$@"' sh "$@" 2>&1
}

need_MACVLAN()
{
	need_link macvlan mode bridge
}

need_IPVLAN()
{
	need_link ipvlan mode l2
}

need_VLAN()
{
	need_link vlan id 10
}

need_IPTABLES_LEGACY()
{
	unshare -n sh -c 'iptables-legacy -P FORWARD ACCEPT &&
		ip6tables-legacy -P FORWARD ACCEPT' 2>&1
}
