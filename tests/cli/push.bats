#!/usr/bin/env bats
# prism push, login and logout: against Debian's docker-registry for what works,
# and against tests/registry/fake.py for what goes wrong.
load ../lib/common

setup_file()
{
	file_setup
	file_store busybox
	htpasswd -Bbn -C 4 me secret >"$FT/htpasswd"
	serve open write
	OPEN=127.0.0.1:$REGISTRY_PORT
	serve shut
	READ_ONLY=127.0.0.1:$REGISTRY_PORT
	REGISTRY_HTPASSWD=$FT/htpasswd serve mine write
	MINE=127.0.0.1:$REGISTRY_PORT
	python3 "$LIB/../registry/fake.py" --stay --port-file "$FT/ports" \
		</dev/null >"$FT/fake.log" 2>&1 3>&- &
	printf '%s\n' $! >"$FT/keep/fake.pid"
	wait_for test -s "$FT/ports"
	FAKE=127.0.0.1:$(jq .ports.main "$FT/ports")
	OTHER=127.0.0.1:$(jq .ports.other "$FT/ports")
	ROGUE=127.0.0.1:$(jq .ports.rogue "$FT/ports")
	export OPEN READ_ONLY MINE FAKE OTHER ROGUE PRISM_RETRY_MS=20
	LAYERS=$(PRISM_ROOT=$FT/root prism inspect busybox |
		jq '.[0].RootFS.Layers | length')
	MANIFEST=$(manifest_of "$FT/root" docker.io/library/busybox/:latest)
	export LAYERS MANIFEST
}

teardown_file()
{
	registry_end "$FT/keep/open"
	registry_end "$FT/keep/shut"
	registry_end "$FT/keep/mine"
	registry_end "$FT/keep/fake"
	file_teardown
}

setup()
{
	test_setup
	# The images of others are not to be mounted from.
	cp -a "$FT/root" "$T/root"
	PRISM_ROOT=$T/root
}

serve()
{
	registry_serve "$FT/$1" "$FT/keep/$1" "${@:2}"
}

# manifest_of ROOT NAME: the digest of the platform's manifest.
manifest_of()
{
	sed -n 2p "$1/images/$2"
}

# fake JSON: how the fake registry is from now on.
fake()
{
	curl -sf -o /dev/null -d "$1" "http://$FAKE/_ctl"
}

# asked JQ-FILTER: of the requests that the fake registry has seen.
asked()
{
	curl -sf "http://$FAKE/_log" | jq -r "$1"
}

push_as()
{
	must_work prism tag busybox "$1"
	must_work prism push "$1"
}

# ---- push ---------------------------------------------------------------------

@test "push: what it prints, and the registry has the very bytes" {
	push_as "$OPEN/a/busybox:1"
	has "^The push refers to repository \[$OPEN/a/busybox\]$"
	[ "$(grep -cE '^[0-9a-f]{12}: Pushed$' <<<"$output")" = "$LAYERS" ]
	[[ $(tail -n1 <<<"$output") =~ ^1:\ digest:\ $MANIFEST\ size:\ [0-9]+$ ]]
	skopeo inspect --raw --tls-verify=false "docker://$OPEN/a/busybox:1" |
		cmp - "$PRISM_ROOT/blobs/${MANIFEST/://}"
	must_work prism push "$OPEN/a/busybox:1"
	[ "$(grep -cE '^[0-9a-f]{12}: Layer already exists$' <<<"$output")" = "$LAYERS" ]
}

@test "push -q prints the reference only, and no terminal means no progress" {
	must_work prism tag busybox "$OPEN/q:1"
	must_work prism push -q "$OPEN/q:1"
	prints "$OPEN/q:1"
	[ -z "$stderr" ]
	must_work prism push -q --digestfile digest "$OPEN/q:1"
	[ "$(cat digest)" = "$MANIFEST" ]
}

