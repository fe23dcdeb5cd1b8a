#!/usr/bin/env bats
# kill -9 of every command over a container that is there, at each of its crash
# points, and of the monitors it starts: afterwards ps and inspect say what is
# true, the next commands work, and rm leaves nothing.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		# shellcheck disable=SC2046 # words are meant
		"${RUNNER[@]}" rm -f none $(ids)
	fi
	test_teardown
}

# Without a process of its own, as all that is done at each death.
ids()
{
	local d

	for d in "$STORE"/containers/[0-9a-f]*; do
		if [[ $d != */by-name && -e $d ]]; then
			printf '%s\n' "${d##*/}"
		fi
	done
}

p()
{
	must_work "${RUNNER[@]}" "$@"
}

# The program of each container of the test, and nobody else, sleeps so long.
programs()
{
	local file name arg

	for file in /proc/[0-9]*/cmdline; do
		{ read -rd '' name && read -rd '' arg; } 2>/dev/null <"$file" ||
			continue
		if [ "$name $arg" = "sleep $MARK" ]; then
			printf '%s\n' "$file"
		fi
	done 2>/dev/null
}

# truth: each line of ps -a is what the processes say too.
truth()
{
	local id name state pid stat lines=0 expected=0

	"${RUNNER[@]}" ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' \
		>"$T/ps" || return 1
	while read -r id name state; do
		lines=$((lines + 1))
		[ -d "$STORE/containers/$id" ] || return 1
		case $state in
		created | exited) continue ;;
		running | paused) expected=$((expected + 1)) ;;
		*) return 1 ;;
		esac
		pid=$("${RUNNER[@]}" inspect -f '{{.State.Pid}}' "$name") || return 1
		read -r stat <"/proc/$pid/stat" || return 1
		case "$state ${stat##*) }" in
		'paused T'* | 'running '[SRD]*) ;;
		*) return 1 ;;
		esac
	done <"$T/ps"
	[ "$(ids | wc -l)" = "$lines" ] && [ "$(programs | wc -l)" = "$expected" ]
}

must_be_true()
{
	wait_for truth || {
		cat "$T/ps"
		programs
		explain "not the truth: $*"
	}
}

# The directory of one that was being made may stay for some seconds when it was
# empty, since its lock may come yet.
nothing_of_it()
{
	[ -z "$(ids)$(programs)" ] && ! compgen -G "$STORE/containers/by-name/*" >/dev/null &&
		! compgen -G "$STORE/tmp/[0-9a-f]*/upper" >/dev/null
}

# at_each POINTS PREPARE CMD...: the function PREPARE makes containers, one of
# the name n; then CMD is killed at each point that POINTS (a regex) fits.
# Counts into $died.
at_each()
{
	local only=$1 prepare=$2 point id

	shift 2
	: >"$T/list"
	chmod 0666 "$T/list"
	$prepare
	PRISM_CRASH_LIST=$T/list capture "${RUNNER[@]}" "$@"
	[ "$status" = 0 ] || explain "$*" || return 1
	# shellcheck disable=SC2046 # words are meant
	p rm -f n $(ids) || return 1
	grep -qE "$only" "$T/list" || explain "no crash points: $*" || return 1
	for point in $(points "$T/list" | grep -E "$only"); do
		# Its name is free, whatever the last one left.
		$prepare || return 1
		PRISM_CRASH_AT=$point capture "${RUNNER[@]}" "$@"
		must_be_true "$* died at $point" || return 1
		# Whatever it is now, it can be started, and then removed.
		for id in $(ids); do
			p start "$id" || return 1
		done
		# shellcheck disable=SC2046 # words are meant
		p rm -f n $(ids) || return 1
		wait_for nothing_of_it || explain "left after $* died at $point" ||
			return 1
		died=$((died + 1))
	done
	p fsck
	nothing_left || explain "left after the deaths of $*"
}

nothing()
{
	:
}

created()
{
	p create --name n busybox sleep "$MARK"
}

running()
{
	p run -d --name n busybox sleep "$MARK"
}

exited()
{
	running && p stop -t 0 n
}

paused()
{
	running && p pause n
}

# With a name that is derived, and one more.
two()
{
	p run -d --rm busybox sleep "$MARK" && running
}

# own: what only this command passes; the way of a start is gone once.
own='^(start|stop|restart|remove|kill|pause|unpause|teardown|name)-'

all_commands()
{
	died=0
	MARK=7$RANDOM$BATS_TEST_NUMBER
	at_each . nothing create --name n busybox sleep "$MARK"
	at_each . created start n
	at_each "$own" running stop -t 5 n
	at_each "$own" running restart -t 0 n
	at_each . two rm -f n
}

more_commands()
{
	at_each "$own" nothing create --rm --name n busybox sleep "$MARK"
	at_each "$own" exited start n
	at_each . running kill n
	at_each . running pause n
	at_each . running rename n m
	at_each . paused unpause n
	at_each "$own" paused stop -t 5 n
	at_each . exited rm n
	at_each . exited container prune -f
}

@test "at every point, as root" {
	need ROOT OVERLAY
	STORE=$PRISM_ROOT
	RUNNER=("$PRISM_BIN")
	all_commands
	more_commands
	printf 'died at %s points\n' "$died"
	[ "$died" -ge 35 ]
}

@test "at every point, as an ordinary user" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	export PRISM_CRASH_AT PRISM_CRASH_LIST
	STORE=$FT/user/home/.local/share/prism
	RUNNER=(as_user "$PRISM_BIN")
	all_commands
	printf 'died at %s points\n' "$died"
	[ "$died" -ge 18 ]
}
