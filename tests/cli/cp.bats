#!/usr/bin/env bats
# cp, export, diff: what goes where, as Docker has it; running and stopped
# containers; owners; links that are swapped meanwhile.
load ../lib/common

setup_file()
{
	file_setup
	file_stores busybox
}

teardown()
{
	prism rm -f c live >/dev/null 2>&1 || true
	if [ -d "$FT/user/home/.local" ]; then
		as_user "$PRISM_BIN" rm -f c live >/dev/null 2>&1 || true
	fi
	test_teardown
}

# files: a small tree to copy from, in the working directory.
files()
{
	mkdir -p d/sub
	echo file >f
	echo in-d >d/g
	echo deep >d/sub/h
	ln -s f l
	ln -s d dl
}

# tree: what the container c has in /t, as a listing without times.
tree()
{
	prism cp c:/t - | tar -tv --numeric-owner | awk '{ print $1, $2, $6 $7 $8 }'
}

# live ARG...: a container that runs, with arguments before the image.
live()
{
	prism run --name live "$@" busybox sh -c 'touch /up; exec sleep 1000' \
		>/dev/null 2>&1 3>&- &
	wait_for prism cp live:/up "$T/up" 2>/dev/null
}

# ---- what goes where --------------------------------------------------------------

@test "into a container: every case of destination and source" {
	need ROOT OVERLAY
	files
	must_work prism run --name c busybox mkdir /t
	must_work prism cp f c:/t/new
	must_work prism cp f c:/t/
	must_work prism cp f c:t
	must_work prism cp d c:/t
	must_work prism cp d c:/t/d2
	must_work prism cp d/. c:/t/d3
	must_work prism cp d/. c:/t/d2/sub
	must_work prism cp dl/ c:/t
	must_work prism cp l c:/t/l
	must_work prism cp -L l c:/t/followed
	must_work prism cp -L l c:/t/d
	output=$(tree) stderr='' status=0
	has '^-rw.* t/new$'
	has '^-rw.* t/f$'
	has '^-rw.* t/d/sub/h$'
	has '^-rw.* t/d2/g$'
	has '^-rw.* t/d3/g$'
	has '^-rw.* t/d2/sub/g$'
	has '^drw.* t/dl/$'
	has '^lrw.* t/l->f$'
	has '^-rw.* t/followed$'
	has '^-rw.* t/d/l$'
	# A directory that is there takes the source into it.
	must_work prism cp d c:/t/d2
	output=$(tree)
	has 't/d2/d/sub/h$'
}

@test "into a container: what cannot be" {
	need ROOT OVERLAY
	files
	must_work prism run --name c busybox sh -c 'mkdir /t; touch /t/f; mkdir /t/g'
	must_fail 1 prism cp f c:/none/
	says 'no such directory'
	must_fail 1 prism cp f c:/none/x
	says 'Could not find the file /none/ in container c'
	must_fail 1 prism cp d c:/t/f
	says 'cannot copy a directory'
	must_fail 1 prism cp f c:/t/f/
	must_fail 1 prism cp nothing c:/
	says 'nothing'
	must_fail 1 prism cp d/. c:/t/f
	# A file does not take the place of a directory.
	must_fail 1 prism cp d/g c:/t
	says "cannot overwrite directory 'g'"
	must_fail 1 prism cp f nobody:/x
	says 'No such container: nobody'
	must_fail 1 prism cp c:/a c:/b
	says 'copying between containers is not supported'
	must_fail 1 prism cp a b
	says 'at least one container'
}

