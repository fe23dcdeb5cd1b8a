#!/usr/bin/env bash
# Only base/path, and the files that tests/lint/raw_paths lists with a reason, may
# pass a path to the kernel. Any other use of a path from an image, a container
# or a volume could lead out of it.
#
# The check covers calls that open, create, change or remove; calls that only
# look (fstatat, readlinkat) are left to the reviewer. A line of raw_paths that
# no call needs any more is an error too.
set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8
list=tests/lint/raw_paths
bad=0

calls='open|open64|openat|openat2|creat|fopen|freopen|opendir|scandir'
calls+='|mkdir|mkdirat|mknod|mknodat|mkfifo|mkfifoat|mkdtemp|mkstemp|mkostemp'
calls+='|symlink|symlinkat|link|linkat|rename|renameat|renameat2'
calls+='|chown|lchown|fchownat|chmod|lchmod|fchmodat|truncate'
calls+='|utime|utimes|lutimes|futimesat|utimensat'
calls+='|unlink|unlinkat|rmdir|remove|name_to_handle_at|open_by_handle_at'
calls+='|setxattr|lsetxattr|removexattr|lremovexattr'
calls+='|fts_open|ftw|nftw|realpath'
numbers='open|openat|openat2|creat|mkdir|mkdirat|mknod|mknodat|symlink|symlinkat'
numbers+='|link|linkat|rename|renameat|renameat2|chown|lchown|fchownat|chmod'
numbers+='|fchmodat|fchmodat2|truncate|utimensat|unlink|unlinkat|rmdir'
numbers+='|name_to_handle_at|setxattrat|removexattrat'

declare -A reason=() used=()
patterns=()
while read -r pattern why; do
	case $pattern in
	'' | '#'*) continue ;;
	esac
	if [ -z "$why" ]; then
		printf '%s: %s: no reason\n' "$list" "$pattern"
		bad=1
	fi
	if [ -n "${reason[$pattern]:-}" ]; then
		printf '%s: %s: twice\n' "$list" "$pattern"
		bad=1
	fi
	reason[$pattern]=$why
	patterns+=("$pattern")
done <"$list"

# allowed FILE: the first matching pattern counts.
allowed()
{
	local p

	for p in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # a pattern is meant
		if [[ $1 == $p ]]; then
			used[$p]=1
			return 0
		fi
	done
	return 1
}

shopt -s nullglob
while IFS= read -r line; do
	if ! allowed "${line%%:*}"; then
		printf '%s\n' "$line"
		bad=1
	fi
done < <(python3 tests/lint/code_only.py \
	{base,store,registry,runtime,cmd}/{,*/}*.[ch] |
	grep -E "(^[^:]*:[0-9]*:|[^A-Za-z0-9_.>])[[:space:]]*(($calls)[[:space:]]*\\(|syscall\\(SYS_($numbers)\\>)")

for pattern in "${patterns[@]}"; do
	if [ -z "${used[$pattern]:-}" ]; then
		printf '%s: %s: no longer needed\n' "$list" "$pattern"
		bad=1
	fi
done
if [ $bad != 0 ]; then
	printf 'paths of others go through base/path.h; %s\n' \
		"tests/lint/raw_paths says what may not"
fi
exit $bad
