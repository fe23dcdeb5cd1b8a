# Limits by their effect, on whatever this host has: cgroup v1, v2 or both. The
# same file runs in the virtual machine (tests/vm), where all of v2 is there.
# vm: bare
# disk: a limit of io is one of a block device.
load ../lib/common
load ../lib/cgroups

setup_file()
{
	file_setup
	file_store busybox
}

# No cgroup of a container may be there after a test.
teardown()
{
	# The next test is not to trip over what a failed one left.
	prism rm -f c d >/dev/null 2>&1 || true
	no_cgroups_left || return 1
	test_teardown
}

# traced WORDS...: strace; leaks are looked for by its means too.
traced()
{
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f "$@"
}

run()
{
	prism run --network none --rm "$@"
}

@test "memory: the OOM killer comes, and it is told" {
	need ROOT MEMCG
	must_exit 137 run -m 24m --memory-swap 24m busybox tail /dev/zero
	says 'out of memory: memory.max 25165824 bytes, peak [0-9]+; the kernel killed tail \(pid [0-9]+\)'
	must_work run -m 24m busybox echo fits
	prints fits
	[ -z "$stderr" ] || explain "nothing was killed"
}

@test "memory: inspect says OOMKilled" {
	need ROOT MEMCG
	must_work prism run --network none -d --name c -m 24m --memory-swap 24m \
		busybox tail /dev/zero
	must_work prism wait c
	prints 137
	must_work prism inspect -f '{{.State.OOMKilled}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' c
	prints 'true 25165824 25165824'
	must_work prism inspect -f '{{.State.ExitCode}}: {{.State.Error}}' c
	has '^137: out of memory: memory.max 25165824 bytes, peak [0-9]+; the kernel killed tail'
	must_work prism rm c
	must_work prism run --network none --name d -m 24m busybox true
	must_work prism inspect -f '{{.State.OOMKilled}}' d
	prints false
	must_work prism rm d
}

@test "memory: it is in force at the first instruction" {
	need ROOT MEMCG
	local i

	# A program that allocates at once is killed each time.
	for i in 1 2 3 4 5; do
		must_exit 137 run --init=no -m 16m --memory-swap 16m busybox \
			dd if=/dev/zero of=/dev/null bs=200M count=1
	done
}

# cgroup_of NAME V1 V2: the directory of a running container with this
# controller.
cgroup_of()
{
	local pid

	pid=$(prism inspect -f '{{.State.Pid}}' "$1")
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		sed -n 's|^0::|/sys/fs/cgroup|p' "/proc/$pid/cgroup"
	else
		sed -n "s|^[0-9]*:$2:|/sys/fs/cgroup/$2|p" "/proc/$pid/cgroup"
	fi
}

@test "cpus: spinning programs get half a processor" {
	need ROOT CPUCG
	local file part

	# Two that spin: what they used of the time that went by, in hundredths.
	must_work prism run --network none -d --name c --cpus 0.5 busybox sh -c '
		read begin rest </proc/uptime
		timeout 3 sh -c "while :; do :; done" &
		timeout 3 sh -c "while :; do :; done"
		wait
		read end rest </proc/uptime
		echo "$begin $end $(cat /proc/$$/stat)"
		exec sleep 1000'
	wait_for eval '[ -n "$(prism logs c)" ]'
	must_work prism logs c
	part=$(awk '{ printf "%d", ($18 + $19) / ($2 - $1) }' <<<"$output")
	# Without a limit it would be near 200, and never less than it can be had.
	[ "$part" -ge 5 ] && [ "$part" -le 60 ] || explain "$part percent"
	# The kernel counts when it held them back, however busy the machine is.
	must_work prism update --cpus 0.02 c
	capture prism exec c timeout 2 sh -c 'while :; do :; done'
	file=$(cgroup_of c cpu)/cpu.stat
	must_not grep -qx 'nr_throttled 0' "$file"
	must_work prism rm -f c
}

@test "pids: fork fails at the limit" {
	need ROOT PIDSCG
	must_exit 2 run --pids-limit 4 busybox sh -c \
		'sleep 99 & sleep 99 & sleep 99 & sleep 99 & echo never'
	says "can't fork"
	must_work run --pids-limit 20 busybox sh -c 'true & true & true & wait'
}

