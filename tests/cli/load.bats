#!/usr/bin/env bats
# save, load, import: an archive keeps every digest, other tools read it, theirs
# are read, and what is wrong with one leaves nothing behind.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox alpine:3.20
}

# other CMD...: prism with a second store, which is empty before.
other()
{
	PRISM_ROOT=$T/other prism "$@"
}

clean()
{
	must_work other fsck
	has ': clean$'
	[ -z "$(ls -A "$T/other/tmp")" ] || explain "left in tmp"
}

pod()
{
	podman --root "$T/pod" --runroot "$T/podrun" --storage-driver vfs "$@"
}

id_of()
{
	"${@:2}" inspect --format '{{.Id}}' "$1" | sed 's/^sha256://'
}

@test "what was saved is loaded with all its digests, and runs" {
	need ROOT OVERLAY
	must_work prism save -o "$T/a.tar" alpine:3.20
	prints ''
	must_work other load -i "$T/a.tar"
	prints 'Loaded image: alpine:3.20'
	clean
	for f in '{{.Id}}' '{{json .RepoDigests}}' '{{json .RootFS}}'; do
		[ "$(prism inspect -f "$f" alpine:3.20)" = \
			"$(other inspect -f "$f" alpine:3.20)" ] || explain "$f"
	done
	must_work other save -o "$T/b.tar" alpine:3.20
	cmp "$T/a.tar" "$T/b.tar"
	# The index too: by its digest the image is found without a registry.
	digest=$(prism inspect -f '{{index .RepoDigests 0}}' alpine:3.20)
	[[ $digest == *@sha256:* ]]
	must_work other run --rm --pull never --network none "$digest" \
		cat /etc/alpine-release
	prints 3.20.3
}

@test "several images and names in one archive, by pipe and compressed" {
	must_work prism tag busybox two:2
	id=$(prism inspect -f '{{.Id}}' busybox)
	prism save busybox two:2 alpine:3.20 "${id#sha256:}" >"$T/all.tar"
	for how in cat gzip xz zstd; do
		rm -rf "$T/other"
		$how <"$T/all.tar" | other load -q >"$T/out"
		[ "$(grep -c '^Loaded image: ' "$T/out")" = 3 ] || explain "$how"
		[ "$(other images -q --no-trunc | sort -u | wc -l)" = 2 ]
		[ "$(other inspect -f '{{.Id}}' two:2)" = "$id" ]
	done
	clean
	# By its id alone it has no name.
	rm -rf "$T/other"
	must_work prism save -o "$T/id.tar" "${id:7:12}"
	must_work other load -i "$T/id.tar"
	prints "Loaded image ID: $id"
	must_work other inspect "${id:7:12}"
	must_work prism rmi two:2
}

@test "skopeo and podman read it" {
	need ROOT OVERLAY TOOL_podman
	id=$(id_of busybox prism)
	must_work prism save -o "$T/a.tar" busybox
	for form in oci-archive docker-archive; do
		skopeo inspect --config --raw "$form:$T/a.tar" >"$T/config"
		[ "$(sha256sum <"$T/config" | cut -d' ' -f1)" = "$id" ] ||
			explain "$form"
	done
	must_work pod load -q -i "$T/a.tar"
	has 'docker.io/library/busybox:latest'
	[ "$(id_of busybox pod)" = "$id" ]
}

@test "what skopeo and podman save is loaded" {
	need ROOT OVERLAY TOOL_podman
	id=$(id_of busybox prism)
	must_work prism save -o "$T/a.tar" busybox
	must_work pod load -q -i "$T/a.tar"
	for form in docker-archive oci-archive; do
		rm -rf "$T/other"
		must_work pod save -q --format $form -o "$T/$form.tar" busybox
		must_work other load -i "$T/$form.tar"
		prints 'Loaded image: busybox:latest'
		[ "$(id_of busybox other)" = "$id" ] || explain "$form"
		clean
		must_work other run --rm --network none busybox echo yes
		prints yes
	done
	# With links, as docker save of old has them, and as a directory.
	rm -rf "$T/other"
	skopeo --insecure-policy copy -q "oci-archive:$T/a.tar" \
		"docker-archive:$T/links.tar:my/own:v1"
	tar -tvf "$T/links.tar" | grep -q '^l.*layer.tar'
	must_work other load -i "$T/links.tar"
	prints 'Loaded image: my/own:v1'
	[ "$(id_of my/own:v1 other)" = "$id" ]
	rm -rf "$T/other"
	skopeo --insecure-policy copy -q "oci-archive:$T/a.tar" \
		"oci:$T/dir:localhost:5000/x:1"
	must_work other load -i "$T/dir"
	prints 'Loaded image: localhost:5000/x:1'
	clean
}

