#!/usr/bin/env bats
# --privileged, namespaces of others, masks, sysctls, limits, as root.
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

@test "--privileged: all that prism has, devices, no filter, no masks" {
	must_work run --privileged busybox sh -c \
		'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status
		grep -E " /sys " /proc/mounts; ls /dev | wc -l; ls /dev/loop-control
		mkdir /m && mount -t tmpfs none /m && echo mounted
		echo 1 >/proc/sys/net/ipv4/ip_forward && echo written'
	has '^NoNewPrivs:	0$'
	has '^Seccomp:	0$'
	has ' /sys sysfs rw'
	has '^mounted$'
	has '^written$'
	has '^/dev/loop-control$'
	# All of our own permitted set, no more; what lacks is named.
	mine=$(sed -n 's/^CapPrm:\t//p' /proc/self/status)
	has "^CapEff:	$mine\$"
	[ "$mine" = 000001ffffffffff ] || says 'ignoring capabilities.*CAP_'
	must_work run busybox ls /dev
	has_not loop-control
}

@test "--privileged gives way to options that say otherwise" {
	must_work run --privileged --security-opt no-new-privileges busybox \
		grep NoNewPrivs /proc/self/status
	has '1$'
	must_work run --privileged --security-opt seccomp=builtin busybox \
		grep Seccomp: /proc/self/status
	has '2$'
}

@test "--security-opt: colon forms, no labels, no masks, more masks" {
	must_work run --security-opt seccomp:unconfined --security-opt \
		label:disable --security-opt apparmor=unconfined busybox \
		grep Seccomp: /proc/self/status
	has '0$'
	must_work run --security-opt systempaths=unconfined busybox sh -c \
		'grep -c " /proc" /proc/mounts; echo x >/proc/sys/kernel/hostname'
	has '^1$'
	must_work run --security-opt mask=/etc/passwd:/home busybox sh -c \
		'cat /etc/passwd; ls -A /home'
	prints ''
	must_work run --security-opt unmask=/proc/sys busybox sh -c \
		'echo x >/proc/sys/kernel/hostname; hostname
		 grep -c " /proc/irq " /proc/mounts'
	prints $'x\n1'
	must_work run --security-opt 'unmask=/proc/*' busybox grep -c ' /proc' \
		/proc/mounts
	prints 1
}

@test "--pid host: the host's processes, and none of its own is left" {
	mark=7$RANDOM
	must_work run --pid host busybox sh -c "readlink /proc/self/ns/pid
		(setsid sleep $mark &); sleep 0.1; ps -o pid | grep -c ."
	has "^$(readlink /proc/self/ns/pid | sed 's/[][]/\\&/g')\$"
	must_not pgrep -f "^sleep $mark\$"
	must_exit 3 run --pid host --init=no busybox sh -c 'exit 3'
	must_exit 137 run --pid=host busybox sh -c 'kill -9 $$'
}

@test "--ipc host, none, private; --uts host; --cgroupns host" {
	touch "/dev/shm/prism-test-$$"
	must_work run --ipc host busybox sh -c 'readlink /proc/self/ns/ipc; ls /dev/shm'
	rm "/dev/shm/prism-test-$$"
	has "^$(readlink /proc/self/ns/ipc | sed 's/[][]/\\&/g')\$"
	has "prism-test-$$"
	must_work run --ipc none busybox grep -c ' /dev/shm ' /proc/mounts ||
		prints 0
	must_work run --ipc shareable busybox readlink /proc/self/ns/ipc
	has_not "$(readlink /proc/self/ns/ipc | tr -dc 0-9)"
	must_work run --uts host busybox sh -c 'hostname; readlink /proc/self/ns/uts'
	prints "$(hostname)
$(readlink /proc/self/ns/uts)"
	must_work run --cgroupns host busybox readlink /proc/self/ns/cgroup
	prints "$(readlink /proc/self/ns/cgroup)"
}

@test "--domainname is the NIS domain" {
	must_work run --domainname example busybox cat /proc/sys/kernel/domainname
	prints example
}

@test "every user may ping and bind low ports in an own network" {
	must_work run busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start \
		/proc/sys/net/ipv4/ping_group_range
	prints $'0\n0\t2147483647'
	must_work run -u app --cap-drop ALL busybox sh -c \
		'nc -l -p 80 -e true & sleep 0.1; nc 127.0.0.1 80 </dev/null; echo ok'
	has ok
	says_not 'Permission denied'
}

@test "--sysctl: those of the container's namespaces" {
	must_work run --sysctl net.core.somaxconn=77 --sysctl kernel.msgmax=4242 \
		--sysctl net.ipv4.ip_unprivileged_port_start=1024 busybox cat \
		/proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax \
		/proc/sys/net/ipv4/ip_unprivileged_port_start
	prints $'77\n4242\n1024'
	must_fail 125 run --sysctl net.no.such=1 busybox true
	says '/proc/sys/net/no/such.*ENOENT'
}