@test "cpuset: the affinity says so" {
	need ROOT CPUSETCG
	must_work run --cpuset-cpus 0 busybox sh -c \
		'nproc; grep Cpus_allowed_list /proc/self/status'
	has 'Cpus_allowed_list:[[:space:]]0$'
	# By sched_getaffinity.
	has '^1$'
	must_work run busybox nproc
	[ "$output" -gt 1 ] || [ "$(nproc)" = 1 ] || explain "as without a limit"
	must_work run --cpuset-mems 0 busybox sh -c \
		'grep Mems_allowed_list /proc/self/status'
	has 'Mems_allowed_list:[[:space:]]0$'
}

@test "devices: what no rule allows can neither be made nor opened" {
	need ROOT
	must_work run --device-cgroup-rule 'c 10:237 rm' busybox sh -c '
		mknod /b b 7 0 2>&1 || echo no b
		mknod /k c 10 1 2>&1 || echo no k
		mknod /l c 10 237 && echo made l
		mknod /n c 1 3 && echo x >/n && echo wrote n
		(: >/l) 2>&1 || echo not open for writing'
	has '^no b$'
	has '^no k$'
	has '^made l$'
	has '^wrote n$'
	has 'Operation not permitted'
	has '^not open for writing$'
}

@test "devices: --device with a mode" {
	need ROOT
	must_work run --device /dev/zero:/dev/z:r busybox \
		sh -c 'dd if=/dev/z bs=1 count=1 2>/dev/null | wc -c'
	prints 1
	# Another node than the usual ones, which may be read and written anyway.
	must_work run --device /dev/kmsg:/dev/z:r busybox sh -c \
		'(: <>/dev/z) 2>&1 || echo refused'
	has 'Operation not permitted'
	has '^refused$'
	[[ $stderr != *ignoring* ]] || explain "the mode holds"
}

@test "io: a rate holds" {
	need ROOT IOCG
	local dev start end

	dev=$(findmnt -no SOURCE -T "$T")
	[ -b "$dev" ] || skip "the store is on no block device"
	start=$(date +%s%N)
	must_work run --device-write-bps "$dev:1mb" -v "$T:/t" busybox \
		dd if=/dev/zero of=/t/f bs=64k count=32 oflag=direct
	end=$(date +%s%N)
	# 2 MiB at 1 MiB a second.
	[ $((end - start)) -ge 1300000000 ] || explain "$((end - start)) ns"
}

@test "what the kernel refuses stops the start: file, value, errno" {
	need ROOT CPUSETCG
	must_fail 125 prism run --network none --rm --cpuset-mems 63 busybox true
	says "write '63' to .*/cpuset.mems: (EINVAL|ERANGE|EACCES)"
	must_fail 125 prism run --network none --rm --device-read-bps \
		/dev/null:1mb busybox true
	says 'no block device'
	must_work run --limits=best-effort --cpuset-mems 63 busybox echo ran
	prints ran
	says 'warning: ignoring'
}

@test "limits are written before the program's first process is in" {
	need ROOT MEMCG TOOL_strace
	local born last

	traced -o "$T/trace" -e trace=write,clone3 "$PRISM_BIN" run \
		--network none --rm -m 32m --memory-reservation 16m \
		--memory-swap 48m --cpu-period 100000 --cpu-quota 50000 \
		--pids-limit 50 \
		--device-write-bps "$(findmnt -no SOURCE / | grep ^/dev/ ||
			echo /dev/loop0):9mb" --limits=best-effort busybox true \
		2>"$T/err" || { cat "$T/err"; return 1; }
	# Born in it (v2), or its own "0" into cgroup.procs (v1).
	born=$(grep -nE 'CLONE_INTO_CGROUP|write\([0-9]+, "0", 1\)' "$T/trace" |
		head -n 1 | cut -d: -f1)
	last=$(grep -nE 'write\([0-9]+, "(33554432|50|50000( 100000)?)"' \
		"$T/trace" | tail -n 1 | cut -d: -f1)
	# v2 writes the swap that Docker's default means as well.
	[ "$(grep -cE 'write\([0-9]+, "(33554432|50|50000( 100000)?)"' \
		"$T/trace")" -ge 3 ] || { cat "$T/trace"; return 1; }
	[ -n "$born" ] && [ "$last" -lt "$born" ] ||
		{ echo "limits until $last, born at $born"; return 1; }
}

