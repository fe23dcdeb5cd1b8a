#!/usr/bin/env bats
# Text from images, containers, archives, registries and arguments must not reach
# a terminal unescaped: it could set the title, erase lines or forge new ones.
load ../lib/common

# A title, an erased screen, a colour by C1 in UTF-8, DEL, bidirectional text,
# zero-width text, a newline and a tab.
EVIL=$'\e]0;owned\a\e[2J\u009b31m\x7f\u202eq\u200b\r\nFORGED\tx'
# A command that shows the text must show this part of it.
SHOWN='\x1b]0;owned\x07\x1b[2J\u009b31m\x7f\u202eq\u200b\x0d'
# Added where text need not be UTF-8.
BYTES=$'\x9b1m\xff'

setup_file()
{
	file_setup
	cp "$LIB/terminal.py" "$FT/bin/"
	chmod 0644 "$FT/bin/terminal.py"
	export EVIL
	file_stores busybox
	PRISM_ROOT=$FT/root evil_image prism
	if [ -n "${TEST_USER:-}" ]; then
		evil_image as_user "$FT/bin/prism"
	fi
}

# evil_image CMD...: store busybox with an attacker's words as image "evil"; CMD is
# the prism to use.
evil_image()
{
	mkdir "$FT/save"
	PRISM_ROOT=$FT/root prism save busybox | tar -C "$FT/save" -xf -
	python3 - "$FT/save" <<-'END'
	import hashlib, json, os, sys
	top, evil = sys.argv[1], os.environ['EVIL']
	blobs = os.path.join(top, 'blobs', 'sha256')
	def read(digest):
	    with open(os.path.join(blobs, digest.split(':')[1])) as f:
	        return json.load(f)
	def put(doc):
	    data = json.dumps(doc).encode()
	    digest = hashlib.sha256(data).hexdigest()
	    with open(os.path.join(blobs, digest), 'wb') as f:
	        f.write(data)
	    return {'digest': 'sha256:' + digest, 'size': len(data)}
	docs = [(n, json.loads(b)) for n in os.listdir(blobs)
	        for b in [open(os.path.join(blobs, n), 'rb').read()]
	        if b[:1] == b'{']
	manifest = [d for _, d in docs if 'layers' in d][0]
	config = read(manifest['config']['digest'])
	config['author'] = config['comment'] = evil
	for h in config.get('history', []):
	    h.update(created_by=evil, comment=evil, author=evil)
	config['config'].update(
	    Env=['PATH=/bin', 'E=' + evil, evil + '=1'], Cmd=[evil],
	    Labels={evil: evil, 'k': evil}, WorkingDir='/', User='',
	    StopSignal='TERM')
	manifest['config'].update(put(config))
	manifest['annotations'] = {evil: evil}
	media = 'application/vnd.oci.image.manifest.v1+json'
	desc = {'mediaType': media, **put(manifest), 'annotations': {
	    'org.opencontainers.image.ref.name': 'latest',
	    'io.containerd.image.name': 'docker.io/library/evil:latest'}}
	with open(os.path.join(top, 'index.json'), 'w') as f:
	    json.dump({'schemaVersion': 2, 'manifests': [desc]}, f)
	os.unlink(os.path.join(top, 'manifest.json'))
	END
	tar -C "$FT/save" -cf - . | "$@" load
	rm -r "$FT/save"
}

setup()
{
	test_setup
	AS=
}

# Bytes that a terminal obeys, and characters that hide or reorder text. U+FFFD
# stands for invalid UTF-8.
obeyed='[\x{0}-\x{8}\x{b}-\x{1f}\x{7f}\x{80}-\x{9f}\x{200b}\x{200e}\x{200f}'
obeyed+='\x{202a}-\x{202e}\x{2066}-\x{2069}\x{fffd}]'

# on_terminal CMD...: (as_user if AS says so) its output, of both kinds, in $output, which is harmless.
on_terminal()
{
	$AS python3 "$FT/bin/terminal.py" size 24 200 -- "$@" >"$T/tty"
	take output "$T/tty"
	is_harmless "$T/tty" || explain_tty "$@"
}

is_harmless()
{
	! LC_ALL=C.UTF-8 grep -qP "$obeyed" "$1"
}

explain_tty()
{
	printf 'on a terminal: %s\n' "${*@Q}"
	cat -v "$T/tty"
	return 1
}