# index_of SIZE:DIGEST:ARCHITECTURE...: the text of an index of these.
index_of()
{
	local one sep='' size rest

	printf '{"schemaVersion":2,"mediaType":"%s","manifests":[' \
		application/vnd.oci.image.index.v1+json
	for one in "$@"; do
		size=${one%%:*} rest=${one#*:}
		printf '%s{"mediaType":"%s","digest":"%s","size":%s,"platform":{
			"os":"linux","architecture":"%s"}}' "$sep" \
			"$(jq -r .mediaType "$PRISM_ROOT/blobs/${MANIFEST/://}")" \
			"${rest%:*}" "$size" "${rest##*:}"
		sep=,
	done
	printf ']}'
}

# put_index NAME TAG INDEX
put_index()
{
	curl -sf -X PUT --data-binary "$3" -H \
		'Content-Type: application/vnd.oci.image.index.v1+json' \
		"http://$OPEN/v2/$1/manifests/$2"
}

@test "of an index that is not all here one image is pushed, and RepoDigests says so" {
	local index arch other size

	push_as "$OPEN/index:1"
	arch=$(prism inspect -f '{{.Architecture}}' busybox)
	size=$(stat -c %s "$PRISM_ROOT/blobs/${MANIFEST/://}")
	printf '%s ' "$(cat "$PRISM_ROOT/blobs/${MANIFEST/://}")" >other
	other=sha256:$(sha256sum <other | cut -d' ' -f1)
	curl -sf -X PUT --data-binary @other -H "Content-Type: $(jq -r .mediaType other)" \
		"http://$OPEN/v2/index/manifests/$other"
	put_index index many "$(index_of "$size:$MANIFEST:$arch" \
		"$(stat -c %s other):$other:s390x")"
	must_work prism pull "$OPEN/index:many"
	index=$(sed -n 's/^Digest: //p' <<<"$output")
	[ "$index" != "$MANIFEST" ]
	must_work prism tag "$OPEN/index:many" "$OPEN/one:1"
	must_work prism inspect -f '{{join .RepoDigests " "}}' "$OPEN/one:1"
	has "$OPEN/one@$index"
	must_work prism push "$OPEN/one:1"
	says "note: $OPEN/one:1 came as an index of several platforms; the image for"
	says 'the index is not: not in the store: linux/s390x$'
	has "digest: $MANIFEST "
	must_work prism inspect -f '{{join .RepoDigests " "}}' "$OPEN/one:1"
	has "$OPEN/one@$MANIFEST"
	has_not "$OPEN/one@$index"
}

@test "an index that is all here is pushed whole, and keeps its digest" {
	need ALPINE
	local index

	registry_start
	must_work prism pull -q --platform linux/arm64 alpine:3.20
	must_work prism pull --platform linux/amd64 alpine:3.20
	index=$(sed -n 's/^Digest: //p' <<<"$output")
	registry_stop
	must_work prism tag alpine:3.20 "$OPEN/whole:1"
	must_work prism push --digestfile digest "$OPEN/whole:1"
	says_not note
	has "^1: digest: $index size: "
	[ "$(cat digest)" = "$index" ]
	skopeo inspect --raw --tls-verify=false "docker://$OPEN/whole:1" |
		cmp - "$PRISM_ROOT/blobs/${index/://}"
	skopeo --insecure-policy copy -q --all --src-tls-verify=false \
		--preserve-digests "docker://$OPEN/whole:1" "dir:$T/dir"
	# Twice: all of it is there. To another name: mounted.
	must_work prism push "$OPEN/whole:1"
	has_not 'Pushed'
	must_work prism push "$OPEN/whole:1" "$OPEN/mounted:1"
	has 'Mounted from whole'
	has "digest: $index "
	# By its id it is one image.
	must_work prism push "$(prism images -q alpine:3.20)" "$OPEN/byid:1"
	must_not grep -q "$index" <<<"$output"
	# A blob is lost: not the index, then.
	rm "$PRISM_ROOT/blobs/$(jq -r '.manifests[] | select(
		.platform.architecture == "arm64").digest' \
		"$PRISM_ROOT/blobs/${index/://}" | tr : /)"
	must_work prism push "$OPEN/whole:1" "$OPEN/part:1"
	says 'not in the store: linux/arm64'
	must_not grep -q "$index" <<<"$output"
}

