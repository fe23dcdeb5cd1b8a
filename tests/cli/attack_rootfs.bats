#!/usr/bin/env bats
# An image, a --rootfs directory or a volume tries to redirect /proc, /sys and
# /dev, the masks, and mounts.
load ../lib/common
load ../lib/hostile

setup()
{
	test_setup
	need ROOT OVERLAY USER USERNS
	export PRISM_ROOT=$T/root
	canary_new
}

# Everything that masks.h hides is hidden in every visible procfs.
# shellcheck disable=SC2016 # the container's shell
LOOK='for p in $(busybox sed -n "s/^[^ ]* \([^ ]*\) proc .*/\1/p" /proc/mounts); do
	for f in kcore keys timer_list interrupts; do
		[ ! -e $p/$f ] || [ -z "$(busybox head -c 9 $p/$f)" ] || echo open $p/$f
	done
	[ ! -e $p/sys/kernel ] || ! (echo 1 >$p/sys/kernel/nothing-here) 2>/dev/null || echo $p
	[ ! -e $p/sysrq-trigger ] || ! busybox sh -c "exec 3>>$p/sysrq-trigger" 2>/dev/null || echo writes $p
done
busybox ls -A /sys/firmware 2>/dev/null
busybox grep -c " /proc proc " /proc/mounts
busybox stat -f -c %T /proc /sys /dev'

is_whole()
{
	must_work start -- /bin/busybox sh -c "$LOOK"
	prints '1
proc
sysfs
tmpfs'
}

@test "a missing /proc, /sys or /dev is made and masked" {
	tree_new
	each_way is_whole
	mkdir -p "$T/tree/proc" "$T/tree/sys" "$T/tree/dev"
	: >"$T/tree/proc/kcore"
	each_way is_whole
}

refuses_link()
{
	must_fail 125 start -- /bin/busybox true
	says "'/$1' in .* is a link to '$2'"
	says '^hint: .*directory, or missing'
}

# link NAME TARGET: with directories for a procfs at /q and /q/deep.
try_link()
{
	tree_new
	mkdir -p "$T/tree/q/deep" "$T/tree/dev" "$T/tree/sys" "$T/tree/proc"
	ln -s /q "$T/tree/dev/shm"
	rm -rf "${T:?}/tree/$1"
	ln -s "$2" "$T/tree/$1"
	each_way refuses_link "$1" "$2"
}

@test "an image whose /proc is a link is refused by name" {
	try_link proc dev/shm
	try_link proc /q
	try_link proc q/../q/deep
	try_link proc ../../../q
}

@test "an image whose /dev or /sys is a link is refused by name" {
	try_link dev sys
	try_link dev q
	try_link dev /proc/self/cwd
	try_link sys dev/shm
	try_link sys /proc
	try_link sys "$T/canary"
	canary_same
}

refuses_kind()
{
	must_fail 125 start -- /bin/busybox true
	says "'/$1' in .* is not a directory"
}

@test "an image whose /proc, /sys or /dev is not a directory is refused by name" {
	for d in proc sys dev; do
		tree_new
		: >"$T/tree/$d"
		each_way refuses_kind "$d"
		tree_new
		mkfifo "$T/tree/$d"
		each_way refuses_kind "$d"
	done
}

@test "the owner of a --rootfs directory replaces /proc during the mount" {
	tree_new
	mkdir "$T/tree/q" "$T/tree/proc"
	(while [ ! -e "$T/stop" ]; do
		mv -T "$T/tree/proc" "$T/tree/p" && ln -s q "$T/tree/proc"
		rm -f "$T/tree/proc"
		mv -T "$T/tree/p" "$T/tree/proc"
	done) 2>/dev/null &
	for i in $(seq 30); do
		capture prism run --rm --rootfs "$T/tree" /bin/busybox sh -c \
			"[ ! -e /q/self ] || echo at q; for p in /proc /p; do
			[ ! -e \$p/keys ] || busybox head -c 9 \$p/keys; done"
		if [ "$status" = 0 ]; then
			prints ''
		fi
	done
	touch "$T/stop"
	wait
}

