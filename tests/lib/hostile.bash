# Roots with hostile content: `load ../lib/hostile` after common.
# shellcheck shell=bash
#
#	each_who FUNCTION         call as root and as the ordinary user; p runs prism
#	                          as $who
#	tree_new                  make $T/tree, a root with busybox, to add traps to
#	tree_done                 pack $T/tree for each_way
#	each_way FUNCTION         call for each $who and $way: load, import, rootfs
#	start [RUN-OPTION...] -- CMD...     run --rm in that root
#	canary_new, canary_same   make $T/canary, a directory outside; check that it
#	                          is unchanged
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

# World-writable, as on a careless host: an attack that reaches it can change it.
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