@test "out of a container" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c \
		'mkdir -p /t/d/sub; echo 1 >/t/f; echo 2 >/t/d/g; ln -s f /t/l
		 ln -s /t/d /t/dl; chown 7:8 /t/f; chmod 4750 /t/f'
	must_work prism cp c:/t/f new
	[ "$(stat -c '%a %u' new)" = '4750 0' ] || explain 'mode and owner'
	must_work prism cp c:/t/d out
	[ -e out/g ] || explain 'a new directory'
	must_work prism cp c:/t/d out
	[ -e out/d/g ] || explain 'into one that is there'
	must_work prism cp c:/t/d/. out/x
	[ -e out/x/g ] || explain 'the contents'
	must_work prism cp c:/t/l .
	[ "$(readlink l)" = f ] || explain 'a link'
	must_work prism cp -L c:/t/l followed
	[ "$(cat followed)" = 1 ] || explain 'where it leads'
	must_work prism cp c:/t/dl/ out2
	[ -e out2/g ] || explain 'a link with a slash'
	must_fail 1 prism cp c:/t/none .
	says 'Could not find the file /t/none in container c'
	must_fail 1 prism cp c:/t/f none/x
	says 'invalid output path'
	must_fail 1 prism cp c:/t/d new
}

@test "tar on - in both ways" {
	need ROOT OVERLAY
	files
	chown 5:6 f
	must_work prism run --name c busybox mkdir /t
	tar c f d | must_work prism cp - c:/t
	tar cz l | must_work prism cp - c:/t
	must_work prism cp c:/t -
	prism cp c:/t - | tar tv --numeric-owner >"$T/list"
	grep -q ' 5/6 .* t/f$' "$T/list"
	grep -q 't/d/sub/h$' "$T/list"
	grep -q 't/l -> f$' "$T/list"
	prism cp c:/t/. - | tar t | grep -qx './f'
	tar cf f.tar f
	must_fail 1 prism cp - c:/t/f <f.tar
	says 'must be a directory'
	echo 'no tar at all, whatever it says' >junk
	must_fail 1 prism cp - c:/t <junk
	tar -P --transform 's,^,../../,' -cf evil.tar f
	must_fail 1 prism cp - c:/t <evil.tar
	says 'leads out'
}

@test "owners: as they are, or with -a the user of the container" {
	need ROOT OVERLAY
	files
	chown 1234:1235 f
	must_work prism run --name c -u 1000:2000 busybox true
	must_work prism cp f c:/a
	must_work prism cp -a f c:/b
	output=$(prism export c | tar tv --numeric-owner) stderr='' status=0
	has ' 1234/1235 .* a$'
	has ' 1000/2000 .* b$'
}

# ---- running containers -------------------------------------------------------------

@test "a running container: its mounts are in sight, both ways" {
	need ROOT OVERLAY
	mkdir host ro
	echo from-host >host/f
	live -v "$T/host:/host" -v "$T/ro:/ro:ro" --tmpfs /scratch
	must_work prism cp live:/host/f copy
	[ "$(cat copy)" = from-host ]
	must_work prism cp copy live:/host/back
	[ "$(cat host/back)" = from-host ]
	must_work prism cp copy live:/scratch/x
	must_work prism cp live:/scratch/x copy2
	[ "$(cat copy2)" = from-host ]
	must_fail 1 prism cp copy live:/ro/x
	says 'EROFS'
	must_work prism cp live:/proc/version version
	must_work prism cp live:/etc/hostname name
	prism rm -f live
	must_work prism volume prune -f
}

@test "a running container with ids of its own" {
	need ROOT OVERLAY
	files
	live --userns auto
	chown 1000:1000 f
	chmod 0700 d
	must_work prism cp f live:/tmp/f
	must_work prism cp d live:/tmp/d
	must_work prism cp live:/tmp -
	prism cp live:/tmp - | tar tv --numeric-owner >"$T/list"
	grep -q ' 1000/1000 .* tmp/f$' "$T/list"
	grep -q '^drwx------ 0/0 .* tmp/d/$' "$T/list"
	must_work prism cp live:/tmp/d out
	[ "$(stat -c %u out/g)" = 0 ]
}

