#include "cmd/common_words.h"

#include <string.h>

#include "base/own.h"

static const struct {
	const char *words;
	const char *name; /* of the command */
	const char *insert;
	const char *insert2;
} aliases[] = {
	{"container attach", "attach", NULL, NULL},
	{"container commit", "commit", NULL, NULL},
	{"container cp", "cp", NULL, NULL},
	{"container create", "create", NULL, NULL},
	{"container diff", "diff", NULL, NULL},
	{"container exec", "exec", NULL, NULL},
	{"container export", "export", NULL, NULL},
	{"container inspect", "inspect", "--type", "container"},
	{"container kill", "kill", NULL, NULL},
	{"container list", "ps", NULL, NULL},
	{"container logs", "logs", NULL, NULL},
	{"container ls", "ps", NULL, NULL},
	{"container pause", "pause", NULL, NULL},
	{"container port", "port", NULL, NULL},
	{"container ps", "ps", NULL, NULL},
	{"container rename", "rename", NULL, NULL},
	{"container restart", "restart", NULL, NULL},
	{"container rm", "rm", NULL, NULL},
	{"container run", "run", NULL, NULL},
	{"container start", "start", NULL, NULL},
	{"container stats", "stats", NULL, NULL},
	{"container stop", "stop", NULL, NULL},
	{"container top", "top", NULL, NULL},
	{"container unpause", "unpause", NULL, NULL},
	{"container update", "update", NULL, NULL},
	{"container wait", "wait", NULL, NULL},
	{"image history", "history", NULL, NULL},
	{"image import", "import", NULL, NULL},
	{"image inspect", "inspect", "--type", "image"},
	{"image list", "images", NULL, NULL},
	{"image load", "load", NULL, NULL},
	{"image ls", "images", NULL, NULL},
	{"image pull", "pull", NULL, NULL},
	{"image push", "push", NULL, NULL},
	{"image remove", "rmi", NULL, NULL},
	{"image rm", "rmi", NULL, NULL},
	{"image save", "save", NULL, NULL},
	{"image tag", "tag", NULL, NULL},
	{"image untag", "untag", NULL, NULL},
	{"network list", "network ls", NULL, NULL},
	{"network remove", "network rm", NULL, NULL},
	{"system info", "info", NULL, NULL},
	{"volume list", "volume ls", NULL, NULL},
	{"volume remove", "volume rm", NULL, NULL},
};

static const struct {
	const char *name;
	const char *summary;
} groups[] = {
	{"container", "Manage containers"},
	{"generate", "Print units of systemd"},
	{"image", "Manage images"},
	{"manifest", "Look at manifests in registries"},
	{"network", "Manage networks"},
	{"system", "Manage prism"},
	{"volume", "Manage volumes"},
};

#define BUILD_ELSEWHERE                                              \
	"build with buildah, podman or docker buildx; 'prism load' " \
	"takes the archives that they write"

/* Of docker and podman; what prism has comes before this table. */
static const struct {
	const char *words;
	const char *instead;
} foreign[] = {
	{"build", BUILD_ELSEWHERE},
	{"buildx", BUILD_ELSEWHERE},
	{"builder", "prism builds no images and keeps no build cache"},
	{"compose", "prism has no compose; 'prism run -d' once per service"},
	{"search", "search on the registry's own pages"},
	{"manifest create", "'buildah manifest create' makes indexes"},
	{"manifest annotate", "'buildah manifest annotate'"},
	{"manifest add", "'buildah manifest add'"},
	{"manifest push", "'buildah manifest push'"},
	{"manifest rm", "'buildah manifest rm'"},
	{"events", "'prism wait CONTAINER' waits for an end; 'prism ps' lists"},
	{"swarm", "prism runs containers of one machine"},
	{"node", "prism runs containers of one machine"},
	{"service", "'prism run -d --restart always', or a systemd unit"},
	{"stack", "prism runs containers of one machine"},
	{"secret", "mount a file: -v FILE:/run/secrets/NAME:ro"},
	{"config", "mount a file: -v FILE:/PATH:ro"},
	{"plugin", "prism has no plugins"},
	{"context", "prism has no daemon to choose: --root names a store"},
	{"checkpoint", "prism does not freeze containers to disk"},
	{"trust", "name the image by digest: NAME@sha256:..."},
	{"pod", "share a namespace: --network container:NAME, --pid "
		"container:NAME"},
	{"kube", "prism plays no Kubernetes files"},
	{"machine", "prism runs on Linux itself and needs no virtual machine"},
	{"healthcheck", "'prism inspect -f {{.State.Health.Status}}'"},
	{"mount", "'prism cp' and 'prism export' read a container's files"},
	{"unmount", "prism mounts nothing on the host"},
	{"untag", "'prism rmi --no-prune NAME' takes a name away"},
	{"unshare", "'unshare --map-auto --map-root-user' of util-linux"},
	{"init", "'prism create' makes all that a start needs"},
	{"auto-update", "'prism pull' and 'prism run --replace'"},
	{"generate", "write a unit with ExecStart=prism run --rm ..."},
	{"system events", "'prism wait CONTAINER' waits for an end"},
	{"image build", BUILD_ELSEWHERE},
	{"builder prune", "prism keeps no build cache"},
};

const char *words_group_summary(const char *group)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!strcmp(groups[i].name, group))
			return groups[i].summary;
	return NULL;
}

