#include "name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/own.h"

#define ID_LEN  64
#define BY_NAME "containers/by-name"

bool name_is_id(const char *s)
{
	return strlen(s) == ID_LEN && strspn(s, "0123456789abcdef") == ID_LEN;
}

/* ---- derived names -------------------------------------------------------- */

#define N_WORDS 64

static const char adjectives[N_WORDS][8] = {
	"amber",   "ample",  "apt",    "bold",   "brave",  "brief",  "bright",
	"brisk",   "broad",  "calm",   "candid", "clear",  "clever", "cool",
	"crisp",   "dapper", "deft",   "eager",  "early",  "even",   "exact",
	"fair",    "fast",   "fine",   "firm",   "fleet",  "fond",   "frank",
	"free",    "fresh",  "gentle", "glad",   "golden", "grand",  "happy",
	"hardy",   "honest", "humble", "ideal",  "jolly",  "keen",   "kind",
	"lively",  "lucid",  "lucky",  "merry",  "mild",   "neat",   "noble",
	"patient", "plain",  "polite", "proud",  "quick",  "quiet",  "rapid",
	"ready",   "sharp",  "silent", "snug",   "steady", "sunny",  "tidy",
	"warm",
};

static const char nouns[N_WORDS][8] = {
	"acorn", "alder",  "anchor", "ash",   "badger",  "basil",   "beech",
	"birch", "bison",  "brook",  "cedar", "cliff",   "clover",  "cove",
	"crane", "delta",  "dune",   "eagle", "elk",     "falcon",  "fern",
	"finch", "fjord",  "forest", "fox",   "gale",    "glade",   "grove",
	"gull",  "harbor", "hare",   "hawk",  "hazel",   "heron",   "hill",
	"ibis",  "island", "ivy",    "jay",   "juniper", "kestrel", "lagoon",
	"lake",  "lark",   "linden", "lynx",  "maple",   "marten",  "meadow",
	"moor",  "moss",   "oak",    "otter", "owl",     "pine",    "plover",
	"raven", "reed",   "river",  "robin", "stream",  "thrush",  "willow",
	"wren",
};

