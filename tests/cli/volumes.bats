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
