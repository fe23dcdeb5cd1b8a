#!/usr/bin/env bats
# The layers of these images name one place by two paths, so that one path has a
# link where the other expects a directory. Pulling or loading them must not
# touch the host, and the result must be the tree that unpacking one layer after
# the other in a chroot would make.
load ../lib/common

setup_file()
{
	file_setup
}

setup()
{
	test_setup
	canary_make "$T/canary"
}

# ---- the canary -------------------------------------------------------------

canary_make()
{
	CANARY=$1
	mkdir -m 0755 "$CANARY"
	printf 'untouched\n' >"$CANARY/keep"
	chmod 0640 "$CANARY/keep"
	touch -d '2001-02-03 04:05:06' "$CANARY/keep" "$CANARY"
	canary_state >"$T/before"
}

canary_state()
{
	find "$CANARY" -printf '%P %y %m %U:%G %n %s %T@ %l\n' | sort
	cat "$CANARY/keep"
}

canary_lives()
{
	canary_state >"$T/after"
	diff "$T/before" "$T/after"
}

# ---- images -----------------------------------------------------------------

# entries TEXT: a layer's list on standard output. One entry a line: TYPE PATH
# [LINK], TYPE of mkimage or "setuid", "null" (a device); CANARY in it is the
# path of the canary, without its first slash.
entries()
{
	local type path link

	while read -r type path link; do
		[ -n "$type" ] || continue
		case $type in
		setuid)
			printf '{"path": "%s", "mode": "4755", "content": "evil"}\n' \
				"$path"
			;;
		null)
			printf '{"path": "%s", "type": "char", "mode": "0666", "major": 1, "minor": 3}\n' \
				"$path"
			;;
		*)
			printf '{"path": "%s", "type": "%s", "link": "%s"}\n' \
				"$path" "$type" "$link"
			;;
		esac
	done <<<"${1//CANARY/${CANARY#/}}"
}

# layers TEXT...: $T/image.tar, an archive with an image "attack" of these
# layers, from the bottom up. All the directories above the canary are in it,
# so that its path leads somewhere in the image too.
layers()
{
	local n=0 text dir='' part list=()

	entries "$(
		IFS=/
		for part in ${CANARY#/}; do
			dir=$dir${dir:+/}$part
			printf 'dir %s/\n' "$dir"
		done
	)" >"$T/layer0"
	list=("list:$T/layer0")
	for text in "$@"; do
		n=$((n + 1))
		entries "$text" >"$T/layer$n"
		list+=("list:$T/layer$n")
	done
	rm -rf "$T/layout" "$T/image.tar"
	"$LIB/mkimage" "$T/layout" "$NAME" "${list[@]}" >/dev/null
	tar -C "$T/layout" -cf "$T/image.tar" .
	chmod 0644 "$T/image.tar"
}

# $T/tree: the names and types that a container of the image sees.
tree_of()
{
	must_work "$@" create --name looker attack /nothing
	"$@" export looker | tar -tvf - | sed -E 's/^(.)[^ ]* .*[0-9]{2}:[0-9]{2} /\1 /' |
		sort >"$T/tree"
	must_work "$@" rm looker
}

# has_entry TYPE PATH-REGEX, has_no_entry PATH-REGEX
has_entry()
{
	grep -qE "^$1 (\./)?$2" "$T/tree" || {
		printf 'the image must have %s %s:\n' "$1" "$2"
		cat "$T/tree"
		return 1
	}
}

has_no_entry()
{
	! grep -E "^. (\./)?$1( |\$)" "$T/tree"
}

# Loading may fail with an error, but the canary must not change.
load_does_no_harm()
{
	capture "$@" load -i "$T/image.tar"
	canary_lives
	[ "$status" = 0 ] || must_fail 1 "$@" load -i "$T/image.tar"
	# A failed pull keeps what it fetched for the next try.
	[ "$status" = 0 ] || MAY_LEAVE_TMP=1
}

