# What every bats file loads: `load ../lib/common`.
# shellcheck shell=bash
#
# Each test has a directory of its own, $T, with PRISM_ROOT, PRISM_RUN,
# PRISM_CONFIG and HOME below it; a test file has $FT for what its tests share.
# A file that pulls once for all its tests says so in setup_file:
#
#	setup_file() { file_setup; file_store busybox alpine; }
#
# and PRISM_ROOT is then $FT/root in each test. Other hooks are here; a file
# with its own calls test_setup, test_teardown, file_setup, file_teardown.
#
# After each test nothing may be left: processes, mounts, containers, locks
# that are held, files in tmp/ (unless the test sets MAY_LEAVE_TMP=1).
#
#	prism ARG...              the program under test
#	must_work CMD...          exit code 0; $output, $stderr, $status after
#	must_exit CODE CMD...     the program's own exit code
#	must_fail CODE CMD...     exactly this code, and an error on stderr
#	prints TEXT, has REGEX, says REGEX     about $output and $stderr
#	as_user CMD...            as the ordinary user of the tests
#	need WORD...              skip the test where this is not there
#	registry_start, registry_stop          the images of tests/lib/site

bats_require_minimum_version 1.5.0
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/registry.bash
. "$LIB/registry.bash"
# shellcheck source=tests/lib/need.bash
. "$LIB/need.bash"

# The sanitizers write where the teardown looks, not into a pipe that nobody
# reads; 99 is no exit code of prism's.
SANITIZER_OPTIONS=exitcode=99:abort_on_error=0:halt_on_error=1

if [ -n "${PRISM_TEST_SITE:-}" ] && [ -e "$PRISM_TEST_SITE/env" ]; then
	# shellcheck source=/dev/null
	. "$PRISM_TEST_SITE/env"
fi

prism()
{
	"$PRISM_BIN" "$@"
}

# ---- directories ------------------------------------------------------------

# make_home DIR USER: where a user keeps things, each with the right owner.
make_home()
{
	mkdir -p "$1/home" "$1/xdg"
	chmod 0700 "$1/xdg"
	if [ -n "$2" ] && [ "$(id -u)" = 0 ]; then
		chown -R "$2:" "$1"
	fi
}

# FILE_DIR: what the file's tests share lies below it; /tmp.
file_setup()
{
	if [ -z "${PRISM_TEST_BUILD:-}" ]; then
		printf 'run it as: tests/run %s\n' "$BATS_TEST_FILENAME" >&2
		return 1
	fi
	FT=$(mktemp -d "${FILE_DIR:-/tmp}/prism-test.XXXXXX")
	# tests/run gave this file a mount namespace of its own.
	if [ "${PRISM_TEST_RAM:-}" = 1 ]; then
		mount -t tmpfs ram "$FT"
	fi
	chmod 0711 "$FT"
	# A checkout may lie where the ordinary user cannot go.
	mkdir "$FT/bin" "$FT/keep" "$FT/san"
	chmod 1777 "$FT/san"
	cp "$PRISM_TEST_BUILD"/{prism,prism-image,prism-scope} "$FT/bin/"
	PRISM_BIN=$FT/bin/prism
	ASAN_OPTIONS=$SANITIZER_OPTIONS:log_path=$FT/san/report
	ASAN_OPTIONS+=:detect_leaks=${PRISM_TEST_LEAKS:-1}
	# Each way to malloc() costs a page of a table of them: whose memory it
	# was, tests/run asan FILE.bats tells.
	if [ "${PRISM_TEST_LEAKS:-1}" = 0 ]; then
		ASAN_OPTIONS+=:malloc_context_size=1
	fi
	UBSAN_OPTIONS=$SANITIZER_OPTIONS:print_stacktrace=1:log_path=$FT/san/report
	LSAN_OPTIONS=exitcode=99
	export FT PRISM_BIN ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
	make_home "$FT/user" "${TEST_USER:-}"
	make_home "$FT/plain" "${TEST_USER_PLAIN:-}"
	config_offline "$FT/offline.json"
	cp "$FT/offline.json" "$FT/prism.json"
}

file_teardown()
{
	[ -n "${FT:-}" ] || return 0
	registry_end "$FT/keep/registry"
	if [ "${PRISM_TEST_RAM:-}" = 1 ]; then
		umount "$FT"
	fi
	rm -rf "$FT"
}