@test "packed layers of a docker archive are judged by their bytes" {
	must_work prism save -o "$T/a.tar" busybox
	mkdir "$T/x"
	tar -C "$T/x" -xf "$T/a.tar"
	rm "$T/x/index.json" "$T/x/oci-layout"
	tar -C "$T/x" -cf "$T/old.tar" .
	must_work other load -i "$T/old.tar"
	prints 'Loaded image: busybox:latest'
	[ "$(id_of busybox other)" = "$(id_of busybox prism)" ]
	clean
}

@test "a broken archive: one error, no image, nothing left" {
	must_work prism save -o "$T/a.tar" busybox
	broken()
	{
		must_fail 1 other load -i "$T/bad.tar"
		says "$1"
		[ "$(grep -c '^prism: ' <<<"$stderr")" = 1 ] || explain "once"
		[ -z "${2:-}" ] || says "$2"
		must_work other images -q
		prints ''
		must_work other fsck
	}
	head -c 300000 "$T/a.tar" >"$T/bad.tar"
	broken 'load: .*([Tt]runcated|cut off)'
	: >"$T/bad.tar"
	broken 'load: the archive'
	head -c 5000 /dev/urandom >"$T/bad.tar"
	broken 'load: the archive'
	tar -cf "$T/bad.tar" -C / etc/passwd
	broken 'neither index.json nor manifest.json' 'hint: .*prism import'
	mkdir "$T/x"
	tar -C "$T/x" -xf "$T/a.tar"
	layer=$(jq -r '.[0].Layers[0]' "$T/x/manifest.json")
	cp "$T/x/$layer" "$T/layer"
	printf X | dd of="$T/x/$layer" bs=1 seek=2000 conv=notrunc status=none
	tar -C "$T/x" -cf "$T/bad.tar" .
	broken 'wrong digest'
	rm "$T/x/$layer"
	tar -C "$T/x" -cf "$T/bad.tar" .
	broken "there is no $layer"
	# A link that leads out leads nowhere.
	cp "$T/layer" "$T/outside"
	ln -s "$T/outside" "$T/x/$layer"
	tar -C "$T/x" -cf "$T/bad.tar" .
	broken "there is no $layer"
	rm "$T/x/$layer"
	cp "$T/layer" "$T/x/$layer"
	printf '{"manifests":[{"digest":"sha256:../../x","size":1}]}' \
		>"$T/x/index.json"
	tar -C "$T/x" -cf "$T/bad.tar" .
	broken 'digest'
	printf '{"manifests":[]}' >"$T/x/index.json"
	tar -C "$T/x" -cf "$T/bad.tar" .
	broken 'no image in it'
}

@test "load: a platform that is not in it, a file that is not there" {
	must_work prism save -o "$T/a.tar" busybox
	must_fail 1 other load --platform linux/s390x -i "$T/a.tar"
	says 'linux/s390x'
	must_fail 1 other load -i "$T/nope.tar"
	says 'nope.tar: ENOENT'
	must_fail 1 other load extra
}

@test "save --platform: one of several" {
	registry_start
	must_work other pull -q --platform linux/arm64 alpine:3.20
	must_work other pull -q --platform linux/amd64 alpine:3.20
	registry_stop
	must_work other save --platform linux/arm64 -o "$T/a.tar" alpine:3.20
	[ "$(skopeo inspect --config --raw "docker-archive:$T/a.tar" |
		jq -r .architecture)" = arm64 ]
	must_work env PRISM_ROOT="$T/third" "$PRISM_BIN" load \
		--platform linux/arm64 -i "$T/a.tar"
	must_fail 1 other save --platform linux/s390x -o "$T/b.tar" alpine:3.20
	says 's390x'
}

# blob FILE TYPE: into the layout $T/l; its descriptor, with what jq adds.
blob()
{
	local digest

	digest=$(sha256sum <"$1" | cut -d' ' -f1)
	cp "$1" "$T/l/blobs/sha256/$digest"
	jq -nc --arg d "sha256:$digest" --arg t "$2" --argjson n \
		"$(stat -c %s "$1")" "{mediaType: \$t, digest: \$d, size: \$n} + ${3:-{\}}"
}

