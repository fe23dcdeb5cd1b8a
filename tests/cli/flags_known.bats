#!/usr/bin/env bats
# Every flag of docker run and podman run is known: it works, or it is a named
# error that says what to use instead. No container is started here.
load ../lib/common

# long_flags: the names in a --help text of docker or podman.
long_flags()
{
	sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' | sort -u
}

# Known to run: in its --help, or refused by name with a hint.
known()
{
	local flag=$1

	if grep -qE -- "^ +(-., )?--$flag( |\[|\$)" "$T/help"; then
		return 0
	fi
	must_fail 125 prism "$COMMAND" "--$flag" x
	says "--$flag"
	says '^hint: .'
	says_not 'unknown option'
}

# all_known COMMAND: all flags on stdin.
all_known()
{
	local flag n=0

	COMMAND=$1
	prism "$COMMAND" --help >"$T/help"
	while IFS= read -r flag; do
		[ "$flag" != help ] || continue
		known "$flag" || return 1
		n=$((n + 1))
	done
	[ "$n" -gt 60 ]
}

@test "each flag of docker run and create" {
	need TOOL_docker
	docker run --help | long_flags >"$T/flags"
	all_known run <"$T/flags"
	docker create --help | long_flags >"$T/flags"
	all_known create <"$T/flags"
}

@test "each flag of podman run and create" {
	need TOOL_podman
	podman run --help 2>/dev/null | long_flags >"$T/flags"
	all_known run <"$T/flags"
	podman create --help 2>/dev/null | long_flags >"$T/flags"
	all_known create <"$T/flags"
}

@test "each short flag of both" {
	need TOOL_docker TOOL_podman
	prism run --help >"$T/help"
	for letter in $( (docker run --help; podman run --help 2>/dev/null) |
		sed -n 's/^ *-\([a-zA-Z]\), --.*/\1/p' | sort -u); do
		grep -q "^  -$letter, " "$T/help" ||
			explain "-$letter is not known"
	done
}

@test "refused flags do not stand in --help, and say what serves" {
	must_work prism run --help
	has_not '^ +--(gpus|isolation|secret|pod) '
	must_fail 125 prism run --gpus all x
	says 'gpus.*not in prism'
	says '^hint: .*--device'
	must_fail 125 prism run --gpus=all x
	says 'gpus'
	must_fail 125 prism run --uidmap 0:1:2 x
	says '^hint: .*--userns'
	must_fail 125 prism run --no-such-flag x
	says "unknown option '--no-such-flag'"
}

@test "the networks and limits of other issues are checked, then refused" {
	must_fail 125 prism run -p 8080:80 x
	says 'publish: the default network is none here, which has no ports'
	must_fail 125 prism run -p 99999:80 x
	says 'invalid hostPort: 99999'
	must_fail 125 prism run -p 80:80/xyz x
	says 'invalid proto: xyz'
	must_fail 125 prism run -P x
	says 'publish-all'
	must_fail 125 prism run --network nosuch x
	says 'network nosuch not found'
	must_fail 125 prism run --network host --network none x
	says 'conflicting'
	must_fail 125 prism run --ip 1.2.3 x
	says 'not an IPv4 address'
	must_fail 125 prism run --ip 1.2.3.4 x
	says '--ip'
	must_fail 125 prism run --mac-address 1 x
	says 'not a MAC address'
	must_fail 125 prism run --link db:database x
	says '--link'
	must_fail 125 prism run -m 5m x
	says '6 MiB'
	must_fail 125 prism run --device-read-bps sda:1m x
	says 'not PATH:NUMBER'
	must_fail 125 prism run --device-write-iops /dev/sda:1m x
	says "'1m': not a number"
	must_fail 125 prism run --blkio-weight-device /dev/sda:5 x
	says 'from 10 to 1000'
	must_fail 125 prism run --memory-swappiness 101 x
	says 'from -1 to 100'
	must_fail 125 prism run --device-cgroup-rule 'c 1 rwm' x
	says 'not a rule of devices'
	must_fail 125 prism run --cpus 9999 x
	says 'range is from 0.01'
	must_fail 125 prism run --memory-swap 1g x
	says 'needs --memory'
	must_fail 125 prism run --limits often -m 10m x
	says 'strict nor best-effort'
}