@test "push --all-tags: each tag of the repository, and no other" {
	must_work prism tag busybox "$OPEN/tags:b"
	must_work prism tag busybox "$OPEN/tags:a"
	must_work prism tag busybox "$OPEN/tags/below:c"
	must_work prism push --all-tags "$OPEN/tags"
	[ "$(grep -c '^The push refers to' <<<"$output")" = 1 ]
	[ "$(grep -o '^[abc]: digest: ' <<<"$output" | xargs)" = \
		'a: digest: b: digest:' ]
	[ "$(curl -sf "http://$OPEN/v2/tags/tags/list" | jq -c '.tags | sort')" = \
		'["a","b"]' ]
	must_work prism push -aq "$OPEN/tags"
	prints "$OPEN/tags:a"$'\n'"$OPEN/tags:b"
	must_fail 1 prism push -a "$OPEN/tags:a"
	says "'$OPEN/tags:a': tag can't be used with --all-tags/-a"
	must_fail 1 prism push -a "$OPEN/nothing"
	says "no tag of $OPEN/nothing is in the store"
	must_fail 1 prism push -a busybox "$OPEN/tags"
	says '--all-tags conflicts with a destination'
	must_fail 1 prism push -a --digestfile x "$OPEN/tags"
	says '--all-tags conflicts with --digestfile'
}

@test "--platform: one of two that lie in the store" {
	need ALPINE
	local arm

	must_work prism tag busybox "$OPEN/two:busybox"
	must_fail 1 prism push --platform linux/s390x "$OPEN/two:busybox"
	says 'is in the store for linux/[a-z0-9/]* only'
	registry_start
	must_work prism pull -q alpine:3.20
	must_work prism pull -q --platform linux/arm64 alpine:3.20
	registry_stop
	must_work prism tag alpine:3.20 "$OPEN/two:1"
	must_work prism push --platform linux/arm64 --digestfile arm "$OPEN/two:1"
	must_work prism push --platform linux/amd64 --digestfile amd "$OPEN/two:1"
	arm=$(cat arm)
	[ "$arm" != "$(cat amd)" ]
	[ "$(curl -sf "http://$OPEN/v2/two/blobs/$(jq -r .config.digest \
		"$PRISM_ROOT/blobs/${arm/://}")" | jq -r .architecture)" = arm64 ]
	# Both are still what the name leads to.
	must_work prism push -q --platform linux/arm64 "$OPEN/two:1"
}

@test "push IMAGE DESTINATION: a name or an id, to where it has no name here" {
	must_work prism push -q busybox "docker://$OPEN/elsewhere:1"
	prints "$OPEN/elsewhere:1"
	must_work prism push "$(prism images -q busybox)" "$OPEN/elsewhere"
	has "^latest: digest: $MANIFEST "
	must_exit 1 prism image exists "$OPEN/elsewhere:1"
	must_fail 1 prism push nothing "$OPEN/elsewhere:1"
	says 'nothing.* is not in the store'
}

@test "what was pushed comes back: prism, skopeo, podman" {
	need TOOL_podman
	push_as "$OPEN/back:1"
	PRISM_ROOT=$T/second must_work prism pull "$OPEN/back:1"
	has "^Digest: $MANIFEST$"
	[ "$(manifest_of "$T/second" "$OPEN/back/:1")" = "$MANIFEST" ]
	PRISM_ROOT=$T/second must_work prism fsck
	skopeo --insecure-policy copy -q --src-tls-verify=false \
		--preserve-digests "docker://$OPEN/back:1" "dir:$T/dir"
	[ "sha256:$(sha256sum <"$T/dir/manifest.json" | cut -d' ' -f1)" = "$MANIFEST" ]
	need ROOT
	podman --root "$T/podman" --runroot "$T/podman-run" --storage-driver vfs \
		pull -q --tls-verify=false "$OPEN/back:1"
	[ "$(podman --root "$T/podman" --runroot "$T/podman-run" \
		--storage-driver vfs image inspect --format '{{.Digest}}' \
		"$OPEN/back:1")" = "$MANIFEST" ]
	podman --root "$T/podman" --runroot "$T/podman-run" \
		--storage-driver vfs rmi -af >/dev/null
}

