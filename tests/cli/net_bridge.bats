#!/usr/bin/env bats
# Bridge networks of root: addresses, names, what is left behind; from a host
# of the test's own, with a link and a default route.
load ../lib/common

in_host()
{
	nsenter --net="/run/netns/$WORLD_HOST" "$@"
}

host_up()
{
	export WORLD_HOST=prism-b$$
	ip netns add "$WORLD_HOST"
	ip -n "$WORLD_HOST" link set lo up
	ip -n "$WORLD_HOST" link add up0 type veth peer name up1
	ip -n "$WORLD_HOST" address add 198.51.100.2/24 dev up0
	ip -n "$WORLD_HOST" link set up0 up
	ip -n "$WORLD_HOST" link set up1 up
	ip -n "$WORLD_HOST" route add default via 198.51.100.1
}

setup_file()
{
	file_setup
	file_store busybox
	host_up
	# The default network is what is tested.
	printf '{}\n' >"$FT/bridge.json"
}

teardown_file()
{
	if [ -n "${WORLD_HOST:-}" ]; then
		ip netns delete "$WORLD_HOST"
	fi
	file_teardown
}

setup()
{
	test_setup
	export PRISM_CONFIG=$FT/bridge.json
}

teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		find "$PRISM_ROOT/containers" -mindepth 1 -maxdepth 1 \
			-not -name by-name -printf '%f\n' |
			xargs -r nsenter --net="/run/netns/$WORLD_HOST" \
				"$PRISM_BIN" rm -f
	fi
	test_teardown
}

# The images come before the world does.
prism()
{
	${WORLD_HOST:+in_host} "$PRISM_BIN" "$@"
}

# up NAME OPTION...: one that stays.
up()
{
	local name=$1

	shift
	must_work prism run -d --rm --name "$name" "$@" busybox sleep 300
}

# field NAME TEMPLATE
field()
{
	prism inspect --format "$2" "$1"
}

# Interfaces of containers on the host, and addresses in the book.
links()
{
	in_host ip -br link | grep -o '^ve[0-9a-f]*' || true
}

