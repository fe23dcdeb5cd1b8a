#!/usr/bin/env bats
# prism completion: the scripts, and what they offer.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

# offers LINE: what bash would offer at its end, a candidate a line.
offers()
{
	# shellcheck disable=SC2016 # for the inner bash
	must_work bash --norc -c '
		PATH=${1%/*}:$PATH
		source <(prism completion bash) || exit 9
		COMP_LINE=$2 COMP_POINT=${#2}
		_prism
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$PRISM_BIN" "$1"
}

@test "commands and groups" {
	offers 'prism i'
	has '^images$'
	has '^inspect$'
	has '^image$'
	[ "$(grep -vc '^i' <<<"$output")" = 0 ]
	offers 'prism image '
	has '^ls$'
	has '^prune$'
	offers 'prism volume l'
	has '^ls$'
	offers 'prism nope '
	prints ''
}

@test "options, also those of commands in prism-image" {
	offers 'prism --r'
	has '^--root$'
	offers 'prism run --r'
	has '^--rm$'
	has '^--read-only$'
	offers 'prism images --format json --no'
	has '^--no-trunc$'
	offers 'prism pull --plat'
	prints --platform
	offers 'prism image ls --d'
	prints --digests
}

@test "values, names and files" {
	offers 'prism run --network h'
	prints host
	offers 'prism rmi busy'
	prints busybox:latest
	offers 'prism rmi busybox:l'
	prints latest
	offers 'prism inspect '
	has '^busybox:latest$'
	touch "$T/file.txt"
	offers 'prism run --env-file fi'
	prints file.txt
	offers 'prism run busybox fi'
	prints file.txt
}

@test "an option that waits for its value is no operand" {
	offers 'prism run --name x busy'
	prints busybox:latest
	offers 'prism --root /nowhere imag'
	has '^images$'
}

@test "the scripts are ones" {
	local sh

	must_work bash -c "'$PRISM_BIN' completion bash | bash -n"
	for sh in zsh fish; do
		must_work prism completion $sh
		has prism
		if command -v $sh >/dev/null; then
			must_work bash -c "'$PRISM_BIN' completion $sh | $sh -n"
		fi
	done
	must_fail 1 prism completion tcsh
}