@test "a mask that cannot be set stops the start, whatever the kernel says" {
	need TOOL_strace
	tree_new
	tree_done
	way=load who=root
	must_work p load -i "$T/tree-load.tar"
	for call in mount move_mount; do
		for n in $(seq 30); do
			capture env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" \
				strace -f -qq -o "$T/calls" -e signal=none -e trace="$call" \
				-e "inject=$call:error=ENOENT:when=$n" \
				"$PRISM_BIN" run --rm --net none hostile /bin/busybox sh -c "$LOOK"
			if [ "$status" = 0 ]; then
				prints '1
proc
sysfs
tmpfs'
			fi
		done
	done
	# All calls were among these.
	grep -q INJECTED "$T/calls" || grep -c "$call" "$T/calls"
}

# ---- targets ------------------------------------------------------------------------

TARGETS='/proc /proc/ //proc /proc/self /proc/sys /proc/kcore /proc/bus/x
	/a/../proc /a/../../proc/./sys /proc/cpuinfo/x /sys /sys/kernel
	/sys/fs/cgroup /a/b/../../../sys/firmware'

refuses_targets()
{
	local t

	mkdir -p "$T/v"
	: >"$T/v/file"
	chmod 0755 "$T/v"
	for t in $TARGETS; do
		must_fail 125 start -v "$T/v:$t" -- /bin/busybox true
		says 'nothing may be mounted on /(proc|sys)'
		must_fail 125 start -v "volume:$t" -- /bin/busybox true
		says 'nothing may be mounted on /(proc|sys)'
		must_fail 125 start --tmpfs "$t" -- /bin/busybox true
		says 'nothing may be mounted on /(proc|sys)'
		must_fail 125 start --mount "type=bind,src=$T/v,dst=$t" -- /bin/busybox true
		says 'nothing may be mounted on /(proc|sys)'
		must_fail 125 start --device "/dev/null:$t" -- /bin/busybox true
		says 'nothing may be mounted on /(proc|sys)'
	done
}

@test "no option mounts anything on or below /proc and /sys" {
	tree_new
	tree_done
	way=load
	each_who loads refuses_targets
}

loads()
{
	must_work p load -i "$T/tree-load.tar"
	"$@"
}

refuses_found()
{
	local t

	for t in x x/bus y y/kernel z abs chain up; do
		must_fail 125 start --tmpfs "/$t" -- /bin/busybox true
		says 'leads into /proc or /sys|mkdirat|openat2'
		capture start -v "$T/v:/$t" -- /bin/busybox sh -c "$LOOK"
		[ "$status" = 125 ] || explain "-v on $t"
	done
}

@test "no link of an image leads a mount to /proc or /sys" {
	mkdir "$T/v"
	chmod 0755 "$T/v"
	tree_new
	ln -s proc "$T/tree/x"
	ln -s sys "$T/tree/y"
	ln -s proc/self "$T/tree/z"
	ln -s /proc/irq "$T/tree/abs"
	ln -s x "$T/tree/chain"
	# A masked file is on another file system.
	ln -s ../../../sys/firmware "$T/tree/up"
	each_way refuses_found
	for t in x x/new/dir; do
		must_fail 125 start --tmpfs "/$t" -- /bin/busybox true
		says 'leads into /proc or /sys'
	done
}

refuses_volume_link()
{
	for l in proc sys deep; do
		must_fail 125 start -v "$T/checkout:/c" -v "$T/v:/c/$l" -- /bin/busybox true
		says 'leads into /proc or /sys'
		must_fail 125 start -v "$T/checkout:/c" --tmpfs "/c/$l" -- /bin/busybox true
		says 'leads into /proc or /sys'
	done
}

@test "no link in a checkout from elsewhere leads a mount to /proc or /sys" {
	mkdir "$T/v" "$T/checkout"
	chmod 0755 "$T/v" "$T/checkout"
	ln -s /proc "$T/checkout/proc"
	ln -s ../sys "$T/checkout/sys"
	ln -s proc/sys/kernel "$T/checkout/deep"
	tree_new
	each_way refuses_volume_link
}

