#!/usr/bin/env bats
# A store belongs to one user: other users must not reach the set-user-id files of
# its containers, and a directory of another user is not accepted as a store.
load ../lib/common

setup_file()
{
	file_setup
	need ROOT USER
	file_stores busybox
	chmod 0755 "$FT/user" "$FT/plain"
}

setup()
{
	need ROOT USER
	test_setup
	PLAIN_ID=$(id -u "$TEST_USER_PLAIN")
	USER_ID=$(id -u "$TEST_USER")
	mkdir "$T/shared"
	chmod 0755 "$T" "$T/shared"
}

# look PATH...: print what must not change: type, mode, owner, names, times.
look()
{
	find "$@" -printf '%y %m %U %p %T@ %l\n' | sort
}

# refused WHY CMD...: fails with this error and a hint; $T/shared is unchanged.
refused()
{
	local why=$1

	shift
	look "$T/shared" >"$T/before"
	must_fail "${CODE:-1}" "$@"
	says "$why"
	says '^hint: '
	look "$T/shared" >"$T/after"
	cmp "$T/before" "$T/after"
}

plain()
{
	as_plain_user "$@"
}

mode_of()
{
	stat -c %a "$1"
}

# make_setuid ROOT CMD...: a stopped container with a set-user-id program; its
# path is $SETUID.
make_setuid()
{
	local root=$1 id

	shift
	"$@" run --name c busybox sh -c \
		'cp /bin/busybox /su && chmod 4755 /su'
	id=$("$@" inspect -f '{{.Id}}' c)
	SETUID=$root/containers/$id/upper/su
	[ -u "$SETUID" ]
}

@test "set-user-id files of root's containers, in a store that was 0755" {
	PRISM_ROOT=$T/root
	cp -a "$FT/root" "$T/root"
	make_setuid "$T/root" prism
	chmod 0755 "$T/root"
	plain test -x "$SETUID"
	must_work prism ps -a
	says "note: changed the mode of $T/root from 0755 to 0700, "
	[ "$(mode_of "$T/root")" = 700 ]
	must_not plain test -e "$SETUID"
	must_work prism ps -a
	says_not 'note:'
	chmod 0751 "$T/root"
	must_work prism --root "$T/root/" rm c
	[ "$(mode_of "$T/root")" = 700 ]
}

@test "set-user-id files of an ordinary user's containers" {
	need USERNS
	local root=$FT/user/home/.local/share/prism

	make_setuid "$root" as_user "$PRISM_BIN"
	chmod 0755 "$root" "$FT/user/home" "$FT/user/home/.local" \
		"$FT/user/home/.local/share"
	plain test -x "$SETUID"
	must_work as_user "$PRISM_BIN" ps -a
	[ "$(mode_of "$root")" = 700 ]
	must_not plain test -e "$SETUID"
	# prism-image opens it in a user namespace.
	chmod 0755 "$root"
	must_work as_user "$PRISM_BIN" diff c
	[ "$(mode_of "$root")" = 700 ]
	must_not plain test -e "$SETUID"
	as_user "$PRISM_BIN" rm c
}

@test "an empty directory that existed becomes private before it is used" {
	mkdir -m 0777 "$T/new"
	must_work prism --root "$T/new" images
	says_not .
	[ "$(mode_of "$T/new")" = 700 ]
	install -d -m 0755 -o "$TEST_USER" "$T/own"
	must_work as_user "$PRISM_BIN" --root "$T/own" images
	says_not .
	[ "$(mode_of "$T/own")" = 700 ]
}

@test "a directory of another user is not accepted as a store" {
	tar -C / -cf "$T/empty.tar" -T /dev/null
	chmod 0644 "$T/empty.tar"
	install -d -m 0755 -o "$TEST_USER_PLAIN" "$T/shared/his"
	refused "belongs to user $PLAIN_ID, and prism runs as user 0" \
		prism --root "$T/shared/his" images
	says 'hint: chown root: '
	refused "belongs to user $PLAIN_ID" as_user "$PRISM_BIN" \
		--root "$T/shared/his" images
	says "hint: name a directory of your own"
	refused "belongs to user 0" as_user "$PRISM_BIN" --root "$T/shared" ps
	chmod 0777 "$T/shared/his"
	refused 'belongs to user' as_user "$PRISM_BIN" \
		--root "$T/shared/his" import "$T/empty.tar" x
	CODE=125 refused 'belongs to user' prism --root "$T/shared/his" \
		run --rm busybox true
}

@test "a store that another user prepared is not accepted" {
	as_plain_user "$PRISM_BIN" --root "$FT/plain/home/store" images
	chmod 0777 "$FT/plain/home/store"
	mv "$FT/plain/home/store" "$T/shared/store"
	refused "belongs to user $PLAIN_ID" prism --root "$T/shared/store" images
	refused "belongs to user" as_user env PRISM_ROOT="$T/shared/store" \
		"$PRISM_BIN" pull busybox
}

