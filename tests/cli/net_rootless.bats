# Networks of ordinary users: pasta and slirp4netns, from a host of the test's
# own (tests/lib/world.bash).
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	[ -n "${TEST_USER:-}" ] || return 0
	file_store_user busybox
	world_up
	# The first packet waits for a neighbour to be found, and Debian 12's pasta
	# resets what takes longer than a second to connect.
	wait_for in_host "$FT/bin/netpeer" ask tcp 2001:db8:1::1 80
	world_user_setup
	# The default network is what is tested.
	printf '{}\n' >"$FT/user.json"
}

setup()
{
	test_setup
	if [ -e "$FT/user.json" ]; then
		export PRISM_CONFIG=$FT/user.json
	fi
	PEER=(-v "$FT/bin/netpeer:/netpeer")
}

uprism()
{
	as_user_here "$PRISM_BIN" "$@"
}

has_logged()
{
	uprism logs "$1" | grep -q "$2"
}

# serve_in NAME OPTION...: a container that answers on port 80 of tcp and udp.
serve_in()
{
	local name=$1

	shift
	must_work uprism run -d --rm --name "$name" "${PEER[@]}" "$@" busybox \
		/netpeer serve "$name" 80 8082 8083
	wait_for has_logged "$name" ready
}

# pasta and slirp4netns that still carry something.
helpers()
{
	ip netns pids "$WORLD_HOST" | xargs -r ps -o args= -p |
		grep -E '^(pasta|slirp4netns) ' || true
}

no_helpers()
{
	[ -z "$(helpers)" ]
}

@test "rootless: by itself a container reaches the outside by pasta" {
	need USER USERNS TUN PASTA
	must_work uprism run --rm "${PEER[@]}" busybox sh -c '
		/netpeer ask tcp 198.51.100.1 80
		/netpeer ask udp 198.51.100.1 5000
		/netpeer ask tcp 2001:db8:1::1 80
		cat /sys/class/net/eth0/mtu'
	prints "out 198.51.100.2
out 198.51.100.2
out 2001:db8:1::2
65520"
	no_helpers
}

@test "rootless: what the caller ignores is none of the network's" {
	need USER USERNS TUN PASTA SLIRP
	for net in pasta slirp4netns; do
		# shellcheck disable=SC2016 # the inner shell's
		must_work as_user_here bash -c 'trap "" PIPE INT QUIT; exec "$@"' - \
			"$PRISM_BIN" run --rm --network $net "${PEER[@]}" busybox \
			/netpeer ask tcp 198.51.100.1 80
		prints 'out 198.51.100.2'
	done
}

@test "root of a user namespace has the same networks" {
	need USER USERNS TUN PASTA SLIRP
	must_work as_user_here unshare -Ur "$PRISM_BIN" run --rm "${PEER[@]}" \
		busybox /netpeer ask tcp 198.51.100.1 80
	prints 'out 198.51.100.2'
	must_work as_user_here unshare -Ur "$PRISM_BIN" run --rm "${PEER[@]}" \
		--network slirp4netns busybox /netpeer ask tcp 198.51.100.1 80
	prints 'out 198.51.100.2'
}

@test "rootless: slirp4netns does it too, with its options" {
	need USER USERNS TUN SLIRP
	must_work uprism run --rm --network slirp4netns:mtu=1400,cidr=10.9.0.0/24 \
		"${PEER[@]}" busybox sh -c '
		/netpeer ask tcp 198.51.100.1 80
		/netpeer ask udp 198.51.100.1 5000
		cat /sys/class/net/eth0/mtu
		ip -4 -o address show dev eth0'
	has '^out 198.51.100.2$'
	has '^1400$'
	has 'inet 10\.9\.0\.100/24'
	no_helpers
}

# resolves ADDRESS NET OPTION...: some.test is that, asked by the host's file.
resolves()
{
	must_work uprism run --rm --network "$2" "${@:3}" busybox \
		nslookup -type=a some.test
	has "Address: ${1//./\\.}"
}

