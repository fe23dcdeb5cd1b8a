/*
 * image_store - the store as commands see it that put images into it
 */
#ifndef CMD_IMAGE_STORE_H
#define CMD_IMAGE_STORE_H

#include "base/err.h"
#include "base/json.h"
#include "base/ref.h"
#include "base/userns.h"
#include "cmd/cmd.h"
#include "store/store.h"
#include "store/txn.h"
#include "store/untar.h"

/*
 * Open it to write: an ordinary user's as root of the user namespace that owns
 * its files, in which the caller is from here on. *ret_untar is what layers are
 * unpacked with.
 */
int image_store_open(const struct globals *g, struct store **ret,
		     struct untar_opts *ret_untar, struct err *e);

/* map: of the namespace that we are in. */
struct untar_opts image_store_untar(const struct idmap *map);

/* A document into the transaction; its digest and its bytes. */
int image_store_add_json(struct txn *t, const json_t *doc, struct digest *ret,
			 size_t *ret_n, struct err *e);

/* A name for an image that is made here: ERR_USAGE with a digest in it. */
int image_store_new_name(const char *text, struct ref *ret, struct err *e);

/* An image that has no name of its own is found by its digest. */
int image_store_unnamed(struct store *s, const struct digest *manifest,
			struct err *e);

#endif
