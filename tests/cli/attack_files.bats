#!/usr/bin/env bats
# While prism uses files of a root it may have host directories open, and its
# environment is the caller's: no file of an image, a volume or a container may
# reach either.
load ../lib/common
load ../lib/hostile

setup()
{
	test_setup
	need ROOT OVERLAY USER USERNS
	export PRISM_ROOT=$T/root
	canary_new
	# An fd of the caller's, besides those that prism opens itself.
	exec 17<"$T/canary/a/b"
}

teardown()
{
	exec 17<&-
	test_teardown
}

FDS=$(seq 3 24)

# nothing_planted: no such directory was made in any host directory that is open;
# one in the container's own layer or directory is fine.
nothing_planted()
{
	local found

	found=$(find "$FT" -name 'planted*' -not -path '*/upper/*' \
		-not -path '*/tree/*' -not -path '*/user-tree/*'
		find / /run /run/prism /tmp -maxdepth 1 -name 'planted*' 2>/dev/null ||
			true)
	[ -z "$found" ] || explain "planted: $found"
	canary_same
}

# ---- stdin ----------------------------------------------------------------------------

null_is_null()
{
	local n

	for n in $FDS; do
		ln -sfn "/proc/self/fd/$n" "$T/checkout/null"
		capture start "$@" -- /bin/busybox sh -c \
			'busybox cat; busybox ls /proc/self/fd/0/ 2>/dev/null
			[ -c /proc/self/fd/0 ] || echo no device'
		has_not 'no device'
		[ -z "$output" ] || explain "stdin is fd $n: $output"
	done
	canary_same
}

@test "a link at dev/null does not become the program's stdin" {
	mkdir "$T/checkout"
	chmod 0755 "$T/checkout"
	tree_new
	tree_done
	way=load
	each_who loads null_is_null -v "$T/checkout:/dev"
	each_who loads null_is_null -v "$T/checkout/null:/dev/null"
}

@test "nor does a link in an image, whose /dev is covered" {
	mkdir "$T/checkout"
	tree_new
	mkdir "$T/tree/dev"
	ln -s /proc/self/fd/4 "$T/tree/dev/null"
	ln -s /proc/self/fd/4 "$T/tree/dev/tty"
	each_way null_of_image
}

null_of_image()
{
	must_work start -- /bin/busybox sh -c \
		'busybox readlink /proc/self/fd/0; busybox stat -c %F,%t,%T /dev/null /dev/tty'
	prints '/dev/null
character special file,1,3
character special file,5,0'
}

loads()
{
	must_work p load -i "$T/tree-load.tar"
	"$@"
}

# ---- passwd ---------------------------------------------------------------------------

no_secret()
{
	capture start "$@" -- /bin/busybox sh -c \
		'busybox id; busybox cat /etc/passwd /etc/group; busybox cat /e/passwd /e/group
		busybox tr "\0" "\n" </proc/self/mounts' </dev/null
	has_not SECRET
	says_not SECRET
}

# passwd_is TARGET
try_passwd()
{
	tree_new
	CALLER_ENV="TOKEN=SECRET1234"
	mkdir "$T/tree/etc"
	ln -s "$1" "$T/tree/etc/passwd"
	ln -s "$1" "$T/tree/etc/group"
	each_way all_users
}

all_users()
{
	local u

	for u in 1234 0 1234:99 root nobody:users; do
		no_secret -u "$u"
		no_secret -u "$u" -e HOME=/x
		no_secret -u "$u" --group-add staff
	done
}

@test "etc/passwd and etc/group as links into procfs show nothing of the caller" {
	export TOKEN=SECRET1234
	try_passwd /proc/self/environ
	try_passwd ../proc/1/environ
	try_passwd /proc/thread-self/environ
	try_passwd /proc/self/fd/17/../../file
	unset TOKEN
	canary_same
}

@test "nor do etc/passwd of a volume, or below an etc that is a link" {
	export TOKEN=SECRET1234
	mkdir "$T/checkout"
	chmod 0755 "$T/checkout"
	ln -s /proc/self/environ "$T/checkout/passwd"
	ln -s /proc/self/environ "$T/checkout/group"
	tree_new
	CALLER_ENV="TOKEN=SECRET1234"
	ln -s proc/self "$T/tree/e"
	tree_done
	way=load
	each_who loads of_volume
	tree_new
	CALLER_ENV="TOKEN=SECRET1234"
	ln -s proc/self "$T/tree/etc"
	each_way all_users
	unset TOKEN
}