@test "shared directories are left alone" {
	mkdir -m 0755 "$T/shared/etc"
	touch "$T/shared/etc/passwd"
	refused 'not a prism store' prism --root "$T/shared/etc" images
	must_fail 1 unshare -m sh -c '
		mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 9
		"$1" --root /dev/shm images
		code=$?
		[ "$(stat -c %a /dev/shm)" = 1777 ] || exit 8
		[ -z "$(ls -A /dev/shm)" ] || exit 7
		exit $code' - "$PRISM_BIN"
	says 'a shared directory \(mode 1777\)'
	# A file system made for a store has that mode too.
	must_work unshare -m sh -c '
		mount -t tmpfs tmpfs "$1" && "$2" --root "$1" images &&
			stat -c %a "$1"' - "$T/shared" "$PRISM_BIN"
	has '^700$'
	says_not .
}

@test "files of other users in a store that they could write to" {
	cp -a "$FT/root" "$T/shared/root"
	chmod 0777 "$T/shared/root"
	plain mkdir "$T/shared/root/volumes"
	refused "other users could write to .* and may have left 'volumes' there" \
		prism --root "$T/shared/root" images
	chmod 0700 "$T/shared/root"
	# chmod by hand does not check the content.
	refused "volumes belongs to user $PLAIN_ID" prism --root "$T/shared/root" \
		volume ls
	rmdir "$T/shared/root/volumes"
	chmod 0777 "$T/shared/root"
	plain mv "$T/shared/root/layers" "$T/shared/root/old"
	plain ln -s "$T/shared" "$T/shared/root/layers"
	refused "may have left 'layers' there" prism --root "$T/shared/root" images
	rm "$T/shared/root/layers"
	mv "$T/shared/root/old" "$T/shared/root/layers"
	must_work prism --root "$T/shared/root" images
	[ "$(mode_of "$T/shared/root")" = 700 ]
	mkdir -m 0777 "$T/shared/new"
	plain sh -c 'echo 1 >"$1"' sh "$T/shared/new/version"
	refused "may have left 'version' there" prism --root "$T/shared/new" ps
}

@test "symlinks of another user" {
	chmod 1777 "$T/shared"
	mkdir -m 0700 "$T/store" "$T/shared/real"
	plain ln -s "$T/store" "$T/shared/his"
	refused "a symlink of user $PLAIN_ID" prism --root "$T/shared/his" images
	refused "a symlink of user $PLAIN_ID" prism --root "$T/shared/his/" ps
	[ -z "$(ls -A "$T/store")" ]
	ln -s "$T/store" "$T/shared/mine"
	must_work prism --root "$T/shared/mine" images
	[ -e "$T/store/version" ]
	install -d -m 0700 -o "$TEST_USER" "$T/own"
	plain ln -s "$T/own" "$T/shared/lure"
	refused "a symlink of user $PLAIN_ID" as_user "$PRISM_BIN" \
		--root "$T/shared/lure" images
	ln -s "$T/own" "$T/shared/admin"
	must_work as_user "$PRISM_BIN" --root "$T/shared/admin" images
	[ -e "$T/own/version" ]
}

@test "a world-writable directory of another user" {
	install -d -m 0777 -o "$TEST_USER_PLAIN" "$T/shared/his"
	mkdir -m 0700 "$T/shared/his/root"
	install -d -m 0700 -o "$TEST_USER" "$T/shared/his/user"
	refused "is in a world-writable directory of user $PLAIN_ID" \
		prism --root "$T/shared/his/root" images
	refused "is in a world-writable directory of user $PLAIN_ID" as_user "$PRISM_BIN" \
		--root "$T/shared/his/user" images
	chmod 1777 "$T/shared/his"
	refused "is in a world-writable directory of user $PLAIN_ID" as_user "$PRISM_BIN" \
		--root "$T/shared/his/user" images
	# /tmp is root's.
	chown 0 "$T/shared/his"
	must_work as_user "$PRISM_BIN" --root "$T/shared/his/user" images
	must_work prism --root "$T/shared/his/root" images
}

# Run in a mount namespace with another user's files in /var/tmp, and a passwd
# that makes $HIS_HOME the caller's home.
no_home_world()
{
	grep -v "^$TEST_USER:" /etc/passwd >"$T/passwd" || true
	[ -z "$1" ] || printf '%s:x:%s:%s::%s:/bin/sh\n' "$TEST_USER" "$USER_ID" \
		"$(id -g "$TEST_USER")" "$1" >>"$T/passwd"
	cat >"$T/in" <<-END
	#!/bin/bash
	exec unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mount -t tmpfs tmpfs /var/tmp
		chmod 1777 /var/tmp
		install -d -m 0777 -o $PLAIN_ID /var/tmp/prism-$USER_ID
		mount --bind $T/passwd /etc/passwd
		exec "\$@"' in "\$@"
	END
	chmod +x "$T/in"
}