# What the kernel refuses by itself, and what is made to be refused: each with
# the file, the value and the errno.
@test "a refusal of memory, processors, processes and rates stops the start" {
	need ROOT MEMCG CPUCG PIDSCG IOCG TOOL_strace
	local none=$T/none

	must_fail 125 run --cpu-quota 20000000000000 busybox echo ran
	says "write '20000000000000( 100000)?' to /.*/cpu\.(max|cfs_quota_us): EINVAL"
	[ -z "$output" ] || explain "it ran"
	# No such disk.
	mknod "$none" b 250 77
	must_fail 125 run --device-write-bps "$none:1mb" busybox echo ran
	says "write '250:77 (wbps=)?1048576' to /.*/(io\.max|blkio\.throttle\.write_bps_device): ENODEV"
	[ -z "$output" ] || explain "it ran"
	refuse 33554432 'memory\.(max|limit_in_bytes)' -m 32m
	refuse 77 'pids\.max' --pids-limit 77
	refuse '50000( 100000)?' 'cpu\.(max|cfs_quota_us)' --cpus 0.5
	a_disk
	refuse "$disk (wbps=)?9437184" \
		'(io\.max|blkio\.throttle\.write_bps_device)' \
		--device-write-bps "$T/disk:9mb"
}

# One that there is, by its numbers: $disk, and the node $T/disk.
a_disk()
{
	local file

	for file in /sys/block/*/dev; do
		read -r disk <"$file"
		mknod "$T/disk" b "${disk%:*}" "${disk#*:}"
		return 0
	done
	skip "no disk"
}

# refuse VALUE FILE FLAG...: that write gets EDQUOT, which no limit has itself.
refuse()
{
	local value=$1 file=$2 at n

	shift 2
	traced -y -o "$T/trace" -e trace=write "$PRISM_BIN" run \
		--network none --rm "$@" busybox true
	at=$(grep -E "$file>, \"$value\"" "$T/trace" | head -n 1)
	[ -n "$at" ] || { cat "$T/trace"; return 1; }
	n=$(grep -E "^${at%% *} +write\(" "$T/trace" |
		grep -nxF "$at" | cut -d: -f1)
	must_fail 125 traced -o "$T/trace2" -e trace=write \
		-e "inject=write:error=EDQUOT:when=$n" "$PRISM_BIN" run \
		--network none --rm "$@" busybox echo ran
	says "write '$value' to /.*/$file: EDQUOT"
	[ -z "$output" ] || explain "it ran"
}

# Line by line of what the kernel was asked: all limits, then the birth inside.
@test "v2: cpu.max, memory.max and io.max are written before attach" {
	need ROOT CGROUP2 MEMCG CPUCG IOCG TOOL_strace
	local file dir born at fd

	a_disk
	traced -y -o "$T/trace" -e trace=open,openat,write,clone3 \
		"$PRISM_BIN" run --network none --rm -m 32m --cpus 0.5 \
		--device-write-bps "$T/disk:9mb" busybox true
	born=$(grep -nE 'clone3\(.*CLONE_INTO_CGROUP' "$T/trace")
	[ "$(grep -c . <<<"$born")" = 1 ] || { cat "$T/trace"; return 1; }
	fd=$(sed -n 's/.*, cgroup=\([0-9]*\).*/\1/p' <<<"$born")
	dir=$(head -n "${born%%:*}" "$T/trace" |
		sed -n "s|.* = $fd<\\(.*\\)>\$|\\1|p" | tail -n 1)
	[[ $dir =~ ^/sys/fs/cgroup/prism/[0-9a-f]{64}$ ]] || {
		printf '%s\n%s\n' "$dir" "$born"
		return 1
	}
	for file in 'cpu.max>, "50000 100000"' 'memory.max>, "33554432"' \
		"io.max>, \"$disk wbps=9437184\""; do
		at=$(grep -nF "<$dir/$file" "$T/trace")
		[ -n "$at" ] && [ "${at%%:*}" -lt "${born%%:*}" ] || {
			echo "$file: $at, born: $born"
			return 1
		}
	done
	# It is the only way in: nobody is written into cgroup.procs.
	must_not grep -F "$dir/cgroup.procs" "$T/trace"
}