NAME=docker.io/library/attack:latest
DOWN='
dir x/
symlink x/l /CANARY
symlink z x'
THROUGH='
setuid x/l/w
dir z/l/
setuid z/l/evil'

# ---- by root ------------------------------------------------------------------

@test "a directory over a link that its other path goes through" {
	need ROOT OVERLAY
	layers "$DOWN" "$THROUGH"
	must_work prism load -i "$T/image.tar"
	canary_lives
	tree_of prism
	has_entry d 'x/l/$'
	has_entry - 'x/l/evil$'
	has_entry - "${CANARY#/}/w\$"
	has_no_entry 'x/l/w'
	has_no_entry "${CANARY#/}/evil"
	must_work prism fsck
}

@test "the same, pulled" {
	need ROOT OVERLAY
	layers "$DOWN" "$THROUGH"
	registry_own attack
	push_layout "$T/layout" "$NAME" library/attack
	must_work prism pull attack
	registry_own_stop attack
	canary_lives
	tree_of prism
	has_entry - 'x/l/evil$'
	has_entry - "${CANARY#/}/w\$"
}

@test "a link with '..' and a chain of links" {
	need ROOT OVERLAY
	for link in ../../../../../../../../../../../../CANARY /m m; do
		layers "dir x/
			symlink x/l $link
			symlink m /CANARY
			symlink x/m ../m
			symlink z x" "$THROUGH"
		load_does_no_harm prism
		[ "$status" = 0 ]
		tree_of prism
		has_entry - 'x/l/evil$'
		has_entry - "${CANARY#/}/w\$"
		must_work prism rmi attack
	done
}

@test "devices, links, fifos, whiteouts and opaque directories" {
	need ROOT OVERLAY
	layers "$DOWN" "$THROUGH
		null z/l/null
		fifo z/l/fifo
		symlink z/l/sym /CANARY/keep
		hardlink z/l/hard z/l/evil
		hardlink z/l/hardsym z/l/sym
		dir z/l/sub/
		file z/l/sub/f
		symlink z/l/again /CANARY
		file z/l/.wh.keep
		file z/l/sub/.wh..wh..opq"
	load_does_no_harm prism
	[ "$status" = 0 ]
	tree_of prism
	has_entry c 'x/l/null$'
	has_entry p 'x/l/fifo$'
	has_entry l "x/l/sym -> $CANARY/keep\$"
	has_entry l "x/l/hardsym -> $CANARY/keep\$"
	has_entry - 'x/l/sub/f$'
}

@test "a file, a link and a whiteout over the link" {
	need ROOT OVERLAY
	for entry in 'setuid z/l' 'symlink z/l /CANARY' 'null z/l' \
		'file z/.wh.l' 'file z/.wh..wh..opq'; do
		layers "$DOWN" "setuid x/l/w
			$entry"
		load_does_no_harm prism
		[ "$status" = 0 ]
		tree_of prism
		must_work prism rmi attack
	done
}

@test "a link over a directory that its other path goes into" {
	need ROOT OVERLAY
	layers 'dir x/
		dir x/k/
		symlink a x
		symlink y x/k' 'symlink a/k /CANARY
		setuid y/evil
		null y/null
		dir y/d/
		symlink y/s /CANARY
		file y/.wh.keep'
	load_does_no_harm prism
	# The same with another way round.
	layers 'dir x/
		dir x/k/
		symlink z x
		symlink y x/k' 'symlink z/k /CANARY
		setuid y/evil'
	load_does_no_harm prism
}

@test "three layers, each through the links of the one below" {
	need ROOT OVERLAY
	layers "$DOWN" 'symlink z/m /CANARY
		setuid x/l/w
		symlink z/n m' 'setuid x/m/two
		dir z/m/
		setuid z/m/evil
		setuid x/n/three
		dir z/n/
		setuid z/n/evil
		dir z/l/
		setuid z/l/evil'
	load_does_no_harm prism
	[ "$status" = 0 ]
	tree_of prism
	has_entry - 'x/l/evil$'
	has_entry - 'x/m/evil$'
	has_entry - "${CANARY#/}/w\$"
	has_entry - "${CANARY#/}/two\$"
}

