# A docker-registry of one's own: a free loopback port, its data where we say.
# shellcheck shell=bash

# registry_serve DATA-DIR NAME [write]: start; REGISTRY_PORT is where. NAME.pid
# and NAME.log stand beside NAME.yml. Without "write" nothing can be pushed, so
# that several may serve the same data. REGISTRY_HTPASSWD: a file of those who
# may.
registry_serve()
{
	local data=$1 name=$2 ro=true try

	if [ "${3:-}" = write ]; then
		ro=false
	fi
	mkdir -p "$data"
	# The kernel hands out free ports, but another may take one before the
	# registry does: try again then.
	for try in 1 2 3 4 5; do
		REGISTRY_PORT=${REGISTRY_FIXED_PORT:-$(free_port)}
		cat >"$name.yml" <<-END
		version: 0.1
		log: {level: error}
		storage:
		  filesystem: {rootdirectory: $data}
		  maintenance: {readonly: {enabled: $ro}}
		http:
		  addr: 127.0.0.1:$REGISTRY_PORT
		END
		if [ -n "${REGISTRY_HTPASSWD:-}" ]; then
			printf 'auth: {htpasswd: {realm: test, path: %s}}\n' \
				"$REGISTRY_HTPASSWD" >>"$name.yml"
		fi
		docker-registry serve "$name.yml" >"$name.log" 2>&1 3>&- &
		printf '%s\n' $! >"$name.pid"
		if registry_ready "$name"; then
			return 0
		fi
		registry_end "$name"
	done
	printf 'docker-registry does not start (try %s):\n' "$try" >&2
	cat "$name.log" >&2
	return 1
}

free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

registry_ready()
{
	local end=$((EPOCHSECONDS + 60)) code

	while [ "$EPOCHSECONDS" -lt "$end" ]; do
		if ! kill -0 "$(cat "$1.pid")" 2>/dev/null; then
			return 1
		fi
		code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 \
			"http://127.0.0.1:$REGISTRY_PORT/v2/") || true
		# 401: it wants a password.
		if [[ $code =~ ^(200|401)$ ]]; then
			return 0
		fi
		sleep 0.05
	done
	printf 'no answer on port %s\n' "$REGISTRY_PORT" >&2
	return 1
}

# registry_end NAME: stop it and wait until it is gone.
registry_end()
{
	local pid

	[ -e "$1.pid" ] || return 0
	pid=$(cat "$1.pid")
	kill "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do
		wait "$pid" 2>/dev/null || sleep 0.02
	done
	rm -f "$1.pid"
}