@test "links that the container swaps lead nowhere outside" {
	need ROOT OVERLAY
	local i
	# The same path in the container and on the host.
	mkdir -p "$T/canary"
	echo HOST >"$T/canary/secret"
	echo new >f
	prism run --name live -e P="$T/canary" busybox sh -c '
		mkdir -p "$P" /real; echo INSIDE >"$P/secret"
		echo INSIDE >/real/secret; ln -s "$P" /link; ln -s / /slash
		touch /up
		while :; do
			rm -rf /x; ln -s "$P" /x; rm -f /x; mkdir /x
			echo INSIDE >/x/secret; rm -rf /x; ln -s /proc/1/root /x
			rm -f /x; cp -r /real /x; sleep 0.01
		done' >/dev/null 2>&1 3>&- &
	wait_for prism cp live:/up "$T/up" 2>/dev/null
	for i in $(seq 20); do
		rm -rf "$T/out"
		prism cp live:/x/secret "$T/out" >/dev/null 2>&1 || true
		if [ -e "$T/out" ] && grep -q HOST "$T/out"; then
			explain "round $i: $(cat "$T/out")"
		fi
		prism cp f live:/x/ >/dev/null 2>&1 || true
		prism cp f live:/x/secret >/dev/null 2>&1 || true
	done
	[ "$(ls -A "$T/canary")" = secret ] || explain 'nothing new on the host'
	[ "$(cat "$T/canary/secret")" = HOST ] || explain 'nothing changed there'
	must_work prism cp live:/link/secret out1
	must_not grep HOST out1
	must_work prism cp "live:/slash/$T/canary/secret" out2
	must_not grep HOST out2
	must_work prism cp f "live:/link/../canary/f"
	[ ! -e "$T/canary/f" ] || explain 'not on the host'
}

@test "as an ordinary user: running and stopped, owners of the range" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	local home=$FT/user/home
	u()
	{
		as_user "$PRISM_BIN" "$@"
	}
	as_user sh -c "echo mine >$home/f; mkdir -m 0700 $home/d; echo x >$home/d/g"
	must_work u run --name c busybox sh -c 'mkdir -m 0700 /t; echo 1 >/t/f; chown -R 33:33 /t'
	must_work u cp c:/t "$home/out"
	[ "$(stat -c '%U' "$home/out/f")" = "$TEST_USER" ] || explain 'the owner'
	must_work u cp "$home/d" c:/t/d
	must_work u diff c
	has '^A /t/d/g$'
	u export c | tar tv --numeric-owner >"$T/list"
	grep -q ' 33/33 .* t/f$' "$T/list"
	grep -q ' 0/0 .* t/d/g$' "$T/list"
	as_user "$PRISM_BIN" run --name live busybox sh -c 'touch /up; exec sleep 1000' \
		>/dev/null 2>&1 3>&- &
	wait_for u cp live:/up "$home/up" 2>/dev/null
	must_work u cp "$home/f" live:/tmp/f
	must_work u cp live:/tmp/f "$home/back"
	[ "$(cat "$home/back")" = mine ]
	must_work u rm -f live c
	rm -rf "${home:?}"/{f,d,out,up,back}
}

# ---- stopped containers with mounts --------------------------------------------------

@test "a stopped container: volumes and bind mounts are in sight, both ways" {
	need ROOT OVERLAY
	mkdir host ro
	echo from-host >host/f
	echo mine >m
	must_work prism run --name c -v "$T/host:/mnt/in" -v "$T/ro:/ro:ro" \
		-v vol:/vol -v "$T/host/f:/one" --tmpfs /scratch busybox \
		sh -c 'echo in-volume >/vol/v; echo lost >/scratch/x'
	must_work prism cp c:/mnt/in/f copy
	[ "$(cat copy)" = from-host ]
	must_work prism cp c:/vol out
	[ "$(cat out/v)" = in-volume ]
	must_work prism cp c:/one copy1
	[ "$(cat copy1)" = from-host ]
	must_work prism cp m c:/mnt/in/m
	must_work prism cp m c:/vol/m
	must_work prism cp m c:/plain
	[ "$(cat host/m)" = mine ]
	must_work prism run --rm -v vol:/v busybox cat /v/m
	prints mine
	must_fail 1 prism cp m c:/ro/m
	says 'EROFS'
	must_fail 1 prism cp c:/scratch/x gone
	must_work prism export -o tar c
	must_not tar tf tar vol/m
	rm -r host
	must_work prism cp c:/plain back
	says 'ignoring what is mounted on /mnt/in'
	[ "$(cat back)" = mine ]
	must_work prism rm c
	must_work prism volume rm vol
}

