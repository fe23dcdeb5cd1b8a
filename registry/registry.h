/*
 * registry - bytes from and to an OCI registry (distribution-spec), over
 * libcurl
 *
 * The public face: manifests whole and verified, blobs into sinks; blobs out of
 * files, manifests as they are. Knows nothing of layers or stores.
 *
 * Endpoints of a reference: the configured mirrors of its registry in order,
 * then the registry itself; login and push use the registry only. TLS is always
 * verified; plain HTTP is used only for loopback addresses and for registries
 * configured insecure. Credentials never follow a redirect to another host,
 * port or scheme.
 *
 * Errors: ERR_NOTFOUND (404), ERR_AUTH (401/403 after the token dance),
 * ERR_NET (no usable answer), ERR_MISMATCH (wrong digest or size), ERR_TOOBIG,
 * ERR_UNSUPPORTED (405: it takes no pushes).
 *
 * Life: registry_make -> registry_manifest / registry_fetch / registry_push
 * ... -> registry_free.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/oci.h"
#include "base/ref.h"
#include <stdint.h>

struct registry;

/* Told to the user while it happens: waits, retries, mirrors passed over. */
typedef void (*registry_note_fn)(void *ctx, const char *text);

struct registry_opts {
	const char *config_path; /* prism's JSON config; NULL: the default */
	const char *auth_file;   /* --authfile; NULL: the usual places */
	int stall_s;             /* without a byte; 0: 30 */
	int tries;               /* per request; 0: 5 */
	registry_note_fn note;   /* may be NULL */
	void *note_ctx;
};

int registry_make(const struct registry_opts *o, struct registry **ret,
		  struct err *e);
void registry_free(struct registry *r);

/*
 * Fetch a manifest or index: by ref's digest, else by its tag; `digest` (may
 * be NULL) overrides both (a manifest named by an index). The bytes are at
 * most MANIFEST_MAX, verified against the digest asked for and against
 * Docker-Content-Digest if sent; *ret_digest is computed from the bytes.
 */
int registry_manifest(struct registry *r, const struct ref *ref,
		      const struct digest *digest, struct buf *ret_bytes,
		      char ret_type[128], struct digest *ret_digest,
		      struct err *e);

/*
 * One blob to fetch. Bytes go to sink in order, beginning at `have` (what the
 * caller holds already from an earlier, broken pull). When the transfer has
 * to start again from zero (no Range support, wrong digest) restart is called
 * first, and the next byte is byte 0. done is called once all desc.size bytes
 * were taken; it verifies, and may answer ERR_MISMATCH to ask for one fetch
 * from zero; a second mismatch is final.
 */
struct registry_blob {
	struct oci_desc desc;
	uint64_t have;
	sink_fn sink;
	int (*restart)(void *ctx, struct err *e);
	int (*done)(void *ctx, struct err *e);
	void *ctx;
};

/*
 * Called several times a second from the transfer loop. -1 ends the fetch.
 */
typedef int (*registry_tick_fn)(void *ctx, struct err *e);

/*
 * Fetch blobs, at most `parallel` at a time (0: 4) in one curl_multi loop. The
 * first failure that is final ends all; the first cause is kept.
 */
int registry_fetch(struct registry *r, const struct ref *ref,
		   struct registry_blob *blobs, size_t n, int parallel,
		   registry_tick_fn tick, void *tick_ctx, struct err *e);

enum registry_how {
	REGISTRY_NOTHING,
	REGISTRY_SENT,
	REGISTRY_WAS_THERE,
	REGISTRY_MOUNTED, /* from the other repository */
};

/*
 * One blob to push. open is called when its bytes are needed; the fd is closed
 * after. done is told what became of it.
 */
struct registry_upload {
	struct oci_desc desc;
	const char *from; /* a repository that may hold it too, or NULL */
	int (*open)(void *ctx, struct err *e);
	void (*done)(void *ctx, const struct registry_upload *u);
	void *ctx;

	enum registry_how how;
	uint64_t sent; /* so far */
};

/* Push blobs to ref's repository, several at a time as registry_fetch does. */
int registry_push(struct registry *r, const struct ref *ref,
		  struct registry_upload *uploads, size_t n, int parallel,
		  registry_tick_fn tick, void *tick_ctx, struct err *e);

/* These bytes, of this type, become what ref's digest, or else tag, names. */
int registry_push_manifest(struct registry *r, const struct ref *ref,
			   const void *p, size_t n, const char *type,
			   const struct digest *digest, struct err *e);

/* Does the registry ("docker.io", "host:port") take these? ERR_AUTH: no. */
int registry_try_login(struct registry *r, const char *name, const char *user,
		       const char *password, struct err *e);

#endif
