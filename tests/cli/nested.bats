#!/usr/bin/env bats
# Where uid 0 is not root of the machine: in a user namespace, without
# CAP_SYS_ADMIN, without CAP_MKNOD; and prism in containers of its own, of
# podman's and of bubblewrap's.
load ../lib/common

setup_file()
{
	file_setup
	if [ -n "${TEST_USER:-}" ]; then
		file_stores busybox
	fi
}

setup()
{
	test_setup
	need ROOT USER USERNS OVERLAY
	inner='' as=(env)
	# Those of the file are for the containers around.
	PRISM_ROOT=$T/root
}

teardown()
{
	if [ -n "$inner" ]; then
		kill "$inner" || true
		wait
	fi
	# What an ordinary user's podman keeps for the next one.
	kill "$(cat "$FT/user/xdg/libpod/tmp/pause.pid" 2>/dev/null)" 2>/dev/null ||
		true
	[ -z "$(store_left "$T/h/home/.local/share/prism")" ]
	test_teardown
}

# A namespace that stays: containers of one cannot be joined from another.
# enter USER UNSHARE-OPTION...: make it; then "one ARG..." is prism in it, of a
# user without subordinate ids, "many ARG..." of one with.
enter()
{
	local user=$1

	shift
	make_home "$T/h" "$user"
	run_as "$user" "$T/h" unshare "$@" sh -c 'echo $$; exec sleep 1000' >"$T/inner" 3>&- &
	wait_for test -s "$T/inner"
	inner=$(cat "$T/inner")
}

one()
{
	run_as "$TEST_USER_PLAIN" "$T/h" nsenter --user --preserve-credentials -t "$inner" \
		"$PRISM_BIN" "$@"
}

many()
{
	run_as "$TEST_USER" "$T/h" nsenter --user --preserve-credentials -t "$inner" \
		"$PRISM_BIN" "$@"
}

# less CAPABILITY PRISM-ARG...: root without it.
less()
{
	local cap=$1

	shift
	setpriv --bounding-set "-$cap" --inh-caps "-$cap" -- "$PRISM_BIN" "$@"
}

# pull ONE-OF-THEM...
pull()
{
	registry_start
	must_work "$@" pull busybox
	registry_stop
}

# life ONE-OF-THEM...: what everybody does.
life()
{
	must_work "$@" run --rm busybox sh -c \
		'id -u; echo x >/dev/null; head -c 3 /dev/zero | wc -c; cat /proc/1/comm'
	prints $'0\n3\nprism-init'
	must_exit 3 "$@" run --rm busybox sh -c 'exit 3'
	must_work "$@" create --name late busybox sh -c \
		'mkdir /d; touch /d/f; chmod 0 /d; exit 4'
	must_exit 4 "$@" start -a late
	must_work "$@" rm late
	must_work "$@" run -d --name c busybox sh -c \
		'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for has_logged "$@" logs c
	must_work "$@" exec c sh -c 'id -u; hostname'
	has '^0$'
	must_work "$@" run --rm --network container:c --pid container:c \
		--ipc container:c busybox ps
	has 'sleep 0.1'
	has_not 'sleep 1000|reaper'
	mkdir -p "$T/v"
	echo in >"$T/v/in"
	must_work "$@" cp "$T/v/in" c:/tmp/in
	must_work "$@" exec c cat /tmp/in
	prints in
	must_work "$@" commit -q c mine
	must_work "$@" stop c
	must_work "$@" ps -a --format '{{.Status}}'
	has '^Exited \(5\)'
	must_work "$@" rm c
	must_work "$@" run --rm mine cat /tmp/in
	prints in
	must_work "$@" rmi mine
	must_work "$@" fsck
}

has_logged()
{
	"$@" | grep -q ready
}

@test "root of a user namespace with one id" {
	enter "$TEST_USER_PLAIN" -Ur
	pull one
	life one
	must_work one run --rm busybox sh -c 'cat /proc/self/uid_map; stat -c %u /home/app'
	has '^ +0 +0 +1$'
	has '^0$'
	says 'only your own id is mapped \(the user namespace around has no other\)'
	must_work one info
	has rootless
}

@test "root of a user namespace with many ids: owners are kept" {
	enter "$TEST_USER" --map-root-user --map-auto
	pull many
	life many
	says_not 'own id'
	must_work many run --rm -u app busybox id
	has '^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\),2001\(more\)$'
	must_work many run --rm busybox stat -c '%u:%g' /home/app
	prints 1000:1000
	must_work many run --rm busybox sh -c 'mkdir /d; chown -R 5:5 /d; chmod 0 /d'
}

