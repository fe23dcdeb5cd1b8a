#!/usr/bin/env bats
# commit: the layer it writes means the same tree to prism, umoci and podman;
# config and --change; names; nothing is lost or left.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

teardown()
{
	prism rm -f c n >/dev/null 2>&1 || true
	if [ -d "$FT/user/home/.local" ]; then
		as_user "$PRISM_BIN" rm -f c n >/dev/null 2>&1 || true
	fi
	prism volume prune -af >/dev/null 2>&1 || true
	test_teardown
}

# What a container may do to its tree.
CHANGES='
mkdir -p /n/deep/er; echo 1 >/n/deep/er/file; ln /n/deep/er/file /n/hard
ln -s ../etc/passwd /n/link; mkfifo -m 0640 /n/fifo
chmod 4755 /n/hard; chown 33:44 /n/deep; chmod 2750 /n/deep
rm /bin/vi; echo changed >>/etc/group
rm -r /home; mkdir /home; echo new >/home/new
rm /bin/uname; mkdir /bin/uname; echo x >/bin/uname/x
rm -r /var; echo file >/var
chmod 0711 /root; touch -d "2001-02-03 04:05:06" /root
printf x | dd of=/n/sparse bs=1 seek=5000000 2>/dev/null
touch "/n/$(printf "odd\nname\377\303\244")"
touch /n/$(printf "%0200d" 7)
mknod /n/dev c 1 3 2>/dev/null || true'

# as_tree CONTAINER DIR: its file system without what prism mounts upon.
as_tree()
{
	mkdir "$2"
	prism export "$1" | tar -x -C "$2" --xattrs --xattrs-include='*' \
		--numeric-owner -p
	rm -f "$2"/etc/hosts "$2"/etc/hostname "$2"/etc/resolv.conf "$2"/etc/mtab \
		"$2"/.dockerenv "$2"/run/.containerenv
	rmdir "$2/run" 2>/dev/null || true
}

same_tree()
{
	"$LIB/treecmp" diff --no-dir-mtime --no-root "${@:3}" "$1" "$2"
}

# layout_of IMAGE DIR: an OCI layout of the blobs of the store.
layout_of()
{
	local digest size
	digest=$(prism inspect "$1" | jq -r '.[0].RepoDigests[0]' | sed 's/.*@//')
	mkdir -p "$2/blobs"
	cp -r "$PRISM_ROOT/blobs/sha256" "$2/blobs/"
	size=$(stat -c %s "$2/blobs/sha256/${digest#sha256:}")
	printf '{"imageLayoutVersion":"1.0.0"}' >"$2/oci-layout"
	jq -n --arg d "$digest" --argjson s "$size" '{schemaVersion: 2, manifests: [{
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		digest: $d, size: $s,
		annotations: {"org.opencontainers.image.ref.name": "image"}}]}' \
		>"$2/index.json"
}

# ---- the layer --------------------------------------------------------------------

