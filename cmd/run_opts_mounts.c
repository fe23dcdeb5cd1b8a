/*
 * -v, --mount, --tmpfs: what is mounted where. Devices: run_opts_devices.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "base/units.h"
#include "cmd/run_opts.h"
#include "runtime/place.h"

#define SAFE_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* ---- words that -v, --mount and --tmpfs share ------------------------------- */

static const struct {
	const char *word;
	uint64_t propagation;
} propagations[] = {
	{"rprivate", MS_PRIVATE}, {"private", MS_PRIVATE},
	{"rslave", MS_SLAVE},     {"slave", MS_SLAVE},
	{"rshared", MS_SHARED},   {"shared", MS_SHARED},
};

static bool set_propagation(const char *w, struct mount_spec *m)
{
	for (size_t i = 0; i < ARRAY_LEN(propagations); i++)
		if (!strcmp(w, propagations[i].word)) {
			m->propagation = propagations[i].propagation;
			return true;
		}
	return false;
}

static const struct {
	const char *word;
	uint64_t set, clear;
} attributes[] = {
	{"nosuid", MOUNT_ATTR_NOSUID, 0}, {"suid", 0, MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV, 0},   {"dev", 0, MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC, 0}, {"exec", 0, MOUNT_ATTR_NOEXEC},
};

static bool set_attribute(const char *w, struct mount_spec *m)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (!strcmp(w, attributes[i].word)) {
			m->attr |= attributes[i].set;
			m->attr &= ~attributes[i].clear;
			return true;
		}
	return false;
}

/* What separates the words of an option list: each is a string of its own. */
static void split_words(const char *text, struct strv *ret)
{
	for (const char *p = text; *p;) {
		const bool quoted = *p == '"';
		const char *const from = p + quoted;
		const size_t n = strcspn(from, quoted ? "\"" : ",");

		if (n)
			strv_take(ret, xstrndup(from, n));
		p = from + n;
		p += quoted && *p == '"';
		p += strspn(p, ",");
	}
}

static bool is_volume_name(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return *s && strchr(first, *s) && s[strspn(s, rest)] == '\0';
}

/* A path goes to source, a name to volume. */
static int set_source(const char *src, struct mount_spec *m, struct err *e)
{
	if (src[0] == '/' || src[0] == '.') {
		m->type = MOUNT_BIND;
		m->source = xstrdup(src);
		return 0;
	}
	if (is_volume_name(src)) {
		m->type = MOUNT_VOLUME;
		m->volume = xstrdup(src);
		return 0;
	}
	if (src[0] == '~')
		return err_set(e, ERR_USAGE,
			       "'%s': the shell replaces ~ only at the start "
			       "of a word; write $HOME",
			       src);
	(void)err_set(e, ERR_USAGE,
		      "'%s' is neither a path nor the name of a "
		      "volume ([a-zA-Z0-9][a-zA-Z0-9_.-]*)",
		      src);
	return err_hint(e, "a relative path begins with ./");
}

/* ---- -v ---------------------------------------------------------------------- */

static int volume_option(const char *w, struct mount_spec *m, struct err *e)
{
	/* Nothing to do for these: SELinux labels, macOS, the default. */
	static const char *const idle[] = {"rw",     "z",         "Z",
					   "cached", "delegated", "consistent",
					   "copy",   "rbind"};

	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		if (!strcmp(w, idle[i]))
			return 0;
	if (set_propagation(w, m) || set_attribute(w, m))
		return 0;
	if (!strcmp(w, "ro"))
		m->readonly = true;
	else if (!strcmp(w, "nocopy"))
		m->no_copy = true;
	else if (!strcmp(w, "bind"))
		m->not_recursive = true;
	else if (!strcmp(w, "U"))
		m->chown = true;
	else if (!strcmp(w, "O"))
		m->throw_away = true;
	else if (!strcmp(w, "idmap"))
		m->idmap = true;
	else
		return err_set(e, ERR_USAGE,
			       "invalid mode '%s': not one of ro, rw, z, Z, U, "
			       "O, nocopy, idmap, [r]private, [r]slave, "
			       "[r]shared, [no]exec, [no]suid, [no]dev, "
			       "consistent, cached, delegated",
			       w);
	return 0;
}

