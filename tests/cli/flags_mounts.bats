#!/usr/bin/env bats
# What -v, --mount, --tmpfs, --device and --read-only do, as root.
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

@test "--tmpfs: safe by default, options pass through" {
	must_work run --tmpfs /m --tmpfs /n:rw,exec,suid,size=1m,mode=700,uid=7 \
		busybox sh -c 'grep -E " /[mn] " /proc/mounts
			stat -c "%n %a %u" /m /n; ls -A /m'
	has ' /m tmpfs rw,nosuid,nodev,noexec'
	has ' /n tmpfs rw,nodev,relatime.*size=1024k,mode=700,uid=7'
	has '^/m 1777 0$'
	has '^/n 700 7$'
	must_work run --tmpfs /etc busybox ls -A /etc
	has_not group
	must_exit 1 run --tmpfs /m:ro busybox touch /m/x
	must_fail 125 run --tmpfs /m:size=lots busybox true
	says 'size'
}

@test "--mount: bind, volume, tmpfs" {
	mkdir "$T/v"
	echo inside >"$T/v/f"
	must_work run --mount "type=bind,source=$T/v,target=/d" busybox cat /d/f
	prints inside
	must_exit 1 run --mount "type=bind,src=$T/v,dst=/d,readonly" busybox \
		touch /d/x
	says 'Read-only'
	must_work run --mount "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=711" \
		busybox sh -c 'stat -c %a /t; grep " /t " /proc/mounts'
	has '^711$'
	has 'size=2048k'
	must_work run --mount "type=bind,src=$T/made/here,dst=/d,bind-create-src" \
		busybox touch /d/x
	[ -e "$T/made/here/x" ]
	must_work run --mount "src=data,dst=/d" busybox sh -c 'echo kept >/d/f'
	must_work run --mount "type=volume,src=data,dst=/e" busybox cat /e/f
	prints kept
	must_work prism volume rm data
}

@test "-v: nosuid, noexec, order of nested targets, files" {
	mkdir -p "$T/v/sub" "$T/w"
	printf '#!/bin/sh\necho ran\n' >"$T/v/prog"
	chmod 4755 "$T/v/prog"
	must_work run -v "$T/v:/v" busybox /v/prog
	prints ran
	must_fail 126 run -v "$T/v:/v:noexec" busybox /v/prog
	must_work run -v "$T/v:/v:ro,nosuid" busybox grep ' /v ' /proc/mounts
	has ' ro,nosuid'
	# The inner one is named first, and is seen.
	echo inner >"$T/w/f"
	must_work run -v "$T/w:/v/sub" -v "$T/v:/v" busybox cat /v/sub/f /v/prog
	has '^inner$'
	[ ! -e "$T/v/sub/f" ]
}

@test "-v :rslave on a private mount works, and hears of the host" {
	need TMPFS
	mkdir -p "$T/v/sub"
	must_work run -v "$T/v:/v:rslave" busybox ls /v/sub
	unshare -m sh -ec "mount -t tmpfs none '$T/v'; mkdir '$T/v/sub'
		mount --make-private '$T/v'
		'$PRISM_BIN' run --rm -v '$T/v:/v:rslave' busybox ls /v" >"$T/o"
	grep -q sub "$T/o"
}

@test "-v :O throws the writes away" {
	mkdir "$T/v"
	echo old >"$T/v/f"
	must_work run -v "$T/v:/v:O" busybox sh -c \
		'echo new >/v/f; touch /v/g; cat /v/f; ls -A /dev'
	has '^new$'
	has_not prism
	[ "$(cat "$T/v/f")" = old ]
	[ ! -e "$T/v/g" ]
}

@test "-v :U gives the tree to the container's user, and follows no link" {
	mkdir -p "$T/v/sub"
	touch "$T/v/f" "$T/v/sub/g" "$T/outside"
	ln -s ../outside "$T/v/link"
	must_work run -u 1000:1000 -v "$T/v:/v:U" busybox touch /v/sub/new
	[ "$(stat -c %u:%g "$T/v" "$T/v/f" "$T/v/sub/g" | sort -u)" = 1000:1000 ]
	[ "$(stat -c %u "$T/outside")" = 0 ]
}

@test "a name is a volume; a directory of that name is mentioned" {
	mkdir "$T/data"
	must_work run -v data:/d busybox touch /d/x
	says './data'
	[ ! -e "$T/data/x" ]
	must_work prism volume rm data
}