# file_store IMAGE...: pull once for all tests of the file, as root.
file_store()
{
	local image

	registry_start
	for image in "$@"; do
		PRISM_ROOT=$FT/root PRISM_RUN=$FT/run PRISM_CONFIG=$FT/prism.json \
			prism pull "$image" >"$FT/pull.log" 2>&1 || {
			cat "$FT/pull.log" >&2
			return 1
		}
	done
	registry_stop
}

# The same for the ordinary user (or, with "plain", the one without ranges).
file_store_user()
{
	local image

	registry_start
	for image in "$@"; do
		PRISM_CONFIG=$FT/prism.json as_user "$PRISM_BIN" pull "$image" \
			>"$FT/pull.log" 2>&1 || {
			cat "$FT/pull.log" >&2
			return 1
		}
	done
	registry_stop
}

# Both, where there is an ordinary user.
file_stores()
{
	file_store "$@"
	if [ -n "${TEST_USER:-}" ]; then
		file_store_user "$@"
	fi
}

# points LIST-FILE: each crash point with how often it was passed, as name:n.
points()
{
	sort "$1" | uniq -c | awk '{ for (i = 1; i <= $1; i++) print $2 ":" i }'
}

test_setup()
{
	T=$FT/t$BATS_TEST_NUMBER
	mkdir "$T" "$T/home"
	chmod 0711 "$T"
	export T HOME=$T/home
	export PRISM_RUN=$T/run PRISM_CONFIG=$FT/prism.json
	if [ -d "$FT/root" ]; then
		export PRISM_ROOT=$FT/root
	else
		export PRISM_ROOT=$T/root
	fi
	MAY_LEAVE_TMP=
	unset TERM DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_RUNTIME_DIR \
		XDG_DATA_HOME XDG_CONFIG_HOME
	cd "$T" || return 1
}

test_teardown()
{
	local bad=0

	cd / || bad=1
	nothing_left || bad=1
	if [ $bad = 0 ]; then
		rm -rf "$T" || bad=1
	fi
	return $bad
}

setup_file()
{
	file_setup
}

teardown_file()
{
	file_teardown
}

setup()
{
	test_setup
}

teardown()
{
	test_teardown
}

# ---- what must not be left ----------------------------------------------------

# Children of the subreaper are orphans of the tests (tests/lib/reaper), but for
# tests/lib/tap and for what a test file keeps running.
orphans()
{
	local pid pids f keep

	[ -n "${PRISM_TEST_REAPER:-}" ] || return 0
	keep=" $PRISM_TEST_MAIN "
	for f in "$FT"/keep/*.pid; do
		if [ -e "$f" ]; then
			read -r pid <"$f" && keep+="$pid "
		fi
	done
	read -r pids <"/proc/$PRISM_TEST_REAPER/task/$PRISM_TEST_REAPER/children"
	for pid in $pids; do
		if [[ $keep != *" $pid "* ]]; then
			printf '%s %s\n' "$pid" \
				"$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
		fi
	done
}

# held_locks ROOT: locks that somebody still holds.
held_locks()
{
	local lock

	for lock in "$1"/lock "$1"/*/lock "$1"/*/*/lock; do
		if [ -f "$lock" ] && ! flock -n "$lock" true; then
			printf '%s\n' "$lock"
		fi
	done
}

