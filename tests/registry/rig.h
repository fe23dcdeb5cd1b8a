/*
 * rig - a fake registry (fake.py) beside the test program, and the registry
 * library pointed at it
 *
 * The program moves into a mount namespace of its own, where the certificate
 * of the fake's "tls" listener is the only one that is trusted. Test programs
 * are one file each, so they include rig.c.
 */
#ifndef TESTS_REGISTRY_RIG_H
#define TESTS_REGISTRY_RIG_H

#include "base/json.h"
#include "registry/registry.h"

struct rig {
	pid_t fake;
	int fake_stdin;
	char dir[64];
	json_t *info; /* what fake.py printed */
	struct registry *registry;
	char notes[8192];
	int n_notes;
};

struct rig *rig_up(void);
void rig_down(struct rig *g);

/* The port of "main", "other", "tls", "rogue". */
int rig_port(const struct rig *g, const char *listener);

/* New behaviour, forgotten log, notes and configuration files. */
void rig_set(struct rig *g, const char *ctl_json);
/* What the fake has seen since; to be json_decref'd. */
json_t *rig_log(const struct rig *g);
/* How many requests had `text` in the path (and no more than `range`). */
int rig_count(const struct rig *g, const char *text);

/* Write a file into the rig's directory; returns its path (static). */
const char *rig_file(struct rig *g, const char *name, const char *text);

/* A registry object; config and auth file may be NULL. */
void rig_open(struct rig *g, const char *config, const char *auth_file,
	      int stall_s);

/* "127.0.0.1:PORT/repo/x:tag" */
struct ref rig_ref(const struct rig *g, const char *listener, const char *tag);

/* The descriptor of layer i. */
struct oci_desc rig_layer(const struct rig *g, size_t i);

/* A blob that is taken into memory and verified like the store does. */
struct rig_blob {
	struct buf bytes;
	struct oci_desc desc;
	int restarts;
	int fail_at; /* the sink refuses once it has more; 0: never */
	int dones;
};
/* Fetch n blobs; `have` bytes of the first are there already. */
int rig_fetch(struct rig *g, const struct ref *ref, struct rig_blob *b,
	      size_t n, size_t have, struct err *e);
void rig_blob_free(struct rig_blob *b);

#endif
