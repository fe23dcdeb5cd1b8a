#!/usr/bin/env bash
# Who may include whom: the includes of each folder against the table of
# layers (README, "Architecture").
#
# Headers of another layer are spelled with their layer ("base/err.h"); a
# header without a folder must stand in the same folder. cmd sees of the
# siblings only what tests/lint/public_headers names.
set -eu
cd "$(dirname "$0")/../.."
bad=0

complain()
{
	printf '%s\n' "$*"
	bad=1
}

# Which layers a layer may include.
allowed_layers()
{
	case $1 in
	base) echo base ;;
	store) echo store base ;;
	registry) echo registry base ;;
	runtime) echo runtime base ;;
	cmd) echo cmd store registry runtime base ;;
	esac
}

# A header of a library -> who may include it, as patterns of files.
library_users()
{
	case $1 in
	jansson.h) echo 'base/*' 'store/*' 'registry/*' 'runtime/*' 'cmd/*' ;;
	curl/*) echo 'registry/*' ;;
	archive.h | archive_entry.h) echo 'store/*' ;;
	isa-l.h | isa-l/* | igzip_lib.h | zstd.h | zlib.h | libdeflate.h)
		echo 'store/*'
		;;
	openssl/*) echo 'base/hash.c' ;;
	seccomp.h) echo 'runtime/*' ;;
	libmnl/* | libnftnl/*) echo 'runtime/*' ;;
	# The unpack worker drops its capabilities too.
	sys/capability.h) echo 'runtime/*' 'store/*' 'base/*' ;;
	*) echo '*' ;;
	esac
}

matches()
{
	local what=$1 pattern

	shift
	for pattern in "$@"; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $what != $pattern ]] || return 0
	done
	return 1
}

check_quoted()
{
	local file=$1 line=$2 header=$3 layer=${1%%/*} other

	case $header in
	*/*)
		other=${header%%/*}
		# shellcheck disable=SC2046 # lists of words
		matches "$other" $(allowed_layers "$layer") ||
			complain "$file:$line: $layer may not include $header"
		if [ "$layer" = cmd ] && [ "$other" != cmd ] &&
			[ "$other" != base ] &&
			! grep -qx "$header" tests/lint/public_headers; then
			complain "$file:$line: $header is not a public header" \
				"(tests/lint/public_headers)"
		fi
		;;
	*)
		[ -e "$layer/$header" ] ||
			complain "$file:$line: $header is not in $layer/"
		;;
	esac
}

set -f
for file in $(set +f && ls base/*.[ch] store/*.[ch] registry/*.[ch] \
	runtime/*.[ch] cmd/*.[ch] 2>/dev/null); do
	while IFS=: read -r line text; do
		header=$(sed -n 's/^#[ \t]*include[ \t]*[<"]\([^>"]*\)[>"].*/\1/p' \
			<<<"$text")
		case $text in
		*'"'*) check_quoted "$file" "$line" "$header" ;;
		*)
			# shellcheck disable=SC2046 # lists of words
			matches "$file" $(library_users "$header") ||
				complain "$file:$line: <$header> is not for ${file%%/*}/"
			;;
		esac
	done < <(grep -nE '^#[ 	]*include' "$file")
done
while IFS= read -r header; do
	[ -z "$header" ] || [ "${header#\#}" != "$header" ] ||
		[ -e "$header" ] ||
		complain "tests/lint/public_headers: $header is gone"
done <tests/lint/public_headers
exit $bad