@test "a created container: places are made, volumes show what they will hold" {
	need ROOT OVERLAY
	mkdir host
	echo x >host/f
	must_work prism create --name c -v "$T/host:/no/such/place" -v vol:/etc \
		-v none:/bin:nocopy busybox cat /etc/passwd /etc/mine
	must_work prism cp c:/no/such/place/f f
	must_work prism diff c
	prints ''
	must_work prism cp c:/etc/passwd passwd
	must_fail 1 prism cp c:/bin/sh sh
	echo mine >mine
	must_work prism cp mine c:/etc/mine
	must_work prism cp mine c:/no/such/place/mine
	[ "$(cat host/mine)" = mine ]
	must_work prism rm c
	# What was put there is what the volume is filled with.
	must_work prism create --name c -v vol:/etc busybox true
	must_work prism cp mine c:/etc/mine
	must_work prism start -a c
	must_work prism run --rm -v vol:/v busybox cat /v/mine
	prints mine
	must_work prism rm c
	must_work prism volume rm vol none
}

@test "links of a stopped container do not lead its mounts out" {
	need ROOT OVERLAY
	mkdir host "$T/canary"
	echo x >host/f
	must_work prism create --name c -v "$T/host:/data/in" busybox true
	ln -s "$T/canary" data
	must_work prism cp data c:/data
	must_work prism cp c:/data/in/f f
	echo y >y
	must_work prism cp y c:/data/in/y
	[ "$(cat host/y)" = y ]
	[ -z "$(ls -A canary)" ] || explain 'nothing on the host'
	must_work prism rm c
}

@test "a stopped container with ids of its own" {
	need ROOT OVERLAY
	files
	mkdir -m 0777 host
	must_work prism run --name c --userns auto -v vol:/vol -v "$T/host:/host" \
		busybox sh -c 'mkdir /t; echo 1 >/t/f; chown 33:34 /t/f
			touch /vol/v /host/h; chown 5:6 /vol/v'
	chown 1000:1000 f
	chmod 0700 d
	must_work prism cp f c:/t/new
	must_work prism cp d c:/t
	must_work prism cp f c:/etc
	must_work prism cp f c:/vol/f
	for dir in /t /etc/f /vol /host; do
		prism cp "c:$dir" - | tar tv --numeric-owner
	done >"$T/list"
	grep -q ' 33/34 .* t/f$' "$T/list"
	grep -q ' 1000/1000 .* t/new$' "$T/list"
	grep -q '^drwx------ 0/0 .* t/d/$' "$T/list"
	grep -q ' 1000/1000 .* f$' "$T/list"
	grep -q ' 5/6 .* vol/v$' "$T/list"
	grep -q ' 0/0 .* host/h$' "$T/list"
	must_work prism cp c:/t/d out
	[ "$(stat -c %u out/g)" = 0 ]
	# The container sees the same, and nothing of it is nobody's.
	must_work prism rm c
	must_work prism create --name c --userns auto -v vol:/vol busybox \
		stat -c '%u:%g %n' /t/f /etc/f /etc /vol/f
	mkdir t
	must_work prism cp f c:/etc
	must_work prism cp t c:/
	must_work prism cp f c:/t
	must_work prism start -a c
	prints $'1000:1000 /t/f\n1000:1000 /etc/f\n0:0 /etc\n1000:1000 /vol/f'
	must_work prism rm c
	must_work prism volume rm vol
}

@test "as an ordinary user with keep-id: what goes in is the user's" {
	need ROOT USER USERNS OVERLAY
	PRISM_ROOT=$T/not-used
	local home=$FT/user/home
	as_user sh -c "echo mine >$home/f; mkdir $home/d"
	must_work as_user "$PRISM_BIN" create --name c --userns keep-id \
		-v "$home/d:/d" -v vol:/vol busybox \
		sh -c 'for i in /f /d/f /vol/f; do [ ! -e $i ] || stat -c %u $i; done'
	must_work as_user "$PRISM_BIN" cp "$home/f" c:/
	must_work as_user "$PRISM_BIN" cp "$home/f" c:/d
	must_work as_user "$PRISM_BIN" start -a c
	must_work as_user "$PRISM_BIN" cp "$home/f" c:/vol/f
	must_work as_user "$PRISM_BIN" start -a c
	uid=$(id -u "$TEST_USER")
	prints "$uid"$'\n'"$uid"$'\n'"$uid"
	must_work as_user "$PRISM_BIN" rm c
	must_work as_user "$PRISM_BIN" volume rm vol
	rm -rf "${home:?}"/{f,d}
}

