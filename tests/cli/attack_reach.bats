#!/usr/bin/env bats
# A registry tries to make prism contact services that only the puller can reach:
# a metadata service, and services on loopback.
#
# The fake registry is at 198.51.100.1, outside. The host has a metadata service
# at 169.254.169.254 and a service on loopback; its firewall counts connections
# to both, of which there must be none.
load ../lib/common
load ../lib/world

setup_file()
{
	file_setup
	file_store busybox
	world_up silent
	world_user_setup
	nsenter --net="/run/netns/$WORLD_OUT" python3 "$LIB/../registry/fake.py" --stay --address 198.51.100.1 \
		--port-file "$FT/ports" </dev/null >"$FT/fake.log" 2>&1 3>&- &
	printf '%s\n' $! >"$FT/keep/fake.pid"
	wait_for test -s "$FT/ports"
	FAKE=198.51.100.1:$(jq .ports.main "$FT/ports")
	export FAKE PRISM_RETRY_MS=20
	printf '{"insecure-registries": ["%s"]}' "$FAKE" >"$FT/prism.json"
	chmod 0644 "$FT/prism.json"
	ip -n "$WORLD_HOST" address add 169.254.169.254/32 dev lo
	ip -n "$WORLD_HOST" address add fd00:ec2::254/128 dev lo nodad
	nsenter --net="/run/netns/$WORLD_HOST" "$FT/bin/netpeer" serve secret \
		80 8099 >"$FT/keep/secret.log" 2>&1 </dev/null 3>&- 4>&- &
	printf '%s\n' $! >"$FT/keep/secret.pid"
	wait_for grep -qs ready "$FT/keep/secret.log"
	printf '%s\n' '127.0.0.1 localhost inner.example' \
		'169.254.169.254 metadata.example' \
		'fd00:ec2::254 metadata6.example' >"$FT/hosts"
	chmod 0644 "$FT/hosts"
}

setup()
{
	test_setup
	MAY_LEAVE_TMP=1 # what a pull had when it was refused
	need ROOT
	export PRISM_CONFIG=$FT/prism.json
	in_host nft -f - <<-END
	table inet watch {
		chain out {
			type filter hook output priority 0;
			tcp flags syn ip daddr { 127.0.0.0/8, 169.254.0.0/16 } counter
			tcp flags syn ip6 daddr { ::1, fd00:ec2::254 } counter
		}
	}
	END
}

teardown()
{
	in_host nft delete table inet watch
	test_teardown
}

# Run in the host's namespace, with this file's host names.
here()
{
	# shellcheck disable=SC2016 # the inner shell's
	in_host unshare -m sh -c 'mount --make-rprivate /
		mount --bind "$0" /etc/hosts
		exec "$@"' "$FT/hosts" "$@"
}

# fake JSON: set how the fake registry behaves from now on.
fake()
{
	in_out curl -fsS -o /dev/null --data "$1" "http://$FAKE/_ctl"
}

untouched()
{
	! in_host nft list table inet watch | grep 'counter packets [1-9]' ||
		explain "somebody was asked: $(in_host nft list table inet watch)"
}

# Places that it must not send prism to, in several spellings.
PLACES='169.254.169.254 0xa9fea9fe 0251.0376.0251.0376 [::ffff:169.254.169.254]
	[fd00:ec2::254] metadata.example metadata6.example 127.0.0.1:8099
	[::1]:8099 0.0.0.0:8099 localhost:8099 inner.example:8099'

# refused WHY COMMAND...
refused()
{
	must_fail 1 "$@"
	says 'refused .*: that address is'
	untouched
}

@test "redirects of manifests and blobs" {
	local to

	for to in $PLACES; do
		fake "{\"rules\":[{\"path\":\"/manifests/\",\"redirect\":\"http://$to/latest/meta-data/\"}]}"
		refused here "$PRISM_BIN" pull -q "$FAKE/repo/x"
		fake "{\"rules\":[{\"path\":\"/blobs/\",\"redirect\":\"http://$to/latest/meta-data/\"}]}"
		refused here "$PRISM_BIN" pull -q "$FAKE/repo/x"
	done
	# After an allowed redirect.
	fake '{"rules":[{"path":"main /v2/repo/x/manifests/","redirect":"{other}{path}"},
		{"path":"other ","redirect":"http://metadata.example/"}]}'
	refused here "$PRISM_BIN" pull -q "$FAKE/repo/x"
	fake '{"rules":[{"path":"main /v2/repo/x/blobs/","redirect":"{other}{path}"}]}'
	# (Its layers are no tar archives.)
	must_fail 1 here "$PRISM_BIN" pull -q "$FAKE/repo/x"
	says 'not a tar archive'
	untouched
}

@test "the same for an ordinary user" {
	local to

	for to in 169.254.169.254 127.0.0.1:8099; do
		fake "{\"rules\":[{\"path\":\"/blobs/\",\"redirect\":\"http://$to/latest/meta-data/\"}]}"
		refused as_user_here "$PRISM_BIN" pull -q "$FAKE/repo/x"
	done
}

@test "token servers" {
	local to

	for to in $PLACES; do
		fake "{\"auth\":{\"kind\":\"bearer\",\"realm\":\"https://$to/token\"}}"
		must_fail 1 here "$PRISM_BIN" pull -q "$FAKE/repo/x"
		says 'refused .*: that address is|is in a private network|its address is a private one'
		untouched
		printf 'secret\n' >"$T/password"
		must_fail 1 here "$PRISM_BIN" login -u me \
			--password-stdin "$FAKE" <"$T/password"
		says 'refused .*: that address is|is in a private network|its address is a private one'
		untouched
	done
}

@test "the Location of an upload" {
	local to

	for to in 169.254.169.254 metadata.example 127.0.0.1:8099; do
		fake "{\"push\":{},\"rules\":[{\"method\":\"POST\",\"path\":\"/uploads/\",\"status\":202,\"headers\":{\"Location\":\"http://$to/take\"}}]}"
		must_exit 1 here "$PRISM_BIN" push busybox "$FAKE/repo/x"
		says 'refused .*: that address is'
		untouched
	done
}

@test "hosts and proxies that the user names may have any address" {
	# It does not answer in HTTP, but it is contacted.
	printf '{"insecure-registries": ["169.254.169.254:80"]}' >"$T/prism.json"
	PRISM_CONFIG=$T/prism.json must_exit 1 here "$PRISM_BIN" pull -q \
		169.254.169.254:80/repo/x
	says_not ': that address is'
	in_host nft list table inet watch | grep 'counter packets [1-9]'
	must_exit 1 here env http_proxy=http://127.0.0.1:8099 \
		"$PRISM_BIN" pull -q "$FAKE/repo/x"
	says_not ': that address is'
	# A proxy on loopback does not make loopback the registry's own address.
	fake '{"rules":[{"path":"/manifests/","redirect":"http://127.0.0.1:8098/"}]}'
	must_exit 1 here env no_proxy=198.51.100.1 \
		http_proxy=http://127.0.0.1:8099 "$PRISM_BIN" pull -q "$FAKE/repo/x"
	says 'refused .*: that address is'
}