int volume_parse(const char *text, struct mount_spec *ret, struct err *e)
{
	struct mount_spec m = {.type = MOUNT_VOLUME, .propagation = MS_PRIVATE};
	const char *const c1 = strchr(text, ':');
	const char *const c2 = c1 ? strchr(c1 + 1, ':') : NULL;
	autofree char *src = c1 ? xstrndup(text, (size_t)(c1 - text)) : NULL;
	autofree char *dst = NULL;
	autostrv struct strv words = {0};

	if (!c1)
		dst = xstrdup(text);
	else
		dst = c2 ? xstrndup(c1 + 1, (size_t)(c2 - c1 - 1))
			 : xstrdup(c1 + 1);
	if (c2 && strchr(c2 + 1, ':'))
		return err_set(e, ERR_USAGE, "too many ':' in it");
	if (c1 && !*src)
		return err_set(e, ERR_USAGE, "the source is empty");
	if (c2)
		split_words(c2 + 1, &words);
	if (place_clean(dst, &m.target, e) < 0 ||
	    (src && set_source(src, &m, e) < 0))
		goto fail;
	for (size_t i = 0; i < words.n; i++)
		if (volume_option(words.v[i], &m, e) < 0)
			goto fail;
	*ret = m;
	return 0;
fail:
	spec_mount_free(&m);
	return -1;
}

/* ---- --mount ------------------------------------------------------------------- */

struct mount_words {
	const char *type;
	const char *source;
	const char *target;
	const char *tmpfs_size;
	const char *tmpfs_mode;
	const char *subpath;
	bool create_source;
};

static bool is_true(const char *value)
{
	return !value || !strcmp(value, "true") || !strcmp(value, "1");
}

static int bind_recursive(const char *v, struct mount_spec *m, struct err *e)
{
	if (!strcmp(v, "disabled"))
		m->not_recursive = true;
	else if (strcmp(v, "enabled") != 0 && strcmp(v, "readonly") != 0)
		/* "writable": read-only with writable mounts below it. */
		return err_set(e, ERR_UNSUPPORTED,
			       "bind-recursive=%s: there are enabled, disabled "
			       "and readonly",
			       v);
	return 0;
}

/* Keys that take a value and are not yes or no. */
static int mount_value(const char *k, const char *v, struct mount_words *w,
		       struct mount_spec *m, struct err *e)
{
	const struct {
		const char *key;
		const char **to;
	} texts[] = {
		{"type", &w->type},
		{"source", &w->source},
		{"src", &w->source},
		{"target", &w->target},
		{"dst", &w->target},
		{"destination", &w->target},
		{"tmpfs-size", &w->tmpfs_size},
		{"tmpfs-mode", &w->tmpfs_mode},
		{"volume-subpath", &w->subpath},
	};

	if (!v)
		return err_set(e, ERR_USAGE, "'%s' needs a value: %s=...", k,
			       k);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!strcmp(k, texts[i].key)) {
			*texts[i].to = v;
			return 0;
		}
	if (!strcmp(k, "bind-propagation"))
		return set_propagation(v, m)
			       ? 0
			       : err_set(e, ERR_USAGE,
					 "invalid propagation '%s'", v);
	if (!strcmp(k, "bind-recursive"))
		return bind_recursive(v, m, e);
	if (!strcmp(k, "consistency") || !strcmp(k, "relabel"))
		return 0;
	if (!strcmp(k, "volume-driver") && !strcmp(v, "local"))
		return 0;
	if (!strcmp(k, "volume-opt") || !strcmp(k, "volume-label") ||
	    !strcmp(k, "volume-driver")) {
		(void)err_set(e, ERR_UNSUPPORTED, "%s is not taken here", k);
		return err_hint(e, "'prism volume create' makes it; then name "
				   "it with source=");
	}
	if (!strcmp(k, "image-subpath"))
		return err_set(e, ERR_UNSUPPORTED, "%s is not in prism", k);
	return err_set(e, ERR_USAGE,
		       "unknown key '%s': there are type, source, target, "
		       "readonly, bind-propagation, bind-recursive, "
		       "bind-create-src, volume-nocopy, volume-subpath, "
		       "tmpfs-size, tmpfs-mode, U, idmap",
		       k);
}

/* Yes or no, with a value or by being there; true if k is one of these. */
static bool mount_switch(const char *k, const char *v, struct mount_words *w,
			 struct mount_spec *m)
{
	const struct {
		const char *key;
		bool *to;
	} switches[] = {
		{"readonly", &m->readonly},
		{"ro", &m->readonly},
		{"volume-nocopy", &m->no_copy},
		{"bind-nonrecursive", &m->not_recursive},
		{"bind-create-src", &w->create_source},
		{"U", &m->chown},
		{"chown", &m->chown},
		{"idmap", &m->idmap},
	};

	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if (!strcmp(k, switches[i].key)) {
			*switches[i].to = is_true(v);
			return true;
		}
	if (!strcmp(k, "rw") || !strcmp(k, "notmpcopyup"))
		return true;
	return false;
}