static unsigned int hex_value(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The digits are those that the id begins with. */
void name_derive(const char *id, char ret[CONTAINER_NAME_MAX])
{
	const unsigned int n = hex_value(id[4]) << 8 | hex_value(id[5]) << 4 |
			       hex_value(id[6]);

	(void)snprintf(ret, CONTAINER_NAME_MAX, "%s_%s_%.4s",
		       adjectives[n / N_WORDS], nouns[n % N_WORDS], id);
}

/* ---- reserved names ------------------------------------------------------- */

int name_check(const char *name, struct err *e)
{
	const size_t n = strlen(name);

	if (n < 1 || n >= CONTAINER_NAME_MAX ||
	    !isalnum((unsigned char)name[0]) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_.-") != n)
		return err_set(e, ERR_USAGE,
			       "Invalid container name (%.127s), only "
			       "[a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed",
			       name);
	return 0;
}

/* The id that a link in by-name leads to, or an empty string. */
static void holder_at(int dirfd, const char *path, char id[CONTAINER_ID_MAX])
{
	char to[128];
	const ssize_t n = readlinkat(dirfd, path, to, sizeof(to) - 1);

	id[0] = '\0';
	if (n < 4)
		return;
	to[n] = '\0';
	if (!strncmp(to, "../", 3) && name_is_id(to + 3))
		(void)snprintf(id, CONTAINER_ID_MAX, "%s", to + 3);
}

static void holder_of(const struct container_home *h, const char *name,
		      char id[CONTAINER_ID_MAX])
{
	autofree char *path = xasprintf(BY_NAME "/%s", name);

	holder_at(h->root_fd, path, id);
}

static bool exists(const struct container_home *h, const char *id)
{
	autofree char *path = xasprintf("containers/%s", id);

	return faccessat(h->root_fd, path, F_OK, 0) == 0;
}

static bool is_locked(const struct container_home *h, const char *dir,
		      const char *id)
{
	autofree char *path = xasprintf("%s/%s/spec.json", dir, id);
	autoclose int fd = openat(h->root_fd, path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && lock_is_held(fd);
}

/* One that is being made stands, locked, in tmp, and then in containers. */
static bool is_live_link(const struct container_home *h, const char *id)
{
	return is_locked(h, "tmp", id) || exists(h, id);
}

/*
 * Whoever removes a dead link or moves a name holds this, so that nobody
 * removes what another has just made.
 */
static int lock_names(const struct container_home *h, struct err *e)
{
	autoclose int fd =
		openat(h->root_fd, BY_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_sys(e, "openat", BY_NAME);
	do {
		rc = flock(fd, LOCK_EX);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, "flock", BY_NAME);
	return take_fd(&fd);
}

static int drop_dead_link(const struct container_home *h, const char *name,
			  struct err *e)
{
	autofree char *path = xasprintf(BY_NAME "/%s", name);
	autoclose int lock = lock_names(h, e);
	char id[CONTAINER_ID_MAX];

	if (lock < 0)
		return -1;
	holder_of(h, name, id);
	if (id[0] && is_live_link(h, id))
		return 0;
	crash_point("name-dead");
	if (unlinkat(h->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", path);
	return 0;
}

static int taken(const struct container_home *h, const char *name,
		 const char *holder, struct err *e)
{
	const bool runs = is_locked(h, "containers", holder);

	(void)err_set(e, ERR_EXISTS,
		      "the name '%s' is already in use by container %.12s (%s)",
		      name, holder, runs ? "running" : "stopped");
	return err_hint(e, "'prism rm %s%s' frees it, or choose another name",
			runs ? "-f " : "", name);
}

/* What stands in the way of a name: 0 nothing any more; -1 its holder. */
static int make_way(const struct container_home *h, const char *name,
		    struct err *e)
{
	char holder[CONTAINER_ID_MAX];

	/* A dead one that was not to be kept gives its name back. */
	if (container_sweep(h, e) < 0 || drop_dead_link(h, name, e) < 0)
		return -1;
	holder_of(h, name, holder);
	return holder[0] ? taken(h, name, holder, e) : 0;
}

int name_reserve(const struct container_home *h, const char *name,
		 const char *id, struct err *e)
{
	autofree char *path = xasprintf(BY_NAME "/%s", name);
	autofree char *to = xasprintf("../%s", id);

	for (;;) {
		if (symlinkat(to, h->root_fd, path) == 0) {
			crash_point("name-reserved");
			return 0;
		}
		if (errno == ENOENT) {
			if (fs_mkdirs_at(h->root_fd, BY_NAME, 0711, e) < 0)
				return -1;
		} else if (errno != EEXIST) {
			return err_sys(e, "symlinkat", "%s", path);
		} else if (make_way(h, name, e) < 0) {
			return -1;
		}
	}
}

int name_release(const struct container_home *h, const char *name,
		 const char *id, struct err *e)
{
	autofree char *path = xasprintf(BY_NAME "/%s", name);
	/* Its container may be gone already: anybody may take the name then. */
	autoclose int lock = lock_names(h, e);
	char holder[CONTAINER_ID_MAX];

	if (lock < 0)
		return -1;
	holder_at(h->root_fd, path, holder);
	if (!strcmp(holder, id) && unlinkat(h->root_fd, path, 0) < 0 &&
	    errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", path);
	return 0;
}

int name_move(const struct container_home *h, const char *id, const char *from,
	      const char *to, struct err *e)
{
	autofree char *old = xasprintf(BY_NAME "/%s", from);
	autofree char *new = xasprintf(BY_NAME "/%s", to);
	char holder[CONTAINER_ID_MAX];

	if (name_check(to, e) < 0)
		return -1;
	holder_of(h, from, holder);
	if (strcmp(holder, id) != 0)
		return name_reserve(h, to, id, e);
	for (;;) {
		/* musl has no renameat2. */
		if (syscall(SYS_renameat2, h->root_fd, old, h->root_fd, new,
			    RENAME_NOREPLACE) == 0) {
			crash_point("name-moved");
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(e, "renameat2", "%s", new);
		if (make_way(h, to, e) < 0)
			return -1;
	}
}

/* ---- all at once ---------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct name_entry *)a)->id,
		      ((const struct name_entry *)b)->id);
}

static void add_entry(struct name_list *l, const char *id, const char *name)
{
	if (strlen(name) >= CONTAINER_NAME_MAX)
		return;
	/* Room grows by powers of two. */
	if ((l->n & (l->n + 1)) == 0)
		l->v = xrealloc(l->v, (l->n + 1) * 2 * sizeof(*l->v));
	(void)snprintf(l->v[l->n].id, CONTAINER_ID_MAX, "%s", id);
	(void)snprintf(l->v[l->n].name, CONTAINER_NAME_MAX, "%s", name);
	l->n++;
}

static DIR *open_dir(const struct container_home *h, const char *path)
{
	const int fd =
		openat(h->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

int name_list_read(const struct container_home *h, struct name_list *ret,
		   struct err *e)
{
	autodir DIR *d = open_dir(h, BY_NAME);
	struct name_list l = {0};

	if (!d && errno != ENOENT)
		return err_sys(e, "opendir", BY_NAME);
	while (d) {
		const struct dirent *const de = readdir(d);
		char id[CONTAINER_ID_MAX];

		if (!de)
			break;
		if (de->d_name[0] == '.')
			continue;
		holder_at(dirfd(d), de->d_name, id);
		if (id[0])
			add_entry(&l, id, de->d_name);
	}
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_id);
	*ret = l;
	return 0;
}

void name_list_free(struct name_list *l)
{
	free(l->v);
	*l = (struct name_list){0};
}

static const struct name_entry *find_entry(const struct name_list *l,
					   const char *id)
{
	struct name_entry key;

	(void)snprintf(key.id, sizeof(key.id), "%s", id);
	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_id) : NULL;
}

bool name_is_reserved(const struct name_list *l, const char *id)
{
	return find_entry(l, id) != NULL;
}

void name_of(const struct name_list *l, const char *id,
	     char ret[CONTAINER_NAME_MAX])
{
	const struct name_entry *const found = find_entry(l, id);

	if (found)
		(void)snprintf(ret, CONTAINER_NAME_MAX, "%s", found->name);
	else
		name_derive(id, ret);
}

int name_sweep(const struct container_home *h, struct err *e)
{
	autonames struct name_list l = {0};

	if (name_list_read(h, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (!is_live_link(h, l.v[i].id) &&
		    drop_dead_link(h, l.v[i].name, e) < 0)
			return -1;
	return 0;
}

/* ---- finding -------------------------------------------------------------- */

static int no_such(const char *text, struct err *e)
{
	return err_set(e, ERR_NOTFOUND, "No such container: %s", text);
}

/* The id that begins with these digits: how many there are. */
static int count_prefix(const struct container_home *h, const char *prefix,
			char id[CONTAINER_ID_MAX])
{
	autodir DIR *d = open_dir(h, "containers");
	int n = 0;

	while (d) {
		const struct dirent *const de = readdir(d);

		if (!de)
			break;
		if (name_is_id(de->d_name) && str_starts(de->d_name, prefix)) {
			(void)snprintf(id, CONTAINER_ID_MAX, "%s", de->d_name);
			n++;
		}
	}
	return n;
}

/* A derived name ends with the first digits of the id. */
static int resolve_derived(const struct container_home *h, const char *text,
			   char id[CONTAINER_ID_MAX], struct err *e)
{
	const char *const last = strrchr(text, '_');
	autodir DIR *d =
		last && strlen(last) == 5 ? open_dir(h, "containers") : NULL;
	autonames struct name_list l = {0};

	if (!d)
		return no_such(text, e);
	if (name_list_read(h, &l, e) < 0)
		return -1;
	for (;;) {
		const struct dirent *const de = readdir(d);
		char name[CONTAINER_NAME_MAX];

		if (!de)
			return no_such(text, e);
		if (!name_is_id(de->d_name) ||
		    !str_starts(de->d_name, last + 1) ||
		    name_is_reserved(&l, de->d_name))
			continue;
		name_derive(de->d_name, name);
		if (!strcmp(name, text)) {
			(void)snprintf(id, CONTAINER_ID_MAX, "%s", de->d_name);
			return 0;
		}
	}
}

static int resolve_id(const struct container_home *h, const char *text,
		      char id[CONTAINER_ID_MAX], struct err *e)
{
	int n;

	if (name_is_id(text) && exists(h, text)) {
		(void)snprintf(id, CONTAINER_ID_MAX, "%s", text);
		return 0;
	}
	holder_of(h, text, id);
	if (id[0] && is_live_link(h, id))
		return 0;
	if (strspn(text, "0123456789abcdef") != strlen(text))
		return resolve_derived(h, text, id, e);
	n = count_prefix(h, text, id);
	if (n == 1)
		return 0;
	if (n > 1)
		return err_set(e, ERR_USAGE,
			       "'%s' fits %d containers: more digits are "
			       "needed",
			       text, n);
	return no_such(text, e);
}

int name_resolve(const struct container_home *h, const struct name_list *names,
		 const char *text, char ret_id[CONTAINER_ID_MAX],
		 char ret_name[CONTAINER_NAME_MAX], struct err *e)
{
	autonames struct name_list l = {0};
	char holder[CONTAINER_ID_MAX];

	/* Docker's inspect shows names with a slash in front. */
	text += *text == '/';
	if (!*text || strchr(text, '/') || strlen(text) >= CONTAINER_NAME_MAX)
		return no_such(text, e);
	if (resolve_id(h, text, ret_id, e) < 0)
		return -1;
	holder_of(h, text, holder);
	if (!strcmp(holder, ret_id)) {
		(void)snprintf(ret_name, CONTAINER_NAME_MAX, "%s", text);
		return 0;
	}
	if (!names && name_list_read(h, &l, e) < 0)
		return -1;
	name_of(names ? names : &l, ret_id, ret_name);
	return 0;
}