@test "an id that is not there is named" {
	enter "$TEST_USER_PLAIN" -Ur
	pull one
	must_fail 125 one run --rm -u app busybox true
	says "look up 'app': user 1000: the container's user namespace has no such id"
	must_fail 125 one run --rm -u 0:7 busybox true
	says 'group 7: .*no such id'
	must_work one run -d --name c busybox sleep 1000
	must_fail 125 one exec -u 1000 c true
	says 'user 1000: .*no such id'
	must_work one rm -f c
}

@test "exec from another namespace says where the container is" {
	enter "$TEST_USER_PLAIN" -Ur
	pull one
	must_work one run -d --name c busybox sleep 1000
	must_fail 125 run_as "$TEST_USER_PLAIN" "$T/h" unshare -Ur "$PRISM_BIN" \
		exec c true
	says 'EACCES'
	says 'it runs in another user namespace: .*nsenter -U'
	must_work one rm -f c
}

@test "what only root of the host may is refused in a word" {
	enter "$TEST_USER_PLAIN" -Ur
	pull one
	must_fail 125 one run --rm --network bridge busybox true
	says "only root of the host can make the host's side"
	must_fail 125 one run --rm --userns keep-id busybox true
	says 'root is itself already'
	must_fail 125 one run --rm -m 64m busybox true
	says '^hint: root of a user namespace owns no cgroup of the host'
	must_work one run --rm -m 64m --limits=best-effort busybox true
	says 'warning: ignoring all limits: no cgroup is delegated'
}

@test "root without CAP_SYS_ADMIN: by a user namespace" {
	pull less sys_admin
	life less sys_admin
	must_work less sys_admin run --rm -u app busybox id -G
	prints '1000 2000 2001'
	must_work less sys_admin run --rm busybox cat /proc/self/uid_map
	has '^ +0 +0 4294967295$'
}

@test "root without CAP_MKNOD: the host's nodes" {
	pull less mknod
	life less mknod
	must_work less mknod run --rm busybox cat /proc/self/uid_map
	has '^ +0 +0 4294967295$'
	must_work less mknod run --rm --device /dev/zero:/dev/nil busybox sh -c \
		'head -c 3 /dev/nil | wc -c; stat -c %t:%T /dev/null /dev/nil'
	prints $'3\n1:3\n1:5'
	# Nodes that a container makes itself lead nowhere, here too.
	must_exit 1 less mknod run --rm busybox mknod /dev/mine c 1 3
	must_work less mknod run --rm busybox grep ' /dev tmpfs' /proc/mounts
	has nodev
}

# ---- in other containers ----------------------------------------------------------

# What a prism in a container needs of the host; a busybox has no libraries.
OUTER=(-v /lib64:/lib64:ro
	-v /usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:ro)

# outer_setup STORE: a copy of it for a prism in a container.
outer_setup()
{
	mkdir "$T/v"
	cp -a "$1" "$T/store"
	OUTER+=(-v "$FT/bin:/p:ro" -v "$T/store:/store" -v "$T/v:$T/v"
		-v "$FT/offline.json:/prism.json:ro" -v "$FT/san:$FT/san"
		-e PRISM_CONFIG=/prism.json -e PRISM_ROOT=/store
		-e ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
		-e UBSAN_OPTIONS="$UBSAN_OPTIONS")
}

# outer OPTION...: a container to run prism in, of root or ${as[@]}.
outer()
{
	must_work "${as[@]}" env PRISM_ROOT="$outer_root" "$PRISM_BIN" run -d \
		--name outer "${OUTER[@]}" "$@" busybox sleep 1000
}

outer_end()
{
	must_work "${as[@]}" env PRISM_ROOT="$outer_root" "$PRISM_BIN" rm -f outer
}

# within PRISM-ARG...: prism in it.
within()
{
	"${as[@]}" env PRISM_ROOT="$outer_root" "$PRISM_BIN" exec outer \
		/p/prism "$@"
}

of_root()
{
	outer_root=$FT/root
	outer_setup "$FT/root"
}

of_user()
{
	outer_root=$FT/user/home/.local/share/prism as=(as_user)
	outer_setup "$outer_root"
}

@test "in a privileged container of root's: all that there is, bridges too" {
	of_root
	outer --privileged
	life within
	must_work within run --rm --network bridge busybox ip -o address show eth0
	has 'inet 10\.'
	# An overlay on the container's own root, which is one, cannot be.
	must_work "$PRISM_BIN" --root "$outer_root" exec outer cp -a /store /over
	must_fail 125 within --root /over run --rm busybox true
	says 'overlay: EINVAL|upperdir=.*: EINVAL'
	says '^step: overlay'
	says '^hint: the store lies on an overlay.* a volume or a tmpfs'
	[ "$(grep -o 'not supported as upperdir' <<<"$stderr" | wc -l)" = 1 ] ||
		explain 'the kernel is quoted once'
	outer_end
}