# ---- export and diff ------------------------------------------------------------------

@test "export: the whole tree, also to a file" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c 'rm /bin/vi; mkdir /n; echo x >/n/f'
	must_work prism export -o "$T/e.tar" c
	prism export c | cmp - "$T/e.tar"
	tar tf "$T/e.tar" >"$T/list"
	grep -qx n/f "$T/list"
	must_not grep -qx bin/vi "$T/list"
	must_fail 1 prism export -o "$T/none/e.tar" c
	must_fail 1 prism export none
	must_not compgen -G "$T/*tmp-*"
}

@test "diff: added, changed, deleted; parents first" {
	need ROOT OVERLAY
	must_work prism run --name c busybox sh -c \
		'mkdir -p /n/m; echo x >/n/m/f; rm /bin/vi; echo more >>/etc/passwd
		 rm -r /home; mkdir /home; touch /home/new; cat /etc/group >/dev/null
		 chmod 0711 /root'
	must_work prism diff c
	prints "$(printf '%s\n' 'C /bin' 'D /bin/vi' 'C /etc' 'C /etc/passwd' \
		'C /home' 'D /home/app' 'A /home/new' 'A /n' 'A /n/m' 'A /n/m/f' \
		'C /root')"
	must_fail 1 prism diff none
}

# odd_tar: entries of a directory long after the directory's own entry; a hard
# link into another directory; a path through a link of the container.
odd_tar()
{
	python3 - "$1" <<-'END'
		import io, sys, tarfile
		def add(t, name, kind, mode, to=''):
		    x = tarfile.TarInfo(name)
		    x.type, x.mode, x.mtime, x.linkname = kind, mode, 1000, to
		    t.addfile(x, io.BytesIO(b''))
		with tarfile.open(sys.argv[1], 'w') as t:
		    add(t, 'a', tarfile.DIRTYPE, 0o500)
		    add(t, 'a/sub', tarfile.DIRTYPE, 0o700)
		    add(t, 'b', tarfile.DIRTYPE, 0o755)
		    add(t, 'a/late', tarfile.REGTYPE, 0o644)
		    add(t, 'b/hard', tarfile.LNKTYPE, 0o644, 'a/late')
		    add(t, 'a/sub/later', tarfile.REGTYPE, 0o600)
		    add(t, 'link/through', tarfile.REGTYPE, 0o644)
	END
}

odd_order()
{
	must_work "$@" run --network none --name c busybox sh -c \
		'mkdir -p /t /end && ln -s /end /t/link'
	must_work "$@" cp - c:/t <"$T/odd.tar"
	must_work "$@" cp c:/t - <"$T/odd.tar"
	tar -tvf "$T/.out" --numeric-owner >"$T/list" --full-time \
		2>/dev/null || tar -tvf "$T/.out" >"$T/list"
	output=$(awk '{ print $1, $4, $6, $7, $8 }' "$T/list")
	[[ $output == *'dr-x------ 1970-01-01 t/a/'* ]] || explain 'a'
	[[ $output == *'drwx------ 1970-01-01 t/a/sub/'* ]] || explain 'a/sub'
	[[ $output == *'t/a/late'* && $output == *'t/a/sub/later'* ]] ||
		explain 'what came late'
	[[ $output == *'hrw-r--r-- '*'t/b/hard link to'* ||
		$output == *'hrw-r--r-- '*'t/b/hard link'* ]] || explain 'b/hard'
	must_work "$@" cp c:/end/through "$T/through.$#"
	must_work "$@" rm c
}

@test "a tar with entries in an unusual order" {
	need ROOT OVERLAY
	odd_tar "$T/odd.tar"
	chmod 0777 "$T"
	odd_order prism
	[ -z "${TEST_USER:-}" ] || odd_order as_user "$PRISM_BIN"
}
