#!/usr/bin/env bats
# Published ports, and what the firewall lets through, in a world of its own
# (tests/lib/world.bash): containers on bridges of the host, out behind it.
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	if [ "$(id -u)" = 0 ]; then
		file_store busybox
		world_up
	fi
}

setup()
{
	test_setup
	need ROOT
}

# Nothing of a test's own may be left in the host's firewall.
teardown()
{
	local bad=0

	prism ps -aq | xargs -r nsenter --net="/run/netns/$WORLD_HOST" \
		"$PRISM_BIN" rm -f >/dev/null || bad=1
	if world_rules >&2; then
		bad=1
	fi
	in_host nft flush ruleset
	if [ -e "$T/legacy" ]; then
		for tool in iptables-legacy ip6tables-legacy; do
			in_host $tool -P FORWARD ACCEPT
			in_host $tool -F FORWARD
		done
	fi
	rm -rf "$PRISM_ROOT/networks"
	for link in $(in_host ip -o link show type bridge | cut -d: -f2); do
		in_host ip link delete "$link"
	done
	test_teardown || bad=1
	return $bad
}

hprism()
{
	in_host "$PRISM_BIN" "$@"
}

# peer NAME OPTION...: a container that answers on port 80 of tcp and udp.
peer()
{
	local name=$1

	shift
	must_work hprism run -d --name "$name" -v "$FT/bin/netpeer:/netpeer" \
		"$@" busybox /netpeer serve "$name" 80
	wait_for bash -c "'$PRISM_BIN' logs $name | grep -q ready"
}

# asks NAME PROTOCOL ADDRESS PORT: from inside.
asks()
{
	local name=$1

	shift
	must_work hprism exec "$name" /netpeer ask "$@"
}

# from WHERE PROTOCOL ADDRESS PORT: from in_host or in_out.
from()
{
	local where=$1

	shift
	must_work "$where" "$FT/bin/netpeer" ask "$@"
}

cut_off()
{
	must_exit 1 "$@"
}

address_of()
{
	hprism exec "$1" ip -4 -o address show dev "${2:-eth0}" |
		sed 's/.* inet \([0-9.]*\).*/\1/'
}

address6_of()
{
	hprism exec "$1" ip -6 -o address show dev eth0 scope global |
		sed 's/.* inet6 \([0-9a-f:]*\).*/\1/'
}

# ---- who reaches whom -----------------------------------------------------------

@test "a container reaches the outside through NAT" {
	peer web --network bridge
	asks web tcp 198.51.100.1 80
	prints 'out 198.51.100.2'
	asks web udp 198.51.100.1 5000
	prints 'out 198.51.100.2'
}

@test "the outside and the host reach a published port, and see each other" {
	peer web --network bridge -p 8080:80 -p 8080:80/udp
	for protocol in tcp udp; do
		from in_out $protocol 198.51.100.2 8080
		prints 'web 198.51.100.1'
		from in_host $protocol 198.51.100.2 8080
		prints 'web 198.51.100.2'
		# By the monitor: it comes from the bridge.
		from in_host $protocol 127.0.0.1 8080
		has '^web 10\.88\.'
		from in_host $protocol ::1 8080
		has '^web 10\.88\.'
		# IPv6 of the outside, to a container that has none.
		from in_out $protocol 2001:db8:1::2 8080
		has '^web 10\.88\.'
	done
	must_work prism port web
	prints '80/tcp -> 0.0.0.0:8080
80/tcp -> [::]:8080
80/udp -> 0.0.0.0:8080
80/udp -> [::]:8080'
	must_work prism port web 80
	prints '0.0.0.0:8080
[::]:8080'
	must_work prism ps --format '{{.Ports}}'
	prints '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 0.0.0.0:8080->80/udp, [::]:8080->80/udp'
}