# store_left ROOT: containers, unfinished files and held locks of a store.
store_left()
{
	local f

	[ -d "$1" ] || return 0
	shopt -s nullglob dotglob
	for f in "$1"/containers/* "$1"/containers/by-name/*; do
		[ "$f" = "$1/containers/by-name" ] || printf '%s\n' "$f"
	done
	if [ -z "$MAY_LEAVE_TMP" ]; then
		for f in "$1"/tmp/*; do
			printf '%s\n' "$f"
		done
	fi
	held_locks "$1"
	shopt -u nullglob dotglob
}

none_runs()
{
	left=$(orphans)
	running=$(jobs -rp)
	[ -z "$left$running" ]
}

# The end of a container is not the end of its last process to the day, nor of
# the prism that waits for it.
nothing_left()
{
	local left='' running=''

	wait_for none_runs || true
	if [ -n "$left" ]; then
		printf 'processes left:\n%s\n' "$left"
		cut -d' ' -f1 <<<"$left" | xargs -r kill -9
		return 1
	fi
	if [ -n "$running" ]; then
		printf 'background jobs of the test still run: %s\n' "$running"
		xargs -r kill -9 <<<"$running"
		return 1
	fi
	take left /proc/self/mountinfo
	if [[ $left == *"$FT/"* ]]; then
		printf 'mounts left:\n'
		grep -F "$FT/" /proc/self/mountinfo
		return 1
	fi
	left=$(store_left "$PRISM_ROOT"
		store_left "$FT/user/home/.local/share/prism"
		store_left "$FT/plain/home/.local/share/prism")
	if [ -n "$left" ]; then
		printf 'left in the store:\n%s\n' "$left"
		return 1
	fi
	if [ -n "$(ls -A "$FT/san")" ]; then
		printf 'sanitizer reports:\n'
		head -n 60 "$FT"/san/*
		rm -f "$FT"/san/*
		return 1
	fi
}

# ---- running and judging ------------------------------------------------------

# Nearly all that a test costs is forks of its shell: so nothing here forks but
# the command itself.

# take VAR FILE: its text, without zeros and without newlines at the end.
take()
{
	local _all

	# Up to a zero; with any it is a tar file and worth a fork.
	if IFS= read -r -d '' _all <"$2"; then
		{ _all=$(<"$2"); } 2>/dev/null
	fi
	printf -v "$1" '%s' "${_all%"${_all##*[!$'\n']}"}"
}

# fits REGEX TEXT: as grep -qE, line by line.
fits()
{
	local rest=$2 line known=0

	# An expression that grep alone knows, or much text. (2: not known)
	# shellcheck disable=SC2319 # it is the condition's status that counts
	[[ '' =~ $1 ]] || known=$?
	if [ "$known" = 2 ] || [ ${#rest} -gt 8000 ]; then
		grep -qE -- "$1" <<<"$rest"
		return
	fi
	while :; do
		line=${rest%%$'\n'*}
		if [[ $line =~ $1 ]]; then
			return 0
		fi
		[[ $rest == *$'\n'* ]] || return 1
		rest=${rest#*$'\n'}
	done
}

# capture CMD...: $status, $output (stdout), $stderr; never fails itself.
capture()
{
	status=0 output='' stderr=''
	"$@" >"$T/.out" 2>"$T/.err" || status=$?
	take output "$T/.out"
	take stderr "$T/.err"
}

explain()
{
	printf '%s\n' "$*"
	printf 'status: %s\nstdout: %s\nstderr: %s\n' "$status" "$output" \
		"$stderr"
	return 1
}

must_work()
{
	capture "$@"
	[ "$status" = 0 ] || explain "must work: $*"
}

# must_exit CODE CMD...: the program's own code; says nothing of prism's.
must_exit()
{
	local code=$1

	shift
	capture "$@"
	[ "$status" = "$code" ] || explain "must exit with $code: $*"
}

# A controlled failure: this code, one error that starts with "prism:", and
# nothing that looks like a crash.
must_fail()
{
	local code=$1

	shift
	capture "$@"
	[ "$status" = "$code" ] || explain "must fail with $code: $*" || return 1
	[[ $'\n'$stderr == *$'\nprism: '* ]] ||
		explain "must say why: $*" || return 1
	! fits 'Sanitizer|runtime error:|Assertion|core dumped' "$stderr" ||
		explain "crashed: $*"
}

prints()
{
	[ "$output" = "$1" ] || explain "must print exactly '$1'"
}

has()
{
	fits "$1" "$output" || explain "stdout must have '$1'"
}

has_not()
{
	! fits "$1" "$output" || explain "stdout must not have '$1'"
}

says()
{
	fits "$1" "$stderr" || explain "stderr must say '$1'"
}

says_not()
{
	! fits "$1" "$stderr" || explain "stderr must not say '$1'"
}

# must_not CMD...: bats does not see a failing "!" (shellcheck SC2314).
must_not()
{
	if "$@"; then
		printf 'must not succeed: %s\n' "$*"
		return 1
	fi
}

# wait_for CMD...: until it succeeds. A busy machine stands still for seconds:
# a minute, and 200 looks.
wait_for()
{
	local i end=$((EPOCHSECONDS + 60))

	for ((i = 1; i <= 200 || EPOCHSECONDS < end; i++)); do
		if "$@"; then
			return 0
		fi
		sleep 0.05
	done
	printf 'looked %s times in vain for: %s\n' "$i" "$*"
	return 1
}

# holder_of FILE: the process that holds its lock. Others may have it open, to
# look whether somebody does.
holder_of()
{
	local fd

	while read -r fd; do
		if grep -qs '^lock:' "${fd/\/fd\//\/fdinfo\/}"; then
			fd=${fd#/proc/}
			printf '%s' "${fd%%/*}"
			return
		fi
	done < <(find /proc/[0-9]*/fd -lname "$1" 2>/dev/null)
}