# A layout with an index of two platforms and an attestation, as buildx makes
# them, under the name multi:1.
two_platforms()
{
	local arch

	for arch in amd64 arm64; do
		mkdir "$T/$arch"
		echo $arch >"$T/$arch/file"
		"$LIB/mkimage" "$T/l" $arch --platform linux/$arch "$T/$arch" >/dev/null
	done
	echo '{"predicate":{}}' >"$T/statement"
	echo '{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}' \
		>"$T/unknown"
	jq -nc --argjson c "$(blob "$T/unknown" application/vnd.oci.image.config.v1+json)" \
		--argjson l "$(blob "$T/statement" application/vnd.in-toto+json)" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
			config: $c, layers: [$l]}' >"$T/attestation"
	jq -c --argjson a "$(blob "$T/attestation" \
		application/vnd.oci.image.manifest.v1+json \
		'{platform: {os: "unknown", architecture: "unknown"}}')" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
			manifests: ([.manifests[] | del(.annotations)] + [$a])}' \
		"$T/l/index.json" >"$T/index"
	jq -nc --argjson i "$(blob "$T/index" application/vnd.oci.image.index.v1+json \
		'{annotations: {"io.containerd.image.name": "docker.io/library/multi:1"}}')" \
		'{schemaVersion: 2, manifests: [$i]}' >"$T/l/index.json"
	HERE=amd64 THERE=arm64
	[ "$(uname -m)" = x86_64 ] || HERE=arm64 THERE=amd64
}