@test "with IPv6 the outside comes through by rules, with its own address" {
	must_work hprism network create --ipv6 --subnet 10.77.0.0/24 --subnet fd77::/64 six
	peer web --network six --ip6 fd77::42 -p 8080:80 -p 8080:80/udp
	[ "$(address6_of web)" = fd77::42 ]
	for protocol in tcp udp; do
		from in_out $protocol 2001:db8:1::2 8080
		prints 'web 2001:db8:1::1'
		from in_host $protocol ::1 8080
		has '^web fd77::'
		asks web $protocol 2001:db8:1::1 5000
		prints 'out 2001:db8:1::2'
	done
	for ip6 in fd77::42 fd77::1 fd78::1 10.77.0.9; do
		must_fail 125 hprism run --rm --network six --ip6 $ip6 \
			busybox true
		says "$ip6"
	done
	peer db --network bridge
	must_work hprism network connect --ip6 fd77::43 six db
	asks db tcp fd77::42 80
	prints 'web fd77::43'
}

@test "containers reach a published port by the host's address, their own too" {
	peer web --network bridge -p 8080:80 -p 8080:80/udp
	peer db --network bridge
	must_work hprism network create other
	peer far --network other
	for name in web db far; do
		for protocol in tcp udp; do
			asks $name $protocol 198.51.100.2 8080
			has '^web '
		done
	done
	# By its own address a neighbour is reached on every port, another network never.
	asks db tcp "$(address_of web)" 80
	prints "web $(address_of db)"
	cut_off hprism exec far /netpeer try tcp "$(address_of web)" 80
	cut_off hprism exec web /netpeer try tcp "$(address_of far)" 80
}

@test "what is not published is not reached from outside, even by a route" {
	peer web --network bridge -p 8080:80
	in_out ip route add 10.88.0.0/16 via 198.51.100.2
	cut_off in_out "$FT/bin/netpeer" try tcp "$(address_of web)" 80
	from in_host tcp "$(address_of web)" 80
	from in_out tcp 198.51.100.2 8080
	in_out ip route delete 10.88.0.0/16
}

@test "an internal network has no way out, and none in" {
	must_work hprism network create --internal --subnet 10.66.0.0/24 inner
	peer a --network inner
	peer b --network inner
	asks a tcp "$(address_of b)" 80
	prints "b $(address_of a)"
	# With a default route of its own making neither.
	must_work hprism exec --privileged a ip route add default via 10.66.0.1
	cut_off hprism exec a /netpeer try tcp 198.51.100.1 80
	cut_off hprism exec a /netpeer try udp 198.51.100.1 80
	in_out ip route add 10.66.0.0/24 via 198.51.100.2
	cut_off in_out "$FT/bin/netpeer" try tcp "$(address_of b)" 80
	in_out ip route delete 10.66.0.0/24
}

# ---- which port -----------------------------------------------------------------

