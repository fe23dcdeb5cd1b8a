/*
 * import - the files of a tar as an image of one layer
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/oci.h"
#include "base/own.h"
#include "base/platform.h"
#include "base/ref.h"
#include "base/str.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/image_change.h"
#include "cmd/image_input.h"
#include "cmd/image_store.h"
#include "store/image.h"
#include "store/newlayer.h"
#include "store/txn.h"

struct import_opts {
	struct strv changes;
	const char *message;
	const char *platform;
	bool quiet;
};

static const struct opt import_options[] = {
	{'c', "change", OPT_LIST, offsetof(struct import_opts, changes),
	 "INSTRUCTION", "Of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, ..."},
	{'m', "message", OPT_STR, offsetof(struct import_opts, message), "TEXT",
	 "What it is about"},
	{0, "platform", OPT_STR, offsetof(struct import_opts, platform),
	 "OS/ARCH[/VARIANT]", "What the files are for (default: this machine)"},
	{'q', "quiet", OPT_BOOL, offsetof(struct import_opts, quiet), NULL,
	 "Nothing but the id is printed anyway"},
	{0},
};

struct import {
	const struct import_opts *o;
	const char *from;
	struct oci_platform platform;
	struct store *store;
	struct untar_opts untar;
	json_t *config; /* the image's */
	struct digest layer;
	struct digest diff_id;
	uint64_t layer_size;
	struct digest id; /* of the config */
	struct digest manifest;
};

static int write_layer(struct import *m, struct txn *t, int fd, struct err *e)
{
	autonewlayer struct newlayer *l = newlayer_begin(m->store, e);
	STEP(e, "layer", "read %s", m->from);

	if (!l)
		return -1;
	if (newlayer_read(l, fd, e)) {
		if (e->kind == ERR_UNSUPPORTED)
			(void)err_hint(e, "decompress it on the way: xz -dc "
					  "FILE | prism import - NAME");
		return -1;
	}
	return newlayer_end(l, t, &m->untar, &m->layer, &m->layer_size,
			    &m->diff_id, e);
}

static json_t *history(const struct import *m, const char *now)
{
	autofree char *from = xasprintf("Imported from %s", m->from);

	return json_pack("{s:s, s:s}", "created", now, "comment",
			 m->o->message ? m->o->message : from);
}

static int make_config(struct import *m, struct err *e)
{
	json_t *const config = json_object();
	char now[CLOCK_TEXT_MAX];

	(void)clock_text(clock_now(), false, now);
	m->config = json_pack(
		"{s:s, s:s, s:s, s:o, s:{s:s, s:[s]}, s:[o]}", "created", now,
		"architecture", m->platform.arch, "os", m->platform.os,
		"config", config, "rootfs", "type", "layers", "diff_ids",
		DIGEST_TEXT(&m->diff_id), "history", history(m, now));
	if (*m->platform.variant)
		(void)json_object_set_new(m->config, "variant",
					  json_string(m->platform.variant));
	return change_config(config, &m->o->changes, e);
}

static int add_documents(struct import *m, struct txn *t, struct err *e)
{
	autojson json_t *doc = NULL;
	size_t n;

	if (make_config(m, e) ||
	    image_store_add_json(t, m->config, &m->id, &n, e))
		return -1;
	doc = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I}]}",
			"schemaVersion", 2, "mediaType", OCI_MT_MANIFEST,
			"config", "mediaType", OCI_MT_CONFIG, "digest",
			DIGEST_TEXT(&m->id), "size", (json_int_t)n, "layers",
			"mediaType", OCI_MT_LAYER_GZIP, "digest",
			DIGEST_TEXT(&m->layer), "size",
			(json_int_t)m->layer_size);
	return image_store_add_json(t, doc, &m->manifest, &n, e);
}

static int build(struct import *m, struct txn *t, int fd, struct err *e)
{
	if (write_layer(m, t, fd, e) || add_documents(m, t, e) ||
	    txn_add_skeleton(t, &m->manifest, &m->diff_id, 1,
			     m->untar.userxattr, e) ||
	    txn_commit(t, e))
		return -1;
	crash_point("import-committed");
	return 0;
}

static int name_it(const struct import *m, const char *name,
		   const struct ref *ref, struct err *e)
{
	if (!name)
		return image_store_unnamed(m->store, &m->manifest, e);
	return image_tag(m->store, ref, &m->manifest, &m->manifest, e);
}

/* The words, before anything is read. */
static int check_words(struct import *m, const char *name, struct ref *ret,
		       struct err *e)
{
	if (str_starts(m->from, "http://") || str_starts(m->from, "https://")) {
		(void)err_set(e, ERR_UNSUPPORTED, "'%s' is an address",
			      m->from);
		return err_hint(e, "fetch it: curl -L URL | prism import - "
				   "NAME");
	}
	if (oci_platform_or_host(m->o->platform, &m->platform, e))
		return -1;
	return name ? image_store_new_name(name, ret, e) : 0;
}

static int import_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	struct import m = {.o = fields, .from = argv[0]};
	const char *const name = argc > 1 ? argv[1] : NULL;
	autoclose int fd = -1;
	struct txn *t = NULL;
	struct ref ref;
	int rc;

	if (check_words(&m, name, &ref, e))
		return -1;
	fd = image_input_open(m.from, e);
	if (fd < 0)
		return -1;
	rc = image_store_open(g, &m.store, &m.untar, e);
	if (rc == 0) {
		t = txn_make(m.store);
		rc = build(&m, t, fd, e);
	}
	if (rc == 0)
		rc = name_it(&m, name, &ref, e);
	if (rc == 0)
		out_line("%s", DIGEST_TEXT(&m.id));
	txn_free(t);
	json_decref(m.config);
	store_close(m.store);
	return rc;
}

extern const struct command cmd_import;
const struct command cmd_import = {
	.name = "import",
	.operands = "FILE|- [REPOSITORY[:TAG]]",
	.summary = "Make an image of the files of a tar",
	.opts = import_options,
	.fields_size = sizeof(struct import_opts),
	.min_operands = 1,
	.max_operands = 2,
	.run = import_run,
};