@test "--cgroup-parent, and its own root in the namespace" {
	need ROOT PIDSCG
	must_work prism run --network none -d --name c --cgroup-parent \
		prism-test-$$ --pids-limit 50 busybox sleep 1000
	must_work prism inspect -f '{{.State.Pid}} {{.HostConfig.CgroupParent}}' c
	has " prism-test-$$\$"
	grep -q "/prism-test-$$/[0-9a-f]*$" "/proc/${output%% *}/cgroup" ||
		explain "not in it"
	must_work prism exec c sh -c 'grep -v ":/$" /proc/self/cgroup || echo root'
	prints root
	must_work prism rm -f c
	must_fail 125 prism run --network none --rm --cgroup-parent a/../b busybox true
	says 'cgroup-parent'
}

@test "a killed monitor leaves a cgroup only until the next command" {
	need ROOT PIDSCG
	local pid

	must_work prism run --network none -d --name c --pids-limit 50 \
		busybox sleep 1000
	[ -n "$(cgroups_of c)" ] || explain "it has none"
	pid=$(prism inspect -f '{{.State.Pid}}' c)
	kill -9 "$(awk '{ print $4 }' "/proc/$pid/stat")"
	wait_for eval '! kill -0 "$pid" 2>/dev/null'
	must_work prism ps -a
	has 'Exited \(137\)'
	[ -z "$(cgroups_of c)" ] || explain "cgroups are left"
	must_work prism start c
	[ -n "$(cgroups_of c)" ] || explain "it has none again"
	must_work prism rm -f c
}

# hold NAME: a process in its cgroup that cannot be killed before it is let go.
hold()
{
	mkdir "$frozen"
	sleep 1000 &
	held=$!
	echo $held >"$(cgroup_of "$1" pids)/cgroup.procs"
	echo $held >"$frozen/cgroup.procs"
	echo FROZEN >"$frozen/freezer.state"
	wait_for grep -qx FROZEN "$frozen/freezer.state"
}

let_go()
{
	echo THAWED >"$frozen/freezer.state"
	wait "$held" || true
	rmdir "$frozen"
}

@test "a cgroup that is still busy is removed in the background" {
	need ROOT PIDSCG CGROUP1
	local frozen=/sys/fs/cgroup/freezer/prism-test-$$ held dir

	must_work prism run --network none -d --name c --pids-limit 50 busybox \
		sleep 1000
	dir=$(cgroup_of c pids)
	hold c
	must_work prism stop -t 0 c
	[ -d "$dir" ] || explain "nobody holds it"
	let_go
	wait_for eval '[ ! -e "$dir" ]'
	must_work prism start c
	dir=$(cgroup_of c pids)
	hold c
	must_work prism rm -f c
	[ -z "$stderr" ] || explain "no word about it"
	[ -d "$dir" ] || explain "nobody holds it"
	must_work prism ps -a -q
	prints ''
	let_go
	wait_for eval '[ ! -e "$dir" ]'
}

@test "exec is in the container's cgroup" {
	need ROOT PIDSCG
	must_work prism run --network none -d --name c --pids-limit 6 \
		busybox sleep 1000
	must_exit 2 prism exec c sh -c \
		'sleep 99 & sleep 99 & sleep 99 & sleep 99 & sleep 99 & sleep 99 & true'
	says "can't fork"
	must_work prism rm -f c
}

@test "stats --no-stream says what is used" {
	need ROOT MEMCG
	must_work prism run --network none -d --name c -m 50m --cpus 0.2 \
		busybox sh -c 'while :; do :; done'
	must_work prism run --network none -d --name d busybox sh -c \
		'while :; do :; done'
	must_work prism stats --no-stream --format \
		'{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}'
	# At most its limit; how much less is up to what else the machine does.
	has '^c [12]?[0-9]\.[0-9]+% [0-9.]+[KM]iB / 50MiB [23]$'
	# Without a cgroup: by its processes.
	has '^d [0-9]+\.[0-9]+% [0-9.]+[KM]iB / [0-9.]+GiB [23]$'
	must_work prism stats --no-stream --no-trunc --format '{{.ID}}' c
	has '^[0-9a-f]{64}$'
	must_work prism stats --no-stream --format json c
	has '^\{.*"MemUsage":"[0-9.]+[KM]iB / 50MiB".*\}$'
	must_work prism rm -f c d
}