@test "rootless: names are asked of the host's server, also on its loopback" {
	need USER USERNS TUN PASTA SLIRP
	printf 'nameserver 198.51.100.1\n' >"$T/far"
	printf 'nameserver 127.0.0.53\nsearch example.test\n' >"$T/near"
	nsenter --net="/run/netns/$WORLD_HOST" "$FT/bin/netpeer" answer \
		203.0.113.9 >"$T/near.log" 2>&1 3>&- 4>&- &
	local server=$!

	wait_for grep -q ready "$T/near.log"
	for net in pasta slirp4netns; do
		RESOLV=$T/far resolves 203.0.113.7 $net
		RESOLV=$T/near must_work uprism run --rm --network $net busybox \
			cat /etc/resolv.conf
		has_not '127\.0\.0\.53'
		has 'search example.test'
	done
	RESOLV=$T/near resolves 203.0.113.9 slirp4netns
	# Of systemd-resolved the servers that it asks itself.
	RESOLV=$T/near UPSTREAM=$T/far resolves 203.0.113.7 pasta
	says_not warning
	# Of another one the program has to know the way; Debian 12's does not.
	printf 'nameserver 127.0.0.1\n' >"$T/near"
	if pasta_is_old; then
		RESOLV=$T/near must_work uprism run -d --rm --network pasta \
			--name c busybox sleep 300
		says "no names: this pasta .*has no way to the name server on this host's loopback"
		must_work uprism rm -f c
	else
		RESOLV=$T/near resolves 203.0.113.9 pasta
	fi
	RESOLV=$T/near resolves 203.0.113.7 pasta --dns 198.51.100.1
	says_not warning
	kill $server
	wait $server || true
}

pasta_is_old()
{
	! pasta --help 2>&1 | grep -q map-host-loopback
}

@test "rootless: udp ports of the host's loopback" {
	need USER USERNS TUN PASTA SLIRP
	serve_in c -p 8082:8082/udp -p 127.0.0.1:8083:8083/udp
	says_not warning
	for port in 8082 8083; do
		must_work in_host "$FT/bin/netpeer" ask udp 127.0.0.1 $port
		has '^c '
	done
	must_work uprism rm -f c
	# Two numbers: Debian 12's pasta loses the answer.
	serve_in c -p 127.0.0.1:8082:80/udp
	if pasta_is_old; then
		says "port 8082/udp: this pasta .* answers nobody on this host's loopback"
	else
		must_work in_host "$FT/bin/netpeer" ask udp 127.0.0.1 8082
	fi
	must_work uprism rm -f c
	serve_in c --network slirp4netns -p 127.0.0.1:8082:80/udp
	says "port 8082/udp: slirp4netns answers nobody on this host's loopback"
	must_work uprism rm -f c
	serve_in c --network slirp4netns:allow_host_loopback=true \
		-p 127.0.0.1:8082:80/udp
	says_not warning
	must_work in_host "$FT/bin/netpeer" ask udp 127.0.0.1 8082
	must_work uprism rm -f c
}

@test "rootless: published ports, tcp and udp, from outside and the host" {
	need USER USERNS TUN PASTA SLIRP
	for net in pasta slirp4netns; do
		serve_in c-$net --network $net -p 8080:80 \
			-p 127.0.0.1:8081:80 -p 8082:80/udp
		must_work in_out "$FT/bin/netpeer" ask tcp 198.51.100.2 8080
		has "^c-$net "
		must_work in_out "$FT/bin/netpeer" ask udp 198.51.100.2 8082
		has "^c-$net "
		must_work in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8080
		has "^c-$net "
		must_work in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8081
		has "^c-$net "
		must_not in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8081
		must_work uprism port c-$net 80/tcp
		has '^0\.0\.0\.0:8080$'
		must_work uprism rm -f c-$net
		must_not in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	done
	no_helpers
}

@test "rootless: published ports over IPv6, by pasta" {
	need USER USERNS TUN PASTA
	serve_in c -p 8080:80 -p 8082:80/udp -p '[::1]:8083:80'
	must_work in_out "$FT/bin/netpeer" ask tcp 2001:db8:1::2 8080
	prints 'c 2001:db8:1::1'
	must_work in_out "$FT/bin/netpeer" ask udp 2001:db8:1::2 8082
	prints 'c 2001:db8:1::1'
	must_work in_host "$FT/bin/netpeer" ask tcp ::1 8080
	has '^c '
	must_work in_host "$FT/bin/netpeer" ask tcp ::1 8083
	has '^c '
	must_not in_out "$FT/bin/netpeer" try tcp 2001:db8:1::2 8083
	must_work uprism rm -f c
}

