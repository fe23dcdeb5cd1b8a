#!/usr/bin/env bats
# Environment, labels, users, entrypoint, platform, as root.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
}

run()
{
	prism run --rm "$@"
}

@test "--env-file: comments, bare names, quotes are kept and mentioned" {
	export FROM_OUTSIDE=outside
	cat >"$T/env" <<-'END'
	# a comment
	  A=1
	B=two words
	C="quoted"
	FROM_OUTSIDE
	NOT_OUTSIDE
	D=
	A=again
	END
	must_work run --env-file "$T/env" -e B=flag busybox env
	has '^A=again$'
	has '^B=flag$'
	has '^C="quoted"$'
	has '^D=$'
	has '^FROM_OUTSIDE=outside$'
	has_not '^NOT_OUTSIDE'
	says 'env:4: the quotes are part of the value.*format=shell'
	must_work run --env-file "$T/env,format=shell" busybox sh -c 'echo "$C"' ||
		says 'blank outside'
	printf 'C="quoted" # why\nexport E='\''$x'\''\n' >"$T/sh"
	must_work run --env-file "$T/sh,format=shell" busybox sh -c 'echo "$C|$E"'
	prints 'quoted|$x'
	printf 'G = 3\n' >"$T/env"
	must_fail 125 run --env-file "$T/env" busybox true
	says "env:1: variable 'G ' contains whitespaces"
	must_fail 125 run --env-file "$T/nothere" busybox true
	says nothere
}

@test "-e PREFIX_*, --env-host, --unsetenv" {
	export PRE_A=1 PRE_B=2 OTHER=3
	must_work run -e 'PRE_*' busybox env
	has '^PRE_A=1$'
	has '^PRE_B=2$'
	has_not '^OTHER'
	must_work run --env-host busybox sh -c 'echo $OTHER'
	prints 3
	must_work run --unsetenv PATH busybox /bin/env
	has_not '^PATH='
}

@test "a user whom the image does not know has a name" {
	must_work run -u 4242 busybox sh -c 'whoami; echo ~; echo x >>/etc/passwd
		id -g'
	says 'Permission denied'
	has '^4242$'
	must_work run -u 4242:4343 -e HOME=/h busybox tail -n 1 /etc/passwd
	prints '4242:*:4242:4343:container user:/h:/bin/sh'
	must_exit 1 run -u 4242 --passwd=no busybox whoami
	must_work run -u app busybox grep -c 'container user' /etc/passwd ||
		prints 0
	must_work run --read-only -u 4242 busybox whoami
	prints 4242
	# The image's own file is as it was.
	must_exit 1 run busybox grep 4242 /etc/passwd
}

@test "--group-add: names of the image, numbers, the caller's own" {
	must_work run -u app --group-add wheel --group-add 777 busybox id -G
	has '\b10\b'
	has '\b777\b'
	must_fail 125 run --group-add nosuch busybox true
	setpriv --groups 4711,4712 "$PRISM_BIN" run --rm --group-add keep-groups \
		busybox id -G >"$T/o"
	grep -q '4711 4712' "$T/o"
}

@test "--platform in all spellings of this machine's; --arch and --os" {
	[ "$(uname -m)" = x86_64 ] || skip "needs AMD64: spellings of amd64"
	for p in linux/amd64 amd64 linux/x86_64 x86_64 Linux/AMD64; do
		must_work run --pull never --platform "$p" busybox echo "$p"
		prints "$p"
	done
	must_work run --pull never --arch x86_64 --os linux busybox echo ran
	must_fail 125 run --pull never --platform linux/riscv64 busybox true
}

@test "-l, --label-file, --annotation are checked" {
	printf '# c\na=1\nb\n' >"$T/labels"
	must_work run -l x=y -l z --label-file "$T/labels" --annotation k=v \
		busybox echo ran
	must_fail 125 run -l =x busybox true
	must_fail 125 run --label-file "$T/nothere" busybox true
	says nothere
}

@test "--health-*: durations and conflicts" {
	must_work run --health-cmd 'true' --health-interval 1m30s --health-retries 2 \
		--health-timeout 500ms --health-start-period 0s busybox echo ran
	must_fail 125 run --health-interval 5 busybox true
	says 'not a duration'
	must_fail 125 run --no-healthcheck --health-cmd x busybox true
	says 'conflicts'
	must_fail 125 run --health-retries x busybox true
	must_work run --no-healthcheck busybox echo ran
}
