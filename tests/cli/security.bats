#!/usr/bin/env bats
# What a container must not be able to do, each tried by a program inside, in
# a start and in an exec. As root without a user namespace, where nothing but
# these walls stands between the program and the host.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
	"${MUSL_CC:-musl-gcc}" -static -Os -idirafter /usr/include \
		-idirafter "/usr/include/$(gcc -dumpmachine)" \
		-o "$FT/bin/inject" "$LIB/inject.c"
}

setup()
{
	test_setup
	need ROOT OVERLAY
	target=
}

teardown()
{
	end_target
	test_teardown
}

# start_target [RUN-OPTION...]: the container c, which sleeps.
start_target()
{
	"$PRISM_BIN" run --rm --name c "$@" busybox sleep 1000 \
		>"$T/target" 2>&1 </dev/null &
	target=$!
	wait_for prism exec c true 2>/dev/null
}

end_target()
{
	if [ -n "$target" ]; then
		prism rm -f c >/dev/null 2>&1 || true
		wait "$target" || true
	fi
	target=
}

# everywhere COMMAND JUDGE...: the command in a start, and in an exec into c.
everywhere()
{
	local command=$1

	shift
	must_work prism run --rm busybox sh -c "$command"
	"$@"
	start_target
	must_work prism exec c sh -c "$command"
	"$@"
	end_target
}

@test "the five capability sets, no_new_privs and seccomp are as Docker's" {
	everywhere "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status" prints \
		"CapInh:	0000000000000000
CapPrm:	00000000a80425fb
CapEff:	00000000a80425fb
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2"
}

@test "masked paths cannot be read" {
	# What is no file of this kernel is left out; empty is what is masked.
	everywhere 'for f in /proc/kcore /proc/keys /proc/timer_list \
		/proc/interrupts /proc/latency_stats /proc/sched_debug; do
			[ ! -e $f ] || head -c 16 $f
		done
		for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware \
			/sys/devices/virtual/powercap \
			/sys/devices/system/cpu/cpu0/thermal_throttle; do
			[ ! -d $d ] || ls -A $d
		done' prints ''
}

@test "read-only paths cannot be written, nor made writable" {
	everywhere 'n=0
		for f in /proc/sys/kernel/hostname /proc/sys/vm/drop_caches \
			/proc/sysrq-trigger /proc/irq/default_smp_affinity \
			/sys/kernel/mm/ksm/run /sys/fs/cgroup/cgroup.procs; do
			[ ! -e $f ] || ! (echo 0 >$f) 2>/dev/null || n=$((n + 1))
		done
		for d in /proc/sys /proc/irq /proc/bus /sys; do
			! mount -o remount,rw $d 2>/dev/null || n=$((n + 1))
			! umount $d 2>/dev/null || n=$((n + 1))
		done
		! umount /proc/kcore 2>/dev/null || n=$((n + 1))
		echo $n' prints 0
}

@test "no descriptor above 2 comes in" {
	local fd

	exec 7<"$T" 8>"$T/file" 9<>"$T/other"
	# The shell lists by its own means, without a directory of its own open.
	list='for f in /proc/self/fd/*; do [ ! -e $f ] || echo ${f##*/}; done | tr "\n" " "'
	must_work prism run --rm busybox sh -c "$list"
	prints '0 1 2 '
	must_work prism run --rm --init=no busybox sh -c "$list"
	prints '0 1 2 '
	start_target
	must_work prism exec c sh -c "$list"
	prints '0 1 2 '
	must_work prism exec -d c sh -c "($list) >/tmp/fds"
	wait_for prism exec c test -s /tmp/fds
	must_work prism exec c cat /tmp/fds
	prints '0 1 2 '
	python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" exec -it c \
		sh -c "$list" >"$T/o"
	grep -q '^0 1 2 $' "$T/o"
	# PID 1 keeps none at all.
	must_work prism exec c ls /proc/1/fd
	prints ''
	exec 7<&- 8>&- 9>&-
	# Closed ones are not filled with something of prism's.
	must_work prism run --rm busybox sh -c "$list" <&-
	must_work prism exec -i c sh -c 'readlink /proc/self/fd/0 || true' <&-
	has_not "$FT"
}

@test "/proc/PID/exe leads to nothing of the host and cannot be written" {
	start_target --cap-add SYS_PTRACE
	# A watcher with every right to look, while programs come in.
	prism exec -d c sh -c 'cd /tmp; while [ ! -e stop ]; do
		for p in /proc/[0-9]*; do
			readlink $p/exe; readlink $p/root; readlink $p/cwd
		done
		done >seen 2>/dev/null; touch stopped'
	for i in $(seq 15); do
		must_work prism exec c true
	done
	must_work prism exec c touch /tmp/stop
	wait_for prism exec c test -e /tmp/stopped
	must_work prism exec c sort -u /tmp/seen
	has_not "prism$|$FT|^/var|^/usr/"
	must_work prism exec c sh -c "sort -u /tmp/seen | grep -vE \
		'^(/|/tmp|/bin/busybox|/memfd:prism-init \(deleted\))\$' || true"
	prints ''
	# PID 1 and oneself: not for writing, and what is read is no file here.
	must_exit 1 prism exec c sh -c 'echo x >/proc/1/exe'
	must_exit 1 prism exec c sh -c 'echo x >/proc/self/exe'
	must_exit 1 prism exec c dd if=/dev/zero of=/proc/1/exe count=1
	must_exit 1 prism exec c ls /proc/1/root/var/lib/prism
	cmp "$PRISM_BIN" "$PRISM_TEST_BUILD/prism"
}