@test "update changes limits of a running container, and they stay" {
	need ROOT MEMCG PIDSCG
	must_work prism run --network none -d --name c -m 50m busybox sleep 1000
	must_work prism run --network none -d --name d busybox sleep 1000
	must_work prism update -m 100m --cpus 0.5 --pids-limit 4 c d
	prints $'c\nd'
	must_work prism stats --no-stream --format '{{.MemUsage}}' c
	has '/ 100MiB$'
	# The one without a cgroup has one now.
	must_exit 2 prism exec d sh -c \
		'sleep 99 & sleep 99 & sleep 99 & sleep 99 & echo never'
	says "can't fork"
	must_work prism inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' c
	prints '104857600 500000000 4'
	must_fail 1 prism update -m 1m c
	must_work prism restart -t 0 c
	must_work prism stats --no-stream --format '{{.MemUsage}}' c
	has '/ 100MiB$'
	must_work prism rm -f c d
}

@test "update takes limits away again" {
	need ROOT CPUCG PIDSCG
	local file

	must_work prism run --network none -d --name c --pids-limit 4 \
		--cpu-quota 50000 busybox sleep 1000
	file=$(cgroup_of c cpu)
	must_work prism update --pids-limit -1 --cpu-quota -1 c
	must_work prism exec c sh -c \
		'for i in 1 2 3 4 5 6 7 8; do sleep 99 & done; kill %1'
	must_work prism inspect -f '{{.HostConfig.PidsLimit}} {{.HostConfig.CpuQuota}}' c
	prints '-1 -1'
	if [ -e "$file/cpu.max" ]; then
		[ "$(cat "$file/cpu.max")" = 'max 100000' ] || explain "$file"
	else
		[ "$(cat "$file/cpu.cfs_quota_us")" = -1 ] || explain "$file"
	fi
	must_work prism rm -f c
}

@test "update --restart holds at the next end" {
	need ROOT
	must_work prism run --network none -d --name c busybox \
		sh -c 'while [ ! -e /go ]; do sleep 0.1; done'
	must_work prism update --restart on-failure:2 c
	must_work prism inspect -f '{{.HostConfig.RestartPolicy.Name}}' c
	prints on-failure
	must_work prism exec c touch /go
	must_work prism wait c
	must_work prism rm c
	must_work prism run --network none -d --name c busybox sh -c \
		'[ -e /go ] && exec sleep 1000
		while [ ! -e /go ]; do sleep 0.1; done; exit 1'
	must_work prism update --restart always c
	must_work prism exec c touch /go
	again()
	{
		[ "$(prism inspect -f '{{.RestartCount}}' c)" = 1 ]
	}
	wait_for again
	must_work prism rm -f c
}

@test "pause of a container with limits, by whatever there is" {
	need ROOT PIDSCG
	local n before

	must_work prism run --network none -d --name c --pids-limit 50 busybox sh -c \
		'n=0; while :; do n=$((n + 1)); echo $n >/n; sleep 0.01; done'
	# Its own file: to the log its monitor brings what it wrote before.
	n=$(prism inspect -f '{{.GraphDriver.Data.UpperDir}}' c)/n
	wait_for test -s "$n"
	must_work prism pause c
	must_work prism ps --format '{{.Status}}'
	has 'Paused'
	before=$(cat "$n")
	sleep 0.3
	[ "$(cat "$n")" = "$before" ] || explain "it still writes"
	must_work prism unpause c
	wait_for eval '[ "$(cat "$n")" != "$before" ]'
	must_work prism pause c
	must_work prism rm -f c
}

@test "no limits: no cgroup, and no error" {
	need ROOT
	must_work prism run --network none -d --name c busybox sleep 1000
	[ -z "$(cgroups_of c)" ] || explain "it has one"
	must_work prism rm -f c
}

@test "--pid host with a limit: a killed monitor's children go with the next command" {
	need ROOT PIDSCG
	local mark=7$RANDOM pid

	must_work prism run -d --name c --network none --pid host --pids-limit 20 \
		busybox sh -c "(setsid sleep $mark &); sleep 1000"
	wait_for pgrep -f "^sleep $mark\$"
	pid=$(prism inspect -f '{{.State.Pid}}' c)
	kill -9 "$(awk '{ print $4 }' "/proc/$pid/stat")"
	# It dies when it dies.
	wait_for eval 'prism ps -a | grep -q "Exited (137)"'
	wait_for must_not pgrep -f "^sleep $mark\$"
	must_work prism rm c
}