used()
{
	find "$PRISM_ROOT"/networks/*/used -type l -printf '%f\n' 2>/dev/null
}

no_links()
{
	[ -z "$(links)" ]
}

nothing_of_networks()
{
	wait_for no_links
	[ -z "$(used)" ] || explain "addresses left: $(used)"
}

# resolving RESOLV UPSTREAM OPTION...: the resolv.conf of a container, on a host
# with these; no UPSTREAM: systemd-resolved is not there.
resolving()
{
	# shellcheck disable=SC2016 # for the inner shell
	must_work in_host unshare -m sh -c '
		mount --make-rprivate /
		mount --bind "$1" /etc/resolv.conf
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/resolve
		[ ! -e "$2" ] || cp "$2" /run/systemd/resolve/resolv.conf
		shift 2
		"$PRISM_BIN" run --rm "$@" busybox cat /etc/resolv.conf' sh "$@"
}

# ---- one container --------------------------------------------------------------

@test "a container has an address, a route, a name for itself, and the host" {
	must_work prism run --rm --hostname web busybox sh -c \
		'ip -4 -o addr show eth0; ip route; cat /etc/hosts; ping -c1 -w30 10.88.0.1'
	has 'inet 10\.88\.[0-9.]+/16 brd 10\.88\.255\.255'
	has '^default via 10\.88\.0\.1 dev eth0'
	has '^10\.88\.0\.[0-9]+	web$'
	has_not '127\.0\.1\.1'
	has '1 packets received'
	in_host ip -o -4 addr show prism0 | grep -q 'inet 10.88.0.1/16'
	nothing_of_networks
}

@test "forwarding is switched on, and this is said once" {
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	must_work prism run --rm busybox true
	says 'switched IPv4 forwarding on, for prism.s networks only'
	prints ''
	[ "$(in_host cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	must_work prism run --rm busybox true
	says_not forwarding
	# By a monitor of its own too, and nobody who reads it waits for more.
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	prism run -d --name apart busybox sleep 300 2>&1 >/dev/null |
		cat >"$T/said"
	grep -q 'note: switched IPv4 forwarding on' "$T/said"
	must_work prism rm -f apart
}

@test "the MAC follows from the address, or is what is asked for" {
	must_work prism run --rm --ip 10.88.7.9 busybox ip -o addr show eth0
	has 'inet 10\.88\.7\.9/16'
	must_work prism run --rm --ip 10.88.7.9 busybox cat \
		/sys/class/net/eth0/address
	prints 02:42:0a:58:07:09
	must_work prism run --rm --mac-address 02:00:00:00:00:05 busybox cat \
		/sys/class/net/eth0/address
	prints 02:00:00:00:00:05
}

@test "name servers on the host's loopback: those behind them, or a warning" {
	printf 'nameserver 127.0.0.53\noptions edns0\nsearch lan\n' >"$T/stub"
	printf 'nameserver 198.51.100.53\n' >"$T/behind"
	printf 'nameserver 127.0.0.1\nsearch lan\n' >"$T/loopback"
	printf 'nameserver ::1\nnameserver 198.51.100.54\n' >"$T/both"
	resolving "$T/stub" "$T/behind"
	prints 'nameserver 198.51.100.53'
	says_not loopback
	for resolv in stub loopback; do
		resolving "$T/$resolv" "$T/none"
		has_not nameserver
		has '^search lan$'
		says "prism: .*name servers .* are on its loopback.*--dns ADDRESS"
	done
	resolving "$T/loopback" "$T/none" --dns 198.51.100.55
	has '^nameserver 198.51.100.55$'
	says_not loopback
	resolving "$T/both" "$T/none"
	prints 'nameserver 198.51.100.54'
	says_not loopback
}

@test "the host's names, where it is to be reached" {
	local name
	must_work prism run --rm busybox sh -c 'cat /etc/hosts; for i in docker \
		containers; do ping -c1 -w30 host.$i.internal; done'
	has '^10\.88\.0\.1	host\.docker\.internal$'
	has '^10\.88\.0\.1	host\.containers\.internal$'
	[ "$(grep -c '1 packets received' <<<"$output")" = 2 ]
	# What the user says is so, alone.
	must_work prism run --rm --add-host host.docker.internal:192.0.2.7 \
		busybox grep host.docker.internal /etc/hosts
	prints '192.0.2.7	host.docker.internal'
	must_work prism run --rm --no-hosts busybox cat /etc/hosts
	has_not 'host\.'
	must_work prism run --rm --network none busybox cat /etc/hosts
	has_not 'host\.'
	# A router elsewhere is not the host.
	must_work prism network create -d macvlan -o parent=up0 \
		--subnet 198.51.100.0/24 --ip-range 198.51.100.128/25 lan
	must_work prism network create --ipv6 inner
	must_work prism run --rm --network lan --add-host up:host-gateway \
		busybox cat /etc/hosts
	has_not 'host\.|	up'
	says 'ignoring --add-host up:host-gateway'
	must_work prism run -d --rm --name web --network lan busybox sleep 300
	must_work prism network connect inner web
	must_work prism exec web ping -c1 -w30 host.docker.internal
	must_work prism network disconnect inner web
	must_work prism exec web cat /etc/hosts
	has_not 'host\.'
	must_work prism rm -f web
	must_work prism network rm lan inner
}

@test "--add-host NAME:host-gateway is the bridge" {
	must_work prism run --rm --add-host up:host-gateway busybox \
		ping -c1 -w30 up
	has '^PING up \(10\.88\.0\.1\)'
	has '1 packets received'
}

@test "an address that cannot be had is an error that says why" {
	must_fail 125 prism run --rm --ip 10.99.0.1 busybox true
	says '10\.99\.0\.1 is not in the subnet 10\.88\.0\.0/16'
	must_fail 125 prism run --rm --ip 10.88.0.1 busybox true
	says "10\.88\.0\.1 is the network's own"
	up first --ip 10.88.9.9
	must_fail 125 prism run --rm --ip 10.88.9.9 busybox true
	says 'address 10\.88\.9\.9 is in use by container [0-9a-f]{12}'
	must_work prism rm -f first
	must_fail 125 prism run --rm --network nosuch busybox true
	says 'network nosuch not found'
	nothing_of_networks
}

@test "a bridge of another store is left alone" {
	local was

	up one
	was=$(in_host ip -o link show prism0 | cut -d: -f1)
	cp -a "$PRISM_ROOT" "$T/other"
	rm -rf "$T"/other/containers/* "$T/other/networks"
	must_fail 125 prism --root "$T/other" run --rm busybox true
	says "bridge prism0 belongs to 'prism .*/root'"
	[ "$(in_host ip -o link show prism0 | cut -d: -f1)" = "$was" ]
	must_work prism rm -f one
}

@test "a bridge that somebody put down is put up" {
	must_work prism run --rm busybox true
	in_host ip link set prism0 down
	must_work prism run --rm busybox ping -c1 -w30 10.88.0.1
	has '1 packets received'
	says 'prism0 is down'
}

@test "a bridge of the user's is used as it is, and stays" {
	must_work prism network create --subnet 198.18.40.0/24 \
		-o com.docker.network.bridge.name=own0 own
	in_host ip link add own0 type bridge
	in_host ip address add 198.18.40.1/24 dev own0
	must_work prism run --rm --network own busybox ping -c1 -w30 198.18.40.1
	says 'own0 is down'
	must_work in_host ip link show own0
	has_not alias
	must_work prism network rm own
	must_work in_host ip link delete own0
}

# A host that forwards no IPv6 would take a default route from it.
@test "no container is a router to the host" {
	must_work prism run --rm busybox true
	must_work in_host cat /proc/sys/net/ipv6/conf/prism0/accept_ra
	prints 0
}

# killed_at_send N COMMAND...: before its N-th message; 1: it has not so many.
killed_at_send()
{
	local n=$1

	shift
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 capture in_host strace -f -qq \
		-o /dev/null -e trace=sendto \
		-e inject=sendto:signal=KILL:when="$n" "$@"
	[ "$status" = 137 ]
}

