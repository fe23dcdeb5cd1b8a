#!/usr/bin/env bats
# prism images, inspect, rmi, fsck: the store as a user sees it.
load ../lib/common

setup_file()
{
	file_setup
	registry_start
}

setup()
{
	test_setup
	must_work prism pull -q busybox
}

# ---- images ---------------------------------------------------------------------

@test "images: Docker's columns" {
	must_work prism images
	[ "$(head -n1 <<<"$output")" = \
		"REPOSITORY   TAG      IMAGE ID       CREATED       SIZE" ] ||
		has '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$'
	has '^busybox +latest +[0-9a-f]{12} +.* ago +[0-9.]+[kM]?B$'
	must_work prism images -a --digests
	has '^REPOSITORY +TAG +DIGEST +IMAGE ID '
	has 'sha256:[0-9a-f]{64} +[0-9a-f]{12} '
	must_work prism images -q
	has '^[0-9a-f]{12}$'
	must_work prism images -q --no-trunc
	has '^sha256:[0-9a-f]{64}$'
}

@test "images --format json: one object per line" {
	must_work prism pull -q zstd
	must_work prism images --format json
	[ "$(wc -l <<<"$output")" = 2 ]
	[ "$(jq -r .Repository <<<"$output" | sort | tr '\n' ' ')" = \
		"busybox zstd " ]
	[ "$(jq -r 'select(.Repository == "zstd").Tag' <<<"$output")" = latest ]
}

@test "images --format: templates and tables by Docker's keys" {
	must_work prism pull -q zstd
	must_work prism images --format '{{.Repository}}:{{.Tag}}'
	[ "$(sort <<<"$output" | tr '\n' ' ')" = "busybox:latest zstd:latest " ]
	must_work prism images --format 'table {{.Tag}}\t{{.Repository}}\t{{.ID}}'
	[ "$(head -n1 <<<"$output")" = "TAG       REPOSITORY   IMAGE ID" ]
	has '^latest    busybox      [0-9a-f]{12}$'
	must_work prism images --format '{{json .}}'
	[ "$(jq -r .Tag <<<"$output" | sort -u)" = latest ]
	must_work prism images --format '{{.CreatedAt}}'
	has '^20[0-9-]{8} [0-9:]{8} \+0000 UTC$|^N/A$'
	must_work prism images --format '{{.Label "nope"}}|{{upper .Tag}}'
	has '^\|LATEST$'
	must_work prism images --noheading
	[ "$(wc -l <<<"$output")" = 2 ]
	must_fail 1 prism images --format '{{.Nope}}'
	says "template:1:3: no field 'Nope'"
	must_fail 1 prism images --format '{{'
	says 'unclosed action'
}

@test "images REPOSITORY[:TAG], and --filter" {
	must_work prism pull -q zstd
	must_work prism images -q busybox
	[ "$(wc -l <<<"$output")" = 1 ]
	must_work prism images --format '{{.Repository}}' 'z*'
	prints zstd
	must_work prism images -q busybox:nope
	prints ''
	must_work prism images --format '{{.Repository}}' \
		--filter reference=busybox:latest
	prints busybox
	must_work prism images -q --filter reference='*' --filter dangling=true
	prints ''
	must_work prism images -q --filter dangling=false
	[ "$(wc -l <<<"$output")" = 2 ]
	must_work prism images -q --filter label=no.such
	prints ''
	must_work prism images -q --filter since=busybox --filter before=zstd
	must_fail 1 prism images --filter nope=1
	says "there are: reference, label"
	must_fail 1 prism images --filter before=nope
	must_fail 1 prism images --filter dangling=perhaps
}

@test "images in an empty store: the heading alone" {
	must_work prism --root "$T/empty" images
	[ "$(wc -l <<<"$output")" = 1 ]
	must_work prism --root "$T/empty" images -q
	prints ''
}

@test "a damaged name is warned of, the others are shown" {
	mkdir -p "$PRISM_ROOT/images/docker.io/library/bad"
	echo nonsense >"$PRISM_ROOT/images/docker.io/library/bad/:1"
	must_exit 1 prism images
	has '^busybox '
	says 'bad'
	must_exit 1 prism fsck
	has 'bad:1'
	must_work prism rmi bad:1
	must_work prism images
}