of_volume()
{
	no_secret -v "$T/checkout:/etc" -u 1234
	no_secret -v "$T/checkout:/etc:ro" -u 1234:5 --group-add x
	# An exec reads them again.
	p run -d --name c -v "$T/checkout:/etc" hostile /bin/busybox sleep 1000 >/dev/null
	capture p exec -u 1234 c /bin/busybox cat /etc/passwd
	has_not SECRET
	says_not SECRET
	must_work p rm -f c
}

# A start that hangs is ended by timeout(1), with 124.
kinds_of_passwd()
{
	capture timeout 60 "$PRISM_BIN" run --rm -u 1234 --rootfs "$T/tree" /bin/busybox true
	[ "$status" != 124 ] || explain hangs
	capture timeout 60 "$PRISM_BIN" run --rm -u nobody --rootfs "$T/tree" /bin/busybox true
	[ "$status" = 125 ] || explain "found nobody"
	says 'unable to find user nobody|/etc/passwd'
}

@test "etc/passwd as a FIFO, device or directory counts as missing" {
	for kind in p 'c 10 130' 'b 1 0' d; do
		tree_new
		mkdir -p "$T/tree/etc"
		if [ "$kind" = d ]; then
			mkdir "$T/tree/etc/passwd" "$T/tree/etc/group"
		else
			# shellcheck disable=SC2086
			mknod "$T/tree/etc/passwd" $kind
		fi
		kinds_of_passwd
	done
}

# ---- directories that are made ------------------------------------------------------------

plants_nothing()
{
	# The exit code does not matter.
	capture start "$@" -- /bin/busybox true
	[ "$status" != 139 ] || explain crashed
}

workdirs()
{
	local n

	for n in $FDS; do
		plants_nothing -w "/missing$n/../proc/self/fd/$n/../../planted"
		plants_nothing -w "/proc/self/fd/$n/planted"
		plants_nothing -w "/l$n/planted"
	done
	nothing_planted
}

links_for_fds()
{
	for n in $FDS; do
		ln -s "/proc/self/fd/$n" "$T/tree/l$n"
		ln -s "/missing/../proc/self/fd/$n/../../planted" "$T/tree/m$n"
		ln -s "proc/self/fd/$n/planted" "$T/tree/p$n"
	done
}

@test "a working directory is made inside the container only" {
	tree_new
	links_for_fds
	each_way workdirs
}

config_workdir()
{
	[ "$way" = load ] || return 0
	plants_nothing
	nothing_planted
}

@test "so is one that the image's config names" {
	for n in 3 4 5 6 7 17; do
		tree_new
		CONFIG='{"WorkingDir":"/missing/../proc/self/fd/'$n'/../../planted"}'
		tree_done
		each_who all_ways config_workdir
	done
}

targets()
{
	local n

	for n in $FDS; do
		plants_nothing --tmpfs "/m$n" --tmpfs "/l$n/planted"
		plants_nothing -v "$T/v:/p$n"
		plants_nothing -v "$T/v/file:/m$n" -v "$T/v/file:/l$n/planted"
		plants_nothing --device "/dev/null:/l$n/planted"
		plants_nothing --device "/dev/null:/m$n/x"
	done
	nothing_planted
}

@test "targets of mounts and nodes are made inside the container only" {
	mkdir "$T/v"
	: >"$T/v/file"
	chmod 0755 "$T/v"
	tree_new
	links_for_fds
	each_way targets
}

own_files()
{
	plants_nothing -u 1234
	nothing_planted
}

@test "so are hosts, hostname and resolv.conf, whatever the image has there" {
	for n in 3 4 5 6 7 8 17; do
		tree_new
		mkdir "$T/tree/etc"
		ln -s "/missing/../proc/self/fd/$n/../../planted" "$T/tree/etc/hosts"
		ln -s "/proc/self/fd/$n/planted" "$T/tree/etc/hostname"
		ln -s "/proc/self/fd/$n/../planted" "$T/tree/etc/resolv.conf"
		tree_done
		way=load
		each_who loads own_files
		way=rootfs
		each_who own_files
	done
}

kinds_of_hosts()
{
	capture start -- /bin/busybox grep -c localhost /etc/hosts
	case $1 in
	fifo | dangling) prints 2 ;;
	dir) says '/etc/hosts is not a directory|/etc/hosts is a directory' ;;
	proc) says '/etc/hosts leads into /proc or /sys' ;;
	esac
}