@test "commit, push, pull into another store" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c 'echo made >/made'
	must_work prism commit c "$OPEN/made:1"
	must_work prism rm c
	must_work prism push "$OPEN/made:1"
	PRISM_ROOT=$T/second must_work prism run --rm "$OPEN/made:1" cat /made
	prints made
}

@test "an ordinary user pushes out of the user's own store" {
	need USER
	registry_start
	must_work as_user "$PRISM_BIN" pull -q busybox
	registry_stop
	must_work as_user "$PRISM_BIN" tag busybox "$OPEN/user:1"
	must_work as_user "$PRISM_BIN" push -q "$OPEN/user:1"
	prints "$OPEN/user:1"
}

@test "layers that another repository there has are mounted, not sent" {
	fake '{"push": {}}'
	push_as "$FAKE/one:1"
	push_as "$FAKE/two/x:1"
	[ "$(grep -cE '^[0-9a-f]{12}: Mounted from one$' <<<"$output")" = "$LAYERS" ]
	# The config is no layer, and the manifest is sent always.
	[ "$(asked '[.[] | select(.method == "PUT" and
		(.path | startswith("/v2/two/x/blobs")))] | length')" = 1 ]
	asked '.[] | select(.path | contains("mount=")).path' |
		grep -qE '^/v2/two/x/blobs/uploads/\?mount=sha256:[0-9a-f]{64}&from=one$'
}

@test "a mount that is refused: the bytes are sent" {
	fake '{"push": {}}'
	push_as "$FAKE/one:1"
	fake '{"push": {"deny": ["one"]}}'
	push_as "$FAKE/two:1"
	has '^[0-9a-f]{12}: Pushed$'
	has_not 'Mounted'
}

@test "tokens are asked for pull and push, and for the repository of a mount" {
	fake '{"push": {}, "auth": {"kind": "bearer"}}'
	push_as "$FAKE/one:1"
	push_as "$FAKE/two:1"
	asked '.[] | select(.path | startswith("/token")).path' >"$T/asked"
	grep -qi 'scope=repository%3Aone%3Apull%2Cpush$' "$T/asked"
	grep -qi 'scope=repository%3Atwo%3Apull%2Cpush&scope=repository%3Aone%3Apull$' \
		"$T/asked"
}

# ---- what goes wrong on the way ---------------------------------------------------

# went_wrong RULE: a push succeeds all the same, and says so with a note.
went_wrong()
{
	fake "{\"push\": {}, \"auth\": {\"kind\": \"bearer\"}, \"rules\": [$1]}"
	push_as "$FAKE/x:1"
	has '^[0-9a-f]{12}: Pushed$'
	has_not 'already exists'
}

UPLOAD='"method": "PUT", "path": "/blobs/"'

@test "an upload that is cut begins again with a new one" {
	went_wrong "{$UPLOAD, \"times\": 1, \"cut\": 10}"
	says 'cut.* after [0-9]+ bytes; trying again in'
	# As many uploads as blobs, and one more.
	[ "$(asked '[.[] | select(.method == "PUT" and
		(.path | contains("/blobs/")))] | length')" = $((LAYERS + 2)) ]
	[ "$(asked '[.[] | select(.method == "PUT" and
		(.path | contains("/blobs/"))).path] | unique | length')" = \
		$((LAYERS + 2)) ]
}

