#include "cmd/image_container.h"

#include "base/own.h"
#include "base/userns.h"

int subject_open(const struct globals *g, const char *text, bool inside,
		 struct subject *ret, struct err *e)
{
	/* Before the ids change: the default depends on who we are. */
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();
	autosubject struct subject s = SUBJECT_NONE;
	struct idmap map;

	if ((inside && userns_enter_for_store(&map, e)) ||
	    store_open(root, false, &s.store, e))
		return -1;
	s.home.root_path = store_root(s.store);
	s.home.root_fd = store_dirfd(s.store, STORE_ROOT, e);
	if (s.home.root_fd < 0 || container_open(&s.home, text, &s.c, e) ||
	    container_load(&s.home, &s.c, &s.spec, &s.info, e))
		return -1;
	*ret = s;
	s = (struct subject)SUBJECT_NONE;
	return 0;
}

void subject_close(struct subject *s)
{
	container_close(&s->c);
	spec_free(&s->spec);
	info_free(&s->info);
	store_close(s->store);
	*s = (struct subject)SUBJECT_NONE;
}

const struct idmap *subject_map(const struct subject *s)
{
	return s->spec.map_auto ? &s->spec.map : NULL;
}