@test "etc/hosts as a FIFO, a directory, a link to procfs or to nothing" {
	for kind in fifo dir proc dangling; do
		tree_new
		mkdir "$T/tree/etc"
		case $kind in
		fifo) mkfifo "$T/tree/etc/hosts" ;;
		dir) mkdir "$T/tree/etc/hosts" ;;
		proc) ln -s /proc/net/pnp "$T/tree/etc/hosts"
			ln -sfn /proc/version "$T/tree/etc/hosts" ;;
		dangling) ln -s ../run/made/hosts "$T/tree/etc/hosts" ;;
		esac
		each_way kinds_of_hosts "$kind"
	done
}

# ---- volumes are filled ----------------------------------------------------------------------

fills_nothing()
{
	[ "$way" = load ] || return 0
	capture start -v filled:/v -v filled2:/w -- /bin/busybox sh -c \
		'busybox ls -A /v /w; busybox cat /v/environ /w/environ'
	has_not 'environ|SECRET|file'
	p volume rm filled filled2 >/dev/null 2>&1 || true
}

@test "a volume is not filled from procfs, from /dev or from the host" {
	tree_new
	CALLER_ENV="TOKEN=SECRET1234"
	ln -s /proc/self "$T/tree/v"
	ln -s /proc/self/fd/17/../.. "$T/tree/w"
	each_way fills_nothing
	tree_new
	ln -s /dev "$T/tree/v"
	ln -s /proc/1/root "$T/tree/w"
	tree_done
	way=load
	each_who loads capture start -v filled:/v -- /bin/busybox true
	[ -z "$(find "$T/root/volumes" "$FT/user" \( -type c -o -type b \) \
		-path '*volumes*' 2>/dev/null)" ]
}

# ---- a container that runs, or did ---------------------------------------------------------------

in_running()
{
	local n

	p run -d --name c hostile /bin/busybox sh -c \
		'i=3; while [ $i -lt 25 ]; do busybox ln -s /proc/self/fd/$i /l$i; i=$((i + 1)); done
		busybox mkdir -p /etc; busybox ln -sf /proc/self/environ /etc/passwd
		busybox touch /ready; busybox sleep 1000' >/dev/null
	wait_for p exec c /bin/busybox test -e /ready
	for n in $FDS; do
		capture p exec -w "/l$n" c /bin/busybox ls
		[ "$status" = 125 ] || [ "$status" = 126 ] || explain "exec in fd $n"
		capture p cp "$T/v/file" "c:/l$n/planted"
		capture p cp "c:/l$n/file" -
	done
	capture p exec -u 4321 -e A=b c /bin/busybox id
	says_not SECRET
	must_work p rm -f c
	nothing_planted
}

@test "exec and cp into a container that made hostile links" {
	mkdir "$T/v"
	echo SECRET >"$T/v/file"
	chmod 0755 "$T/v"
	tree_new
	tree_done
	way=load
	each_who loads in_running
}

in_stopped()
{
	local n

	p run --name c -v "$T/v:/data/in" hostile /bin/busybox sh -c \
		'i=3; while [ $i -lt 25 ]; do busybox ln -s /proc/self/fd/$i /l$i; i=$((i + 1)); done'
	for n in $FDS; do
		capture p cp "$T/v/file" "c:/l$n/planted"
		capture p cp "$T/v/file" "c:/l$n/../planted"
	done
	nothing_planted
	must_work p cp c:/data/in/file - >/dev/null
	must_work p rm c
}

@test "cp into a stopped container" {
	mkdir "$T/v"
	echo SECRET >"$T/v/file"
	chmod 0755 "$T/v"
	tree_new
	tree_done
	way=load
	each_who loads in_stopped
}

@test "U chowns the mount, not the target of a link swapped in meanwhile" {
	mkdir -p "$T/a/in" "$T/b" "$T/other"
	: >"$T/b/file"
	: >"$T/other/file"
	tree_new
	tree_done
	way=load who=root
	must_work p load -i "$T/tree-load.tar"
	# A neighbour that shares /a does this in a loop.
	(while [ ! -e "$T/stop" ]; do
		mv -T "$T/a/in" "$T/a/was" 2>/dev/null && ln -s /other "$T/a/in"
		rm -f "$T/a/in"
		mv -T "$T/a/was" "$T/a/in"
	done) 2>/dev/null &
	for i in $(seq 30); do
		capture p run --rm -u 1234 -v "$T/a:/a" -v "$T/other:/other" \
			-v "$T/b:/a/in:U" hostile /bin/busybox true
	done
	touch "$T/stop"
	wait
	[ "$(stat -c %u "$T/other" "$T/other/file" | sort -u)" = 0 ]
	[ "$(stat -c %u "$T/b/file")" = 1234 ]
}