@test "in a container without any option: the filter around is named" {
	of_root
	outer
	must_fail 125 within run --rm busybox true
	says 'clone3 new namespaces: ENOSYS'
	says '^hint: a seccomp filter is in force here.*seccomp=unconfined'
	outer_end
	# And where the call is another one.
	outer --cap-add SYS_ADMIN
	must_fail 125 within run --rm --network host busybox true
	says 'pivot_root .: EPERM'
	says '^step: pivot'
	says '^hint: a seccomp filter is in force here'
	outer_end
}

@test "in a container without a filter: /proc is masked, or shared" {
	of_root
	outer --security-opt seccomp=unconfined
	must_fail 125 within run --rm busybox true
	says 'fsmount proc: EPERM'
	says '^hint: .*systempaths=unconfined \(podman: unmask=ALL\).*--pid host'
	# With a /sys of the outer one, and its sysctls as they are.
	must_work within run --rm --pid host busybox sh -c \
		'ls /sys/class/net; grep " /sys " /proc/mounts; cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
	has '^sysfs /sys sysfs ro'
	outer_end
	outer --security-opt seccomp=unconfined \
		--security-opt systempaths=unconfined
	life within
	outer_end
}

@test "with CAP_SYS_ADMIN, without CAP_NET_ADMIN: the host's network alone" {
	of_root
	outer --security-opt seccomp=unconfined --cap-add SYS_ADMIN
	must_fail 125 within run --rm busybox true
	says 'lo up: ioctl SIOCSIFFLAGS lo: EPERM'
	says '^hint: .*CAP_NET_ADMIN.*--network host'
	must_fail 125 within run --rm --network bridge busybox true
	says '^hint: .*--cap-add NET_ADMIN; --network host needs none'
	must_work within run --rm --network host busybox sh -c \
		'grep " /proc proc" /proc/mounts; stat -c %t:%T /dev/null'
	has '^1:3$'
	outer_end
}

@test "in a privileged container of an ordinary user's" {
	of_user
	outer --privileged
	life within
	must_work within run --rm -u app busybox id -u
	prints 1000
	outer_end
}

@test "in bubblewrap: one id, as oneself" {
	need TOOL_bwrap
	local store=$FT/user/home/.local/share/prism
	within()
	{
		as_user bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc \
			--tmpfs /run --bind "$store" "$store" \
			--bind "$FT/san" "$FT/san" "${bwrap[@]}" "$PRISM_BIN" "$@"
	}
	bwrap=()
	must_work within run --rm busybox sh -c 'id -u; cat /proc/self/uid_map'
	has '^0$'
	has "^ +0 +$(id -u "$TEST_USER") +1\$"
	says 'no_new_privs is set'
	# uid 0 there, and no capability.
	bwrap=(--uid 0 --gid 0)
	must_fail 125 within run --rm busybox true
	says 'uid_map: EPERM'
	says '^hint: .*CAP_SETFCAP'
	bwrap=(--uid 0 --gid 0 --cap-add CAP_SETFCAP)
	must_work within run --rm busybox id -u
	prints 0
}

# podman_run OPTION...: prism in a container of podman's, with the words of $words.
podman_run()
{
	"${as[@]}" podman --root "$pod/root" --runroot "$pod/run" \
		--cgroup-manager cgroupfs --events-backend none run --rm \
		--network none --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "${OUTER[@]}" "$@" --rootfs \
		"$pod/tree" /p/prism "${words[@]}"
}

# podman_setup USER
podman_setup()
{
	pod=$T/pod
	mkdir "$pod"
	cp -a "$outer_root"/layers/sha256/*/fs "$pod/tree"
	chown "$1:" "$pod"
}

# What podman's users do: nothing of it, half, and all.
podman_words()
{
	words=(run --rm busybox true)
	must_fail 125 podman_run
	says '^hint: '
	words=(run --rm busybox sh -c 'id -u; head -c 2 /dev/zero | wc -c')
	must_work podman_run --privileged
	prints $'0\n2'
	must_work podman_run --security-opt seccomp=unconfined \
		--security-opt unmask=ALL
	prints $'0\n2'
}

@test "in a container of root's podman" {
	need TOOL_podman
	of_root
	podman_setup root
	podman_words
}

@test "in a container of an ordinary user's podman" {
	need TOOL_podman
	of_user
	podman_setup "$TEST_USER"
	podman_words
	says_not 'own id'
}
