#!/usr/bin/env bats
# The programs themselves: what they link, and how they are installed.
load ../lib/common

@test "prism links neither libcurl nor libarchive nor libcrypto" {
	if ldd "$PRISM_BIN" >"$T/ldd" 2>&1; then
		must_not grep -E 'libcurl|libarchive|libcrypto|libssl' "$T/ldd"
	else
		grep -qE 'not a dynamic executable|statically' "$T/ldd"
	fi
	# Nor are they in a static one.
	nm "$PRISM_BIN" >"$T/nm"
	grep -q ' T main$' "$T/nm"
	must_not grep -E ' [TW] (curl_easy_init|archive_read_new|EVP_DigestInit_ex)$' "$T/nm"
}

@test "prism-image links what prism does not" {
	ldd "$FT/bin/prism-image" >"$T/ldd"
	grep -q libcurl "$T/ldd"
	grep -q libarchive "$T/ldd"
	grep -q libcrypto "$T/ldd"
}

@test "all are hardened: PIE, RELRO, BIND_NOW, no executable stack" {
	for p in "$FT"/bin/{prism,prism-image,prism-scope}; do
		readelf -hW "$p" | grep -q 'Type: *DYN'
		readelf -lW "$p" | grep -q GNU_RELRO
		[ "$(readelf -lW "$p" | grep GNU_STACK | grep -c RWE)" = 0 ]
		readelf -dW "$p" | grep -qE 'BIND_NOW|FLAGS_1.*NOW'
	done
}

@test "prism-scope says that no systemd answers" {
	unset DBUS_SESSION_BUS_ADDRESS
	XDG_RUNTIME_DIR=$T capture "$FT/bin/prism-scope" prism-x.scope $$
	[ "$status" = 1 ] || explain "with a 1"
	says "^no systemd of user 0 answers in $T: connect: No such file"
	XDG_RUNTIME_DIR=$T capture "$FT/bin/prism-scope" prism-x.scope x
	says usage
	ldd "$FT/bin/prism-scope" >"$T/ldd"
	grep -q libsystemd "$T/ldd"
}

@test "installed: prism finds prism-image in libexec" {
	mkdir -p "$T/usr/bin" "$T/usr/libexec/prism"
	cp "$PRISM_BIN" "$T/usr/bin/"
	cp "$FT/bin/prism-image" "$T/usr/libexec/prism/"
	must_work "$T/usr/bin/prism" pull --help
	rm "$T/usr/libexec/prism/prism-image"
	capture "$T/usr/bin/prism" pull busybox
	[ "$status" != 0 ] || [ -x /usr/local/libexec/prism/prism-image ]
}

@test "--version and --help" {
	must_work prism --version
	has '^prism version [0-9]+\.[0-9]+'
	must_work prism version
	must_work prism --help
	for c in pull run images rmi inspect fsck; do
		has "^  $c "
	done
}