# of_platform ARCH JQ-FILTER: of its manifest in the layout.
of_platform()
{
	local manifest

	manifest=$(jq -r --arg a "$1" '.manifests[] |
		select(.platform.architecture == $a).digest' "$T/index")
	jq -r "$2" "$T/l/blobs/${manifest/://}"
}

@test "of an index the rest is kept: save gives all of it, push too" {
	two_platforms
	must_work other load -i "$T/l"
	prints 'Loaded image: multi:1'
	clean
	must_work other save -o "$T/a.tar" multi:1
	tar -tf "$T/a.tar" | grep '^blobs/sha256/.' | sort >"$T/have"
	(cd "$T/l" && find blobs -type f | sort) | cmp - "$T/have"
	must_work env PRISM_ROOT="$T/third" "$PRISM_BIN" load -i "$T/a.tar"
	must_work env PRISM_ROOT="$T/third" "$PRISM_BIN" save -o "$T/b.tar" multi:1
	cmp "$T/a.tar" "$T/b.tar"
	# A sweep leaves it alone.
	must_work other load -i "$T/l"
	must_work other image prune -f
	must_work other save -o "$T/b.tar" multi:1
	cmp "$T/a.tar" "$T/b.tar"
	registry_own multi
	must_work other tag multi:1 "127.0.0.1:$REGISTRY_PORT/multi:1"
	must_work other push "127.0.0.1:$REGISTRY_PORT/multi:1"
	says_not note
	skopeo inspect --raw --tls-verify=false \
		"docker://127.0.0.1:$REGISTRY_PORT/multi:1" | cmp - "$T/index"
	registry_own_stop multi
	# What is kept is not unpacked.
	[ "$(find "$T/other/layers" -name file | wc -l)" = 1 ]
	must_fail 125 other create --pull never --platform linux/$THERE multi:1 /x
	says 'layer [0-9a-f]{12} is not unpacked'
	must_work other load --platform linux/$THERE -i "$T/l"
	must_work other create --name c --pull never --platform linux/$THERE multi:1 /x
	must_work other rm c
	must_work other rmi multi:1 "127.0.0.1:$REGISTRY_PORT/multi:1"
	[ -z "$(find "$T/other/blobs" -type f)" ]
	[ -z "$(find "$T/other/layers" -name file)" ]
}

@test "of an index one platform alone, a part that is not there, a broken one" {
	local layer

	two_platforms
	must_work other load --platform linux/$THERE -i "$T/l"
	must_work other save -o "$T/a.tar" multi:1
	tar -tf "$T/a.tar" | grep -q "$(of_platform $THERE '.layers[0].digest[7:]')"
	must_not grep -q "$(of_platform $HERE '.layers[0].digest[7:]')" \
		<(tar -tf "$T/a.tar")
	rm -rf "$T/other"
	layer=$T/l/blobs/sha256/$(of_platform $THERE '.layers[0].digest[7:]')
	printf X | dd of="$layer" bs=1 seek=9 conv=notrunc status=none
	must_fail 1 other load -i "$T/l"
	says 'wrong digest'
	must_work other images -q
	prints ''
	must_work other fsck
	rm "$layer"
	must_work other load -i "$T/l"
	clean
	must_fail 1 other push multi:1 127.0.0.1:9/multi
	says "not in the store: linux/$THERE"
}

@test "save: what is not there, and a file that stays what it was" {
	need ROOT
	echo old >"$T/a.tar"
	must_fail 1 prism save -o "$T/a.tar" busybox nope:1
	says 'nope:1 is not in the store'
	[ "$(cat "$T/a.tar")" = old ]
	must_fail 1 prism save --format docker-dir busybox
	must_fail 1 prism save -o "$T/no/dir.tar" busybox
	says 'ENOENT'
	# The disk fills up: the old file is still there, and nothing beside it.
	unshare -m sh -ec 'mkdir "$0/full"
		mount -t tmpfs -o size=64k full "$0/full"
		echo old >"$0/full/a.tar"
		"$1" save -o "$0/full/a.tar" busybox 2>"$0/err" && exit 1
		[ "$(cat "$0/full/a.tar")" = old ]
		[ "$(ls "$0/full")" = a.tar ]' "$T" "$PRISM_BIN"
	grep -q ENOSPC "$T/err"
}

@test "import: the files of a tar, with instructions" {
	need ROOT OVERLAY
	mkdir -p "$T/tree/bin"
	cp "$(command -v busybox)" "$T/tree/bin/busybox"
	ln -s busybox "$T/tree/bin/cat"
	echo hello >"$T/tree/file"
	tar -C "$T/tree" --owner=0 --group=0 --numeric-owner -czf "$T/t.tgz" .
	must_work other import -c 'CMD ["cat","/file"]' -c 'ENV A=b' -m words \
		"$T/t.tgz" made:1
	id=$output
	[[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
	must_work other inspect -f '{{.Id}} {{json .Config.Cmd}} {{json .Config.Env}}' \
		made:1
	prints "$id [\"cat\",\"/file\"] [\"A=b\"]"
	must_work other history --format '{{.Comment}}' made:1
	prints words
	zcat "$T/t.tgz" | other import --platform linux/arm64/v8 - arm >"$T/id"
	must_work other inspect -f '{{.Os}}/{{.Architecture}}' arm
	prints linux/arm64
	clean
	must_work other run --rm --network none made:1
	prints hello
	must_work other save -o "$T/a.tar" made:1
	skopeo inspect --config "oci-archive:$T/a.tar" | grep -q '"A=b"'
}

@test "import: bad input" {
	must_fail 1 other import http://example.com/x.tar
	says 'hint: .*curl'
	must_fail 1 other import "$T/nope"
	says ENOENT
	must_fail 1 other import /etc/passwd
	says 'tar'
	echo x >"$T/f"
	tar -C "$T" -cf "$T/t.tar" f
	must_fail 1 other import "$T/t.tar" "x@sha256:$(printf '%064d' 0)"
	must_fail 1 other import -c 'NOPE x' "$T/t.tar"
	xz "$T/t.tar"
	must_fail 1 other import "$T/t.tar.xz"
	says 'hint: .*xz -dc'
	must_work other images -q
	prints ''
	must_work other fsck
}

# many NAME [LIST]: an archive $T/NAME.tar of 40 layers, and LIST on top.
many()
{
	local i list=()

	for i in {1..40}; do
		printf '{"path": "d/%s"}\n' "$i" >"$T/$i"
		list+=("list:$T/$i")
	done
	"$LIB/mkimage" "$T/$1" "$1:latest" "${list[@]}" "${@:2}" >/dev/null
	tar -C "$T/$1" -cf "$T/$1.tar" .
}

# All that is to be fetched was left by a load that failed. Held up in each poll,
# prism then finds all its workers at their end at once.
@test "layers that are unpacked faster than they are looked at" {
	need ROOT TOOL_strace
	printf '{"path": "../out"}\n' >"$T/bad"
	many broken "list:$T/bad"
	many whole
	must_fail 1 prism --root "$T/many" load -i "$T/broken.tar"
	says "'../out': a name with '..'"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 must_work strace -qq -o "$T/calls" \
		-e trace='?poll,?ppoll' \
		-e inject='?poll,?ppoll:delay_enter=100000' \
		"$PRISM_BIN" --root "$T/many" load -i "$T/whole.tar"
	prints 'Loaded image: whole:latest'
	must_work prism --root "$T/many" fsck
}

@test "an ordinary user" {
	need USER USERNS
	must_work as_user "$PRISM_BIN" save -o "$FT/user/a.tar" busybox
	must_work as_user "$PRISM_BIN" --root "$FT/user/second" load \
		-i "$FT/user/a.tar"
	prints 'Loaded image: busybox:latest'
	must_work as_user "$PRISM_BIN" --root "$FT/user/second" run --rm \
		--network none busybox stat -c %u /bin/busybox
	prints 0
	must_work as_user "$PRISM_BIN" --root "$FT/user/second" fsck
}