@test "an upload that is lost begins again: 404, 416" {
	went_wrong "{$UPLOAD, \"times\": 1, \"status\": 404},
		{$UPLOAD, \"times\": 1, \"status\": 416}"
	says 'the upload was lost \(HTTP 404\); trying again'
	says 'the upload was lost \(HTTP 416\); trying again'
}

@test "500, 503 with Retry-After, 429: tried again" {
	went_wrong "{$UPLOAD, \"times\": 1, \"status\": 500},
		{\"method\": \"POST\", \"path\": \"uploads\", \"times\": 1,
		 \"status\": 503, \"headers\": {\"Retry-After\": \"0\"}},
		{\"method\": \"PUT\", \"path\": \"/manifests/\", \"times\": 1,
		 \"status\": 429},
		{\"method\": \"HEAD\", \"path\": \"/v2/\", \"times\": 1,
		 \"close\": true}"
	says '\(HTTP 500\); trying again in'
	says '\(HTTP 503\); trying again in 0\.'
	says '\(HTTP 429\); trying again in'
}

@test "401 in the middle of it: one new token" {
	went_wrong "{$UPLOAD, \"times\": 1, \"expire\": true},
		{\"method\": \"PUT\", \"path\": \"/manifests/\", \"times\": 1,
		 \"expire\": true}"
	# At most one for each that was under way, not one for each request.
	[ "$(asked '[.[] | select(.path | startswith("/token"))] | length')" -le 4 ]
}

@test "a registry without HEAD, and one that gives a relative place" {
	fake '{"push": {}, "rules": [
		{"method": "HEAD", "path": "/v2/", "status": 405},
		{"method": "POST", "path": "uploads", "location":
			"../uploads/{id}?_state=a%2Fb%3D&x=y"}]}'
	push_as "$FAKE/x:1"
	has '^[0-9a-f]{12}: Pushed$'
	asked '.[] | select(.method == "PUT").path' |
		grep -qE '^/v2/x/blobs/uploads/up-[0-9]+\?_state=a%2Fb%3D&x=y&digest=sha256'
}

@test "a place on another host gets the bytes, and no Authorization" {
	fake '{"push": {}, "auth": {"kind": "bearer"}, "rules": [
		{"method": "POST", "path": "uploads", "location":
			"{other}{path}{id}?_state=a%2Fb%3D&x=y"}]}'
	push_as "$FAKE/x:1"
	[ "$(asked '[.[] | select(.listener == "other" and .method == "PUT" and
		.auth == "")] | length')" = $((LAYERS + 1)) ]
	[ "$(asked '[.[] | select(.listener == "other" and .auth != "")] |
		length')" = 0 ]
	fake '{"push": {}, "auth": {"kind": "bearer"}, "rules": [
		{"method": "PUT", "path": "main /v2/x/blobs", "redirect":
			"{other}{path}"}]}'
	must_work prism push "$FAKE/x:1"
	[ "$(asked '[.[] | select(.listener == "other" and .method == "PUT")] |
		length')" = $((LAYERS + 1)) ]
	[ "$(asked '[.[] | select(.listener == "other" and .auth != "")] |
		length')" = 0 ]
}

@test "a registry that keeps something else is an error" {
	fake "{\"push\": {}, \"rules\": [{\"method\": \"PUT\", \"path\": \"/manifests/\",
		\"digest\": \"sha256:$(printf x | sha256sum | cut -d' ' -f1)\"}]}"
	must_work prism tag busybox "$FAKE/x:1"
	must_fail 1 prism push "$FAKE/x:1"
	says "keeps it as sha256:[0-9a-f]{64} instead of $MANIFEST"
}

@test "a mirror is never pushed to" {
	fake '{"push": {}}'
	printf '{"registry-mirrors": {"%s": ["http://%s"]}}' "$OPEN" "$FAKE" \
		>"$T/prism.json"
	export PRISM_CONFIG=$T/prism.json
	push_as "$OPEN/mirrored:1"
	[ "$(asked length)" = 0 ]
	curl -sf -o /dev/null "http://$OPEN/v2/mirrored/tags/list"
}

# ---- what is refused ------------------------------------------------------------------

@test "push refuses: no such image, a digest, no registry, a read-only one" {
	must_fail 1 prism push "$OPEN/nothing:1"
	says "image $OPEN/nothing:1 is not in the store"
	says "^hint: .*'prism tag IMAGE $OPEN/nothing:1'"
	must_fail 1 prism push "$OPEN/x@$MANIFEST"
	says 'nothing can be pushed to a digest'
	must_work prism tag busybox "$READ_ONLY/x:1"
	must_fail 1 prism push "$READ_ONLY/x:1"
	says "$READ_ONLY: .*HTTP 405"
	says '^hint: .*read-only'
	must_work prism tag busybox 127.0.0.1:9/x:1
	must_fail 1 prism push 127.0.0.1:9/x:1
	says 'cannot reach 127.0.0.1:9: connection refused'
}

@test "push refuses: not allowed, name unknown, a blob that is gone" {
	must_work prism tag busybox "$MINE/x:1"
	must_fail 1 prism push "$MINE/x:1"
	says "^hint: is '$MINE/x' yours .* log in with 'prism login $MINE'"
	must_work prism tag busybox "$FAKE/x:1"
	fake '{"push": {}, "rules": [{"method": "POST", "path": "uploads",
		"status": 403, "body":
			"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}"}]}'
	must_fail 1 prism push "$FAKE/x:1"
	says "$FAKE: access denied \(HTTP 403\): DENIED: no"
	says "^hint: is '$FAKE/x' yours .* log in with 'prism login $FAKE'"
	fake '{"push": {}, "rules": [{"method": "POST", "path": "uploads",
		"status": 404, "body": "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}"}]}'
	must_fail 1 prism push "$FAKE/x:1"
	says 'HTTP 404\): NAME_UNKNOWN'
	says "^hint: is '$FAKE/x' the right name"
	rm "$PRISM_ROOT/blobs/sha256/$(jq -r '.layers[0].digest' \
		"$PRISM_ROOT/blobs/${MANIFEST/://}" | cut -d: -f2)"
	must_fail 1 prism push "$FAKE/x:1"
	says 'blob [0-9a-f]{12} is not in the store'
	says "^hint: .*prism pull"
}