# ---- inspect --------------------------------------------------------------------

@test "inspect -f" {
	local id

	id=$(prism images -q --no-trunc)
	must_work prism inspect -f '{{.Id}}' busybox
	prints "$id"
	must_work prism inspect --format '{{.Os}}/{{.Architecture}} {{.Config.Cmd}}' \
		busybox busybox
	[ "$(sort -u <<<"$output" | wc -l)" = 1 ]
	has '^linux/[a-z0-9]+ \[sh\]$'
	must_work prism inspect -f '{{index .RepoTags 0}} {{len .RootFS.Layers}}' \
		busybox
	prints 'busybox:latest 1'
	must_work prism inspect -f '{{.Config.Entrypoint}}{{.Config.Labels.x}}' \
		busybox
	prints '[]<no value>'
	must_work prism inspect -f json busybox
	[ "$(jq -r .Id <<<"$output")" = "$id" ]
	must_work prism inspect -f '{{json .Config.Env}}' busybox
	jq -e . <<<"$output"
	must_fail 1 prism inspect -f '{{.Nope}}' busybox
	says "no field 'Nope'"
	must_exit 1 prism inspect -f '{{.Os}}' nope busybox
	prints linux
	says '^Error: No such object: nope$'
	must_work prism image inspect busybox
	must_exit 1 prism image inspect nope
	prints '[]'
	says '^Error: No such image: nope$'
	must_fail 1 prism inspect --type nonsense busybox
}

@test "inspect: Docker's shape" {
	local id

	id=$(prism images -q --no-trunc)
	must_work prism inspect busybox
	[ "$(jq -r '.[0].Id' <<<"$output")" = "$id" ]
	[ "$(jq -r '.[0].RepoTags[0]' <<<"$output")" = busybox:latest ]
	jq -er '.[0].RepoDigests[0] | test("^busybox@sha256:[0-9a-f]{64}$")' \
		<<<"$output"
	[ "$(jq -r '.[0].RootFS.Layers | length' <<<"$output")" = 1 ]
	[ "$(jq -c '.[0].Config.Cmd' <<<"$output")" = '["sh"]' ]
	[ "$(jq -r '.[0].Os' <<<"$output")" = linux ]
	[ "$(jq -r '.[0].Size' <<<"$output")" -gt 100000 ]
	must_work prism inspect "${id#sha256:}" "${id:7:12}" "${id:7:4}" "$id"
	[ "$(jq length <<<"$output")" = 4 ]
}

@test "inspect of what is not there" {
	must_exit 1 prism inspect nosuch
	prints '[]'
	[ "$stderr" = "Error: No such object: nosuch" ]
	must_exit 1 prism inspect nosuch busybox
	[ "$(jq length <<<"$output")" = 1 ]
	must_exit 1 prism inspect '../../etc/passwd'
	prints '[]'
}

# ---- rmi ------------------------------------------------------------------------

@test "rmi: name, image and layers go; fsck is clean" {
	local id

	id=$(prism images -q --no-trunc)
	must_work prism rmi busybox
	has '^Untagged: busybox:latest$'
	has "^Deleted: $id\$"
	[ "$(grep -c '^Deleted: sha256:' <<<"$output")" = 2 ]
	# under/ is what every container has below its image.
	[ -z "$(find "$PRISM_ROOT" -type f -not -name lock -not -name version \
		-not -path '*/under/*')" ]
	must_work prism fsck
	has '^0 names, 0 blobs, 0 layers'
	must_fail 1 prism rmi busybox
	says 'busybox'
	must_work prism rmi -f busybox
}

@test "rmi of one of two names keeps the content" {
	need ALPINE
	must_work prism pull -q alpine:3.20
	must_work prism pull -q alpine:latest
	must_work prism rmi alpine:3.20
	has '^Untagged: alpine:3.20$'
	has_not Deleted
	must_work prism inspect alpine:latest
	must_work prism fsck
	must_work prism rmi alpine
	has Deleted
}

@test "rmi by id: several names only with -f" {
	local id

	need ALPINE
	must_work prism pull -q alpine:3.20
	must_work prism pull -q alpine:latest
	id=$(prism inspect alpine | jq -r '.[0].Id[7:19]')
	must_fail 1 prism rmi "$id"
	says '2 names'
	must_work prism rmi -f "$id"
	[ "$(grep -c Untagged <<<"$output")" = 2 ]
	must_work prism images -q
	[ "$(wc -l <<<"$output")" = 1 ]
}