@test "values that Docker refuses are refused by name" {
	must_fail 125 prism run --ulimit nosuch=1 x
	says 'invalid ulimit type: nosuch'
	must_fail 125 prism run --ulimit nofile=2:1 x
	says 'soft limit is above'
	must_fail 125 prism run --sysctl kernel.panic=1 x
	says 'kernel.panic'
	says 'whole machine'
	must_fail 125 prism run --network host --sysctl net.core.somaxconn=1 x
	says 'network namespace'
	must_fail 125 prism run --oom-score-adj 1001 x
	must_fail 125 prism run --shm-size big x
	must_fail 125 prism run --device /dev/nope x
	says '/dev/nope'
	must_fail 125 prism run --device /etc/passwd x
	says 'not a device'
	must_fail 125 prism run --device nvidia.com/gpu=all x
	says 'CDI'
	must_fail 125 prism run --dns 8.8.8 x
	says 'not an IP address'
	must_fail 125 prism run --add-host name x
	must_fail 125 prism run --add-host name:1.2.3 x
	says 'invalid IP address'
	must_fail 125 prism run --hostname '' x
	must_fail 125 prism run --uts host --hostname h x
	says 'conflicting'
	must_fail 125 prism run --pid nonsense x
	must_fail 125 prism run --ipc nonsense x
	must_fail 125 prism run --uts nonsense x
	must_fail 125 prism run --cgroupns nonsense x
	must_fail 125 prism run --userns nonsense x
	must_fail 125 prism run --runtime kata x
	says 'own runtime'
	must_fail 125 prism run --security-opt nonsense=1 x
	says '^hint: .*seccomp='
	must_fail 125 prism run --security-opt 'apparmor=two words' x
	says 'AppArmor'
	must_fail 125 prism run --expose 0 x
	must_fail 125 prism run --platform os/arch/x/y x
	must_fail 125 prism run --platform linux/amd64 --arch arm64 x
	says 'conflicting'
	must_fail 125 prism run --umask 888 x
	must_fail 125 prism run --tz ../etc x
	must_fail 125 prism run --tz No/Where x
	says 'zoneinfo/No/Where'
	must_fail 125 prism run --group-add keep-groups --group-add 5 x
}

@test "mounts that make no sense are refused by name" {
	mkdir "$T/v"
	must_fail 125 prism run -v "$T/nothere:/m" x
	says "$T/nothere"
	says '^hint: .*mkdir -p.*bind-create-src'
	must_fail 125 prism run -v "$T/v:/m:foo" x
	says "invalid mode 'foo'"
	must_fail 125 prism run -v "$T/v:/m" --tmpfs /m x
	says 'given twice'
	must_fail 125 prism run -v "$T/v:/m" --mount "type=bind,src=$T/v,dst=/m/" x
	says 'given twice'
	must_fail 125 prism run --mount "type=image,src=x,dst=/m" x
	says 'type=image is not in prism'
	must_fail 125 prism run --mount "type=bind,src=$T/v" x
	says 'target is required'
	must_fail 125 prism run --mount "type=bind,src=$T/v,dst=/m,foo=1" x
	says "unknown key 'foo'"
	must_fail 125 prism run --tmpfs /m:foo x
	says "invalid tmpfs option 'foo'"
	must_fail 125 prism run --tmpfs / x
	must_fail 125 prism run -v name:/m:O x
	says 'O is for'
}

@test "docs/run-flags.md says of each flag what prism does with it" {
	table=$BATS_TEST_DIRNAME/../../docs/run-flags.md
	prism run --help >"$T/help"
	sed -n 's/^  *\(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' "$T/help" >"$T/have"
	# All that is said to work is there, and nothing that is said to be missing.
	sed -n 's/^| `--\([a-z0-9-]*\)` | \(same\|different\) .*/\1/p' "$table" |
		sort >"$T/works"
	[ "$(wc -l <"$T/works")" -gt 60 ]
	[ -z "$(comm -23 "$T/works" <(sort "$T/have"))" ]
	sed -n 's/^| `--\([a-z0-9-]*\)` | missing .*/\1/p' "$table" >"$T/missing"
	[ "$(wc -l <"$T/missing")" -gt 30 ]
	while IFS= read -r flag; do
		must_fail 125 prism run "--$flag" x
		says 'is not in prism'
	done <"$T/missing"
	# And each flag has its line, but for prism's own and second names.
	grep -vxE 'net|net-alias|dns-opt|trace|limits|help' "$T/have" >"$T/all"
	while IFS= read -r flag; do
		grep -q "^| \`--$flag\` |" "$table" ||
			explain "no line for --$flag" || return 1
	done <"$T/all"
}