@test "--device: a node, a directory of them, another name" {
	must_work run --device /dev/null:/dev/other busybox sh -c \
		'stat -c "%t:%T" /dev/other; echo x >/dev/other'
	prints 1:3
	must_work run --device /dev/null:/x/y busybox sh -c \
		'[ -c /x/y ] && echo x >/x/y'
	[ ! -c /dev/net/tun ] || {
		must_work run --device /dev/net/tun busybox stat -c %t:%T /dev/net/tun
		prints a:c8
		must_work run --device /dev/net busybox ls /dev/net
		has tun
	}
	must_work run --device /dev/zero:/dev/z:r busybox head -c 2 /dev/z
}

@test "nodes that the container makes itself lead nowhere" {
	must_exit 1 run busybox sh -c 'mknod /n c 1 5 && head -c 1 /n'
	must_exit 1 run busybox sh -c 'mknod /dev/n c 1 5 && head -c 1 /dev/n'
	must_exit 1 run --tmpfs /m:dev busybox sh -c \
		'mknod /m/n c 1 5 && head -c 1 /m/n'
}

@test "--read-only leaves tmpfs mounts writable, --read-only-tmpfs makes some" {
	must_exit 1 run --read-only busybox touch /tmp/x
	must_work run --read-only --tmpfs /tmp busybox touch /tmp/x /dev/shm/x
	must_work run --read-only --read-only-tmpfs busybox \
		touch /tmp/x /run/x /var/tmp/x
	must_exit 1 run --read-only --read-only-tmpfs busybox touch /etc/x
}

@test "--shm-size" {
	must_work run --shm-size 8m busybox grep ' /dev/shm ' /proc/mounts
	has 'size=8192k'
	must_work run --shm-size=1g busybox grep ' /dev/shm ' /proc/mounts
	has 'size=1048576k'
}

@test "what every container finds: markers, mtab, and nothing of it is written" {
	must_work run busybox sh -c 'ls -A /.dockerenv /run/.containerenv
		readlink /etc/mtab; cat /.dockerenv /run/.containerenv'
	prints '/.dockerenv
/run/.containerenv
/proc/mounts'
	must_work prism run --name kept busybox true
	[ -z "$(find "$PRISM_ROOT"/containers/by-name/kept/upper/ \
		-name '.dockerenv' -o -name .containerenv -o -name mtab)" ]
	must_work prism rm kept
}

@test "--tz: the host's zone file over /etc/localtime" {
	[ -e /usr/share/zoneinfo/Asia/Tokyo ] || skip "needs TZDATA: no tzdata"
	run --tz Asia/Tokyo busybox cat /etc/localtime >"$T/o"
	cmp "$T/o" /usr/share/zoneinfo/Asia/Tokyo
	must_work run --tz Asia/Tokyo busybox date +%Z
}

@test "-v :rshared on a shared mount: what is mounted inside is seen outside" {
	need TMPFS
	mkdir "$T/v"
	unshare -m sh -ec "mount -t tmpfs none '$T/v'; mount --make-shared '$T/v'
		mkdir '$T/v/in'
		'$PRISM_BIN' run --rm --cap-add SYS_ADMIN -v '$T/v:/v:rshared' busybox \
			sh -c 'mount -t tmpfs inner /v/in; touch /v/in/here'
		ls '$T/v/in'" >"$T/o"
	grep -qx here "$T/o"
}

@test "-v :idmap with --userns auto: the container's root is the files' owner" {
	need USERNS
	mkdir "$T/v"
	touch "$T/v/f"
	must_work run --userns auto -v "$T/v:/v:idmap" busybox sh -c \
		'stat -c %u /v/f; touch /v/g'
	prints 0
	[ "$(stat -c %u "$T/v/g")" = 0 ]
	must_work run -v "$T/v:/v:idmap" busybox touch /v/h
}

@test "-v :U with --userns auto: host directories, volumes and files" {
	need USERNS
	mkdir -p "$T/v/sub"
	touch "$T/v/f" "$T/v/sub/g" "$T/one"
	chown 12:34 "$T/v/f"
	must_work run --userns auto -u 1000:1000 -v "$T/v:/v:U" -v "$T/one:/one:U" \
		-v vol:/vol:U busybox sh -c 'cut -c1-21 /proc/self/uid_map
		stat -c %u:%g /v /v/f /v/sub/g /one /vol; touch /v/new /vol/new'
	base=$(awk 'NR == 1 { print $2 }' <<<"$output")
	[ "$(tail -n +2 <<<"$output" | sort -u)" = 1000:1000 ] || explain 'all are the user'"'"'s'
	[ "$(stat -c %u "$T/v/f" "$T/v/new" "$T/one" | sort -u)" = $((base + 1000)) ]
	must_work run -u 1000 -v "$T/one:/one:U" -v vol:/vol:idmap busybox \
		stat -c %u /one /vol/new
	prints $'1000\n1000'
	must_work prism volume rm vol
}