@test "kill -9 before any message to the kernel leaves a bridge that goes" {
	need TOOL_strace
	local n

	must_work prism network create kill
	for ((n = 1; ; n++)); do
		killed_at_send $n "$PRISM_BIN" run --rm --network kill \
			busybox true || break
		must_work prism ps -a -q
		prints ''
		must_work prism network rm kill
		must_work in_host ip -br link show type bridge
		has_not br-
		must_work prism network create kill
	done
	[ "$status" = 0 ]
	[ $n -gt 4 ] || explain "died at $n messages"
	must_work prism network rm kill
	nothing_of_networks
}

@test "the bridge has the MTU of the link with the default route" {
	must_work prism run --rm busybox true
	in_host ip link delete prism0
	in_host ip link set up0 mtu 1400
	must_work prism run --rm busybox cat /sys/class/net/eth0/mtu
	in_host ip link set up0 mtu 1500
	prints 1400
	in_host ip link delete prism0
}

# ---- several ---------------------------------------------------------------------

@test "containers of a network find each other by name, as they come and go" {
	must_work prism network create web
	up db --network web --network-alias database --hostname inner
	up app --network web
	[ "$(field db '{{.NetworkSettings.Networks.web.IPAddress}}')" = \
		"$(field db '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')" ]
	[ -z "$(field db '{{.NetworkSettings.IPAddress}}')" ]
	[ "$(field db '{{.NetworkSettings.Networks.web.Aliases}}')" = '[database]' ]
	must_work prism exec app ping -c1 -w30 db
	must_work prism exec app ping -c1 -w30 database
	must_work prism exec app ping -c1 -w30 inner
	# The one that was there first sees the one that came later.
	must_work prism exec db ping -c1 -w30 app
	must_work prism rm -f app
	must_exit 1 prism exec db ping -c1 -w30 app
	# What the program wrote there stays.
	must_work prism exec db sh -c 'echo 192.0.2.9 mine >>/etc/hosts'
	up app --network web
	must_work prism exec db cat /etc/hosts
	has '^192\.0\.2\.9 mine$'
	has '	app [0-9a-f]{12}$'
	must_work prism rm -f app db
	must_work prism network rm web
	nothing_of_networks
}

@test "containers of the default network reach each other, without names" {
	local ip

	up one
	ip=$(field one '{{.NetworkSettings.IPAddress}}')
	must_work prism exec one ip -o addr show eth0
	has "inet $ip/16"
	must_work prism run --rm busybox ping -c1 -w30 "$ip"
	has '1 packets received'
	must_exit 1 prism run --rm busybox ping -c1 -w30 one
	says "bad address 'one'"
	must_work prism rm -f one
}

@test "twelve that start at once have twelve addresses" {
	local i pids=()

	for i in $(seq 12); do
		prism run --rm busybox sh -c \
			'ip -o -4 addr show eth0; ping -c1 -w30 10.88.0.1 >&2' \
			>"$T/out$i" 2>"$T/err$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || { cat "$T"/err*; return 1; }
	done
	[ "$(sed 's/.*inet \([0-9.]*\).*/\1/' "$T"/out* | sort -u | wc -l)" = 12 ]
	nothing_of_networks
}

# ---- ends -------------------------------------------------------------------------

@test "a stopped container has no address; a started one has one again" {
	must_work prism run -d --name keep busybox sleep 300
	[ -n "$(used)" ]
	must_work prism stop -t 0 keep
	nothing_of_networks
	[ ! -e "$(echo "$PRISM_ROOT"/containers/[0-9a-f]*/network)" ]
	must_work prism start keep
	must_work prism exec keep ping -c1 -w30 10.88.0.1
	must_work prism restart -t 0 keep
	must_work prism exec keep ping -c1 -w30 10.88.0.1
	[ "$(used | wc -l)" = 1 ]
	must_work prism rm -f keep
	nothing_of_networks
}

# The monitor of a detached container: who holds the lock of its spec.json.
monitor_of()
{
	local pid

	pid=$(field "$1" '{{.State.Pid}}')
	awk '{ print $4 }' "/proc/$pid/stat"
}

@test "kill -9 of the monitor: the next command takes the network back" {
	must_work prism network create web
	must_work prism run -d --name keep --network web busybox sleep 300
	up gone --network web
	up stays --network web
	kill -9 "$(monitor_of keep)" "$(monitor_of gone)"
	wait_for eval '[ "$(links | wc -l)" = 1 ]'
	must_work prism ps -a
	[ "$(used | wc -l)" = 1 ]
	must_work prism exec stays cat /etc/hosts
	has_not '	(keep|gone) '
	must_work prism rm -f keep stays
	must_work prism network rm web
	nothing_of_networks
}

@test "with the pids of the host nothing is left either" {
	must_work prism run --rm --pid host busybox sh -c \
		'sleep 300 >/dev/null 2>&1 </dev/null & echo $!'
	nothing_of_networks
	kill "$output" 2>/dev/null || true
}