ignores_volumes()
{
	[ "$way" = load ] || return 0
	must_work start -- /bin/busybox sh -c "$LOOK"
	prints '1
proc
sysfs
tmpfs'
	[ "$(grep -c 'ignoring VOLUME' <<<"$stderr")" = 4 ] || explain "no warning"
}

@test "an image's VOLUME is not mounted on /proc or /sys" {
	tree_new
	CONFIG='{"Volumes":{"/proc":{},"/a/../../proc":{},"/sys/fs/cgroup":{},"/x/..//sys/kernel/":{}}}'
	each_way ignores_volumes
}

refuses_volumes()
{
	[ "$way" = load ] || return 0
	must_fail 125 start -- /bin/busybox true
	says 'leads into /proc or /sys'
}

@test "nor through a link, with or without ../ in it" {
	tree_new
	ln -s proc/irq "$T/tree/l"
	CONFIG='{"Volumes":{"/a/../l":{}}}'
	each_way refuses_volumes
	tree_new
	ln -s /sys/kernel "$T/tree/l"
	CONFIG='{"Volumes":{"/l/":{}}}'
	each_way refuses_volumes
}

excepts()
{
	must_work start -v "$T/v/file:/proc/cpuinfo:ro" -- \
		/bin/busybox cat /proc/cpuinfo
	prints 'of lxcfs'
	must_fail 125 start -v "$T/v:/proc/cpuinfo" -- /bin/busybox true
	must_fail 125 start -v "$T/v/file:/proc/version" -- /bin/busybox true
	must_fail 125 start --tmpfs /proc/uptime -- /bin/busybox true
	# A part of the host's own /sys; masked files stay masked.
	must_work start -v /sys/fs/cgroup:/sys/fs/cgroup:ro -- \
		/bin/busybox ls -d /sys/fs/cgroup
	must_work start -v /sys:/sys:ro -- /bin/busybox sh -c 'busybox ls -A /sys/firmware
		busybox stat -f -c %T /sys'
	prints sysfs
	must_fail 125 start -v "$T/v:/sys/kernel" -- /bin/busybox true
}

@test "a user, but no image, can mount lxcfs files and the host's own /sys" {
	mkdir "$T/v"
	chmod 0755 "$T/v"
	echo 'of lxcfs' >"$T/v/file"
	tree_new
	each_way excepts
}

@test "a container that covers /dev keeps its terminal and its null device" {
	mkdir "$T/checkout"
	chmod 0777 "$T/checkout"
	ln -s "$T/canary" "$T/checkout/pts"
	ln -s "$T/canary" "$T/checkout/shm"
	ln -s "$T/canary/console" "$T/checkout/console"
	mkfifo "$T/checkout/null"
	tree_new
	tree_done
	way=load
	each_who loads covers_dev
	canary_same
}

covers_dev()
{
	must_work start -v "$T/checkout:/dev" -- /bin/busybox sh -c \
		'[ -c /proc/self/fd/0 ]; busybox cat; echo end'
	prints end
	capture python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" run --rm -t \
		-v "$T/checkout:/dev" hostile /bin/busybox true
}

@test "--ipc container:X does not follow a link at X's /dev/shm" {
	tree_new
	tree_done
	way=load who=root
	must_work p load -i "$T/tree-load.tar"
	p run -d --name x --privileged --pid host hostile /bin/busybox sh -c \
		"busybox umount /dev/shm; busybox rmdir /dev/shm
		busybox ln -s /proc/1/root$T/canary /dev/shm; busybox sleep 1000" >/dev/null
	wait_for p exec x /bin/busybox readlink /dev/shm
	capture start --ipc container:x -- /bin/busybox sh -c 'echo x >/dev/shm/file; busybox ls /dev/shm'
	has_not 'file'
	must_work p rm -f x
	canary_same
}
