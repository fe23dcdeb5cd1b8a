#!/usr/bin/env bats
# What a container sees of the machine, and what it may do: namespaces,
# capabilities, seccomp, /proc, /sys, /dev. As root.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

run()
{
	prism run --rm "$@"
}

# status_of FIELD [RUN-OPTION...]: a line of /proc/self/status inside.
status_of()
{
	local field=$1

	shift
	run "$@" busybox sed -n "s/^$field:[[:space:]]*//p" /proc/self/status
}

@test "all namespaces are the container's own" {
	must_work run busybox sh -c \
		'for n in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$n; done'
	for n in mnt pid uts ipc net cgroup; do
		has "^$n:"
		has_not "^$(readlink /proc/self/ns/$n | sed 's/[][]/\\&/g')\$"
	done
	must_work run --network host busybox readlink /proc/self/ns/net
	prints "$(readlink /proc/self/ns/net)"
}

@test "--network none: lo is up and alone" {
	must_work run --network none busybox ip addr
	has '^1: lo: <LOOPBACK,UP'
	has 'inet 127\.0\.0\.1/8'
	[ "$(grep -c '^[0-9]*: .*UP' <<<"$output")" = 1 ] || explain "lo alone"
	must_work run busybox ping -c 1 127.0.0.1
}

@test "the default capabilities are Docker's, in all five sets" {
	must_work run busybox grep ^Cap /proc/self/status
	[ "$output" = "CapInh:	0000000000000000
CapPrm:	00000000a80425fb
CapEff:	00000000a80425fb
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000" ] || explain "Docker's default set"
	must_work run -u app busybox grep ^Cap /proc/self/status
	[ "$output" = "CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000" ] || explain "an ordinary user has none"
}

@test "--cap-add and --cap-drop, in any spelling" {
	must_work status_of CapEff --cap-drop ALL
	prints 0000000000000000
	must_work status_of CapEff --cap-drop all --cap-add CAP_NET_RAW --cap-add chown
	prints 0000000000002001
	must_work status_of CapBnd --cap-drop MKNOD
	prints 00000000a00425fb
	# CAP_NET_ADMIN is bit 12; a user who asks for it gets it, ambient too.
	must_work status_of CapAmb --cap-add NET_ADMIN -u app
	prints 0000000000001000
	must_work status_of CapEff --cap-add NET_ADMIN -u app
	prints 0000000000001000
}

@test "seccomp and no_new_privs are on, and can be switched off" {
	must_work run busybox grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
	prints $'NoNewPrivs:\t1\nSeccomp:\t2'
	must_work status_of Seccomp --security-opt seccomp=unconfined
	prints 0
	must_work status_of NoNewPrivs --security-opt no-new-privileges=false
	prints 0
}

@test "the default profile denies what Docker's denies" {
	# CLONE_NEWUSER, mount and ptrace-less things that need capabilities.
	must_exit 1 run busybox unshare -U true
	must_exit 1 run busybox mount -t tmpfs none /mnt
	must_exit 1 run busybox sh -c 'mkdir -p /m && mount -t tmpfs none /m'
	# With the capability the profile lets it through.
	must_work run --cap-add SYS_ADMIN busybox sh -c \
		'mkdir -p /m && mount -t tmpfs none /m && grep " /m tmpfs" /proc/mounts'
}

@test "a seccomp profile of the user's own" {
	cat >"$T/profile.json" <<-'END'
	{"defaultAction": "SCMP_ACT_ALLOW",
	 "syscalls": [{"names": ["mkdir", "mkdirat"],
	               "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}
	END
	must_exit 1 run --security-opt "seccomp=$T/profile.json" busybox mkdir /x
	says 'Permission denied'
	must_work run --security-opt "seccomp=$T/profile.json" busybox touch /x
	echo '{"defaultAction": 3' >"$T/profile.json"
	must_fail 125 run --security-opt "seccomp=$T/profile.json" busybox true
	says 'profile.json'
}

@test "/proc is the container's own, with Docker's masks" {
	# The shell is not PID 1: prism's reaper is.
	must_work run busybox sh -c 'ls /proc | grep -c "^[0-9]"'
	[ "$output" -le 5 ] || explain "no processes of the host"
	# Not every kernel has each of them.
	must_work run busybox sh -c 'for f in kcore keys timer_list interrupts
		do [ ! -e /proc/$f ] || cat /proc/$f; done 2>&1 | head -c 10'
	prints ''
	for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware \
		/sys/devices/virtual/powercap; do
		[ ! -d "$d" ] || {
			must_work run busybox ls -A "$d"
			prints ''
		}
	done
	for f in /proc/sys/kernel/hostname /proc/sysrq-trigger; do
		# Kernels without CONFIG_MAGIC_SYSRQ have no sysrq-trigger.
		[ -e "$f" ] || continue
		must_exit 1 run busybox sh -c "echo x >$f"
		says 'Read-only file system'
	done
	must_exit 1 run busybox sh -c 'echo 1 >/proc/irq/default_smp_affinity'
	must_work run busybox grep -E ' /proc proc ' /proc/mounts
	has 'nosuid,nodev,noexec'
}

@test "/sys is there and read-only, cgroups too" {
	must_work run busybox grep -E ' /sys sysfs ' /proc/mounts
	has ' ro,nosuid,nodev,noexec'
	must_exit 1 run busybox mkdir /sys/fs/cgroup/x
	must_work run --network host busybox ls /sys/class/net/lo
	must_exit 1 run --network host busybox sh -c 'echo 1 >/sys/kernel/mm/ksm/run'
}

@test "/dev: nodes, links, pts, shm, mqueue" {
	must_work run busybox sh -c 'for n in null zero full random urandom tty; do
		stat -c "%n %t:%T %a" /dev/$n; done'
	prints "/dev/null 1:3 666
/dev/zero 1:5 666
/dev/full 1:7 666
/dev/random 1:8 666
/dev/urandom 1:9 666
/dev/tty 5:0 666"
	must_work run busybox sh -c 'cd /dev; for l in fd stdin stdout stderr ptmx core; do
		echo $l $(readlink $l); done'
	prints "fd /proc/self/fd
stdin /proc/self/fd/0
stdout /proc/self/fd/1
stderr /proc/self/fd/2
ptmx pts/ptmx
core /proc/kcore"
	must_work run busybox cat /proc/mounts
	has '^[a-z]+ /dev tmpfs .*nosuid.*mode=755'
	has '^devpts /dev/pts devpts .*nosuid,noexec.*gid=5,mode=620,ptmxmode=666'
	has '^[a-z]+ /dev/shm tmpfs .*nosuid,nodev,noexec.*size=65536k'
	has '^mqueue /dev/mqueue mqueue .*nosuid,nodev,noexec'
	must_work run busybox sh -c 'stat -c %a /dev/shm; echo x >/dev/null; head -c 4 /dev/zero | wc -c'
	prints $'1777\n4'
	must_exit 1 run busybox sh -c 'echo x >/dev/full'
	must_work run busybox find /dev -type b
	prints ''
}

@test "nothing of the host's mounts, descriptors or programs is inside" {
	must_work run busybox cat /proc/mounts
	has '^overlay / overlay '
	# Only the three files that prism gives it come from the host's disk.
	must_not grep -vE ' /etc/(hosts|hostname|resolv.conf) ' \
		<(grep "$(findmnt -n -o SOURCE / | sed 's|.*|^& |')" <<<"$output")
	exec 7<"$T"
	must_work run busybox sh -c 'ls /proc/self/fd'
	exec 7<&-
	[ "$(tr '\n' ' ' <<<"$output")" = '0 1 2 3 ' ] ||
		explain "0 1 2 and the directory that ls reads"
	# CVE-2019-5736: what PID 1 executes is no file of the host.
	must_work run busybox sh -c 'ls -l /proc/1/exe 2>&1; dd if=/dev/null of=/proc/1/exe 2>&1 || true'
	has_not "$(dirname "$PRISM_BIN")"
	cmp "$PRISM_BIN" "$PRISM_TEST_BUILD/prism"
}

@test "a device cannot be made usable, nor the host's root reached" {
	# CAP_MKNOD is in the set, but what it makes leads nowhere: the kernel's
	# log here (1:11), which every machine has, stands for a disk. The image,
	# a volume and /dev itself.
	mkdir "$T/v"
	mknod "$T/v/old" c 1 11
	for dir in / /tmp /dev /v; do
		must_exit 1 run -v "$T/v:/v" busybox sh -c \
			"mknod ${dir%/}/new c 1 11 && echo x >${dir%/}/new"
		says 'Permission denied'
	done
	must_exit 1 run -v "$T/v:/v" busybox sh -c 'echo x >/v/old'
	# Those of /dev work, and one that is named as a volume.
	must_work run -v /dev/zero:/z busybox sh -c \
		'echo x >/dev/null; cat /z /dev/zero | head -c 2 | wc -c'
	prints 2
	must_exit 1 run busybox sh -c 'mkdir /m && mount -t proc proc /m'
	must_work run busybox sh -c 'ls -d /proc/1/root/etc 2>/dev/null; cd /; cd ..; pwd'
	has '^/$'
	must_fail 126 run -w /proc/self/fd/7 busybox pwd || must_exit 0 run -w /tmp busybox true
}

@test "PID 1 reaps, and --init=no makes the program PID 1" {
	must_work run busybox sh -c 'echo $$; for i in 1 2 3 4 5; do
		(sleep 0.05 & ) ; done; n=0
		while ps -o stat,comm | grep -qE "^Z| sleep$" && [ $n -lt 600 ]; do
			usleep 100000; n=$((n + 1)); done
		ps -o stat,comm | grep -c "^Z" || true'
	[ "$(tail -n 1 <<<"$output")" = 0 ] || explain "no zombies"
	[ "$(head -n 1 <<<"$output")" != 1 ] || explain "the shell is not PID 1"
	must_work run --init=no busybox sh -c 'echo $$'
	prints 1
}

@test "a program that is an init itself becomes PID 1" {
	mkdir -p "$T/v"
	printf '#!/bin/sh\necho pid $$\n' >"$T/v/tini"
	chmod 0755 "$T/v/tini"
	must_work run -v "$T/v/tini:/sbin/tini" busybox /sbin/tini
	prints 'pid 1'
	must_work run -v "$T/v/tini:/init" busybox /init
	prints 'pid 1'
}

@test "hostname and mounts of the host are as before" {
	# Of a host whose mounts no test beside this one changes, and where each
	# mount would reach all.
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m sh -ec 'mount --make-rshared /
		all() { hostname; sort /proc/self/mountinfo; }
		before=$(all)
		"$1" run --rm --hostname other --cap-add SYS_ADMIN busybox sh -c \
			"hostname third; mkdir /m; mount -t tmpfs x /m"
		[ "$(all)" = "$before" ]' - "$PRISM_BIN"
}

@test "--userns auto: root inside is nobody outside" {
	need USERNS
	must_work run --userns auto busybox sh -c 'id -u; cat /proc/self/uid_map'
	has '^0$'
	has_not '^ +0 +0 +4294967295$'
}

@test "umask, oom score and nice are plain" {
	must_work run busybox sh -c 'umask; cat /proc/self/oom_score_adj'
	prints "0022
$(cat /proc/self/oom_score_adj)"
}
