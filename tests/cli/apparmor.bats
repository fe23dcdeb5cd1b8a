#!/usr/bin/env bats
# AppArmor on a kernel that may lack it; tests/vm/apparmor.bats needs a kernel
# that has it.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

enabled()
{
	grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null
}

@test "the compiled profile matches its text" {
	need TOOL_apparmor_parser
	local dir=$BATS_TEST_DIRNAME/../../runtime/apparmor

	"$dir/compile" >"$T/compiled"
	cmp "$T/compiled" "$dir/policy.inc"
}

@test "make install ships the text" {
	local repo=$BATS_TEST_DIRNAME/../..

	must_work make -s -C "$repo" -o all install DESTDIR="$T/d" PREFIX=/usr \
		O="$PRISM_TEST_BUILD"
	cmp "$T/d/usr/share/prism/apparmor/prism-default" \
		"$repo/runtime/apparmor/prism-default"
}

@test "an invalid profile name, and a profile without AppArmor, are errors" {
	local name

	for name in '' 'a b' $'a\nb'; do
		must_fail 125 prism run --rm --security-opt "apparmor=$name" busybox true
		says 'not the name of an AppArmor profile'
	done
	! enabled || return 0
	must_fail 125 prism run --rm --security-opt apparmor=docker-default busybox true
	says "cannot apply AppArmor profile 'docker-default': this kernel has no AppArmor"
	says '^hint: .*apparmor=unconfined'
	must_fail 125 prism create --security-opt apparmor=docker-default busybox true
	must_work prism ps -aq
	prints ''
}

@test "inspect and info show the profile in force" {
	local profile='' options='name=seccomp,profile=default'

	need ROOT OVERLAY
	if enabled; then
		profile=prism-default options="name=apparmor $options"
	fi
	must_work prism create --name c busybox true
	must_work prism inspect -f '{{.AppArmorProfile}}' c
	prints "$profile"
	must_work prism rm c
	must_work prism create --name c --security-opt apparmor=unconfined busybox true
	must_work prism inspect -f '{{.HostConfig.SecurityOpt}}' c
	prints '[apparmor=unconfined no-new-privileges]'
	must_work prism rm c
	must_work prism info -f '{{range .SecurityOptions}}{{.}} {{end}}'
	prints "$options "
	must_work prism info -f '{{.Host.Security.AppArmorEnabled}}'
	prints "$(enabled && echo true || echo false)"
}

@test "without AppArmor a start and an exec check for it once each" {
	need ROOT OVERLAY TOOL_strace
	! enabled || return 0

	must_work strace -f -o "$T/s" -e trace=%file \
		"$PRISM_BIN" run --rm busybox true
	[ "$(grep -c apparmor "$T/s")" = 1 ]
	grep -q 'apparmor.*ENOENT' "$T/s"
}