# ---- login and logout -------------------------------------------------------------------

CONFIG=home/.config/containers/auth.json

# stdin TEXT CMD...: for a must_work whose variables have to stay.
stdin()
{
	printf '%s' "$1" | "${@:2}"
}

@test "login, push, logout" {
	must_work stdin $'secret\n' prism login -u me --password-stdin "$MINE"
	prints 'Login Succeeded'
	says "the password is kept in .*/$CONFIG, where it is not encrypted"
	[ "$(stat -c %a "$CONFIG")" = 600 ]
	[ "$(jq -r --arg k "$MINE" '.auths[$k].auth' "$CONFIG" | base64 -d)" = me:secret ]
	push_as "$MINE/x:1"
	must_work prism login --get-login "$MINE"
	prints me
	must_work prism login "$MINE"
	has '^Authenticating with existing credentials'
	has '^Login Succeeded$'
	must_work prism logout "$MINE"
	prints "Removing login credentials for $MINE"
	[ "$(jq -c .auths "$CONFIG")" = '{}' ]
	must_fail 1 prism push "$MINE/x:1"
	must_work prism logout "$MINE"
	prints "Not logged in to $MINE"
	must_fail 1 prism login --get-login "$MINE"
	says "not logged in to $MINE"
}

@test "login -p works, and warns" {
	must_work prism login -u me -p secret "$MINE"
	prints 'Login Succeeded'
	says 'warning: --password is seen by everybody'
	must_work prism login -u me -p secret --authfile a.json "http://$MINE/"
	must_work prism login --get-login --authfile a.json "$MINE"
	prints me
}

@test "a wrong password is one error, and nothing is written" {
	must_fail 1 stdin wrong-one prism --debug login -u me --password-stdin "$MINE"
	says "$MINE: not authorised \(HTTP 401\): UNAUTHORIZED"
	says '^hint: is the user name right'
	says_not 'wrong-one'
	says_not "$(printf me:wrong-one | base64)"
	[ ! -e "$CONFIG" ]
	fake '{"auth": {"kind": "bearer", "user": "me", "password": "secret"}}'
	must_fail 1 stdin wrong-one prism login -u me --password-stdin "$FAKE"
	says 'not authorised \(HTTP 401\): incorrect username or password'
	must_work stdin secret prism login -u me --password-stdin "$FAKE"
	asked '.[] | select(.path | startswith("/token")).path' |
		grep -qx '/token?service=fake'
	must_fail 1 stdin wrong-one prism login -u me --password-stdin "$FAKE"
	[ "$(jq -r --arg k "$FAKE" '.auths[$k].auth' "$CONFIG" | base64 -d)" = me:secret ]
}