@test "-p IP:, ranges, any port, -P" {
	must_work hprism run -d --name web --network bridge -P -p 127.0.0.1:8080:80 \
		-p 198.51.100.2:8081:80 -p 9000-9002:80 -p 80 --expose 53/udp \
		--expose 80 -v "$FT/bin/netpeer:/netpeer" busybox /netpeer serve web 80
	wait_for in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8080
	from in_host tcp 127.0.0.1 8080
	cut_off in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	cut_off in_host "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	from in_out tcp 198.51.100.2 8081
	prints 'web 198.51.100.1'
	cut_off in_host "$FT/bin/netpeer" try tcp 127.0.0.1 8081
	from in_out tcp 198.51.100.2 9000
	must_work prism port web 53/udp
	has '^0\.0\.0\.0:[0-9]{4,5}$'
	must_work prism inspect --format \
		'{{range index .NetworkSettings.Ports "80/tcp"}}{{.HostIp}}:{{.HostPort}} {{end}}' web
	has '^127\.0\.0\.1:8080 198\.51\.100\.2:8081 0\.0\.0\.0:9000 :::9000 0\.0\.0\.0:([0-9]+) :::\1 $'
	any=${output##*:::}
	any=${any% }
	from in_out tcp 198.51.100.2 "$any"
	peer zero --network bridge -p 127.0.0.1:0:80 -p 0:80
	must_work prism port zero
	has '^80/tcp -> 127\.0\.0\.1:[1-9][0-9]{3,4}$'
	has '^80/tcp -> 0\.0\.0\.0:[1-9][0-9]{3,4}$'
	from in_host tcp 127.0.0.1 "$(prism port zero | sed -n 's/.*127.*://p')"
	# The next one of the range.
	peer two --network bridge -p 9000-9002:80
	from in_out tcp 198.51.100.2 9001
	has '^two '
}

@test "a port that is taken is an error before the start, and says by whom" {
	peer web --network bridge -p 8080:80
	id=$(prism ps -q --no-trunc)
	must_fail 125 hprism run --rm --network bridge -p 8080:80 busybox touch /tmp/x
	says "port 0.0.0.0:8080/tcp is already in use by container ${id:0:12}"
	nsenter --net="/run/netns/$WORLD_HOST" "$FT/bin/netpeer" serve other 8090 3>&- &
	other=$!
	wait_for in_host "$FT/bin/netpeer" ask tcp 127.0.0.1 8090
	must_fail 125 hprism run --rm --network bridge -p 8090:80/udp busybox true
	says "port 0.0.0.0:8090/udp is already in use by netpeer \\(pid $other\\)"
	kill $other
	wait $other || true
	must_fail 125 hprism run --rm --network bridge -p 192.0.2.9:8095:80 busybox true
	says 'this host does not have that address'
	# What was reserved before it is free again.
	must_fail 125 hprism run --rm --network bridge -p 8096:80 -p 8080:80 busybox true
	must_work hprism run --rm --network bridge -p 8096:80 busybox true
}

@test "ports end with the container, and come back with it" {
	peer web --network bridge -p 8080:80 -p 80
	must_work hprism stop -t 0 web
	must_work prism ps -a --format '{{.Ports}}'
	prints ''
	must_work prism port web
	prints ''
	cut_off in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	[ -z "$(world_rules)" ]
	must_work hprism start web
	wait_for in_out "$FT/bin/netpeer" ask tcp 198.51.100.2 8080
	from in_out tcp 198.51.100.2 8080
	prints 'web 198.51.100.1'
	# A monitor that was killed: the next command takes the rules back.
	kill -9 "$(pgrep -f "$PRISM_BIN run -d --name web|$PRISM_BIN start web" | head -1)"
	wait_for bash -c "in_host() { nsenter --net=/run/netns/$WORLD_HOST \"\$@\"; }; in_host '$PRISM_BIN' ps -a >/dev/null; ! in_host nft list table inet prism 2>/dev/null | grep -q published"
}

@test "published ports go along when networks come and go" {
	must_work hprism network create --subnet 10.77.1.0/24 one
	must_work hprism network create --subnet 10.77.2.0/24 two
	peer web --network one --network two -p 8080:80 -p 8080:80/udp
	published()
	{
		for protocol in tcp udp; do
			from in_out $protocol 198.51.100.2 8080
			prints 'web 198.51.100.1'
			# By the monitor, which is told nothing.
			from in_host $protocol 127.0.0.1 8080
			has "^web $1"
			from in_out $protocol 2001:db8:1::2 8080
			has "^web $1"
		done
		must_work hprism exec web ip route
		has "^default via $1"
		[ "$(grep -c ^default <<<"$output")" = 1 ]
	}
	published '10\.77\.1\.'
	must_work hprism network disconnect one web
	published '10\.77\.2\.'
	must_work hprism network connect one web
	published '10\.77\.2\.'
	must_work hprism network disconnect one web
	# This one takes the default route, and the ports with it.
	must_work hprism network connect --gw-priority 1 one web
	published '10\.77\.1\.'
	must_work hprism restart -t 0 web
	wait_for in_out "$FT/bin/netpeer" ask tcp 198.51.100.2 8080
	published '10\.77\.1\.'
	must_work hprism network disconnect two web
	published '10\.77\.1\.'
	must_work hprism network disconnect one web
	cut_off in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	cut_off in_host "$FT/bin/netpeer" try tcp 127.0.0.1 8080
	must_work hprism network connect two web
	published '10\.77\.2\.'
}

@test "a container without a bridge publishes its ports when it gets one" {
	must_work hprism network create --subnet 10.77.1.0/24 one
	in_host ip link add dm0 type veth peer name dm1
	in_host ip link set dm0 up
	must_work hprism network create --subnet 10.77.3.0/24 -d macvlan -o parent=dm0 vlan
	peer web --network vlan -p 8080:80 -p 8080:80/udp
	must_work hprism port web
	prints ''
	# Nobody holds it meanwhile, and an error takes all back.
	peer other --network bridge -p 8080:80
	must_fail 1 hprism network connect one web
	says '8080'
	must_work hprism port web
	prints ''
	must_work hprism rm -f other
	# Its answers are to go by it too.
	must_work hprism network connect --gw-priority 1 one web
	must_work hprism port web 80/tcp
	has '^0.0.0.0:8080$'
	for protocol in tcp udp; do
		from in_out $protocol 198.51.100.2 8080
		prints 'web 198.51.100.1'
		wait_for in_host "$FT/bin/netpeer" ask $protocol 127.0.0.1 8080
		from in_host $protocol 127.0.0.1 8080
		has '^web 10\.77\.1\.'
	done
	# Its monitor has the port now.
	must_fail 125 hprism run --network bridge -p 8080:80 busybox true
	must_work hprism network disconnect one web
	cut_off in_out "$FT/bin/netpeer" ask tcp 198.51.100.2 8080
	must_work hprism rm -f web
	in_host ip link delete dm0
}

@test "an internal network publishes nothing that another one could" {
	must_work hprism network create --internal --subnet 10.77.1.0/24 inner
	must_work hprism network create --subnet 10.77.2.0/24 outer
	peer web --network inner --network outer -p 8080:80
	from in_out tcp 198.51.100.2 8080
	prints 'web 198.51.100.1'
	must_fail 1 hprism network connect --gw-priority x inner web
	says "gw-priority 'x': not a number"
}

@test "enable_icc=false: not each other, but the way out and published ports" {
	local ip gateway
	must_work hprism network create --ipv6 \
		-o com.docker.network.bridge.enable_icc=false apart
	peer web --network apart -p 8080:80
	peer two --network apart --cap-add NET_ADMIN
	# Neither on the bridge, nor by a route through the host.
	while read -r ip gateway; do
		from in_host tcp "$ip" 80
		cut_off hprism exec two /netpeer try tcp "$ip" 80
		must_work hprism exec two ip route add "$ip" via "$gateway"
		cut_off hprism exec two /netpeer try tcp "$ip" 80
	done < <(hprism inspect -f '{{with .NetworkSettings.Networks.apart
		}}{{.IPAddress}} {{.Gateway}}
{{.GlobalIPv6Address}} {{.IPv6Gateway}}{{end}}' web)
	asks two tcp 198.51.100.1 80
	prints 'out 198.51.100.2'
	from in_out tcp 198.51.100.2 8080
	prints 'web 198.51.100.1'
	asks two tcp 198.51.100.2 8080
	has '^web '
	# One that comes later is no better.
	must_work hprism network create other
	peer three --network other
	must_work hprism network connect apart three
	from in_host tcp "$(address_of web)" 80
	cut_off hprism exec three /netpeer try tcp "$(address_of web)" 80
	must_work hprism network disconnect apart three
}