# shows CMD...: the output contains the words, escaped.
shows()
{
	on_terminal "$@"
	[[ $output == *"$SHOWN"* ]] || explain_tty "$@"
}

# one_line: no line starts with text of the attacker.
one_line()
{
	must_not grep -n '^FORGED' "$T/tty"
}

@test "history and inspect of an image" {
	shows "$PRISM_BIN" history --no-trunc evil
	one_line
	on_terminal "$PRISM_BIN" history evil
	[[ $output == *'\x1b]0;owned'* ]]
	one_line
	shows "$PRISM_BIN" history --no-trunc --format '{{.CreatedBy}}' evil
	shows "$PRISM_BIN" history --no-trunc --format 'table {{.Comment}}' evil
	one_line
	shows "$PRISM_BIN" inspect -f '{{.Config.Env}} {{.Author}}' evil
	shows "$PRISM_BIN" inspect -f '{{index .Config.Labels "k"}}' evil
	shows "$PRISM_BIN" inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}{{end}}' evil
	shows "$PRISM_BIN" inspect -f '{{println .Comment}}' evil
	on_terminal "$PRISM_BIN" inspect -f '{{.Nope}}' evil
	on_terminal "$PRISM_BIN" inspect -f '{{printf "%q" .Comment}}' evil
	on_terminal "$PRISM_BIN" inspect -f 'x {{json .Config.Labels}}' evil
	on_terminal "$PRISM_BIN" images
	on_terminal "$PRISM_BIN" images --format json
}

@test "JSON on a terminal keeps its value" {
	for how in "" json '{{json .}}'; do
		prism inspect ${how:+-f "$how"} evil | jq -c . >"$T/piped"
		on_terminal "$PRISM_BIN" inspect ${how:+-f "$how"} evil
		sed -n '/^restored:/q; p' "$T/tty" | jq -c . >"$T/shown"
		cmp "$T/piped" "$T/shown"
	done
}

@test "a pipe gets the unchanged bytes" {
	prism inspect -f '{{index .Config.Labels "k"}}' evil >"$T/got"
	printf '%s\n' "$EVIL" | cmp - "$T/got"
	prism history --no-trunc --format '{{.Comment}}' evil | head -n 1 >"$T/got"
	[ "$(cat "$T/got")" = "${EVIL%%$'\n'*}" ]
	prism inspect evil | jq -r '.[0].Author' >"$T/got"
	printf '%s\n' "$EVIL" | cmp - "$T/got"
}

@test "errors are escaped in a log too" {
	must_fail 127 prism run --rm evil
	must_not grep -aP '[\x00-\x09\x0b-\x1f\x7f]' "$T/.err"
	must_not grep -n '^FORGED' "$T/.err"
	must_exit 1 prism inspect "$EVIL$BYTES"
	must_not grep -aP '[\x00-\x09\x0b-\x1f\x7f-\x9f]' "$T/.err"
	must_not grep -n '^FORGED' "$T/.err"
	[[ $stderr == *'\x9b1m\xff'* ]]
}

@test "a container's words" {
	prism create --name c --label "k=$EVIL" --label "$EVIL=v" -e "E=$EVIL" \
		--hostname h busybox "$EVIL$BYTES"
	on_terminal "$PRISM_BIN" ps -a
	one_line
	[[ $output == *'\x1b]0;own'* ]]
	on_terminal "$PRISM_BIN" ps -a --no-trunc
	one_line
	[[ $output == *'\x1b]0;owned\a\x1b[2J\u009b31m'* ]]
	shows "$PRISM_BIN" ps -a --format '{{.Labels}}'
	shows "$PRISM_BIN" ps -a --format 'table {{.Label "k"}}\t{{.ID}}'
	one_line
	on_terminal "$PRISM_BIN" ps -a --format json
	on_terminal "$PRISM_BIN" ps -a --filter "label=$EVIL"
	on_terminal "$PRISM_BIN" inspect c
	on_terminal "$PRISM_BIN" inspect -f '{{.Config.Cmd}} {{.Config.Labels}}' c
	on_terminal "$PRISM_BIN" start -a c
	[[ $output == *'\x1b]0;owned'*"exit: 127" ]] || explain_tty start
	on_terminal "$PRISM_BIN" port c
	on_terminal "$PRISM_BIN" generate systemd c
	on_terminal "$PRISM_BIN" rm c
}

