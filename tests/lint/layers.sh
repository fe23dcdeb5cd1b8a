#!/usr/bin/env bash
# Who may include whom: the includes of each folder against the table of
# layers (README, "Architecture").
#
# Headers of another layer are spelled with their layer ("base/err.h"); a
# header without a folder must stand in the same folder. cmd sees of the
# siblings only what tests/lint/public_headers names. Nothing is forked per
# line: a lint that takes minutes is not run.
set -eu
cd "$(dirname "$0")/../.."
bad=0

# Which layers a layer may include.
declare -A layers=(
	[base]='base'
	[store]='store base'
	[registry]='registry base'
	[runtime]='runtime base'
	[cmd]='cmd store registry runtime base'
)

# A header of a library (a pattern) and who may include it.
libraries=(
	'jansson.h=base/* store/* registry/* runtime/* cmd/*'
	'curl/*=registry/*'
	'archive.h=store/*'
	'archive_entry.h=store/*'
	'isa-l.h=store/*'
	'isa-l/*=store/*'
	'igzip_lib.h=store/*'
	'zstd.h=store/*'
	'zlib.h=store/* runtime/loggz.c'
	'libdeflate.h=store/*'
	'openssl/*=base/hash.c'
	'seccomp.h=runtime/*'
	'systemd/*=runtime/cgroup/scope_main.c'
	'libmnl/*=runtime/*'
	'libnftnl/*=runtime/*'
	# The unpack worker drops its capabilities too.
	'sys/capability.h=runtime/* store/* base/*'
)

declare -A public=()
while IFS= read -r header; do
	case $header in
	'' | '#'*) continue ;;
	esac
	public[$header]=1
	if [ ! -e "$header" ]; then
		printf 'tests/lint/public_headers: %s is gone\n' "$header"
		bad=1
	fi
done <tests/lint/public_headers

complain()
{
	printf '%s\n' "$*"
	bad=1
}

check_quoted()
{
	local where=$1 folder=$2 header=$3 layer=${2%%/*} other

	if [[ $header != */* ]]; then
		[ -e "$folder/$header" ] ||
			complain "$where: $header is not in $folder/"
		return 0
	fi
	other=${header%%/*}
	[[ " ${layers[$layer]} " == *" $other "* ]] ||
		complain "$where: $layer may not include $header"
	if [ "$layer" = cmd ] && [ "$other" != cmd ] && [ "$other" != base ] &&
		[ -z "${public[$header]:-}" ]; then
		complain "$where: $header is not a public header" \
			"(tests/lint/public_headers)"
	fi
}

check_library()
{
	local where=$1 file=$2 header=$3 entry pattern

	for entry in "${libraries[@]}"; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $header == ${entry%%=*} ]] || continue
		for pattern in ${entry#*=}; do
			# shellcheck disable=SC2053 # a pattern is meant
			[[ $file != $pattern ]] || return 0
		done
		complain "$where: <$header> is not for ${file%%/*}/"
	done
}

include='^#[[:blank:]]*include[[:blank:]]*([<"])([^>"]*)[>"]'
set +f
shopt -s nullglob
for file in {base,store,registry,runtime,cmd}/{,*/}*.[ch]; do
	set -f
	n=0
	# shellcheck disable=SC2094 # the name is for messages
	while IFS= read -r line || [ -n "$line" ]; do
		n=$((n + 1))
		[[ $line =~ $include ]] || continue
		if [ "${BASH_REMATCH[1]}" = '"' ]; then
			check_quoted "$file:$n" "${file%/*}" \
				"${BASH_REMATCH[2]}"
		else
			check_library "$file:$n" "$file" "${BASH_REMATCH[2]}"
		fi
	done <"$file"
	set +f
done
exit $bad