@test "the process that builds a skeleton is confined before it begins" {
	need ROOT OVERLAY TOOL_strace
	layers "$DOWN" "$THROUGH"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 must_work strace -f -qq \
		-o "$T/calls" -e signal=none \
		-e trace=chroot,seccomp,mkdirat,capset "$PRISM_BIN" load -i "$T/image.tar"
	pid=$(awk '/mkdirat\([0-9]+, "patch-[0-9]+"/ { print $1 }' "$T/calls" | sort -u)
	[ "$(wc -w <<<"$pid")" = 1 ]
	awk -v pid="$pid" '$1 != pid { next }
		/mkdirat\(/ { exit }
		{ sub(/\(.*/, "", $2); print $2 }' "$T/calls" >"$T/first"
	printf 'chroot\ncapset\nseccomp\n' | diff - "$T/first"
}

@test "a commit on top of such an image does not escape either" {
	need ROOT OVERLAY
	layers "$DOWN" "$THROUGH"
	must_work prism load -i "$T/image.tar"
	must_work prism create --name c attack /nothing
	mkdir "$T/new"
	printf 'x\n' >"$T/new/f"
	must_work prism cp "$T/new" c:/z/l/new
	must_work prism commit c attack:2
	must_work prism rm c
	must_work prism save -o "$T/two.tar" attack:2
	must_work prism --root "$T/other" load -i "$T/two.tar"
	canary_lives
}

# chain N: the directories d/, d/d/, ... with an entry for each.
chain()
{
	local i path=''

	for ((i = 0; i < $1; i++)); do
		path+=d/
		printf 'dir %s\n' "$path"
	done
}

# Each level costs calls with paths as long as the level is deep: a few KB of
# layer kept load busy for hours.
@test "a deep chain of directories is made once, not once for each level" {
	local deep calls
	need ROOT OVERLAY TOOL_strace

	deep=$(printf 'd/%.0s' {1..200})
	layers "$(chain 200)" "file ${deep}f" 'dir t/
		symlink l /t' "file l/${deep}g"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 must_work strace -f -qq \
		-o "$T/calls" -e trace=mkdirat "$PRISM_BIN" load -i "$T/image.tar"
	calls=$(grep -c 'mkdirat(' "$T/calls")
	printf '%s calls of mkdirat\n' "$calls"
	[ "$calls" -lt 2000 ]
	tree_of prism
	has_entry - "${deep}f\$"
	has_entry - "t/${deep}g\$"
	canary_lives
}

# ---- by an ordinary user --------------------------------------------------------

@test "the same for an ordinary user, who could write to the canary" {
	need ROOT USER USERNS OVERLAY
	chown -R "$TEST_USER:" "$CANARY"
	touch -d '2001-02-03 04:05:06' "$CANARY/keep" "$CANARY"
	canary_state >"$T/before"
	layers "$DOWN" "$THROUGH
		fifo z/l/fifo
		symlink z/l/sym /CANARY/keep
		hardlink z/l/hard z/l/sym"
	load_does_no_harm as_user "$PRISM_BIN"
	[ "$status" = 0 ]
	tree_of as_user "$PRISM_BIN"
	has_entry - 'x/l/evil$'
	has_entry p 'x/l/fifo$'
	has_entry - "${CANARY#/}/w\$"
	must_work as_user "$PRISM_BIN" rmi attack

	layers 'dir x/
		dir x/k/
		symlink a x
		symlink y x/k' 'symlink a/k /CANARY
		setuid y/evil'
	load_does_no_harm as_user "$PRISM_BIN"
	as_user "$PRISM_BIN" rmi attack || true
}
