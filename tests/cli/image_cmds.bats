#!/usr/bin/env bats
# prism tag, image exists, image prune, history.
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

@test "tag: another name for the same image" {
	must_work prism tag busybox example.org/a/b:1
	prints ''
	must_work prism image tag example.org/a/b:1 c
	must_work prism images -q
	[ "$(wc -l <<<"$output")" = 1 ]
	must_work prism images --format '{{.Repository}}:{{.Tag}}'
	[ "$(sort <<<"$output" | tr '\n' ' ')" = \
		"busybox:latest c:latest example.org/a/b:1 " ]
	must_work prism inspect -f '{{join .RepoTags " "}}' c
	has example.org/a/b:1
	must_fail 1 prism tag nope x
	must_fail 1 prism tag busybox 'BAD NAME'
	must_fail 1 prism tag busybox "x@sha256:$(printf '%064d' 0)"
	must_work prism rmi busybox example.org/a/b:1
	must_work prism image exists c
	must_work prism fsck
}

@test "image exists: 0 or 1, and no word" {
	must_work prism image exists busybox
	prints ''
	must_work prism image exists "$(prism images -q)"
	must_exit 1 prism image exists nope
	prints ''
	[ -z "$stderr" ]
	must_exit 1 prism image exists 'BAD NAME'
}

@test "image prune: what lost its name; with -a what nobody uses" {
	local before

	must_work prism image prune -f
	prints 'Total reclaimed space: 0B'
	must_work prism image exists busybox
	# The name moves to another image: the old one is left behind.
	must_work prism pull -q zstd
	before=$(find "$PRISM_ROOT/blobs" -type f | wc -l)
	must_work prism tag zstd busybox
	must_work prism image prune -f
	has '^Deleted Images:$'
	has '^deleted: sha256:[0-9a-f]{64}$'
	has '^Total reclaimed space: [0-9.]+[kM]B$'
	[ "$(find "$PRISM_ROOT/blobs" -type f | wc -l)" -lt \
		"$before" ]
	must_work prism fsck
	must_work prism image prune -a -f --filter label=nobody.has.it
	must_work prism image exists zstd
	must_work prism image prune -a -f
	has '^untagged: zstd:latest$'
	must_work prism images -q
	prints ''
	must_work prism fsck
	has '^0 names, 0 blobs, 0 layers'
	must_fail 1 prism image prune -f --filter nope=1
}

@test "image prune asks, and takes no for an answer" {
	must_work bash -c "yes n | '$PRISM_BIN' image prune -a"
	has 'Are you sure you want to continue'
	must_work prism image exists busybox
	must_work bash -c "'$PRISM_BIN' image prune -a </dev/null"
	must_work prism image exists busybox
	must_work bash -c "echo y | '$PRISM_BIN' image prune -a"
	must_exit 1 prism image exists busybox
}

@test "history" {
	must_work prism history busybox
	has '^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$'
	must_work prism history --format '{{.ID}}' busybox
	must_work prism image history -q --no-trunc busybox
	must_fail 1 prism history nope
}

@test "system prune: all kinds, in an order that frees what can go" {
	need ROOT OVERLAY
	must_work bash -c "echo n | '$PRISM_BIN' system prune -a --volumes"
	has 'all networks and anonymous volumes that no container uses'
	must_work prism image exists busybox
	must_work prism network create idle
	must_work prism create --name old -v /data --label keep=no \
		--network idle busybox
	must_work prism volume create mine
	must_fail 1 prism system prune -f --filter nope=1
	must_fail 1 prism system prune -f --volumes --filter until=1h
	must_work prism system prune -f --filter label=keep=yes
	must_work prism inspect old
	must_work prism system prune -f
	has '^Deleted Containers:$'
	has '^idle$'
	must_exit 1 prism inspect old
	must_fail 1 prism network inspect idle
	must_work prism image exists busybox
	[ "$(prism volume ls -q | wc -l)" = 2 ]
	must_work prism system prune -f --volumes --filter 'label!=nobody.has.it'
	[ "$(prism volume ls -q)" = mine ]
	must_work prism image exists busybox
	must_work prism system prune -af --volumes
	has '^untagged: busybox:latest$'
	must_work prism volume ls -q
	prints mine
	must_work prism images -q
	prints ''
	must_work prism volume rm mine
	must_work prism fsck
}

@test "system df: counts, bytes in use, and what could go" {
	need ROOT OVERLAY
	row()
	{
		prism system df --format \
			'{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}' |
			sed -n "s/^$1|//p"
	}
	must_work prism system df
	has '^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$'
	has '^Images +1 +0 +[0-9.]+MB +[0-9.]+MB \(100%\)$'
	has '^Containers +0 +0 +0B +0B$'
	has '^Local Volumes +0 +0 +0B +0B$'
	must_work prism tag busybox two
	must_work prism run --name c -v vol:/v busybox sh -c \
		'head -c 5000 /dev/zero >/f; head -c 7000 /dev/zero >/v/f'
	[[ $(row Images) == '1|1|'*'|0B (0%)' ]]
	[ "$(row Containers)" = '1|0|5kB|5kB (100%)' ]
	[ "$(row 'Local Volumes')" = '1|1|7kB|0B (0%)' ]
	# Without a name it stays as long as the container needs it.
	must_work prism rmi -f busybox two
	[[ $(row Images) == '0|0|'*'MB|0B (0%)' ]]
	must_work prism rm c
	[ "$(row 'Local Volumes')" = '1|0|7kB|7kB (100%)' ]
	# What image prune -a frees is what was said to be reclaimable.
	said=$(row Images | sed 's/.*|\([^ ]*\) .*/\1/')
	must_work prism image prune -af
	has "^Total reclaimed space: $said\$"
	must_work prism system df --format json
	[ "$(jq -r .TotalCount <<<"$output" | tr '\n' ' ')" = '0 0 1 ' ]
	must_work prism volume rm vol
}
