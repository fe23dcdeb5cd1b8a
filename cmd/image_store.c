#include "cmd/image_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "store/gc.h"
#include "store/image.h"

struct untar_opts image_store_untar(const struct idmap *map)
{
	return (struct untar_opts){
		.userxattr = !whoami()->root,
		.no_devices = !whoami()->mknod,
		.squash = map->single,
	};
}

int image_store_open(const struct globals *g, struct store **ret,
		     struct untar_opts *ret_untar, struct err *e)
{
	struct idmap map;
	/* Before the ids change: the default depends on who we are. */
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();

	if (userns_enter_for_store(&map, e))
		return -1;
	if (map.single)
		log_note("all files will belong to one user: %s",
			 map.why_single);
	*ret_untar = image_store_untar(&map);
	if (store_open(root, false, ret, e))
		return -1;
	if (store_try_exclusive(*ret)) {
		const int rc = gc_tmp(*ret, true, NULL, e);

		store_share(*ret);
		return rc;
	}
	return 0;
}

int image_store_add_json(struct txn *t, const json_t *doc, struct digest *ret,
			 size_t *ret_n, struct err *e)
{
	autofree char *text = json_dumps(doc, JSON_COMPACT);

	if (!text)
		return err_set(e, ERR_INVALID, "the document has no JSON form");
	*ret_n = strlen(text);
	hash_bytes(DIGEST_SHA256, text, *ret_n, ret);
	return txn_add_doc(t, ret, text, *ret_n, e);
}

int image_store_new_name(const char *text, struct ref *ret, struct err *e)
{
	if (ref_parse(text, ret, e))
		return -1;
	if (digest_is_set(&ret->digest))
		return err_set(e, ERR_USAGE,
			       "'%s': a name with a digest cannot be given",
			       text);
	return 0;
}

int image_store_unnamed(struct store *s, const struct digest *manifest,
			struct err *e)
{
	struct ref ref = {.registry = "localhost", .repository = "none"};

	ref.digest = *manifest;
	return image_tag(s, &ref, manifest, manifest, e);
}