static int mount_type(const char *w, struct mount_spec *m, struct err *e)
{
	if (!w || !strcmp(w, "volume")) {
		m->type = MOUNT_VOLUME;
	} else if (!strcmp(w, "bind")) {
		m->type = MOUNT_BIND;
	} else if (!strcmp(w, "tmpfs")) {
		m->type = MOUNT_TMPFS;
		m->attr = SAFE_ATTR;
	} else {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "type=%s is not in prism: there are bind, volume "
			      "and tmpfs",
			      w);
		if (!strcmp(w, "image"))
			(void)err_hint(e, "copy the files out once: 'prism "
					  "create' and 'prism cp', then bind "
					  "the directory");
		return -1;
	}
	return 0;
}

static int tmpfs_keys(const struct mount_words *w, struct mount_spec *m,
		      struct err *e)
{
	int64_t bytes = 0;

	if (w->source)
		return err_set(e, ERR_USAGE, "a tmpfs has no source");
	if (w->tmpfs_size && !units_bytes(w->tmpfs_size, &bytes))
		return err_set(e, ERR_USAGE, "tmpfs-size=%s: not a size",
			       w->tmpfs_size);
	if (w->tmpfs_mode &&
	    w->tmpfs_mode[strspn(w->tmpfs_mode, "01234567")] != '\0')
		return err_set(e, ERR_USAGE, "tmpfs-mode=%s: not octal",
			       w->tmpfs_mode);
	m->data = xasprintf("mode=%s%s%.0lld",
			    w->tmpfs_mode ? w->tmpfs_mode : "1777",
			    bytes ? ",size=" : "", (long long)bytes);
	return 0;
}

/* A part of a volume is mounted as it is: nothing of the image goes into it. */
static int take_subpath(const struct mount_words *w, struct mount_spec *m,
			struct err *e)
{
	if (!w->subpath)
		return 0;
	if (m->type != MOUNT_VOLUME || str_empty(w->source))
		return err_set(e, ERR_USAGE,
			       "volume-subpath needs type=volume and a source");
	if (w->subpath[0] == '/' || !*w->subpath)
		return err_set(e, ERR_USAGE,
			       "volume-subpath=%s: not a path below the volume",
			       w->subpath);
	m->subpath = xstrdup(w->subpath);
	m->no_copy = true;
	return 0;
}

static int mount_finish(const struct mount_words *w, struct mount_spec *m,
			struct err *e)
{
	const uint64_t attr = m->attr;

	if (mount_type(w->type, m, e) < 0)
		return -1;
	m->attr |= attr;
	if (!w->target)
		return err_set(e, ERR_USAGE, "target is required");
	if (place_clean(w->target, &m->target, e) < 0 ||
	    take_subpath(w, m, e) < 0)
		return -1;
	switch (m->type) {
	case MOUNT_TMPFS:
		return tmpfs_keys(w, m, e);
	case MOUNT_BIND:
		if (str_empty(w->source))
			return err_set(e, ERR_USAGE, "source is required");
		m->source = xstrdup(w->source);
		return 0;
	case MOUNT_VOLUME:
		if (str_empty(w->source))
			return 0;
		if (!is_volume_name(w->source)) {
			(void)err_set(e, ERR_USAGE,
				      "'%s' is not the name of a volume",
				      w->source);
			return err_hint(e, "a directory of the host is "
					   "type=bind");
		}
		m->volume = xstrdup(w->source);
		return 0;
	}
	return 0;
}

int mount_parse(const char *text, struct mount_spec *ret, bool *ret_create,
		struct err *e)
{
	struct mount_spec m = {.propagation = MS_PRIVATE};
	struct mount_words w = {0};
	autostrv struct strv words = {0};

	split_words(text, &words);
	for (size_t i = 0; i < words.n; i++) {
		char *const eq = strchr(words.v[i], '=');
		const char *const value = eq ? eq + 1 : NULL;

		if (eq)
			*eq = '\0';
		if (!mount_switch(words.v[i], value, &w, &m) &&
		    (value || !set_attribute(words.v[i], &m)) &&
		    mount_value(words.v[i], value, &w, &m, e) < 0)
			goto fail;
	}
	if (mount_finish(&w, &m, e) < 0)
		goto fail;
	*ret_create = w.create_source;
	*ret = m;
	return 0;
fail:
	spec_mount_free(&m);
	return -1;
}

/* ---- --tmpfs ------------------------------------------------------------------- */

static int tmpfs_option(const char *w, struct mount_spec *m, struct buf *data,
			struct err *e)
{
	static const char *const pass[] = {
		"size=",      "mode=", "uid=",       "gid=",
		"nr_inodes=", "mpol=", "nr_blocks=", "huge="};