# ---- beside others ----------------------------------------------------------------

@test "network reload: what fails is said, and the others have their rules" {
	local i
	for i in 1 2 3; do
		must_work hprism network create "net$i"
	done
	must_work hprism run -d --name one --network net1 --network net2 \
		busybox sleep 300
	must_work hprism run -d --name two --network net3 busybox sleep 300
	must_work hprism run -d --name three --network net2 busybox sleep 300
	for i in 1 3; do
		mv "$PRISM_ROOT/networks/net$i/config.json" "$T/$i"
	done
	in_host nft flush ruleset
	must_fail 1 hprism network reload
	fits '^[0-9a-f]{64}$' "$output"
	says 'container one: network net1 not found'
	says 'container two: network net3 not found'
	must_work in_host nft list map inet prism members
	has '"one"'
	has '"three"'
	has_not '"two"'
	must_fail 1 hprism network reload nosuch two three
	fits '^[0-9a-f]{64}$' "$output"
	says 'No such container: nosuch'
	says 'container two: network net3 not found'
	for i in 1 3; do
		mv "$T/$i" "$PRISM_ROOT/networks/net$i/config.json"
	done
	must_work hprism network reload
	must_work hprism rm -f one two three
	must_work hprism network rm net1 net2 net3
}

@test "flushed rules come back with network reload" {
	peer web --network bridge -p 8080:80 -p 8080:80/udp
	must_work hprism network create --internal inner
	peer two --network inner
	in_host nft flush ruleset
	cut_off hprism exec web /netpeer try tcp 198.51.100.1 80
	must_work hprism network reload
	has '^[0-9a-f]{64}$'
	[ "$(wc -l <<<"$output")" = 2 ]
	asks web tcp 198.51.100.1 80
	for protocol in tcp udp; do
		from in_out $protocol 198.51.100.2 8080
		prints 'web 198.51.100.1'
		asks web $protocol 198.51.100.2 8080
	done
	must_work hprism network reload web
	must_fail 1 hprism network reload nosuch
	in_host nft list ruleset >before
	must_work hprism network reload
	in_host nft list ruleset >after
	cmp before after
}