@test "login: words that make no sense, nobody there, TLS that nobody trusts" {
	must_fail 1 prism login -u me "$MINE" </dev/null
	says 'standard input is no terminal'
	says '^hint: .*--password-stdin'
	must_fail 1 prism login --password-stdin "$MINE" </dev/null
	says '--password-stdin needs --username'
	must_fail 1 prism login -u me -p x --password-stdin "$MINE"
	says '--password and --password-stdin'
	must_fail 1 prism login -u me --password-stdin "$MINE" </dev/null
	says 'the password is empty'
	must_fail 1 stdin x prism login -u me --password-stdin 'me@host'
	says "'me@host' is not the name of a registry"
	must_fail 1 stdin x prism login -u me --password-stdin 127.0.0.1:9
	says 'cannot reach 127.0.0.1:9: connection refused'
	must_fail 1 stdin x prism login -u me --password-stdin "$ROGUE"
	says "cannot reach $ROGUE: its TLS certificate is not trusted"
	fake '{"rules": [{"path": "/v2/", "status": 404}]}'
	must_fail 1 stdin x prism login -u me --password-stdin "$FAKE"
	says "$FAKE: not found \(HTTP 404\)"
	fake '{"rules": [{"path": "/v2/", "status": 200, "body": "<html>",
		"headers": {"Content-Type": "text/html"}}]}'
	must_fail 1 stdin x prism login -u me --password-stdin "$FAKE"
	says "$FAKE: answers with a web page"
	[ ! -e "$CONFIG" ]
}

@test "login writes the file that is read first, and nothing else in it changes" {
	mkdir real
	cat >real/config.json <<-END
	{"HttpHeaders": {"X": "y"}, "auths": {"other.io": {"auth": "YTpi"},
	 "https://$MINE/v1/": {"auth": "YTpi", "email": "m@x"}},
	 "detachKeys": "ctrl-a", "n": [1, 2.5, null, true]}
	END
	chmod 644 real/config.json
	cp real/config.json before.json
	mkdir "$T/docker"
	ln -s ../real/config.json docker/config.json
	DOCKER_CONFIG=$T/docker must_work stdin secret prism login -u me \
		--password-stdin "http://$MINE/v2/"
	[ -L docker/config.json ]
	[ "$(stat -c %a real/config.json)" = 600 ]
	[ "$(ls -A real)" = config.json ]
	[ "$(jq -r --arg k "$MINE" '.auths[$k].auth' real/config.json |
		base64 -d)" = me:secret ]
	[ "$(jq -r --arg k "$MINE" '.auths[$k].email' real/config.json)" = m@x ]
	[ "$(jq -S --arg k "$MINE" 'del(.auths[$k])' real/config.json)" = \
		"$(jq -S --arg k "https://$MINE/v1/" 'del(.auths[$k])' before.json)" ]
	DOCKER_CONFIG=$T/docker must_work prism login --get-login "$MINE"
	prints me

	must_work stdin secret prism login -u me --password-stdin \
		--authfile "$T/new/a.json" "$MINE"
	[ "$(stat -c %a new new/a.json | xargs)" = "700 600" ]
	: >env.json
	REGISTRY_AUTH_FILE=env.json must_work stdin secret prism login -u me \
		--password-stdin "$MINE"
	[ "$(jq '.auths | length' env.json)" = 1 ]
	XDG_RUNTIME_DIR=$T/run must_work stdin secret prism login -u me \
		--password-stdin "$MINE"
	[ -s run/containers/auth.json ]
	[ ! -e "$CONFIG" ]
	REGISTRY_AUTH_FILE=$T/env.json XDG_RUNTIME_DIR=$T/run \
		must_work prism logout "$MINE"
	XDG_RUNTIME_DIR=$T/run must_work prism login --get-login "$MINE"

	echo '{"auths": 7}' >bad.json
	must_fail 1 stdin secret prism login -u me --password-stdin \
		--authfile bad.json "$MINE"
	says 'bad.json.auths: not an object'
	[ "$(cat bad.json)" = '{"auths": 7}' ]
}

@test "what podman and skopeo read is what login wrote" {
	need TOOL_podman
	must_work stdin secret prism login -u me --password-stdin --authfile a.json "$MINE"
	push_as_me="$MINE/x:2"
	must_work prism tag busybox "$push_as_me"
	must_work prism push -q --authfile a.json "$push_as_me"
	skopeo inspect --raw --tls-verify=false --authfile a.json \
		"docker://$push_as_me" >/dev/null
	must_work podman login --get-login --authfile a.json "$MINE"
	prints me
}

@test "a credential helper keeps the password, and the file does not" {
	mkdir bin kept
	cat >bin/docker-credential-test <<-'END'
	#!/bin/sh
	in=$(cat)
	echo "$1 $*" >>"$KEPT/log"
	case $1 in
	store)
		server=$(printf '%s' "$in" | jq -r .ServerURL)
		printf '%s' "$in" >"$KEPT/$(printf '%s' "$server" | tr / _)"
		;;
	get)
		cat "$KEPT/$(printf '%s' "$in" | tr / _)" 2>/dev/null ||
			{ echo 'credentials not found in native keychain'; exit 1; }
		;;
	erase) rm "$KEPT/$(printf '%s' "$in" | tr / _)" ;;
	esac
	END
	chmod +x bin/docker-credential-test
	export KEPT=$T/kept PATH=$T/bin:$PATH
	echo '{"credsStore": "test"}' >a.json
	must_work stdin secret prism login -u me --password-stdin --authfile a.json "$MINE"
	says_not 'not encrypted'
	[ "$(jq -c . a.json)" = "{\"credsStore\":\"test\",\"auths\":{\"$MINE\":{}}}" ]
	[ "$(jq -r .Secret "kept/$MINE")" = secret ]
	must_not grep -q secret kept/log
	must_work prism tag busybox "$MINE/h:1"
	must_work prism push -q --authfile a.json "$MINE/h:1"
	must_work prism logout --authfile a.json "$MINE"
	prints "Removing login credentials for $MINE"
	[ ! -e "kept/$MINE" ]
	[ "$(jq -c .auths a.json)" = '{}' ]
	must_work prism logout --authfile a.json "$MINE"
	prints "Not logged in to $MINE"

	echo "{\"credHelpers\": {\"$MINE\": \"none-such\"}}" >b.json
	must_fail 1 stdin secret prism login -u me --password-stdin --authfile b.json "$MINE"
	says 'docker-credential-none-such: no such program'
	[ "$(jq -c 'keys' b.json)" = '["credHelpers"]' ]
}