@test "files and processes of a container" {
	prism run -d --name c busybox sh -c '
		{
			echo "#!/bin/sh"
			echo "trap \"exit 0\" TERM; echo ready"
			echo "while :; do sleep 1; done"
		} >"/$1$2"
		chmod +x "/$1$2"
		exec "/$1$2"' sh "$(printf '\e[2J\u009b\nF\tx')" "$BYTES"
	wait_for sh -c '"$PRISM_BIN" logs c | grep -q ready'
	on_terminal "$PRISM_BIN" top c
	[[ $output == *'[2J'* ]]
	[ "$(prism top c -o pid,args | wc -l)" = "$(prism top c -o pid | wc -l)" ]
	on_terminal "$PRISM_BIN" top c -o pid,comm,args
	on_terminal "$PRISM_BIN" diff c
	[[ $output == *'\x1b[2J\u009b\x0aF\x09x\x9b1m\xff'* ]]
	on_terminal "$PRISM_BIN" exec c "$EVIL$BYTES"
	shows "$PRISM_BIN" exec -w "/$EVIL" c true
	shows "$PRISM_BIN" exec -u "$EVIL" c true
	shows "$PRISM_BIN" cp "c:/$EVIL$BYTES" "$T/x"
	prism rm -f c
}

@test "the program's own output is unchanged" {
	prism run --rm busybox printf '\033]0;mine\007' >"$T/got"
	printf '\033]0;mine\007' | cmp - "$T/got"
	python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" run --rm -t busybox \
		printf '\033[1mbold' >"$T/tty"
	grep -q $'\e\\[1mbold' "$T/tty"
	prism run --name c busybox printf '\033[1mbold' >/dev/null
	python3 "$LIB/terminal.py" size 24 80 -- "$PRISM_BIN" logs c >"$T/tty"
	grep -q $'\e\\[1mbold' "$T/tty"
	prism rm c
}

@test "volumes and networks" {
	need ROOT
	prism volume create --label "k=$EVIL" vol
	shows "$PRISM_BIN" volume ls --format '{{.Labels}}'
	shows "$PRISM_BIN" volume ls --format 'table {{.Label "k"}}\t{{.Name}}'
	one_line
	on_terminal "$PRISM_BIN" volume inspect vol
	shows "$PRISM_BIN" volume inspect -f '{{.Labels.k}}' vol
	shows "$PRISM_BIN" volume rm "$EVIL"
	shows "$PRISM_BIN" volume create "$EVIL"
	prism volume rm vol
	prism network create --subnet 10.99.0.0/24 --label "k=$EVIL" n
	shows "$PRISM_BIN" network ls --format '{{.Labels}}'
	shows "$PRISM_BIN" network inspect -f '{{.Labels.k}}' n
	on_terminal "$PRISM_BIN" network inspect n
	shows "$PRISM_BIN" network rm "$EVIL"
	shows "$PRISM_BIN" network create "$EVIL"
	prism network rm n
}

@test "arguments, typed or from a script's variables" {
	local words=$EVIL$BYTES

	for cmd in "$words" "images $words" "run" "rm" "start" "stop" "logs" \
		"inspect" "rmi" "pull" "exec" "kill" "wait" "top" "rename" \
		"tag" "history" "pause" "port" "commit" "diff" "export" \
		"attach" "update" "login" "logout" "push" "save" "load" \
		"import" "cp" "create" "ps" "help" "__complete"; do
		on_terminal "$PRISM_BIN" "${cmd%% *}" "$words" "$words"
		one_line
		on_terminal "$PRISM_BIN" "${cmd%% *}" "--$words"
		one_line
	done
	on_terminal "$PRISM_BIN" --root "$T/$words" images
	on_terminal "$PRISM_BIN" --root "$T/$words" rmi none
	on_terminal "$PRISM_BIN" --config "$T/$words" pull alpine
	on_terminal "$PRISM_BIN" run --rm -e "$words" busybox true
	on_terminal "$PRISM_BIN" run --rm -v "/$words:/x:$words" busybox true
	on_terminal "$PRISM_BIN" run --rm --log-opt "$words=1" busybox true
	on_terminal "$PRISM_BIN" run --rm --env-file "$words" busybox true
	on_terminal "$PRISM_BIN" ps --format "{{.$words}}"
	on_terminal "$PRISM_BIN" ps --filter "$words=1"
	on_terminal "$PRISM_BIN" --debug run --rm --name c -w "/$words" busybox true
	on_terminal "$PRISM_BIN" run --rm --trace -w "/$words" busybox true
	prism run --rm --trace="$T/trace.json" -w "/$EVIL" busybox true
	jq . "$T/trace.json" >/dev/null
	must_not grep -P '[\x00-\x09\x0b-\x1f\x7f]' "$T/trace.json"
}

@test "archives" {
	MAY_LEAVE_TMP=1
	PRISM_ROOT=$T/root
	python3 - "$T" "$EVIL" <<-'END'
	import io, json, sys, tarfile
	top, evil = sys.argv[1:]
	def tar(name, entries):
	    with tarfile.open(top + '/' + name, 'w') as t:
	        for path, data in entries:
	            i = tarfile.TarInfo(path)
	            i.size = len(data)
	            t.addfile(i, io.BytesIO(data))
	manifest = [{'Config': evil, 'RepoTags': [evil], 'Layers': [evil]}]
	tar('a.tar', [('manifest.json', json.dumps(manifest).encode())])
	tar('b.tar', [(evil, b''), (evil + '/x', b'')])
	tar('e.tar', [(evil, b'')])
	tar('c.tar', [('manifest.json', ('[{"Config": "%s' % evil).encode())])
	tar('d.tar', [('index.json', json.dumps({'schemaVersion': 2, 'manifests':
	    [{'mediaType': evil, 'digest': evil, 'size': 1}]}).encode()),
	    ('oci-layout', b'{"imageLayoutVersion": "1.0.0"}')])
	END
	for f in a b c d; do
		on_terminal "$PRISM_BIN" load -i "$T/$f.tar"
		[[ $output == *"exit: 1" ]]
		one_line
	done
	on_terminal "$PRISM_BIN" load -i "$T/$EVIL"
	on_terminal "$PRISM_BIN" import "$T/b.tar" bad
	on_terminal "$PRISM_BIN" import "$T/e.tar" "$EVIL"
	on_terminal "$PRISM_BIN" import --message "$EVIL" "$T/e.tar" imported
	shows "$PRISM_BIN" history imported
	one_line
	on_terminal "$PRISM_BIN" rmi imported
}

@test "what a registry answers" {
	MAY_LEAVE_TMP=1
	PRISM_ROOT=$T/root
	local body rule

	python3 "$LIB/../registry/fake.py" --stay --port-file "$T/ports" \
		</dev/null >"$T/fake.log" 2>&1 3>&- &
	printf '%s\n' $! >"$FT/keep/fake.pid"
	wait_for test -s "$T/ports"
	FAKE=127.0.0.1:$(jq .ports.main "$T/ports")
	printf '{"insecure-registries": ["%s"]}' "$FAKE" >"$T/prism.json"
	PRISM_CONFIG=$T/prism.json
	export PRISM_RETRY_MS=1
	body=$(jq -nc --arg e "$EVIL" '{errors: [{code: $e, message: $e}]}')
	for rule in "$(jq -nc --arg b "$body" '{status: 403, body: $b}')" \
		"$(jq -nc --arg b "$EVIL" '{status: 404, body: $b}')" \
		"$(jq -nc --arg b "$EVIL" '{type: ("a/b" + $b[0:2])}')" \
		"$(jq -nc --arg b "{\"mediaType\": \"\\u001b[2J\"}" '{status: 200, body: $b}')"; do
		jq -nc --argjson r "$rule" '{rules: [$r + {path: "/manifests/"}]}' |
			curl -sf --data-binary @- "http://$FAKE/_ctl"
		on_terminal "$PRISM_BIN" manifest inspect "$FAKE/x"
		one_line
		python3 "$LIB/terminal.py" size 24 200 -- "$PRISM_BIN" pull \
			"$FAKE/x" | sed 's/\r//g; s/\x1b\[K//g' >"$T/tty"
		is_harmless "$T/tty" || explain_tty pull
		one_line
	done
	registry_end "$FT/keep/fake"
}

@test "an ordinary user's terminal" {
	need USERNS
	AS=as_user
	shows "$PRISM_BIN" history --no-trunc evil
	one_line
	shows "$PRISM_BIN" inspect -f '{{.Author}}' evil
	on_terminal "$PRISM_BIN" run --rm evil
	[[ $output == *'\x1b]0;owned'* ]]
	one_line
	as_user "$PRISM_BIN" create --name c --label "k=$EVIL" busybox "$EVIL"
	shows "$PRISM_BIN" ps -a --format '{{.Labels}}'
	on_terminal "$PRISM_BIN" ps -a
	one_line
	as_user "$PRISM_BIN" rm c
}