/* How many of the words make up name; 0: they are not it. */
static int match(const char *name, int n, char *const *words)
{
	const char *const space = strchr(name, ' ');
	const size_t first = space ? (size_t)(space - name) : strlen(name);

	if (n < 1 || strlen(words[0]) != first ||
	    memcmp(words[0], name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return n > 1 && !strcmp(words[1], space + 1) ? 2 : 0;
}

static const struct command *by_name(const struct command *const *table,
				     const char *name)
{
	for (; *table; table++)
		if (!strcmp((*table)->name, name))
			return *table;
	return NULL;
}

/* Is there a command in this group at all? */
static bool has_any(const struct command *const *table, const char *group)
{
	const size_t n = strlen(group);

	for (; *table; table++)
		if (!strncmp((*table)->name, group, n) &&
		    (*table)->name[n] == ' ')
			return true;
	return !strcmp(group, "container") || !strcmp(group, "image") ||
	       !strcmp(group, "system");
}

/* ---- errors -------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to add, drop, change or swap; 9 for words that are too long. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][32];
	const size_t na = strlen(a);
	const size_t nb = strlen(b);

	if (na > 30 || nb > 30)
		return 9;
	memset(row, 0, sizeof(row));
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *const now = row[i % 3];
		const size_t *const up = row[(i - 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = least(least(up[j], now[j - 1]) + 1,
				       up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = least(now[j],
					       row[(i - 2) % 3][j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

struct nearest {
	const char *typed;
	const char *best;
	size_t distance;
};

static void look_nearer(void *ctx, const char *word, const char *summary)
{
	struct nearest *const x = ctx;
	const size_t d = distance(x->typed, word);

	(void)summary;
	if (d < x->distance) {
		x->distance = d;
		x->best = word;
	}
}

static int unknown(const struct command *const *table, const char *group,
		   const char *word, struct err *e)
{
	const size_t n = strlen(word);
	struct nearest x = {.typed = word, .distance = n > 4 ? 3 : 2};
	const char *const space = group ? " " : "";

	words_each(table, group, look_nearer, &x);
	group = group ? group : "";
	(void)err_set(e, ERR_USAGE, "unknown command '%s%s%s'", group, space,
		      word);
	if (x.best)
		return err_hint(e, "did you mean 'prism %s%s%s'?", group, space,
				x.best);
	return err_hint(e, "'prism %s%s--help' lists the commands", group,
			space);
}

/* ---- looking up ---------------------------------------------------------- */

/* -1 with e set if it is a command of docker or podman, else 0. */
static int find_foreign(int n, char *const *words, const char *group,
			struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		if (!match(foreign[i].words, n, words) ||
		    (group && !strcmp(foreign[i].words, group)))
			continue;
		(void)err_set(e, ERR_UNSUPPORTED, "there is no '%s' in prism",
			      foreign[i].words);
		return err_hint(e, "%s", foreign[i].instead);
	}
	return 0;
}

static bool find_alias(const struct command *const *table, int n,
		       char *const *words, struct words_found *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		ret->used = match(aliases[i].words, n, words);
		if (!ret->used)
			continue;
		ret->c = by_name(table, aliases[i].name);
		ret->first = aliases[i].words;
		ret->insert = aliases[i].insert;
		ret->insert2 = aliases[i].insert2;
		return ret->c != NULL;
	}
	return false;
}

int words_find(const struct command *const *table, int n, char *const *words,
	       struct words_found *ret, struct err *e)
{
	const char *group = NULL;

	*ret = (struct words_found){0};
	for (size_t i = 0; table[i]; i++) {
		ret->used = match(table[i]->name, n, words);
		if (ret->used) {
			ret->c = table[i];
			ret->first = table[i]->name;
			return 0;
		}
	}
	if (find_alias(table, n, words, ret))
		return 0;
	*ret = (struct words_found){.first = words[0]};
	if (words_group_summary(words[0]) && has_any(table, words[0]))
		group = words[0];
	if (group && (n < 2 || words[1][0] == '-'))
		return 0;
	if (find_foreign(n, words, group, e) ||
	    (group && find_foreign(n - 1, words + 1, NULL, e)))
		return -1;
	return unknown(table, group, words[group ? 1 : 0], e);
}

/* ---- lists --------------------------------------------------------------- */

/* The word of a name that stands below group, or NULL. */
static const char *word_below(const char *name, const char *group)
{
	const size_t n = group ? strlen(group) : 0;

	if (!group)
		return strchr(name, ' ') ? NULL : name;
	return !strncmp(name, group, n) && name[n] == ' ' ? name + n + 1 : NULL;
}

void words_each(const struct command *const *table, const char *group,
		void (*fn)(void *ctx, const char *word, const char *summary),
		void *ctx)
{
	for (size_t i = 0; table[i]; i++) {
		const char *const w = word_below(table[i]->name, group);

		if (w)
			fn(ctx, w, table[i]->summary);
	}
	for (size_t i = 0; group && i < ARRAY_LEN(aliases); i++) {
		const char *const w = word_below(aliases[i].words, group);
		const struct command *const c =
			w ? by_name(table, aliases[i].name) : NULL;

		if (c)
			fn(ctx, w, c->summary);
	}
	for (size_t i = 0; !group && i < ARRAY_LEN(groups); i++)
		if (has_any(table, groups[i].name))
			fn(ctx, groups[i].name, groups[i].summary);
}

static void print_word(void *ctx, const char *word, const char *summary)
{
	(void)fprintf(ctx, "  %-12s %s\n", word, summary);
}

void words_list(FILE *out, const struct command *const *table,
		const char *group)
{
	(void)fputs("Commands:\n", out);
	words_each(table, group, print_word, out);
}
