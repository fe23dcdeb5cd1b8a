#!/usr/bin/env bats
# kill -9 at every crash point of volumes, copy-up, commit, import and load:
# afterwards the store is whole, and the same command works.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

teardown()
{
	prism rm -f c >/dev/null 2>&1 || true
	prism volume prune -af >/dev/null 2>&1 || true
	prism rmi -f made full >/dev/null 2>&1 || true
	test_teardown
}

# each_point PATTERN CMD...: die at each point whose name fits; check after.
# `again` says what must hold then.
each_point()
{
	local pattern=$1 point n=0

	shift
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work "$@"
	again
	for point in $(points "$T/list" | grep -E "$pattern"); do
		PRISM_CRASH_AT=$point capture "$@"
		if [ "$status" = 0 ]; then
			explain "nobody died at $point" || return 1
		fi
		must_work prism fsck
		# Who comes next finds it as it was, or as it shall be.
		must_work "$@"
		again || explain "after $point" || return 1
		n=$((n + 1))
	done
	printf 'died at %s points\n' "$n"
	[ "$n" -ge 2 ] || explain "$pattern: only $n points"
}

@test "volume create and rm" {
	again()
	{
		must_work prism volume inspect one
		must_work prism volume rm one
	}
	each_point '^volume-' prism volume create one
	again()
	{
		must_fail 1 prism volume inspect one
		must_work prism volume create one
	}
	must_work prism volume create one
	: >"$T/list"
	PRISM_CRASH_AT=volume-gone capture prism volume rm one
	[ "$status" != 0 ] || explain 'volume-gone'
	must_work prism fsck
	must_fail 1 prism volume inspect one
}

@test "a run with an anonymous and a fresh named volume" {
	need ROOT OVERLAY
	mkdir -p "$T/lay/data/sub"
	echo content >"$T/lay/data/file"
	echo more >"$T/lay/data/sub/file"
	"$LIB/mkimage" "$T/layout" image --config '{"Volumes":{"/data":{}}}' \
		"$T/lay" >/dev/null
	PRISM_ROOT=$FT/root
	store_volume_image
	again()
	{
		[ "$output" = "content more" ] || explain 'the whole content'
		# The killed one holds it until the last of it is dead.
		wait_for prism volume rm named
		# Made, and not yet named by a container that is there: an
		# anonymous one that nobody uses, as any other.
		must_work prism volume prune -f
		[ -z "$(find "$PRISM_ROOT/volumes" -mindepth 1 -maxdepth 1 \
			-not -name .lock)" ] || explain 'volumes are left'
	}
	each_point '^(volume-renamed|copyup|teardown-volume)' prism run --rm \
		-v named:/mnt -v named:/data full \
		sh -c 'echo $(cat /mnt/file /mnt/sub/file)'
}

# "full": busybox and the layer above, pulled.
store_volume_image()
{
	local a
	mkdir -p "$T/bb/bin" "$T/bb/mnt" "$T/bb/proc" "$T/bb/dev" "$T/bb/sys"
	cp -r "$T/lay/data/." "$T/bb/mnt/"
	cp "$(command -v busybox)" "$T/bb/bin/busybox"
	for a in sh cat echo; do
		ln -s busybox "$T/bb/bin/$a"
	done
	store_image full --config '{"Volumes":{"/anon":{}}}' "$T/bb" "$T/lay"
}

@test "commit" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c 'echo x >/new; rm /bin/vi'
	again()
	{
		must_work prism run --rm made cat /new
		prints x
		must_work prism rmi made
	}
	each_point . prism commit c made
}

@test "import and load" {
	need ROOT OVERLAY
	must_work prism export -o "$T/tree.tar" "$(prism create --name c busybox)"
	again()
	{
		must_work prism run --rm --network none made echo yes
		prints yes
		must_work prism rmi made
	}
	each_point . prism import "$T/tree.tar" made
	must_work prism import "$T/tree.tar" made
	must_work prism save -o "$T/a.tar" made
	must_work prism rmi made
	each_point . prism load -i "$T/a.tar"
}