@test "the committed image is the container's tree, to all who unpack it" {
	need ROOT OVERLAY TOOL_umoci
	must_work prism run --name c busybox sh -c "$CHANGES"
	local upper
	upper=$(echo "$PRISM_ROOT"/containers/*/upper)
	setfattr -n user.note -v text "$upper/n/hard"
	setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 \
		"$upper/n/deep/er/file"
	as_tree c "$T/want"
	getfattr -n user.note "$T/want/n/hard" >/dev/null
	must_work prism commit c made:1
	has '^sha256:[0-9a-f]{64}$'
	must_work prism run --name n made:1 /bin/busybox true
	as_tree n "$T/prism"
	same_tree "$T/want" "$T/prism"

	layout_of made:1 "$T/layout"
	umoci unpack --image "$T/layout:image" "$T/umoci" >/dev/null
	same_tree "$T/want" "$T/umoci/rootfs"
	must_work prism fsck
	must_work prism rm n
	must_work prism rmi made:1
	must_work prism fsck
}

@test "podman unpacks it to the same tree" {
	need ROOT OVERLAY TOOL_podman
	p()
	{
		podman --root "$T/pod" --runroot "$T/podrun" --storage-driver vfs "$@"
	}
	must_work prism run --name c busybox sh -c "$CHANGES"
	as_tree c "$T/want"
	must_work prism commit c made:1
	layout_of made:1 "$T/layout"
	skopeo --insecure-policy copy -q "oci:$T/layout:image" \
		"docker-archive:$T/archive.tar:made:1"
	p load -q -i "$T/archive.tar" >/dev/null
	p create --name x made:1 true >/dev/null
	mkdir "$T/podman"
	p export x | tar -x -C "$T/podman" --numeric-owner -p
	p rm x >/dev/null
	p rmi -af >/dev/null
	# Its export knows whole seconds only.
	same_tree "$T/want" "$T/podman" --no-mtime
	must_work prism rmi made:1
}

@test "a commit of a commit; two commits of one container are one layer" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c 'echo 1 >/one'
	must_work prism commit c a:1
	must_work prism commit c a:2
	must_work prism run --name n a:1 sh -c 'echo 2 >/two; rm /one'
	must_work prism commit n twice
	must_work prism run --rm twice sh -c 'cat /two; ls /one 2>&1 || true'
	has '^2$'
	has '/one: No such file'
	[ "$(prism inspect a:1 a:2 | jq -r '.[].RootFS.Layers[-1]' | sort -u | wc -l)" = 1 ]
	[ "$(prism inspect twice | jq '.[0].RootFS.Layers | length')" = 3 ]
	must_work prism rm c n
	must_work prism rmi a:1 a:2 twice
	must_work prism fsck
}

@test "as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	u()
	{
		as_user "$PRISM_BIN" "$@"
	}
	must_work u run --name c busybox sh -c "$CHANGES"
	must_work u commit c made:1
	must_work u run --rm made:1 sh -c \
		'stat -c "%a %u:%g" /n/deep /n/hard; ls -A /home; ls /bin/vi 2>&1; cat /var'
	has '^2750 33:44$'
	has '^4755 0:0$'
	has '^new$'
	has '/bin/vi: No such file'
	has '^file$'
	must_work u fsck
	must_work u rm c
	must_work u rmi made:1
}

@test "with ids of its own (--userns auto)" {
	need ROOT OVERLAY
	must_work prism run --userns auto --name c busybox sh -c \
		'mkdir /n; echo x >/n/f; chown 5:6 /n/f'
	must_work prism commit c made:1
	must_work prism run --rm made:1 stat -c '%u:%g %n' /n /n/f
	prints "$(printf '0:0 /n\n5:6 /n/f')"
	must_work prism rm c
	must_work prism rmi made:1
}

# ---- the config -------------------------------------------------------------------

@test "the container's config, and what --change says" {
	need ROOT OVERLAY
	must_work prism run --name c -e A=1 -w /tmp -u 7 --label x=y busybox true
	must_work prism commit -a me -m words c plain
	prism inspect plain | jq -c '.[0] | [.Author, .Config.Cmd, .Config.User,
		.Config.WorkingDir, .Config.Labels, (.Config.Env | map(select(
		startswith("A=") or startswith("HOSTNAME") or startswith("container"))))]' \
		>"$T/got"
	[ "$(cat "$T/got")" = '["me",["true"],"7","/tmp",{"x":"y"},["A=1"]]' ] ||
		explain "$(cat "$T/got")"
	must_work prism commit \
		-c 'CMD ["echo", "a b"]' -c 'ENV B=2 C="3 4"' -c 'ENV D five six' \
		-c 'EXPOSE 80 90-91/udp' -c 'LABEL k=v "l m"=n' -c 'USER app' \
		-c 'VOLUME /a /b' -c 'VOLUME ["/c d"]' -c 'WORKDIR sub' \
		-c 'STOPSIGNAL SIGUSR1' c changed
	prism inspect changed | jq -cS '.[0].Config | [.Cmd, .User, .WorkingDir,
		.Labels, .StopSignal, (.ExposedPorts | keys), (.Volumes | keys)]' >"$T/got"
	[ "$(cat "$T/got")" = '[["echo","a b"],"app","/tmp/sub",{"k":"v","l m":"n","x":"y"},"SIGUSR1",["80/tcp","90/udp","91/udp"],["/a","/b","/c d"]]' ] ||
		explain "$(cat "$T/got")"
	prism inspect changed | jq -r '.[0].Config.Env[]' | tail -n 4 >"$T/got"
	[ "$(cat "$T/got")" = "$(printf '%s\n' A=1 B=2 'C=3 4' 'D=five six')" ] ||
		explain "$(cat "$T/got")"
	must_work prism commit -c 'HEALTHCHECK --interval=5s --timeout=1m30s --retries=2 CMD ["test", "-e", "/f"]' c checked
	prism inspect checked | jq -cS '.[0].Config.Healthcheck' >"$T/got"
	[ "$(cat "$T/got")" = '{"Interval":5000000000,"Retries":2,"Test":["CMD","test","-e","/f"],"Timeout":90000000000}' ] ||
		explain "$(cat "$T/got")"
	must_work prism run --rm -d --name h checked sleep 1000
	must_work prism inspect -f '{{.State.Health.Status}} {{json .Config.Healthcheck.Test}}' h
	prints 'starting ["CMD","test","-e","/f"]'
	must_work prism rm -f h
	must_work prism commit -c 'healthcheck --start-period=1s CMD test -e "$HOME"' c checked
	[ "$(prism inspect checked | jq -cS '.[0].Config.Healthcheck')" = \
		'{"StartPeriod":1000000000,"Test":["CMD-SHELL","test -e \"$HOME\""]}' ]
	must_work prism commit -c 'HEALTHCHECK NONE' c checked
	[ "$(prism inspect checked | jq -c '.[0].Config.Healthcheck')" = '{"Test":["NONE"]}' ]
	for line in CMD 'NONE x' x '--retries=0 CMD x' '--interval=1us CMD x' '--other=1 CMD x'; do
		must_fail 1 prism commit -c "HEALTHCHECK $line" c bad
	done
	# A new entrypoint drops the old arguments; a line is for the shell.
	must_work prism commit -c 'ENTRYPOINT echo "$HOME"' c entry
	[ "$(prism inspect entry | jq -c '.[0].Config | [.Cmd, .Entrypoint]')" = \
		'[null,["/bin/sh","-c","echo \"$HOME\""]]' ]
	must_work prism commit -c 'CMD x' -c 'ENTRYPOINT ["e"]' c both
	[ "$(prism inspect both | jq -c '.[0].Config | [.Cmd, .Entrypoint]')" = \
		'[["/bin/sh","-c","x"],["e"]]' ]
	must_fail 1 prism commit -c 'RUN x' c bad
	says "RUN x.*not an instruction"
	must_fail 1 prism commit -c 'EXPOSE 0' c bad
	must_fail 1 prism commit -c 'ENV =x' c bad
	must_fail 1 prism commit -c 'LABEL "a' c bad
	must_exit 1 prism inspect bad
	must_work prism rm c
	must_work prism rmi plain changed entry both checked
}

@test "what only an xattr tells: diff shows it, commit keeps it" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c ': >>/etc/group'
	must_work prism diff c
	prints ''
	setfattr -n user.note -v mine "$PRISM_ROOT"/containers/*/upper/etc/group
	must_work prism diff c
	prints $'C /etc\nC /etc/group'
	must_work prism commit c noted
	must_work prism run --name d noted sh -c ': >>/etc/group'
	must_work prism diff d
	prints ''
	setfattr -x user.note "$PRISM_ROOT"/containers/*/upper/etc/group
	must_work prism diff d
	prints $'C /etc\nC /etc/group'
	must_work prism rm c d
	must_work prism rmi noted
}

@test "names: none, one that is taken, one that is wrong" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c 'echo 1 >/f'
	must_work prism commit c
	local id=$output
	must_work prism run --rm "${id#sha256:}" cat /f
	prints 1
	must_work prism commit c name
	must_work prism run --rm name cat /f
	must_fail 1 prism commit c 'a/UPPER:y'
	must_fail 1 prism commit c 'name@sha256:0000000000000000000000000000000000000000000000000000000000000000'
	must_fail 1 prism commit none x
	says 'No such container: none'
	must_work prism rm c
	must_work prism rmi name
	must_work prism rmi -f "${id#sha256:}"
	must_work prism fsck
}

@test "a running container" {
	need ROOT OVERLAY
	prism run --name c busybox sh -c 'echo up >/up; exec sleep 1000' \
		>/dev/null 2>&1 3>&- &
	wait_for prism cp c:/up "$T/up" 2>/dev/null
	must_work prism commit c live
	must_work prism commit --pause=false c live2
	must_work prism run --rm live cat /up
	prints up
	# It still runs, and was not left paused.
	must_work prism cp c:/up "$T/up2"
	[ "$(prism ps --format '{{.State}}')" = running ] ||
		explain "$(prism ps)"
	must_fail 1 prism commit --pause=perhaps c bad
	must_work prism rm -f c
	must_work prism rmi live live2
}
