#!/usr/bin/env bats
# prism version and info, and what scripts ask of them.
load ../lib/common

setup_file()
{
	file_setup
}

@test "version, its templates and json" {
	local v

	v=$(prism --version)
	v=${v#prism version }
	must_work prism version --format '{{.Client.Version}} {{.Server.Version}}'
	prints "$v $v"
	must_work prism version -f '{{.Server.Os}}/{{.Server.Arch}}'
	has '^linux/[a-z0-9]+$'
	must_work prism version -f json
	[ "$(jq -r .Client.Version <<<"$output")" = "$v" ]
	must_work prism version -f '{{range .Server.Components}}{{.Name}}={{.Details.Os}}{{end}}'
	prints Engine=linux
	must_work prism version
	has "^ Version: +$v\$"
	must_fail 1 prism version -f '{{.Nope}}'
}

@test "info: is it usable, and Docker's keys" {
	need ROOT
	must_work prism info
	has '^ Storage Driver: overlay$'
	must_work prism info -f '{{.Architecture}} {{.OSType}} {{.NCPU}}'
	prints "$(uname -m) linux $(nproc)"
	must_work prism info --format '{{.KernelVersion}} {{.DockerRootDir}}'
	prints "$(uname -r) $PRISM_ROOT"
	must_work prism info -f '{{json .SecurityOptions}} {{.Rootless}}'
	has '"name=seccomp,profile=default"\] false$'
	must_work prism info -f json
	[ "$(jq -r .Driver <<<"$output")" = overlay ]
	[ "$(jq -r .Images <<<"$output")" = 0 ]
	[ "$(jq -r .Host.OS <<<"$output")" = linux ]
	must_work prism system info -f '{{.Swarm.LocalNodeState}}'
	prints inactive
}

@test "info fails where no container can start" {
	need ROOT
	# Without the capability to make namespaces, and without user namespaces.
	must_fail 1 setpriv --bounding-set -sys_admin --inh-caps -sys_admin \
		"$PRISM_BIN" info
	says 'unshare|EPERM'
	has '^ Storage Driver: overlay$'
}

@test "info as an ordinary user" {
	need USERNS
	must_work as_user "$PRISM_BIN" info -f '{{.Rootless}} {{json .SecurityOptions}}'
	has '^true \[.*"name=seccomp,profile=default","name=rootless"\]$'
}
