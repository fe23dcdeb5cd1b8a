#!/usr/bin/env bats
# prism run on a stock kernel, by root and by an ordinary user.
# vm: bare systemd
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

@test "the kernel is a stock one with cgroup v2 and all controllers" {
	local c

	must_work uname -r
	has '^6\.[0-9.]+-[0-9]+-amd64$'
	must_work cat /sys/fs/cgroup/cgroup.controllers
	for c in cpu cpuset io memory pids; do
		has "(^| )$c( |\$)"
	done
}

@test "root runs a container, and it is one" {
	must_work prism run --rm busybox sh -c 'cat /proc/1/comm; id -u; cat /proc/self/cgroup'
	has_not '^(bash|systemd)$'
	has '^0$'
	has '^0::/'
}

@test "an ordinary user runs a container" {
	must_work as_user "$PRISM_BIN" run --rm busybox \
		sh -c 'ls -d /proc/[0-9]* | wc -l; id -u; touch /new; ls /new'
	has '^[2-5]$'
	has '^0$'
	has '^/new$'
}

@test "exec, logs and the exit code of a detached container" {
	must_work prism run -d --name web busybox sh -c 'echo said; sleep 1000'
	must_work prism exec web sh -c 'exit 0'
	wait_for eval '[ "$(prism logs web)" = said ]'
	must_work prism kill web
	must_exit 0 prism wait web
	prints 137
	must_work prism rm web
}
