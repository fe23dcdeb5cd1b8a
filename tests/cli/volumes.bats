#!/usr/bin/env bats
# Volumes: what the image declares, named ones, copy-up, who uses them, removal.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
	make_image >"$FT/make.log" 2>&1
}

# "vol": busybox with a directory worth copying, declared as a volume. Pulled
# for root, and for the ordinary user where there is one.
make_image()
{
	local d=$FT/lay

	mkdir -p "$d/data/sub"
	echo content >"$d/data/file"
	ln "$d/data/file" "$d/data/sub/hard"
	ln -s file "$d/data/link"
	mkfifo "$d/data/fifo"
	chown 1000:1000 "$d/data" "$d/data/file"
	chmod 2770 "$d/data"
	touch -d '2001-02-03 04:05:06.789' "$d/data/file" "$d/data/sub"
	python3 - "$d/data/file" <<-'END'
	import os, sys
	os.setxattr(sys.argv[1], 'user.note', b'kept')
	os.setxattr(sys.argv[1], 'security.capability',
	            bytes.fromhex('0100000200200000000000000000000000000000'))
	END
	busybox_layer "$FT/bb"
	"$LIB/mkimage" "$FT/layout" image --config \
		'{"Cmd":["sh"],"Volumes":{"/data":{},"/fresh/":{}}}' "$FT/bb" "$d"
	T=$FT registry_own image
	push_layout "$FT/layout" image library/vol
	PRISM_ROOT=$FT/root prism pull vol
	if [ -n "${TEST_USER:-}" ]; then
		PRISM_CONFIG=$FT/prism.json as_user "$PRISM_BIN" pull vol
	fi
	registry_own_stop image
}

# busybox_layer DIR: a root with busybox in it.
busybox_layer()
{
	local a

	mkdir -p "$1/bin" "$1/etc" "$1/proc" "$1/sys" "$1/dev"
	mkdir -m 1777 "$1/tmp"
	cp "$(command -v busybox)" "$1/bin/busybox"
	for a in $(busybox --list); do
		[ "$a" = busybox ] || ln -s busybox "$1/bin/$a"
	done
}

volumes()
{
	find "$PRISM_ROOT/volumes" -mindepth 1 -maxdepth 1 -not -name .lock \
		-printf '%f\n' 2>/dev/null
}

# ---- what the image declares ----------------------------------------------------

@test "VOLUME of an image: an anonymous volume with the image's content" {
	need ROOT OVERLAY
	must_work prism run --rm vol sh -c \
		'stat -c "%a %u:%g %n" /data /data/file
		 stat -c "%y" /data/file /data/sub
		 cat /data/sub/hard /data/link
		 test -p /data/fifo && stat -c "links %h" /data/file
		 grep -c " /data \| /fresh " /proc/self/mountinfo'
	has '^2770 1000:1000 /data$'
	has '^644 1000:1000 /data/file$'
	has '^2001-02-03 04:05:06.789'
	has '^links 2$'
	has '^2$'
	[ "$(grep -c '^content$' <<<"$output")" = 2 ] || explain 'content'
	[ -z "$(volumes)" ] || explain "--rm removes them: $(volumes)"
}

@test "capabilities and xattrs of files go into the volume" {
	need ROOT OVERLAY
	must_work prism run --name c vol true
	local file
	file=$(find "$PRISM_ROOT/volumes" -name file)
	python3 - "$file" <<-'END'
	import os, sys
	assert os.getxattr(sys.argv[1], 'user.note') == b'kept'
	assert len(os.getxattr(sys.argv[1], 'security.capability')) == 20
	END
	must_work prism rm -v c
}