@test "iptables' FORWARD with policy DROP lets prism's bridges through" {
	command -v iptables-nft >/dev/null || skip 'iptables-nft is not there'
	in_host iptables-nft -P FORWARD DROP
	in_host ip6tables-nft -P FORWARD DROP
	in_host iptables-nft -A FORWARD -j DROP
	must_work hprism network create --ipv6 --subnet 10.77.0.0/24 --subnet fd77::/64 six
	peer web --network six -p 8080:80
	asks web tcp 198.51.100.1 80
	from in_out tcp 198.51.100.2 8080
	prints 'web 198.51.100.1'
	from in_out tcp 2001:db8:1::2 8080
	prints 'web 2001:db8:1::1'
	# iptables can read them, and they go with the last container.
	link=$(in_host ip -o link show type bridge | sed 's/^[0-9]*: \([^:]*\):.*/\1/')
	must_work in_host iptables-nft -S FORWARD
	has "^-A FORWARD -i $link -m comment --comment prism -j ACCEPT"
	must_work hprism rm -f web
	must_work in_host iptables-nft -S FORWARD
	prints '-P FORWARD DROP
-A FORWARD -j DROP'
	must_work in_host ip6tables-nft -S FORWARD
	prints '-P FORWARD DROP'
}

@test "a policy DROP of iptables-legacy is told, with what to do" {
	need IPTABLES_LEGACY
	local tool

	must_work hprism network create --ipv6 --subnet 10.77.0.0/24 \
		--subnet fd77::/64 -o com.docker.network.bridge.name=six0 six
	touch "$T/legacy"
	in_host iptables-legacy -P FORWARD DROP
	in_host ip6tables-legacy -P FORWARD DROP
	peer web --network six -p 8080:80
	for tool in iptables-legacy ip6tables-legacy; do
		in_host "$PRISM_BIN" network reload 2>&1 >/dev/null |
			grep "chain FORWARD of $tool drops what it does not know, and does not know six0: $tool -I FORWARD -i six0 -j ACCEPT; $tool -I FORWARD -o six0 -j ACCEPT\$"
	done
	cut_off in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	for tool in iptables-legacy ip6tables-legacy; do
		in_host $tool -I FORWARD -i six0 -j ACCEPT
		in_host $tool -I FORWARD -o six0 -j ACCEPT
	done
	from in_out tcp 198.51.100.2 8080
	from in_out tcp 2001:db8:1::2 8080
	must_work hprism network reload
	says '^$'
}

@test "an administrator's own chain that drops is told, with what to do" {
	in_host nft 'table inet mine { chain fw { type filter hook forward priority 0; policy drop; }; }'
	must_work hprism run --rm --network bridge busybox true
	says 'chain fw of table inet mine drops what it does not know'
	says 'nft insert rule inet mine fw iifname prism0 accept'
	peer web --network bridge -p 8080:80
	cut_off in_out "$FT/bin/netpeer" try tcp 198.51.100.2 8080
	in_host nft insert rule inet mine fw iifname prism0 accept
	in_host nft insert rule inet mine fw oifname prism0 accept
	from in_out tcp 198.51.100.2 8080
	asks web tcp 198.51.100.1 80
	must_work hprism network reload
	says '^$'
}
