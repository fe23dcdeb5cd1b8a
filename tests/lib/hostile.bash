# Roots that somebody hostile wrote: `load ../lib/hostile` behind common.
# shellcheck shell=bash
#
#	each_who FUNCTION         as root and as the ordinary user: p is prism as $who
#	tree_new                  $T/tree: a root with busybox, for traps
#	tree_done                 it is what the ways below lead to
#	each_way FUNCTION         for each $who through each $way: load, import, rootfs
#	start [RUN-OPTION...] -- CMD...     run --rm of that root
#	canary_new, canary_same   $T/canary: a directory outside, and whether it is
#	                          as it was
#
# $CONFIG is the image's config, for those that are loaded or imported.

p()
{
	if [ "$who" = root ]; then
		prism "$@"
	else
		# shellcheck disable=SC2086
		as_user env $CALLER_ENV "$PRISM_BIN" "$@"
	fi
}

each_who()
{
	who=root
	"$@"
	if [ -n "${TEST_USER:-}" ]; then
		who=user
		"$@"
	fi
}

tree_new()
{
	rm -rf "$T/tree"
	mkdir -p "$T/tree/bin"
	cp "$(command -v busybox)" "$T/tree/bin/busybox"
	ln -s busybox "$T/tree/bin/sh"
	CONFIG='{}'
	CALLER_ENV=
}

# The archives of the tree, and a copy that belongs to the ordinary user.
tree_done()
{
	rm -rf "$T/layout" "$T/user-tree" "$T"/tree-*.tar
	tar -C "$T/tree" -cf "$T/tree-import.tar" .
	"$LIB/mkimage" "$T/layout" hostile:latest --config "$CONFIG" "$T/tree" >/dev/null
	tar -C "$T/layout" -cf "$T/tree-load.tar" .
	cp -a "$T/tree" "$T/user-tree"
	if [ -n "${TEST_USER:-}" ]; then
		chown -hR "$TEST_USER:" "$T/user-tree"
	fi
	chmod 0644 "$T"/tree-*.tar
}

each_way()
{
	tree_done
	each_who all_ways "$@"
}

all_ways()
{
	for way in load import rootfs; do
		case $way in
		load) must_work p load -i "$T/tree-load.tar" ;;
		import) must_work p import "$T/tree-import.tar" hostile ;;
		esac
		# What a test prints is shown when it fails.
		printf 'as %s by %s\n' "$who" "$way"
		"$@"
	done
}

# The image that was loaded last, or the directory.
start()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	if [ "$way" != rootfs ]; then
		p run --rm "${options[@]}" hostile "$@"
	elif [ "$who" = root ]; then
		p run --rm "${options[@]}" --rootfs "$T/tree" "$@"
	else
		p run --rm "${options[@]}" --rootfs "$T/user-tree" "$@"
	fi
}

canary_look()
{
	find "$T/canary" -printf '%p %y %m %U:%G %T@ %s\n' | sort
	cat "$T/canary/file"
}

# Open for everybody, as a careless host's would be: what an attack reaches, it
# can change.
canary_new()
{
	mkdir -p "$T/canary/a/b"
	echo kept >"$T/canary/file"
	chmod 0777 "$T/canary" "$T/canary/a" "$T/canary/a/b"
	canary_look >"$T/canary.was"
}

canary_same()
{
	canary_look | diff "$T/canary.was" - || explain "the canary was touched"
}