@test "logout: the names of Docker Hub, all at once, what another file holds" {
	cat >a.json <<-'END'
	{"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"},
	 "docker.io": {"auth": "YTpi"}, "x.io": {"auth": "YTpi"},
	 "x.io/team": {"auth": "YTpi"}}, "rest": 1}
	END
	must_work prism logout --authfile a.json
	prints 'Removing login credentials for docker.io'
	[ "$(jq -c '.auths | keys' a.json)" = '["x.io","x.io/team"]' ]
	must_work prism logout --authfile a.json --all
	[ "$(jq -c . a.json)" = '{"auths":{},"rest":1}' ]
	must_fail 1 prism logout --all x.io
	mkdir -p home/.docker
	echo '{"auths": {"x.io": {"auth": "YTpi"}}}' >home/.docker/config.json
	must_work prism logout x.io
	prints 'Not logged in to x.io'
	says 'still credentials for x.io in .*/.docker/config.json'
	[ ! -e "$CONFIG" ]
}

@test "a password is typed without being seen, and the terminal is as before" {
	must_work python3 "$LIB/terminal.py" login 24 80 -- "$PRISM_BIN" login "$MINE"
	has '^Username: me'
	has '^Login Succeeded'
	has_not secret
	has '^restored: yes'
	has '^exit: 0'
	[ "$(jq -r --arg k "$MINE" '.auths[$k].auth' "$CONFIG" | base64 -d)" = me:secret ]
	must_work python3 "$LIB/terminal.py" login-int 24 80 -- "$PRISM_BIN" login -u me "$FAKE"
	has '^restored: yes'
	has '^exit: 130|^exit: -2'
}

@test "two logins at once lose nothing" {
	local i pids=()

	fake '{}'
	for i in $(seq 6); do
		printf secret | prism login -u "me$i" --password-stdin \
			--authfile a.json "$FAKE" >/dev/null 2>&1 3>&- &
		pids+=($!)
		printf secret | prism login -u me --password-stdin \
			--authfile a.json "$MINE" >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ "$(jq '.auths | length' a.json)" = 2 ]
}