	if (set_attribute(w, m) || !strcmp(w, "rw") ||
	    !strcmp(w, "notmpcopyup"))
		return 0;
	if (!strcmp(w, "ro")) {
		m->readonly = true;
		return 0;
	}
	if (!strcmp(w, "noatime") || !strcmp(w, "nodiratime") ||
	    !strcmp(w, "relatime"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(pass); i++)
		if (str_starts(w, pass[i])) {
			buf_addf(data, "%s%s", data->len ? "," : "", w);
			return 0;
		}
	(void)err_set(e, ERR_USAGE, "invalid tmpfs option '%s'", w);
	return err_hint(e, "there are size=, mode=, uid=, gid=, nr_inodes=, "
			   "ro, [no]exec, [no]suid, [no]dev");
}

int tmpfs_parse(const char *text, struct mount_spec *ret, struct err *e)
{
	struct mount_spec m = {.type = MOUNT_TMPFS, .attr = SAFE_ATTR};
	const size_t n = strcspn(text, ":");
	autofree char *dst = xstrndup(text, n);
	autobuf struct buf data = buf_make(1024);
	autostrv struct strv words = {0};

	if (text[n])
		split_words(text + n + 1, &words);
	for (size_t i = 0; i < words.n; i++)
		if (tmpfs_option(words.v[i], &m, &data, e) < 0)
			return -1;
	if (data.over)
		return err_set(e, ERR_TOOBIG, "options of more than 1 KiB");
	if (place_clean(dst, &m.target, e) < 0)
		return -1;
	m.data = xstrdup(buf_str(&data));
	*ret = m;
	return 0;
}

/* ---- into the spec ----------------------------------------------------------- */

static int missing_source(const struct mount_spec *m, struct err *e)
{
	(void)err_sys(e, "stat", "%s", m->source);
	if (e->sys == ENOENT)
		(void)err_hint(
			e,
			"the source of a bind mount must exist: mkdir -p "
			"'%.80s', or --mount type=bind,...,"
			"bind-create-src",
			m->source);
	return -1;
}

/* The source as an absolute path that is there. */
static int find_source(struct mount_spec *m, bool create, struct err *e)
{
	struct stat st;
	char *real;

	if (m->type == MOUNT_VOLUME && m->volume && stat(m->volume, &st) == 0)
		log_note("'%s' is taken for the name of a volume; the "
			 "directory here is ./%s",
			 m->volume, m->volume);
	if (m->type != MOUNT_BIND)
		return 0;
	if (create && stat(m->source, &st) < 0 && errno == ENOENT &&
	    fs_mkdirs_at(AT_FDCWD, m->source, 0755, e) < 0)
		return -1;
	real = realpath(m->source, NULL);
	if (!real)
		return missing_source(m, e);
	free(m->source);
	m->source = real;
	return 0;
}

/* Takes over what m holds. */
static int add_mount(struct run_spec *s, struct mount_spec *m, bool create,
		     struct err *e)
{
	if (spec_mount_at(s, m->target)) {
		(void)err_set(e, ERR_USAGE, "target %s is given twice",
			      m->target);
	} else if (m->throw_away && m->type != MOUNT_BIND) {
		(void)err_set(e, ERR_USAGE, "O is for directories of the host");
	} else if (find_source(m, create, e) == 0 && place_check(m, e) == 0) {
		spec_add_mount(s, m);
		return 0;
	}
	spec_mount_free(m);
	return -1;
}

static int read_only_tmpfs(struct run_spec *s, struct err *e)
{
	static const char *const dirs[] = {"/tmp", "/run", "/var/tmp"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		struct mount_spec m;

		if (spec_mount_at(s, dirs[i]))
			continue;
		if (tmpfs_parse(dirs[i], &m, e) < 0 ||
		    add_mount(s, &m, false, e) < 0)
			return -1;
	}
	return 0;
}

int run_opts_mounts(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	struct mount_spec m;
	bool create = false;

	for (size_t i = 0; i < o->volumes.n; i++) {
		ERR_IN(e, "-v %s", o->volumes.v[i]);
		if (volume_parse(o->volumes.v[i], &m, e) < 0 ||
		    add_mount(s, &m, false, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->mounts.n; i++) {
		ERR_IN(e, "--mount %s", o->mounts.v[i]);
		if (mount_parse(o->mounts.v[i], &m, &create, e) < 0 ||
		    add_mount(s, &m, create, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->tmpfs.n; i++) {
		ERR_IN(e, "--tmpfs %s", o->tmpfs.v[i]);
		if (tmpfs_parse(o->tmpfs.v[i], &m, e) < 0 ||
		    add_mount(s, &m, false, e) < 0)
			return -1;
	}
	return o->read_only && o->read_only_tmpfs ? read_only_tmpfs(s, e) : 0;
}