@test "rm leaves anonymous volumes, rm -v takes them" {
	need ROOT OVERLAY
	must_work prism run --name a vol true
	[ "$(volumes | wc -l)" = 2 ] || explain 'two volumes'
	must_work prism rm a
	[ "$(volumes | wc -l)" = 2 ] || explain 'rm leaves them'
	must_work prism run --name a vol true
	[ "$(volumes | wc -l)" = 4 ] || explain 'four volumes'
	must_work prism rm -v a
	[ "$(volumes | wc -l)" = 2 ] || explain 'rm -v takes its own'
	rm -rf "$PRISM_ROOT"/volumes/*
}

@test "as an ordinary user, owners that only the user namespace knows" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	must_work as_user "$PRISM_BIN" run --rm vol sh -c \
		'stat -c "%a %u:%g %n" /data /data/file; touch /data/new
		 chown 33:33 /data/new; ls /data'
	has '^2770 1000:1000 /data$'
	has '^new$'
	[ -z "$(PRISM_ROOT=$FT/user/home/.local/share/prism volumes)" ]
}

# ---- named ones -------------------------------------------------------------------

@test "a named volume is made on first use, filled, and stays" {
	need ROOT OVERLAY
	must_work prism run --rm -v named:/data vol sh -c 'echo more >/data/new; ls /data'
	has '^file$'
	must_work prism run --rm -v named:/mnt busybox ls /mnt
	prints "$(printf 'fifo\nfile\nlink\nnew\nsub')"
	must_work prism run --rm --mount type=volume,src=named,dst=/d,readonly \
		busybox sh -c 'cat /d/new; touch /d/x 2>&1 || true'
	has '^more$'
	has 'Read-only'
	must_work prism volume rm named
	prints named
}

@test "nocopy leaves it empty; one with content is left alone" {
	need ROOT OVERLAY
	must_work prism run --rm -v empty:/data:nocopy vol ls -A /data
	prints ''
	must_work prism run --rm -v full:/x busybox touch /x/mine
	must_work prism run --rm -v full:/data vol ls -A /data
	prints mine
	must_work prism volume rm empty full
}

@test "a copy that was killed begins anew" {
	need ROOT OVERLAY
	must_work prism volume create half
	touch "$PRISM_ROOT/volumes/half/_data/.prism-copy-up"
	echo junk >"$PRISM_ROOT/volumes/half/_data/file"
	must_work prism run --rm -v half:/data vol sh -c 'ls -A /data; cat /data/file'
	has_not junk
	has_not prism-copy-up
	has '^content$'
	must_work prism volume rm half
}

@test "two containers at once fill one volume once" {
	need ROOT OVERLAY
	local i pids=()
	for i in 1 2 3 4 5 6; do
		prism run --rm -v both:/data vol sh -c 'ls -A /data | wc -l' \
			>"$T/out$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6; do
		[ "$(cat "$T/out$i")" = 4 ] || explain "container $i: $(cat "$T/out$i")"
	done
	must_work prism volume rm both
}

# ---- the commands -----------------------------------------------------------------

@test "volume create, ls, inspect, rm" {
	must_work prism volume create --label a=b --label bare one
	prints one
	must_work prism volume create one
	prints one
	must_work prism volume create
	[ ${#output} = 64 ] || explain '64 digits'
	must_work prism volume ls
	has '^DRIVER +VOLUME NAME$'
	has '^local +one$'
	must_work prism volume ls -q --filter label=a=b
	prints one
	must_work prism volume ls -q --filter name=on --filter driver=local
	prints one
	must_work prism volume ls --format '{{.Name}}={{.Label "a"}}' --filter name=one
	prints one=b
	must_work prism volume ls --format json --filter name=one
	has '"Mountpoint":"[^"]*/volumes/one/_data"'
	must_work prism volume inspect one
	[ "$(jq -r '.[0] | .Name + .Driver + .Scope + .Labels.a' <<<"$output")" = onelocallocalb ]
	must_work prism volume inspect -f '{{.Name}} {{index .Labels "a"}}' one
	prints 'one b'
	must_fail 1 prism volume inspect none
	prints '[]'
	says 'No such volume: none'
	must_fail 1 prism volume rm none one
	prints one
	must_work prism volume rm -f none
	must_fail 1 prism volume ls --filter nonsense=1
	must_fail 1 prism volume create 'no/name'
	must_fail 1 prism volume create -d nfs x1
	must_fail 1 prism volume create -o type=tmpfs -o device=tmpfs x1
	says 'tmpfs'
	must_work prism volume prune -f
	has '^Deleted Volumes:$'
	has '^Total reclaimed space: 0B$'
	[ -z "$(volumes)" ] || explain 'nothing is left'
}

@test "volume rm: not while a container names it, running or not" {
	need ROOT OVERLAY
	must_work prism run --name user -v used:/d busybox true
	must_fail 1 prism volume rm used
	says 'volume is in use'
	must_work prism volume ls -q --filter dangling=true
	prints ''
	must_work prism volume ls -q --filter dangling=false
	prints used
	must_work prism volume prune -af
	must_work prism volume inspect used
	must_work prism rm user
	must_work prism volume ls -q --filter dangling=true
	prints used
	must_work prism volume prune -f
	must_work prism volume inspect used
	must_work prism volume prune -f --filter all=1
	has '^used$'
	must_fail 1 prism volume inspect used
	must_work prism volume create named
	must_work prism volume prune -f
	must_work prism volume prune --all -f
	has '^named$'
}