@test "rootless: what listens on the host's loopback stays out of reach" {
	need USER USERNS TUN PASTA SLIRP
	nsenter --net="/run/netns/$WORLD_HOST" "$FT/bin/netpeer" serve host \
		8090 >"$T/log" 2>&1 3>&- 4>&- &
	local server=$!

	wait_for grep -q ready "$T/log"
	must_work in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8090
	for net in pasta slirp4netns; do
		must_work uprism run --rm --network $net "${PEER[@]}" busybox \
			sh -c 'for a in 127.0.0.1 $(ip route |
				sed -n "s/^default via \([^ ]*\).*/\1/p"); do
				/netpeer try tcp $a 8090 && echo reached $a
			done; true'
		has_not reached
	done
	must_work uprism run --rm --network slirp4netns:allow_host_loopback=true \
		"${PEER[@]}" busybox /netpeer ask tcp 10.0.2.2 8090
	has '^host '
	kill $server
	wait $server || true
}

@test "rootless: a port that cannot be had is said before anything runs" {
	need USER USERNS TUN PASTA
	must_fail 125 uprism run --rm -p 80:80 busybox echo started
	says 'ip_unprivileged_port_start'
	says '1024.*-p 1024:80'
	prints ''
	nsenter --net="/run/netns/$WORLD_HOST" "$FT/bin/netpeer" serve host \
		8080 >"$T/log" 2>&1 3>&- 4>&- &
	local server=$!

	wait_for grep -q ready "$T/log"
	must_fail 125 uprism run --rm -p 8080:80 busybox echo started
	says '8080/tcp is already in use'
	prints ''
	must_fail 125 uprism run --rm -p 8085:80/sctp busybox echo started
	says 'sctp'
	kill $server
	wait $server || true
	no_helpers
}

@test "rootless: without a program or a device there is loopback, and a warning" {
	need USER USERNS TUN
	mkdir "$T/bin"
	for p in env sh newuidmap newgidmap; do
		ln -s "$(command -v $p)" "$T/bin/$p"
	done
	none()
	{
		as_user_here env PATH="$T/bin" "$PRISM_BIN" "$@"
	}
	must_work none run --rm busybox ls /sys/class/net
	prints lo
	says 'loopback only: neither pasta nor slirp4netns is installed.*passt'
	[ "$(grep -c . <<<"$stderr")" = 1 ]
	must_fail 125 none run --rm -p 8080:80 busybox true
	says 'passt'
	must_fail 125 none run --rm --network pasta busybox true
	says 'passt'
	TUN_MODE=0600 must_work uprism run --rm busybox ls /sys/class/net
	prints lo
	says 'loopback only: .*/dev/net/tun.*0600'
	TUN_MODE=0600 must_fail 125 uprism run --rm --network slirp4netns \
		busybox true
	says '/dev/net/tun'
	TUN_MODE=none must_work uprism run --rm busybox ls /sys/class/net
	prints lo
	says 'modprobe tun'
}

@test "rootless: networks of the host are refused with the reason" {
	need USER USERNS
	must_fail 125 uprism run --rm --network bridge busybox true
	says 'only root of the host.*CAP_NET_ADMIN'
	says 'pasta'
	must_fail 125 uprism run --rm --network slirp4netns:mtu=1 busybox true
	says 'mtu='
	must_fail 125 uprism run --rm --network slirp4netns:nonsense=1 busybox true
	says 'unknown option'
	must_fail 125 uprism run --rm --network pasta:--nonsense busybox true
	says "unrecognized option '--nonsense'"
	must_fail 125 prism run --rm --network pasta busybox true
	says 'ordinary users'
}

@test "rootless: what carries the network dies with the monitor" {
	need USER USERNS TUN PASTA SLIRP
	for net in pasta slirp4netns; do
		serve_in c --network $net -p 8080:80
		[ -n "$(helpers)" ]
		local monitor

		monitor=$(uprism inspect -f '{{.State.Pid}}' c)
		monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$monitor/status")
		kill -9 "$monitor"
		wait_for no_helpers
		must_work uprism ps -aq
		prints ''
	done
}

ended_again()
{
	[ "$(uprism inspect -f '{{.RestartCount}} {{.State.Status}}' c)" = \
		'1 exited' ]
}

@test "rootless: a restart has a network again" {
	need USER USERNS TUN PASTA
	must_work uprism run -d --name c --restart on-failure:1 "${PEER[@]}" \
		busybox sh -c '/netpeer ask tcp 198.51.100.1 80; exit 3'
	# wait answers for the first run.
	wait_for ended_again
	must_work uprism logs c
	prints "out 198.51.100.2
out 198.51.100.2"
	must_work uprism rm -f c
	no_helpers
}
