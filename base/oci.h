/*
 * oci - OCI and Docker documents as structs (image-spec descriptor.md,
 * image-index.md, manifest.md, config.md; Docker schema 2)
 *
 * Parsed once from verified bytes, bounded by base/limits.h. Every string is
 * owned by the struct; the _free functions take the zero value.
 */
#ifndef BASE_OCI_H
#define BASE_OCI_H

#include "digest.h"
#include "err.h"
#include "platform.h"
#include "str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCI_MT_INDEX      "application/vnd.oci.image.index.v1+json"
#define OCI_MT_MANIFEST   "application/vnd.oci.image.manifest.v1+json"
#define OCI_MT_CONFIG     "application/vnd.oci.image.config.v1+json"
#define OCI_MT_LAYER      "application/vnd.oci.image.layer.v1.tar"
#define OCI_MT_LAYER_GZIP OCI_MT_LAYER "+gzip"
#define DOCKER_MT_LIST \
	"application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MT_MANIFEST \
	"application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MT_CONFIG "application/vnd.docker.container.image.v1+json"

/* Annotations in the index.json of a layout: a tag, a whole name. */
#define OCI_REF_NAME   "org.opencontainers.image.ref.name"
#define OCI_IMAGE_NAME "io.containerd.image.name"

struct oci_desc {
	char media_type[128];
	struct digest digest;
	uint64_t size;
	bool has_platform;
	struct oci_platform platform;
};

struct oci_index {
	char media_type[128];
	struct oci_desc *v;
	size_t n;
};

struct oci_manifest {
	char media_type[128];
	struct oci_desc config;
	struct oci_desc *layers; /* bottom first */
	size_t n_layers;
};

/* Healthcheck: test empty or {"NONE"} is none; 0 is the default. */
struct oci_health {
	struct strv test; /* CMD args..., or CMD-SHELL and a line */
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	int64_t retries;
};

/* What `docker inspect` shows as .Config, and rootfs.diff_ids. */
struct oci_image {
	struct oci_platform platform;
	char *created; /* RFC 3339 text or NULL */
	char *author;
	char *user;        /* "", "name", "uid:gid", ... or NULL */
	char *working_dir; /* or NULL */
	char *stop_signal; /* or NULL */
	struct strv env;   /* K=V, order of the document */
	struct strv entrypoint;
	struct strv cmd;
	struct strv volumes;       /* paths */
	struct strv exposed_ports; /* "80/tcp" */
	struct strv labels;        /* K=V, order of the document */
	struct strv shell;         /* of CMD-SHELL; empty: /bin/sh -c */
	struct oci_health health;
	struct digest *diff_ids; /* bottom first */
	size_t n_diff_ids;
};

enum oci_doc {
	OCI_DOC_INDEX,
	OCI_DOC_MANIFEST,
};

/*
 * What a manifest document is, by its mediaType or, failing that, its members
 * (an index has "manifests"); never by the Content-Type alone, which only
 * breaks ties. Schema 1 and artifacts are refused by name.
 */
int oci_doc_kind(const char *p, size_t len, const char *content_type,
		 enum oci_doc *ret, struct err *e);

int oci_index_parse(const char *p, size_t len, struct oci_index *ret,
		    struct err *e);
int oci_manifest_parse(const char *p, size_t len, struct oci_manifest *ret,
		       struct err *e);
/* What any manifest is made of, an artifact's too, whatever it is. */
int oci_manifest_content(const char *p, size_t len, struct oci_manifest *ret,
			 struct err *e);
int oci_image_parse(const char *p, size_t len, struct oci_image *ret,
		    struct err *e);
void oci_index_free(struct oci_index *x);
void oci_manifest_free(struct oci_manifest *m);
void oci_image_free(struct oci_image *c);

/* "blobs/<algorithm>/<hex>", a blob in an image layout; malloced. */
char *oci_layout_blob(const struct digest *d);

/*
 * The best descriptor for `want`: attestations (unknown/unknown) and unknown
 * media types are skipped, the first of the best matches wins. Descriptors
 * without a platform are returned only if nothing with one matches
 * (*ret_unjudged = true: the caller checks the config). ERR_NOTFOUND lists the
 * platforms that there are.
 */
int oci_index_select(const struct oci_index *x, const struct oci_platform *want,
		     const struct oci_desc **ret, bool *ret_unjudged,
		     struct err *e);

#endif
