/*
 * --userns: whose ids stand behind those of the container
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"
#include "runtime/autorange.h"

struct keep {
	uint32_t uid, gid;
};

/* "keep-id:uid=1000,gid=1000" */
static int keep_options(const char *p, struct keep *k, struct err *e)
{
	while (*p) {
		const size_t n = strcspn(p, ",");
		autofree char *word = xstrndup(p, n);
		const char *const uid = str_after(word, "uid=");
		const char *const gid = str_after(word, "gid=");

		if (!(uid && str_to_u32(uid, INT32_MAX, &k->uid)) &&
		    !(gid && str_to_u32(gid, INT32_MAX, &k->gid)))
			return err_set(e, ERR_USAGE,
				       "--userns keep-id: '%s' is neither "
				       "uid=N nor gid=N",
				       word);
		p += n + (p[n] == ',');
	}
	return 0;
}

/* A name as passwd(5) takes it, or NULL. */
static char *caller_name(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	const char *const name = getenv("USER");

	return str_empty(name) || name[strspn(name, letters)] != '\0' ||
			       strlen(name) > 32 || name[0] == '-'
		       ? NULL
		       : xstrdup(name);
}

/* The caller is itself inside too, unless a flag or the image says who. */
static int keep_id(const struct run_opts *o, const char *options,
		   struct run_spec *s, struct err *e)
{
	struct keep k = {getuid(), getgid()};

	if (keep_options(options, &k, e) < 0 ||
	    idmap_keep_id(&s->map, k.uid, k.gid, e) < 0)
		return -1;
	s->user = xasprintf("%u:%u", k.uid, k.gid);
	if (!o->user)
		s->user_name = caller_name();
	return 0;
}

static int as_user(const struct run_opts *o, const char *keep,
		   struct run_spec *s, struct err *e)
{
	s->userns = true;
	if (idmap_of_caller(&s->map, e) < 0)
		return -1;
	if (keep)
		return keep_id(o, keep, s, e);
	if (s->map.single)
		log_note("only your own id is mapped (%s): all files in the "
			 "container belong to you",
			 s->map.why_single);
	return 0;
}

/* The kernel lets only root of the host map the mounts of a file system. */
static int check_idmap(const struct run_spec *s, struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].idmap && s->userns && !s->map_auto) {
			(void)err_set(e, ERR_UNSUPPORTED,
				      "mount on %s: idmap needs root and "
				      "--userns auto",
				      s->mounts[i].target);
			return err_hint(e, "U gives the files to the "
					   "container's user");
		}
	return 0;
}

int run_opts_userns(const struct run_opts *o, const char *run_dir,
		    struct run_spec *s, int *ret_range, struct err *e)
{
	const char *const w = o->userns ? o->userns : "";
	const char *const rest = str_after(w, "keep-id");
	const char *const keep = !rest          ? NULL
				 : !*rest       ? rest
				 : *rest == ':' ? rest + 1
						: NULL;
	const bool is_auto = !strcmp(w, "auto");

	*ret_range = -1;
	if (*w && !is_auto && !keep && strcmp(w, "host") != 0) {
		(void)err_set(e, ERR_UNSUPPORTED, "--userns %s is not in prism",
			      w);
		return err_hint(e, "there are auto, host and "
				   "keep-id[:uid=N,gid=N]");
	}
	if (keep && geteuid() == 0)
		return err_set(e, ERR_USAGE,
			       "--userns keep-id is for ordinary users: root "
			       "is itself already");
	if (!whoami()->root)
		return as_user(o, keep, s, e) < 0 ? -1 : check_idmap(s, e);
	if (!is_auto)
		return 0;
	s->userns = true;
	s->map_auto = true;
	*ret_range =
		autorange_take(run_dir ? run_dir : "/run/prism", &s->map, e);
	return *ret_range < 0 ? -1 : 0;
}