@test "--ulimit: applied, and a failure has the numbers" {
	must_work run --ulimit nofile=100:200 --ulimit core=0 --ulimit memlock=-1 \
		busybox sh -c 'ulimit -n; ulimit -H -n; ulimit -c' ||
		must_work run --ulimit nofile=100:200 --ulimit core=0 busybox sh -c \
			'ulimit -n; ulimit -H -n; ulimit -c'
	prints $'100\n200\n0'
	hard=$(ulimit -H -n)
	if [ "$hard" != unlimited ] && ! capsh --has-p=cap_sys_resource 2>/dev/null; then
		must_fail 125 run --ulimit nofile=$((hard + 1)) busybox true
		says "nofile=$((hard + 1)).*EPERM"
		says "hard limit here is $hard"
	fi
}

@test "--oom-score-adj and --umask" {
	must_work run --oom-score-adj 321 --umask 077 busybox sh -c \
		'cat /proc/self/oom_score_adj; umask; touch /x; stat -c %a /x'
	prints $'321\n0077\n600'
	must_work run --umask 0 busybox sh -c umask
	prints 0000
}

@test "--limits=best-effort runs, and no limit is none" {
	must_work run --limits=best-effort --pids-limit 50 busybox echo ran
	prints ran
	must_work run --pids-limit -1 --memory 0 busybox echo ran
	[ -z "$stderr" ] || explain "nothing was asked for"
}

@test "-p is discarded with --network none and host" {
	must_work run --network none -p 80:80 busybox echo ran
	says 'discarded'
	must_work run --network host -P busybox echo ran
	says 'discarded'
}

@test "--runtime runc, --disable-content-trust and their like change nothing" {
	must_work run --runtime runc --disable-content-trust --annotation a=b \
		--cgroupns private --uts private --pid private busybox echo ran
	prints ran
}

# ---- namespaces and names of another container -----------------------------------

# other NAME ARG...: a container in the background until it is removed.
other()
{
	local name=$1

	shift
	"$PRISM_BIN" run --rm --name "$name" "$@" busybox sh -c \
		'echo shared >/dev/shm/f; touch /started; sleep 1000' \
		>/dev/null 2>&1 3>&- &
	OTHER=$!
	wait_for test -e "$PRISM_ROOT/containers/by-name/$name/upper/started"
}

@test "--network, --pid, --ipc container:NAME share what is the other's" {
	other web --hostname web.example --add-host db:10.0.0.9
	must_work run --network container:web busybox sh -c \
		'hostname; grep db /etc/hosts; readlink /proc/self/ns/net'
	has '^web.example$'
	has '^10.0.0.9	db$'
	must_work run --pid container:web busybox ps
	has 'sleep 1000'
	must_work run --ipc container:web busybox cat /dev/shm/f
	prints shared
	must_work run --pid=container:web --network=container:web \
		--ipc=container:web busybox sh -c 'exit 0'
	must_fail 125 run --network container:web --hostname h busybox true
	says 'conflicting'
	must_fail 125 run --network container:web -p 80:80 busybox true
	must_work prism rm -f web
	wait "$OTHER" || true
	must_fail 125 run --network container:web busybox true
	says 'No such container: web'
}

@test "one that does not run cannot be joined" {
	must_work prism run --name ended busybox true
	must_fail 125 run --ipc container:ended busybox true
	says '^hint: it must run'
	must_work prism rm ended
}

@test "--dns, --dns-search, --dns-option, --add-host, --no-hosts" {
	must_work run --dns 9.9.9.9 --dns 8.8.8.8 --dns-search example.org \
		--dns-option ndots:2 --add-host db:10.0.0.9 --add-host 'six:[fe80::1]' \
		busybox cat /etc/resolv.conf /etc/hosts
	has '^nameserver 9.9.9.9$'
	has '^nameserver 8.8.8.8$'
	has '^search example.org$'
	has '^options ndots:2$'
	has '^10.0.0.9	db$'
	has '^fe80::1	six$'
	must_work run --network host --add-host gw:host-gateway busybox \
		grep gw /etc/hosts
	prints $'127.0.0.1\tgw'
	must_work run --add-host gw:host-gateway busybox true
	says 'ignoring --add-host gw:host-gateway'
	must_work run --no-hosts busybox cat /etc/hosts
	has_not localhost
}

@test "--volumes-from: the other's mounts, read-only too" {
	mkdir "$T/v"
	echo one >"$T/v/f"
	must_work prism run --name data -v "$T/v:/d" -v /anon busybox \
		touch /anon/here
	must_work run --volumes-from data busybox sh -c 'cat /d/f; ls /anon'
	prints $'one\nhere'
	must_exit 1 run --volumes-from data:ro busybox touch /d/x
	says 'Read-only'
	must_fail 125 run --volumes-from data:foo busybox true
	must_fail 125 run --volumes-from nosuch busybox true
	says 'No such container'
	must_work prism rm -v data
}