@test "rmi keeps what another image needs" {
	local layers

	# The lower layer of zstd is that of busybox, compressed otherwise.
	must_work prism pull -q zstd
	layers=$(find "$PRISM_ROOT/layers/sha256" -mindepth 1 -maxdepth 1 | wc -l)
	[ "$layers" = 2 ]
	must_work prism rmi zstd
	[ "$(grep -c '^Deleted: sha256:' <<<"$output")" = 2 ]
	must_work prism fsck
	must_work prism rmi busybox
	has '^Deleted'
}

@test "rmi takes both platforms of a name" {
	need ALPINE
	must_work prism pull -q --platform linux/arm64 alpine
	must_work prism pull -q --platform linux/amd64 alpine
	must_work prism rmi alpine busybox
	[ -z "$(find "$PRISM_ROOT/blobs" "$PRISM_ROOT/layers" -mindepth 2)" ]
}

@test "rmi of an image that a container was made from" {
	need ROOT OVERLAY NETNS
	local id

	must_work prism run --network none --name holder busybox true
	must_fail 1 prism rmi busybox
	says 'is used by container'
	must_work prism rmi -f busybox
	has '^Untagged'
	has_not '^Deleted'
	must_work prism fsck
	must_work prism rm holder
	must_work prism pull -q busybox
	must_work prism rmi busybox
	has '^Deleted'
}

@test "rmi of several: the others go even if one is not there" {
	must_work prism pull -q zstd
	must_fail 1 prism rmi zstd nosuch busybox
	has 'Untagged: zstd'
	has 'Untagged: busybox'
	must_work prism images -q
	prints ''
}

# ---- fsck -----------------------------------------------------------------------

# finds REGEX: fsck ends with 1 and says so.
finds()
{
	must_exit 1 prism fsck
	has "$1"
	has 'found$'
}

@test "fsck finds what was changed in a layer" {
	local fs

	fs=$(echo "$PRISM_ROOT"/layers/sha256/*/fs)
	must_work prism fsck
	has ': clean$'

	# The same size and time, other bytes.
	cp -p "$fs/etc/passwd" "$T/keep"
	tr aeiou eioua <"$T/keep" >"$fs/etc/passwd"
	touch -r "$T/keep" "$fs/etc/passwd"
	finds 'etc/passwd: the content differs'
	must_work prism fsck --quick
	cat "$T/keep" >"$fs/etc/passwd"
	finds 'etc/passwd: the time differs'
	touch -r "$T/keep" "$fs/etc/passwd"
	must_work prism fsck

	chmod 4711 "$fs/etc/passwd"
	finds 'etc/passwd: the mode differs'
	chmod --reference="$T/keep" "$fs/etc/passwd"
	must_work prism fsck

	touch -r "$fs/etc" "$T/etc"
	echo x >"$fs/etc/extra"
	finds 'etc/extra: is not in the list'
	rm "$fs/etc/extra" "$fs/etc/group"
	finds 'etc/group: is missing'
}

@test "fsck finds damaged and missing blobs, and names that lead nowhere" {
	local blob

	blob=$(find "$PRISM_ROOT/blobs/sha256" -type f -size +100k | head -n1)
	cp "$blob" "$T/keep"
	printf x | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
	finds 'damaged'
	rm "$blob"
	finds 'is not in the store'
	cp "$T/keep" "$blob"
	must_work prism fsck
	rm -rf "$PRISM_ROOT"/layers/sha256/*
	finds 'is not unpacked'
}

@test "fsck removes what was left unfinished, and keeps beginnings of blobs" {
	mkdir -p "$PRISM_ROOT/tmp/layer-sha256-00/fs/a/b"
	touch "$PRISM_ROOT/tmp/layer-sha256-00.lock" "$PRISM_ROOT/tmp/part-sha256-00"
	must_work prism fsck
	has ': clean$'
	says '2 unfinished'
	[ "$(ls "$PRISM_ROOT/tmp")" = part-sha256-00 ]
	rm "$PRISM_ROOT/tmp/part-sha256-00"
}
