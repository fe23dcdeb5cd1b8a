#!/usr/bin/env bats
# prism pull: what it prints, what it refuses, what several at once do.
load ../lib/common

setup_file()
{
	file_setup
	registry_start
}

# broken_registry HEX-OF-BLOB: serve the site's images, one blob damaged.
broken_registry()
{
	cp -r "$PRISM_TEST_SITE/registry" "$T/registry"
	BROKEN=$T/registry/docker/registry/v2/blobs/sha256/${1:0:2}/$1/data
	"${@:2}" "$BROKEN"
	registry_serve "$T/registry" "$FT/keep/broken"
	PRISM_CONFIG=$T/prism.json
	config_mirror "$PRISM_CONFIG" "$REGISTRY_PORT"
}

flip_a_byte()
{
	# The byte in the middle, whatever it was, becomes another.
	local at byte

	at=$(($(stat -c %s "$1") / 2))
	byte=$(od -An -tu1 -j "$at" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %x $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

cut_short()
{
	truncate -s -100 "$1"
}

# layer_of IMAGE N: the digest of its n-th layer (1: the lowest), bare hex.
layer_of()
{
	local layout=$PRISM_TEST_SITE/layout m

	m=$(jq -r --arg n "$1" '.manifests[]
		| select(.annotations["org.opencontainers.image.ref.name"] == $n)
		| .digest' "$layout/index.json")
	jq -r ".layers[$2 - 1].digest" "$layout/blobs/sha256/${m#*:}" |
		cut -d: -f2
}

# ---- what it prints -------------------------------------------------------------

@test "the first pull and the second one" {
	must_work prism pull busybox
	has '^latest: Pulling from library/busybox$'
	has '^[0-9a-f]{12}: Pull complete$'
	has '^Digest: sha256:[0-9a-f]{64}$'
	has '^Status: Downloaded newer image for busybox:latest$'
	[ "$(tail -n1 <<<"$output")" = docker.io/library/busybox:latest ]
	must_work prism pull docker.io/library/busybox:latest
	has '^Status: Image is up to date for busybox:latest$'
	has_not 'Pull complete'
	must_work prism fsck
	has 'clean$'
}

@test "-q prints the reference only, and no terminal means no progress" {
	must_work prism pull -q busybox
	prints docker.io/library/busybox:latest
	[ -z "$stderr" ]
}

@test "layers that are there are not fetched again" {
	need ALPINE
	must_work prism pull alpine:3.20
	must_work prism pull alpine:latest
	has '^Status: Downloaded newer image for alpine:latest$|^Status: Image is up'
	has_not 'Pull complete'
	must_work prism images -q
	[ "$(wc -l <<<"$output")" = 1 ]
}

@test "by digest: the name has no tag, and the second pull needs no network" {
	local digest

	must_work prism pull busybox
	digest=$(sed -n 's/^Digest: //p' <<<"$output")
	must_work prism pull "busybox@$digest"
	must_work prism images
	has 'busybox +<none>'
	has 'busybox +latest'
	PRISM_CONFIG=$FT/offline.json must_work prism pull "busybox@$digest"
	has 'up to date'
}

@test "a blob that is gone is fetched, a layer that is gone is unpacked" {
	local blob

	must_work prism pull busybox
	blob=$(layer_of busybox 1)
	rm "$PRISM_ROOT/blobs/sha256/$blob"
	must_fail_fsck
	must_work prism pull busybox
	must_work prism fsck
	rm -rf "$PRISM_ROOT"/layers/sha256/*
	must_fail_fsck
	must_work prism pull busybox
	must_work prism fsck
}

# fsck says on stdout what it found; that is a result, not an error.
must_fail_fsck()
{
	must_exit 1 prism fsck
	has 'found$'
}

@test "zstd, plain and gzip layers; a Debian image with whiteouts" {
	need DEBIAN ROOT
	must_work prism pull zstd
	must_work prism pull debian:bookworm
	must_work prism fsck
	has 'clean$'
}

# ---- platforms ------------------------------------------------------------------

@test "--platform picks from the index; what is not there is listed" {
	must_work prism pull --platform linux/arm64 alpine
	must_work prism inspect alpine
	has '"Architecture": "arm64"'
	must_work prism pull --platform x86_64 alpine
	must_work prism inspect alpine
	has '"Architecture": "amd64"'
	must_fail 1 prism pull --platform linux/s390x alpine
	says 'linux/amd64'
	says 'linux/arm64'
	must_fail 1 prism pull --platform '' alpine
}

# ---- failures -------------------------------------------------------------------

@test "an image that nobody has" {
	must_fail 1 prism pull no-such-image:1
	says 'no-such-image'
	must_fail 1 prism pull busybox:no-such-tag
	must_fail 1 prism pull 'Not/A:Name:At:All'
}

@test "offline" {
	PRISM_CONFIG=$FT/offline.json must_fail 1 prism pull busybox
	says 'busybox|127\.0\.0\.1'
	must_work prism images
	has_not busybox
}

@test "one wrong byte in a layer: refused with both digests, nothing stays" {
	local hex

	hex=$(layer_of busybox 1)
	broken_registry "$hex" flip_a_byte
	must_fail 1 prism pull busybox
	registry_end "$FT/keep/broken"
	says "$hex"
	says '(sha256:[0-9a-f]{64}.*){2}'
	must_work prism images
	has_not busybox
	[ -z "$(find "$PRISM_ROOT/layers" "$PRISM_ROOT/blobs" -name "$hex*")" ]
	must_work prism fsck
	# With right bytes it goes on.
	PRISM_CONFIG=$FT/prism.json must_work prism pull busybox
	must_work prism fsck
}

@test "a layer that is shorter than it should be" {
	broken_registry "$(layer_of busybox 1)" cut_short
	must_fail 1 prism pull busybox
	registry_end "$FT/keep/broken"
	must_work prism fsck
	PRISM_CONFIG=$FT/prism.json must_work prism pull busybox
	must_work prism fsck
}

@test "disk full: which file system, and how much is free" {
	need ROOT TMPFS DEBIAN
	mkdir "$T/small"
	mount -t tmpfs -o size=30M,mode=0700 tmpfs "$T/small"
	capture prism --root "$T/small/root" pull debian:bookworm
	umount "$T/small"
	[ "$status" = 1 ]
	says 'ENOSPC'
	says "hint: the file system of $T/small/root has [0-9]+ MB and [0-9]+ inodes free"
}

@test "a store of a newer version, and a folder that is no store" {
	must_work prism pull -q busybox
	echo 2 >"$PRISM_ROOT/version"
	must_fail 1 prism pull busybox
	says 'newer than this prism'
	must_fail 1 prism images
	echo 1 >"$PRISM_ROOT/version"
	mkdir "$T/home/else"
	touch "$T/home/else/thing"
	must_fail 1 prism --root "$T/home/else" pull busybox
	says 'not a prism store'
	[ "$(ls "$T/home/else")" = thing ]
}

# ---- several at once --------------------------------------------------------------

@test "five pulls at once fetch and unpack once" {
	local i pids=()

	for i in 1 2 3 4 5; do
		"$PRISM_BIN" pull zstd >"$T/out$i" 2>"$T/err$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || { cat "$T"/err*; false; }
	done
	cat "$T"/out*
	[ "$(cat "$T"/out* | grep -c 'Pull complete')" = 2 ]
	must_work prism fsck
	has 'clean$'
}

@test "two images that share layers, at once, five times" {
	local i a b

	need ALPINE
	for i in 1 2 3 4 5; do
		rm -rf "$PRISM_ROOT"
		"$PRISM_BIN" pull -q alpine:3.20 >/dev/null 3>&- &
		a=$!
		"$PRISM_BIN" pull -q alpine:latest >/dev/null 3>&- &
		b=$!
		wait $a
		wait $b
		must_work prism fsck
		must_work prism images
		[ "$(grep -c alpine <<<"$output")" = 2 ]
	done
}

@test "a pull and an rmi at once do not hurt each other" {
	local i a

	for i in 1 2 3 4 5; do
		"$PRISM_BIN" pull -q zstd >/dev/null 3>&- &
		a=$!
		capture prism rmi -f zstd
		wait $a
		must_work prism fsck
	done
}

# ---- the ordinary user --------------------------------------------------------------

@test "an ordinary user's layers belong to the subordinate ids" {
	need ROOT USER USERNS
	local store=$FT/user/home/.local/share/prism

	must_work as_user "$PRISM_BIN" pull busybox
	must_work as_user "$PRISM_BIN" fsck
	has 'clean$'
	[ "$(stat -c %U "$store")" = "$TEST_USER" ]
	# uid 1000 of the image is none of the host's users.
	[ "$(stat -c %u "$store"/layers/sha256/*/fs/home/app)" -gt 65535 ]
	[ "$(stat -c %u "$store"/layers/sha256/*/fs/bin/busybox)" = \
		"$(id -u "$TEST_USER")" ]
	must_work as_user "$PRISM_BIN" rmi busybox
	[ -z "$(find "$store/layers" -mindepth 2)" ]
}

@test "without subordinate ids: one note, and everything belongs to the user" {
	need ROOT USER USERNS
	local store=$FT/plain/home/.local/share/prism

	must_work as_plain_user "$PRISM_BIN" pull busybox
	[ "$(grep -c 'will belong to one user' <<<"$stderr")" = 1 ] || explain note
	must_work as_plain_user "$PRISM_BIN" fsck
	has 'clean$'
	[ -z "$(find "$store" -not -user "$TEST_USER_PLAIN")" ]
	must_work as_plain_user "$PRISM_BIN" rmi busybox
}

# ---- memory -------------------------------------------------------------------------

@test "no process of a pull takes more than 32 MiB" {
	need DEBIAN ROOT
	case ${PRISM_TEST_BUILD:-} in
	*-asan*) skip "needs RELEASE: the sanitizers take their own memory" ;;
	esac
	python3 - "$PRISM_BIN" >"$T/peak" <<-'END'
	import resource, subprocess, sys
	subprocess.run([sys.argv[1], "pull", "-q", "debian:bookworm"],
	    check=True, stdout=subprocess.DEVNULL)
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
	END
	# The children of children count too: ru_maxrss is the largest of all.
	printf 'peak: %s KiB\n' "$(cat "$T/peak")"
	[ "$(cat "$T/peak")" -lt 32768 ]
}

@test "manifest inspect: what the registry has, and whether it has it" {
	must_work prism manifest inspect alpine:3.20
	[ "$(jq -r '[.manifests[].platform.architecture] | sort | join(" ")' \
		<<<"$output")" = 'amd64 arm64' ]
	digest=$(jq -r '.manifests[] | select(.platform.architecture=="arm64") |
		.digest' <<<"$output")
	echo '{}' >"$T/auth.json"
	must_work prism manifest inspect --authfile "$T/auth.json" \
		"alpine@$digest"
	[ "$(jq -r '.layers | length' <<<"$output")" -ge 1 ]
	# Nothing of it is in the store.
	must_exit 1 prism inspect "alpine@$digest"
	must_fail 1 prism manifest inspect alpine:no-such-tag
	says 'no-such-tag'
	prints ''
	config_offline "$T/offline.json"
	must_fail 1 prism --config "$T/offline.json" manifest inspect alpine:3.20
	says 'connect'
}