homeless()
{
	RUN_IN=$T/in run_as "$USER_ID" "$FT/user" env -u HOME "$@"
}

@test "without HOME the store is in the home of /etc/passwd, never in /var/tmp" {
	install -d -o "$TEST_USER" "$T/home2"
	# setpriv reads passwd too
	no_home_world "$T/home2"
	must_work homeless "$PRISM_BIN" images
	[ -e "$T/home2/.local/share/prism/version" ]
	[ "$(mode_of "$T/home2/.local/share/prism")" = 700 ]
	must_work homeless "$PRISM_BIN" info -f '{{.DockerRootDir}}'
	prints "$T/home2/.local/share/prism"
	must_work homeless sh -c "'$PRISM_BIN' ps -a; ls -A /var/tmp/prism-$USER_ID"
	has_not version
	# A relative HOME counts as none.
	must_work homeless env HOME=. "$PRISM_BIN" info -f '{{.DockerRootDir}}'
	prints "$T/home2/.local/share/prism"
}

@test "without HOME and passwd entry prism refuses to choose a store" {
	must_fail 1 setpriv --reuid=54321 --regid=54321 --clear-groups -- env -i \
		"$PRISM_BIN" images
	says 'HOME is not set, and user 54321 has no home directory'
	says 'hint: set HOME, or name a directory with --root or PRISM_ROOT'
	[ ! -e /var/tmp/prism-54321 ]
	must_fail 1 setpriv --reuid=54321 --regid=54321 --clear-groups -- env -i \
		HOME="$FT/plain/home" "$PRISM_BIN" images
}

@test "XDG_DATA_HOME of another user" {
	install -d -m 0777 -o "$TEST_USER_PLAIN" "$T/shared/data"
	refused "in a world-writable directory of user $PLAIN_ID" as_user env \
		XDG_DATA_HOME="$T/shared/data" "$PRISM_BIN" images
	refused "in a world-writable directory of user $PLAIN_ID" as_user env \
		XDG_DATA_HOME="$T/shared/data/x/y" "$PRISM_BIN" images
	refused "in a world-writable directory of user $PLAIN_ID" \
		prism --root "$T/shared/data/root" images
	plain mkdir -m 0777 "$T/shared/data/prism"
	refused "belongs to user $PLAIN_ID" as_user env \
		XDG_DATA_HOME="$T/shared/data" "$PRISM_BIN" images
}

@test "credentials in another user's runtime directory" {
	local auth

	auth=$(printf 'mallory:x' | base64)
	install -d -m 0755 -o "$TEST_USER_PLAIN" "$T/shared/run" \
		"$T/shared/run/containers"
	printf '{"auths": {"docker.io": {"auth": "%s"}}}' "$auth" \
		>"$T/shared/run/containers/auth.json"
	must_fail 1 as_user env XDG_RUNTIME_DIR="$T/shared/run" "$PRISM_BIN" \
		login --get-login
	says 'not logged in to docker.io'
	says "ignoring $T/shared/run/containers/auth.json: XDG_RUNTIME_DIR belongs to user $PLAIN_ID"
	chown -R "$TEST_USER" "$T/shared/run"
	must_work as_user env XDG_RUNTIME_DIR="$T/shared/run" "$PRISM_BIN" \
		login --get-login
	prints mallory
	must_fail 1 env XDG_RUNTIME_DIR="$T/shared/run" "$PRISM_BIN" \
		login --get-login
	says "ignoring .*: XDG_RUNTIME_DIR belongs to user $USER_ID"
}

@test "another user's run directory" {
	install -d -m 0755 -o "$TEST_USER_PLAIN" "$T/shared/run" "$T/shared/run/userns"
	CODE=125 refused "userns: belongs to user $PLAIN_ID" \
		prism --run-dir "$T/shared/run" run --rm --userns auto busybox true
	# A link of that user's leads to a directory of ours.
	mkdir -m 0700 "$T/ours"
	rmdir "$T/shared/run/userns"
	ln -s "$T/ours" "$T/shared/run/userns"
	chown -h "$TEST_USER_PLAIN" "$T/shared/run/userns"
	CODE=125 refused "userns: is a symlink of user $PLAIN_ID" \
		prism --run-dir "$T/shared/run" run --rm --userns auto busybox true
	[ "$(ls -A "$T/ours")" = "" ]
	must_work prism run --rm --userns auto busybox true
}

@test "an empty name is no directory: nothing is made in /" {
	need ROOT
	before=$(ls -A /)
	must_fail 125 prism --root '' images
	says "--root: the name of the directory is empty"
	must_fail 125 prism --run-dir '' ps
	says "--run-dir: the name of the directory is empty"
	must_work env HOME="$T" PRISM_ROOT="$T/store" PRISM_RUN= "$PRISM_BIN" ps -a
	[ "$(ls -A /)" = "$before" ]
}
