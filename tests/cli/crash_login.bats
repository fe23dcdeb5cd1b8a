#!/usr/bin/env bats
# kill -9 at every crash point of login and logout: the file has the old
# credentials or the new ones, nobody else can read either, and whose file it
# was, that user's it stays.
load ../lib/common

setup_file()
{
	file_setup
	htpasswd -Bbn -C 4 me secret >"$FT/htpasswd"
	REGISTRY_HTPASSWD=$FT/htpasswd registry_serve "$FT/mine" "$FT/keep/mine" write
	export MINE=127.0.0.1:$REGISTRY_PORT
}

teardown_file()
{
	registry_end "$FT/keep/mine"
	file_teardown
}

log_in()
{
	printf secret | prism login -u me --password-stdin --authfile "$T/d/a.json" \
		"$MINE"
}

log_out()
{
	prism logout --authfile "$T/d/a.json" "$MINE"
}

# each_point WORDS CMD...: from the file `before` to `after`.
each_point()
{
	local words=$1 point n=0

	shift
	cp -a before d/a.json
	: >"$T/list"
	PRISM_CRASH_LIST=$T/list must_work "$@"
	cp -a d/a.json after
	must_not cmp -s before after
	for point in $(points "$T/list" | grep '^login-'); do
		cp -a before d/a.json
		PRISM_CRASH_AT=$point capture "$@"
		[ "$status" = 137 ] || explain "nobody died at $point" || return 1
		cmp -s d/a.json before || cmp -s d/a.json after ||
			explain "neither old nor new at $point" || return 1
		[ "$(find d -type f ! -perm 0600)" = '' ] ||
			explain "readable by others at $point" || return 1
		[ "$(stat -c %u:%g d/a.json)" = "$(stat -c %u:%g before)" ] ||
			explain "another owner at $point" || return 1
		must_work "$@"
		cmp d/a.json after || return 1
		[ "$(ls -A d)" = a.json ] || explain "left after $point" || return 1
		n=$((n + 1))
	done
	[ "$n" = "$words" ] || explain "$n points"
}

@test "login and logout, in a file that is there" {
	mkdir d
	printf '{"auths": {"x.io": {"auth": "YTpi"}}}' >before
	chmod 0600 before
	each_point 4 log_in
	mv after before
	each_point 4 log_out
}

@test "a file of another user's stays that user's" {
	need ROOT USER
	mkdir d
	printf '{"auths": {"x.io": {"auth": "YTpi"}}}' >before
	chmod 0600 before
	chown "$TEST_USER:" before
	each_point 4 log_in
	[ "$(stat -c %U d/a.json)" = "$TEST_USER" ]
}

@test "the first login of all: no file, or a whole one" {
	local point

	for point in login-locked login-written login-owned login-renamed; do
		rm -rf d
		PRISM_CRASH_AT=$point capture log_in
		[ "$status" = 137 ] || explain "nobody died at $point"
		[ ! -e d/a.json ] || jq -e '.auths | length == 1' d/a.json
		must_work log_in
		[ "$(stat -c %a d/a.json)" = 600 ]
		[ "$(ls -A d)" = a.json ] || explain "left after $point"
	done
}