@test "prune asks, and takes no answer for a no" {
	must_work prism volume create
	must_work prism volume prune </dev/null
	has 'Are you sure'
	[ -n "$(volumes)" ] || explain 'it is still there'
	must_work prism volume prune <<<y
	[ -z "$(volumes)" ] || explain 'it is gone'
}

@test "a volume that stands for a directory of the host" {
	need ROOT OVERLAY
	mkdir "$T/host"
	echo here >"$T/host/f"
	must_work prism volume create -o type=none -o o=bind -o device="$T/host" dev
	must_work prism run --rm -v dev:/d busybox cat /d/f
	prints here
	must_work prism volume rm dev
	[ -e "$T/host/f" ] || explain 'the directory is not ours to remove'
}

@test "as an ordinary user: named volumes, removed with foreign owners in them" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	must_work as_user "$PRISM_BIN" run --rm -v mine:/data vol sh -c \
		'mkdir -m 0700 /data/x; touch /data/x/y; chown -R 33:33 /data/x'
	must_work as_user "$PRISM_BIN" run --rm -v mine:/m vol stat -c '%u %a' /m/x /m
	has '^33 700$'
	has '^1000 2770$'
	must_work as_user "$PRISM_BIN" volume rm mine
	must_work as_user "$PRISM_BIN" volume ls -q
	prints ''
}

@test "with ids of its own: the volume has the container's ids" {
	need ROOT OVERLAY
	must_work prism run --rm --userns auto -v ids:/data vol sh -c \
		'stat -c "%u %a" /data; touch /data/mine; chown 5:6 /data/mine'
	prints '1000 2770'
	must_work prism run --rm --userns auto -v ids:/d:ro vol sh -c \
		'stat -c "%u:%g" /d/mine; touch /d/no 2>&1 || true'
	has '^5:6$'
	has 'Read-only'
	must_work prism run --rm -v ids:/d busybox stat -c '%u:%g' /d/mine
	prints '5:6'
	must_work prism volume rm ids
	[ -z "$(volumes)" ] || explain "no anonymous ones are left: $(volumes)"
}

@test "fsck looks at volumes" {
	must_work prism volume create sound
	must_work prism fsck
	echo '{' >"$PRISM_ROOT/volumes/sound/volume.json"
	must_exit 1 prism fsck
	has 'volume sound: volume.json'
	must_work prism volume rm sound
	must_work prism fsck
}

@test "a volume that the program emptied is not filled again by a start" {
	need ROOT OVERLAY
	must_work prism run --name again -v kept:/data vol sh -c \
		'ls -A /data | wc -l; rm -rf /data/*'
	prints 4
	must_work prism start -a again
	prints 0
	must_work prism rm -v again
	must_work prism volume rm kept
}

@test "--mount volume-subpath: a part of a volume, and nothing outside of it" {
	need ROOT OVERLAY
	must_work prism run --rm -v parts:/v busybox sh -c \
		'mkdir -p /v/a/b; echo deep >/v/a/b/f; ln -s ../../../../../../etc /v/out
		 ln -s a/b /v/link; mkdir /v/etc; echo inside >/v/etc/passwd'
	must_work prism run --rm --mount type=volume,src=parts,dst=/m,volume-subpath=a/b \
		busybox cat /m/f
	prints deep
	must_work prism run --rm --mount src=parts,dst=/m,volume-subpath=link busybox ls /m
	prints f
	# The volume is the root of every link.
	must_work prism run --rm --mount src=parts,dst=/m,volume-subpath=out busybox cat /m/passwd
	prints inside
	must_work prism run --rm --mount src=parts,dst=/etc,volume-subpath=a busybox ls /etc
	has_not passwd
	must_work prism create --name c --mount src=parts,dst=/m,volume-subpath=a/b busybox true
	must_work prism cp c:/m/f f
	[ "$(cat f)" = deep ]
	must_work prism rm c
	must_fail 125 prism run --rm --mount src=parts,dst=/m,volume-subpath=none busybox true
	says 'volume-subpath none'
	must_fail 125 prism run --rm --mount src=parts,dst=/m,volume-subpath=/a busybox true
	must_fail 125 prism run --rm --mount type=bind,src=/,dst=/m,volume-subpath=a busybox true
	must_work prism volume rm parts
}
