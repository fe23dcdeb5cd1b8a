#!/usr/bin/env bats
# Every provoked failure names the step, the call, its object and the errno,
# and says what to do where that is known (STYLE: errors).
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

run()
{
	prism run --rm "$@"
}

# layer_of ROOT: the directory of the only layer.
layer_of()
{
	ls -d "$1"/layers/sha256/*
}

@test "an image that is absent, offline: who was asked, and how it failed" {
	must_fail 125 run nosuchimage true
	says 'nosuchimage'
	says '127\.0\.0\.1:[0-9]+'
	says 'docker\.io'
	says 'onnect|resolve'
	says '^step: '
	must_fail 125 run --pull=never nosuchimage true
	says "nosuchimage"
	says '^hint: .*pull'
	must_fail 1 prism pull nosuchimage
}

@test "a name that the registry does not have" {
	registry_start
	must_fail 1 prism pull busybox:nosuchtag
	says 'nosuchtag'
	says '404|not found|unknown'
	registry_stop
}

@test "one wrong byte in a blob: both digests, and nothing is kept" {
	"$LIB/mkimage" "$T/layout" image "list:-" >/dev/null <<-'END'
	{"path":"f","size":200000}
	END
	PRISM_ROOT=$T/fresh
	registry_own bad
	push_layout "$T/layout" image library/bad:latest
	layer=$(jq -r '.layers[0].digest' "$T/layout/blobs/sha256/$(jq -r \
		'.manifests[0].digest | .[7:]' "$T/layout/index.json")")
	file=$(find "$T/registry-bad" -path "*${layer#sha256:}/data")
	printf 'X' | dd of="$file" bs=1 seek=100000 conv=notrunc status=none
	wrong=$(sha256sum <"$file" | cut -d' ' -f1)
	MAY_LEAVE_TMP=1
	must_fail 1 prism pull bad
	registry_own_stop bad
	says "${layer#sha256:}" || says "$(cut -c8-19 <<<"$layer")"
	says "$(cut -c1-12 <<<"$wrong")"
	[ ! -e "$PRISM_ROOT/blobs/sha256/${layer#sha256:}" ]
	[ -z "$(ls "$PRISM_ROOT/layers/sha256" 2>/dev/null)" ]
	must_fail 125 run --pull=never bad true
	must_work prism fsck
}

@test "the containers on another file system than the store" {
	need TMPFS
	cp -a "$FT/root" "$T/fresh"
	PRISM_ROOT=$T/fresh
	mkdir -p "$T/fresh/containers"
	must_fail 125 unshare -m sh -c 'mount -t tmpfs tmpfs "$1/containers" &&
		exec "$2" run --rm busybox true' - "$T/fresh" "$PRISM_BIN"
	says 'EXDEV'
	says 'containers'
	says '^hint: '
}

@test "a work directory that overlayfs cannot use" {
	need OVERLAY
	cp -a "$FT/root" "$T/lower"
	mkdir "$T/upper" "$T/work" "$T/fresh"
	PRISM_ROOT=$T/fresh
	# Overlay on overlay: the kernel refuses it as upper directory.
	must_fail 125 unshare -m sh -c 'mount -t overlay overlay -o \
		"lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/fresh" &&
		exec "$2" run --rm busybox true' - "$T" "$PRISM_BIN"
	says 'overlay'
	says 'EINVAL|ENOTSUP|EOPNOTSUPP'
	says '^step: '
	says '^hint: '
	says 'upper'
}

@test "no subordinate ids: one note that names file, user and remedy" {
	need USER USERNS
	registry_start
	must_work as_plain_user "$PRISM_BIN" pull busybox
	registry_stop
	says "$TEST_USER_PLAIN"
	says '/etc/subuid'
	[ "$(grep -c subuid <<<"$stderr")" = 1 ] || explain "once"
}

@test "user namespaces disabled: the sysctl is named" {
	need USER USERNS
	must_fail 125 as_user unshare -U --keep-caps \
		--map-user="$(id -u "$TEST_USER")" --map-group="$(id -g "$TEST_USER")" \
		sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
			exec setpriv --ambient-caps=-all --inh-caps=-all "$1" run --rm \
			busybox true' - "$PRISM_BIN"
	says 'ENOSPC'
	says 'max_user_namespaces'
	says '^step: '
	says '^hint: '
}

@test "no more network namespaces: the sysctl, also where one is made ahead" {
	need USERNS TOOL_strace
	must_fail 125 unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_net_namespaces &&
		exec "$1" run --rm busybox true' - "$PRISM_BIN"
	says 'clone3 new namespaces: ENOSPC'
	says '^step: clone'
	says '^hint: .*max_\*_namespaces'
	# Of root of the machine this host's sysctl would be asked. With the
	# sanitizers nothing is made ahead.
	[ "$PRISM_TEST_KIND" != asan ] || return 0
	must_fail 125 strace -f -qq -o /dev/null -e trace=unshare \
		-e inject=unshare:error=ENOSPC "$PRISM_BIN" run --rm busybox true
	says 'unshare CLONE_NEWNET: ENOSPC'
	says '^step: network'
	says '^hint: .*max_\*_namespaces'
}

@test "a layer that is gone: the layer and how to get it back" {
	cp -a "$FT/root" "$T/fresh"
	PRISM_ROOT=$T/fresh
	layer=$(basename "$(layer_of "$T/fresh")")
	rm -rf "$(layer_of "$T/fresh")"
	must_fail 125 run --pull=never busybox true
	says "${layer:0:12}"
	says '^hint: .*pull'
}

@test "a layer that may not be read: which one, EACCES" {
	need USER USERNS
	cp -a "$FT/user" "$T/user"
	layer=$(layer_of "$T/user/home/.local/share/prism")
	# Owned by an id that the user's map does not hold.
	chown 0:0 "$layer"
	chmod 0700 "$layer"
	must_fail 125 run_as "$TEST_USER" "$T/user" "$PRISM_BIN" run --rm \
		--pull=never busybox true
	says 'EACCES'
	says "$(basename "$layer" | cut -c1-12)"
	says '^step: '
}

@test "a store that may not be read" {
	need USER
	mkdir -m 0700 "$T/closed"
	must_fail 125 as_user "$PRISM_BIN" --root "$T/closed/store" run --rm \
		busybox true
	says 'EACCES'
	says "$T/closed"
}

@test "disk full in the store: ENOSPC by name, and the store stays whole" {
	need TMPFS
	mkdir "$T/small"
	registry_start
	must_fail 1 unshare -m sh -c 'mount -t tmpfs -o size=600k tmpfs "$1" || exit 9
		"$2" --root "$1" pull busybox
		code=$?
		"$2" --root "$1" fsck >&2 || exit 8
		"$2" --root "$1" images | grep -q busybox && exit 7
		exit $code' - "$T/small" "$PRISM_BIN"
	registry_stop
	says 'ENOSPC'
	says '^hint: '
}

@test "disk full while a container is made" {
	need TMPFS
	cp -a "$FT/root" "$T/small"
	# tmp/ is where it is built: room for three inodes and no more.
	must_fail 125 unshare -m sh -c '
		mount -t tmpfs -o size=4k,nr_inodes=4 tmpfs "$1/tmp" || exit 9
		exec "$2" --root "$1" run --rm busybox true' - "$T/small" "$PRISM_BIN"
	says 'ENOSPC'
	says '^step: container'
}

@test "programs: missing, foreign, without interpreter" {
	mkdir "$T/v"
	printf '#!/no/interpreter\n' >"$T/v/script"
	printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000\001' \
		>"$T/v/foreign"
	head -c 200 /dev/zero >>"$T/v/foreign"
	chmod 0755 "$T"/v/*
	must_fail 127 run busybox nope
	says "'?nope'?"
	says 'PATH|ENOENT'
	must_fail 127 run -v "$T/v:/v" busybox /v/script
	says '/no/interpreter'
	must_fail 126 run -v "$T/v:/v" busybox /v/foreign
	says 'ENOEXEC'
	[ "$(uname -m)" != x86_64 ] || says 'aarch64|arm64'
}

@test "a broken store version, a config that is no JSON" {
	cp -a "$FT/root" "$T/fresh"
	echo 999 >"$T/fresh/version"
	must_fail 125 prism --root "$T/fresh" run --rm busybox true
	says '999'
	echo '{"registry-mirrors": ' >"$T/config"
	must_fail 1 prism --config "$T/config" pull busybox:other
	says "$T/config"
}

@test "usage: unknown commands and options" {
	must_fail 1 prism nosuchcommand || must_fail 125 prism nosuchcommand
	says nosuchcommand
	must_fail 1 prism pull --no-such-flag x || must_fail 125 prism pull --no-such-flag x
	says no-such-flag
	must_work prism --help
	has 'run'
	must_work prism run --help
	has '--rm'
}

# Layers of the machine's root say in trusted.* xattrs what they hide.
@test "a result that cannot be written is an error" {
	local words

	for words in --version ps version images; do
		# shellcheck disable=SC2086 # words
		must_exit 1 sh -c '"$@" >/dev/full' sh "$PRISM_BIN" $words
	done
	says 'write standard output: ENOSPC'
}

@test "an opaque directory in the store of the machine's root, without CAP_SYS_ADMIN" {
	need ROOT OVERLAY
	local lesser="setpriv --bounding-set=-sys_admin $PRISM_BIN"

	mkdir -p "$T/low/d" "$T/up/d"
	touch "$T/low/d/hidden" "$T/up/d/seen"
	setfattr -n trusted.overlay.opaque -v y "$T/up/d"
	"$LIB/mkimage" "$T/layout" opaque "$T/low" "$T/up" >/dev/null
	export PRISM_ROOT=$T/roots
	cp -a "$FT/root" "$PRISM_ROOT"
	must_work prism load -q -i "$T/layout"
	id=${output##*:}
	# shellcheck disable=SC2086 # several words
	must_fail 125 $lesser create "$id" x
	says 'layer [0-9a-f]{12} hides .* CAP_SYS_ADMIN'
	says '^hint: .*PRISM_ROOT'
	must_work prism tag "$id" opaque
	# shellcheck disable=SC2086 # several words
	must_fail 125 $lesser run --rm opaque x
	says 'CAP_SYS_ADMIN'
	# What hides nothing works, and so does a store of its own.
	# shellcheck disable=SC2086 # several words
	must_work $lesser create --name c busybox true
	must_work prism rm c
	# shellcheck disable=SC2086 # several words
	PRISM_ROOT=$T/own must_work $lesser load -q -i "$T/layout"
	# shellcheck disable=SC2086 # several words
	PRISM_ROOT=$T/own must_work $lesser create --name c "$id" x
	PRISM_ROOT=$T/own must_work prism rm c
}

# without_bytes PRISM-ARG...: what it says goes to a pipe, no file takes it.
without_bytes()
{
	# shellcheck disable=SC2016 # the inner shell's
	bash -c '(ulimit -f 0 && exec "$@") 2>&1 >/dev/null | cat >&2
		exit "${PIPESTATUS[0]}"' limited "$PRISM_BIN" "$@"
}

@test "no file may have a byte: one error, and nothing is left" {
	local words

	must_work prism create --name c busybox
	for words in "tag busybox b" "volume create vol" "network create net" \
		"commit c image" "cp $PRISM_BIN c:/"; do
		# shellcheck disable=SC2086 # several words
		must_fail 1 without_bytes $words
		says 'write.*EFBIG'
		says '^hint: .*ulimit -f'
	done
	must_work prism rm c
	for words in "run --rm" "run -d" "run --pid host" create; do
		# shellcheck disable=SC2086 # several words
		must_fail 125 without_bytes $words busybox true
		says 'write hostname: EFBIG'
		says '^step: container'
		says '^hint: .*ulimit -f'
	done
	must_work prism fsck
}
