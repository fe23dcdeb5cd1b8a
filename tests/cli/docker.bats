#!/usr/bin/env bats
# The command lines of tests/docker/*.cases: run by docker, run by prism, and
# compared. Here without those that say "more"; `make check-docker` runs all.
load ../lib/common

DOCKER_CASES=$BATS_TEST_DIRNAME/../docker

setup_file()
{
	file_setup
	[ "${PRISM_TEST_KIND:-}" != asan ] || return 0
	(need_ROOT && need_TOOL_docker && need_TOOL_dockerd) >/dev/null 2>&1 ||
		return 0
	PRISM=$PRISM_BIN timeout -k 30 800 "$DOCKER_CASES/run" -q -l 3 \
		>"$FT/report" 2>&1 || true
}

compared()
{
	local cases=$1

	[ "${PRISM_TEST_KIND:-}" != asan ] ||
		skip "needs RELEASE: docker is compared with the release build"
	need ROOT TOOL_docker TOOL_dockerd
	if grep -q "^not ok $cases/" "$FT/report" ||
		! grep -q "^ok $cases/" "$FT/report"; then
		sed -n "/^not ok $cases\//,/^\(ok\|[0-9]* cases\)/p" "$FT/report"
		tail -n 20 "$FT/report"
		return 1
	fi
	[ "$(grep -c "^ok $cases/" "$FT/report")" = "$(cases_of "$cases")" ]
}

# How many cases of a file -q runs; those that need something may be skipped.
cases_of()
{
	"$DOCKER_CASES/run" -n -q "$1.cases" | grep -c "^$1/"
}

@test "programs, their output, input and exit codes" {
	compared run
}

@test "environment, users, working directories, names" {
	compared env
}

@test "binds, volumes, tmpfs and devices" {
	compared mounts
}

@test "capabilities, namespaces, limits and networks" {
	compared isolation
}

@test "exec, attach and top" {
	compared exec
}

@test "logs" {
	compared logs
}

@test "lives from create to rm" {
	compared life
}

@test "ps, inspect, version, info, and their formats" {
	compared show
}

@test "cp, commit, export and images" {
	compared files
}

@test "every case file is tested here, and they are many" {
	local f

	for f in "$DOCKER_CASES"/*.cases; do
		grep -q "^	compared $(basename "$f" .cases)$" "$BATS_TEST_FILENAME"
	done
	[ "$("$DOCKER_CASES/run" -n -q | grep -c /)" -ge 150 ]
	[ "$("$DOCKER_CASES/run" -n | grep -c /)" -ge 400 ]
}