# slowly WORDS...: whose files get their names only after a while. Leaks are
# looked for by the tracer's means too.
slowly()
{
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -D -f -qq -o "$T/calls" \
		-e signal=none -e trace=renameat \
		-e "inject=renameat:delay_enter=${DELAY_US:-300000}" "$@"
}

# ---- the ordinary user ----------------------------------------------------------

# run_as USER DIR CMD...: a clean environment, home and runtime dir below DIR.
# RUN_IN: a program that goes somewhere before, as root.
run_as()
{
	local user=$1 dir=$2

	shift 2
	${RUN_IN:+"$RUN_IN"} setpriv --reuid="$user" \
		--regid="$(id -g "$user")" --init-groups \
		--inh-caps=-all -- env -i PATH="$PATH" USER="$user" \
		HOME="$dir/home" XDG_RUNTIME_DIR="$dir/xdg" LC_ALL=C.UTF-8 \
		PRISM_CONFIG="${PRISM_CONFIG:-$FT/prism.json}" \
		${PRISM_CRASH_AT:+PRISM_CRASH_AT="$PRISM_CRASH_AT"} \
		${PRISM_CRASH_LIST:+PRISM_CRASH_LIST="$PRISM_CRASH_LIST"} \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		${UBSAN_OPTIONS:+UBSAN_OPTIONS="$UBSAN_OPTIONS"} \
		${LSAN_OPTIONS:+LSAN_OPTIONS="$LSAN_OPTIONS"} "$@"
}

# Its store is $FT/user/home/.local/share/prism, shared by the file's tests.
as_user()
{
	run_as "$TEST_USER" "$FT/user" "$@"
}

# The one without subordinate ids.
as_plain_user()
{
	run_as "$TEST_USER_PLAIN" "$FT/plain" "$@"
}

# ---- registries -------------------------------------------------------------------

# A mirror on a port where nobody listens: whoever asks the network fails.
config_offline()
{
	cat >"$1" <<-'END'
	{"registry-mirrors": ["http://127.0.0.1:9"],
	 "insecure-registries": ["127.0.0.1:9"],
	 "default-network": "none"}
	END
}

# Serve the images of the site on a free port; PRISM_CONFIG names it as the
# mirror of docker.io, so that `pull alpine` is docker.io/library/alpine.
registry_start()
{
	registry_serve "$PRISM_TEST_SITE/registry" "$FT/keep/registry"
	config_mirror "$FT/prism.json" "$REGISTRY_PORT"
	chmod 0644 "$FT/prism.json"
}

config_mirror()
{
	cat >"$1" <<-END
	{"registry-mirrors": ["http://127.0.0.1:$2"],
	 "insecure-registries": ["127.0.0.1:$2"],
	 "default-network": "none"}
	END
}

# The config keeps its mirror, where nobody answers now.
registry_stop()
{
	registry_end "$FT/keep/registry"
}

# registry_own NAME: one that can be written, empty; $REGISTRY_PORT.
registry_own()
{
	registry_serve "$T/registry-$1" "$FT/keep/$1" write
	config_mirror "$T/prism.json" "$REGISTRY_PORT"
	export PRISM_CONFIG=$T/prism.json
}

registry_own_stop()
{
	registry_end "$FT/keep/$1"
}

# push_layout LAYOUT NAME REPOSITORY[:TAG]: into the registry of registry_own.
push_layout()
{
	skopeo --insecure-policy copy -q --all --preserve-digests \
		--dest-tls-verify=false "oci:$1:$2" \
		"docker://127.0.0.1:$REGISTRY_PORT/$3"
}

# store_image NAME[:TAG] MKIMAGE-ARG...: an image that mkimage makes, pulled
# into PRISM_ROOT as library/NAME.
store_image()
{
	local name=$1

	shift
	"$LIB/mkimage" "$T/layout" image "$@" >/dev/null
	registry_own image
	push_layout "$T/layout" image "library/$name"
	must_work prism pull "$name"
	registry_own_stop image
}
