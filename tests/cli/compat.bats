#!/usr/bin/env bats
# docs/compat.md against prism: what it calls same or different is accepted,
# what it calls missing is refused, no option of prism is left out, and what is
# the same has a test that says so.
load ../lib/common

setup_file()
{
	file_setup
	# shellcheck disable=SC2016 # backquotes of Markdown
	sed -n 's/^| \([a-z ]*\) | `\{0,1\}\([a-z0-9-]*\)`\{0,1\} | [^|]* | \([a-z]*\) | .*/\1|\2|\3/p' \
		"$BATS_TEST_DIRNAME/../../docs/compat.md" |
		grep -v '^command|' >"$FT/table"
	cut -d'|' -f1 "$FT/table" | sort -u >"$FT/commands"
}

# accepts WORDS...: the parser goes over them and prints the help.
accepts()
{
	[[ $(prism "$@" --help 2>&1) == "Usage: prism "* ]]
}

@test "the table is there" {
	[ "$(wc -l <"$FT/table")" -gt 200 ]
	[ "$(grep -c '|same$' "$FT/table")" -gt 80 ]
}

@test "what is the same or different on purpose is accepted" {
	local command flag how bad=0

	while IFS='|' read -r command flag how; do
		[ "$how" != missing ] || continue
		# shellcheck disable=SC2086 # a command may be two words
		accepts $command ${flag:+"$flag=1"} ||
			accepts $command ${flag:+"$flag"} || {
			echo "refused: $command $flag" >&2
			bad=1
		}
	done <"$FT/table"
	[ $bad = 0 ]
}

@test "what is missing is refused" {
	local command flag how bad=0

	while IFS='|' read -r command flag how; do
		[ "$how" = missing ] || continue
		# Being built.
		[[ ! $command$flag =~ ^(start|restart)$ ]] || continue
		# shellcheck disable=SC2086
		if accepts $command ${flag:+"$flag=1"}; then
			echo "accepted: $command $flag" >&2
			bad=1
		fi
	done <"$FT/table"
	[ $bad = 0 ]
}

@test "each option of a command in the table stands there" {
	local command option bad=0

	while IFS= read -r command; do
		# shellcheck disable=SC2086
		for option in $(prism __complete $command -- | cut -f1 |
			grep '^--' | grep -vx -e --help); do
			grep -q "^$command|$option|" "$FT/table" ||
				[[ $command =~ ^(start|restart)$ ]] || {
				echo "not in the table: $command $option" >&2
				bad=1
			}
		done
	done <"$FT/commands"
	[ $bad = 0 ]
}

@test "what is the same has a test of its effect, and the flag stands in it" {
	must_work "$LIB/proofs" "$PRISM_BIN"
	prints ''
}

@test "docs/security.md names existing tests and files, and all attack tests" {
	local repo=$BATS_TEST_DIRNAME/../.. name bad=0

	cd "$repo" || return 1
	grep -oE '(tests/vm/)?[a-z0-9_*]+\.bats|(base|store|runtime|registry|cmd)/[a-z_]+\.h' \
		docs/security.md | sed -E 's|^[a-z0-9_*]+\.bats|tests/cli/&|' |
		sort -u >"$T/names"
	[ "$(wc -l <"$T/names")" -gt 10 ]
	while IFS= read -r name; do
		compgen -G "$name" >/dev/null || {
			echo "no such file: $name" >&2
			bad=1
		}
	done <"$T/names"
	for name in tests/cli/attack_*.bats; do
		grep -qx "$name" "$T/names" || {
			echo "not in docs/security.md: $name" >&2
			bad=1
		}
	done
	cd "$T" || return 1
	[ $bad = 0 ]
}