@test "an interpreter of /proc/self/exe does not get prism (CVE-2019-5736)" {
	mkdir "$T/v"
	printf '#!/proc/self/exe\n' >"$T/v/evil"
	chmod +x "$T/v/evil"
	start_target -v "$T/v:/v"
	# At most PID 1's own program, which is no file and ends with 125.
	for i in 1 2 3; do
		capture prism exec c /v/evil
		[ "$status" != 0 ] || explain "ran something"
	done
	capture prism run --rm -v "$T/v:/v" busybox /v/evil
	[ "$status" != 0 ] || explain "ran something"
	cmp "$PRISM_BIN" "$PRISM_TEST_BUILD/prism"
}

# hostile_image NAME LINES: busybox with entries over it.
hostile_image()
{
	{
		printf '{"path":"bin/","type":"dir"}\n'
		printf '{"path":"bin/busybox","mode":"0755","copy":"%s"}\n' \
			"$(command -v busybox)"
		printf '{"path":"bin/sh","type":"symlink","link":"busybox"}\n'
		printf '%s\n' "$2"
	} >"$T/list"
	store_image "$1" --config "${3:-{\}}" "list:$T/list"
}

@test "symlinks of an image in place of /proc, /dev, /sys, /etc touch no host" {
	mkdir -p "$T/host/proc" "$T/host/dev" "$T/host/sys" "$T/host/etc"
	export PRISM_ROOT=$T/root
	hostile_image hostile "{\"path\":\"proc\",\"type\":\"symlink\",\"link\":\"$T/host/proc\"}"
	# The other images differ in this link of their only layer.
	link=$(find "$PRISM_ROOT/layers" -type l -path '*/proc')
	[ "$(readlink "$link")" = "$T/host/proc" ]
	for how in "$T/host" "../../../../../../../..$T/host" /proc/1/root \
		/proc/self/cwd ../..; do
		for d in proc dev sys etc; do
			rm "$link"
			link=${link%/*}/$d
			ln -s "$how/$d" "$link"
			capture timeout 60 "$PRISM_BIN" run --rm hostile \
				busybox sh -c 'echo x >/etc/hosts; echo y >/etc/new; echo z >/dev/new'
			[ "$status" != 124 ] || explain "hangs"
		done
	done
	[ -z "$(find "$T/host" -type f -o -type c)" ]
	[ "$(find "$T/host" | wc -l)" = 5 ]
	must_not grep -F "$T/host" /proc/mounts
}

@test "volume targets and the working directory follow no symlink out" {
	mkdir -p "$T/host" "$T/v"
	echo kept >"$T/host/file"
	export PRISM_ROOT=$T/root
	hostile_image targets "{\"path\":\"abs\",\"type\":\"symlink\",\"link\":\"$T/host\"}
{\"path\":\"up\",\"type\":\"symlink\",\"link\":\"../../../../../..$T/host\"}
{\"path\":\"magic\",\"type\":\"symlink\",\"link\":\"/proc/self/cwd\"}
{\"path\":\"root\",\"type\":\"symlink\",\"link\":\"/proc/1/root\"}"
	for link in abs up magic root; do
		capture prism run --rm -v "$T/v:/$link" targets busybox sh -c \
			"echo x >/$link/in; busybox ls /$link"
		capture prism run --rm -v "$T/v:/$link/sub" targets busybox true
		capture prism run --rm --tmpfs "/$link/t" targets busybox true
		capture prism run --rm -w "/$link" targets busybox sh -c 'echo x >in-workdir'
		capture prism run --rm -w "/$link/new" targets busybox true
	done
	[ "$(ls "$T/host")" = file ]
	[ "$(cat "$T/host/file")" = kept ]
	# CVE-2024-21626: by a descriptor of the caller's or of prism's own.
	exec 7<"$T/host"
	for n in $(seq 3 20); do
		for how in "-w /proc/self/fd/$n" "-w /proc/self/fd/$n/../.."; do
			# shellcheck disable=SC2086
			capture prism run --rm $how targets busybox cat file
			[ "$output" != kept ] || explain "read the host"
		done
	done
	exec 7<&-
}

@test "exec: the container changes its paths meanwhile; the host stays out of reach" {
	mkdir "$T/host"
	echo kept >"$T/host/file"
	start_target
	must_work prism exec c sh -c "ln -s '$T/host' /abs; ln -s /proc/1/root /root2
		ln -s /proc/self/fd/7 /fd; rm /etc/passwd; mkfifo /etc/passwd"
	exec 7<"$T/host"
	for w in /abs /root2 /fd /proc/self/fd/7 /proc/self/cwd /proc/thread-self/fd/7; do
		capture timeout 100 "$PRISM_BIN" exec -w "$w" c cat file
		[ "$status" != 124 ] || explain "hangs on a FIFO"
		[ "$output" != kept ] || explain "read the host by $w"
	done
	exec 7<&-
	must_work timeout 100 "$PRISM_BIN" exec c echo in
	prints in
	# /etc/shadow of the host is no list of groups.
	must_work prism exec c sh -c 'rm /etc/passwd /etc/group
		ln -s /proc/1/root/etc/shadow /etc/group
		ln -s "$0" /etc/passwd' "$T/host/file"
	capture prism exec -u kept c true
	[ "$status" = 125 ] || explain "found a user of the host"
}

@test "TIOCSTI does not reach the caller's terminal" {
	try()
	{
		python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" "$@" >"$T/o"
		cat "$T/o"
		grep -q '^injected' "$T/o"
		grep -q '^left: 0$' "$T/o"
		grep -q '^restored: yes' "$T/o"
	}
	inject=(-v "$FT/bin/inject:/inject" busybox /inject)
	for privileged in '' --privileged; do
		for how in '' -i -it -t; do
			# shellcheck disable=SC2086
			try run --rm $how $privileged "${inject[@]}"
		done
	done
	# A program without -t has no terminal, whatever its prism has.
	python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" run --rm -i busybox \
		sh -c 'for i in 0 1 2; do [ ! -t $i ] || echo bad; done; echo good' >"$T/o"
	grep -q '^good' "$T/o"
	must_not grep -q '^bad' "$T/o"
	start_target -v "$FT/bin/inject:/inject"
	for privileged in '' --privileged; do
		for how in '' -i -it -t; do
			# shellcheck disable=SC2086
			try exec $how $privileged c /inject
		done
	done
}

@test "a container that fills its processes can be ended" {
	"$PRISM_BIN" run --rm --name c busybox sh -c 'trap "" TERM INT HUP
		i=0; while [ $i -lt 400 ]; do
			(trap "" TERM INT HUP; while :; do sleep 1000; done) &
			i=$((i + 1))
		done; echo full; wait' >"$T/target" 2>&1 </dev/null &
	target=$!
	wait_for grep -q full "$T/target"
	must_work timeout 100 "$PRISM_BIN" rm -f c
	wait "$target" || true
	target=
}

@test "a container that fills its disk can be ended, and leaves nothing" {
	need TMPFS
	# Store and log on a small file system that is full to the last byte.
	cat >"$T/script" <<-END
	set -eu
	mount -t tmpfs -o size=24m small "$T/small"
	cp -a "$FT/root/." "$T/small/"
	export PRISM_ROOT=$T/small
	"$PRISM_BIN" run --rm --name full busybox sh -c \
		'while :; do echo xxxxxxxxxxxxxxxx >>/x; echo yyyyyyyy; done' >/dev/null 2>&1 &
	pid=\$!
	for i in \$(seq 1000); do
		[ "\$(df --output=avail "$T/small" | tail -n 1)" -gt 0 ] || break
		head -c 1000000 /dev/zero >>"$T/small/ballast" 2>/dev/null || true
		sleep 0.1
	done
	[ "\$(df --output=avail "$T/small" | tail -n 1)" -eq 0 ]
	timeout 100 "$PRISM_BIN" rm -f full
	wait \$pid || true
	ls "$T/small/containers"
	END
	mkdir "$T/small"
	must_work unshare -m bash "$T/script"
	has_not '[0-9a-f]{64}'
}

@test "setuid programs of a nosuid volume gain nothing" {
	mkdir "$T/v"
	cp "$FT/bin/inject" "$T/v/"
	chmod 4755 "$T/v/inject"
	privs=(--rm -u app --security-opt no-new-privileges=false)
	must_work prism run "${privs[@]}" -v "$T/v:/v" busybox /v/inject
	has '^euid 0$'
	must_work prism run "${privs[@]}" -v "$T/v:/v:nosuid" busybox /v/inject
	has '^euid 1000$'
	# By default nothing gains, wherever it lies.
	must_work prism run --rm -u app -v "$T/v:/v" busybox /v/inject
	has '^euid 1000$'
	start_target -v "$T/v:/v"
	must_work prism exec -u app c /v/inject
	has '^euid 1000$'
}

@test "the kernel's other doors are shut" {
	everywhere 'n=0
		! unshare -U true 2>/dev/null || n=$((n + 1))
		! unshare -m true 2>/dev/null || n=$((n + 1))
		! mount -t tmpfs t /tmp 2>/dev/null || n=$((n + 1))
		! chroot /proc/1/root ls /var/lib/prism 2>/dev/null || n=$((n + 1))
		! mknod /tmp/kmsg c 1 11 || ! (echo x >/tmp/kmsg) 2>/dev/null || n=$((n + 1))
		! dmesg >/dev/null 2>&1 || n=$((n + 1))
		date -s 2020-01-01 2>&1 | grep -q "not permitted" || n=$((n + 1))
		! hostname other 2>/dev/null || n=$((n + 1))
		echo $n' prints 0
}
