#include "cmd/run_opts.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/signame.h"
#include "runtime/seccomp.h"

#define DEFAULT_PATH \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- volumes -------------------------------------------------------------- */

struct volume {
	bool readonly;
	uint64_t propagation;
};

static int volume_option(const char *w, size_t n, struct volume *v,
			 struct err *e)
{
	static const struct {
		const char *word;
		uint64_t propagation;
	} words[] = {
		{"rprivate", MS_PRIVATE},
		{"private", MS_PRIVATE},
		{"rslave", MS_SLAVE},
		{"slave", MS_SLAVE},
		{"rshared", MS_SHARED},
		{"shared", MS_SHARED},
		/* Nothing to do for these: labels, macOS, fresh volumes. */
		{"z", 0},
		{"Z", 0},
		{"cached", 0},
		{"delegated", 0},
		{"consistent", 0},
		{"nocopy", 0},
		{"rw", 0},
	};

	if (n == 2 && !memcmp(w, "ro", 2)) {
		v->readonly = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strlen(words[i].word) != n || memcmp(words[i].word, w, n))
			continue;
		if (words[i].propagation)
			v->propagation = words[i].propagation;
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "invalid mode '%.*s': not one of ro, rw, z, Z, "
		       "[r]private, [r]slave, [r]shared, nocopy, cached, "
		       "delegated, consistent",
		       (int)n, w);
}

static int volume_options(const char *p, struct volume *v, struct err *e)
{
	while (p) {
		const size_t n = strcspn(p, ",");

		if (volume_option(p, n, v, e) < 0)
			return -1;
		p = p[n] ? p + n + 1 : NULL;
	}
	return 0;
}

static int check_source(const char *src, struct err *e)
{
	struct stat st;
	autofree char *real = NULL;

	if (src[0] != '/' && src[0] != '.') {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "'%s' names a volume; named volumes are not in "
			      "this version",
			      src);
		return err_hint(e, "give a path: /absolute or ./relative");
	}
	if (stat(src, &st) == 0)
		return 0;
	(void)err_sys(e, "stat", "%s", src);
	if (e->sys == ENOENT)
		(void)err_hint(e,
			       "the source of a bind mount must exist: "
			       "mkdir -p '%.150s'",
			       src);
	return -1;
}

/* "/a/b/../c/" -> "/a/c"; the text alone, no file system. */
static int clean_target(const char *dst, char **ret, struct err *e)
{
	autofree char *out = xmalloc(strlen(dst) + 2);
	size_t n = 0;

	if (dst[0] != '/')
		return err_set(e, ERR_USAGE,
			       "target '%s' is not an absolute path", dst);
	for (const char *p = dst; *p;) {
		size_t k;

		p += strspn(p, "/");
		k = strcspn(p, "/");
		if (k == 2 && !memcmp(p, "..", 2)) {
			while (n > 0 && out[--n] != '/')
				;
		} else if (k > 0 && !(k == 1 && *p == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
		}
		p += k;
	}
	out[n] = '\0';
	if (n == 0)
		return err_set(e, ERR_USAGE, "the target may not be '/'");
	*ret = take_ptr(&out);
	return 0;
}

/* SRC:DST[:OPTIONS] */
static int add_volume(struct run_spec *s, const char *text, struct err *e)
{
	const char *const c1 = strchr(text, ':');
	const char *const c2 = c1 ? strchr(c1 + 1, ':') : NULL;
	autofree char *src = c1 ? xstrndup(text, (size_t)(c1 - text)) : NULL;
	autofree char *dst_text = NULL;
	autofree char *dst = NULL;
	struct volume v = {.propagation = MS_PRIVATE};
	char *real = NULL;
	ERR_IN(e, "-v %s", text);

	if (!c1 || c1 == text)
		return err_set(e, ERR_UNSUPPORTED,
			       "anonymous volumes are not in this version: "
			       "SRC:DST[:ro] is needed");
	dst_text =
		c2 ? xstrndup(c1 + 1, (size_t)(c2 - c1 - 1)) : xstrdup(c1 + 1);
	if (clean_target(dst_text, &dst, e) < 0 ||
	    volume_options(c2 ? c2 + 1 : NULL, &v, e) < 0 ||
	    check_source(src, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!strcmp(s->mounts[i].target, dst))
			return err_set(e, ERR_USAGE, "target %s is given twice",
				       dst);
	real = realpath(src, NULL);
	if (!real)
		return err_sys(e, "realpath", "%s", src);
	spec_add_mount(s, &(struct mount_spec){.source = real,
					       .target = take_ptr(&dst),
					       .readonly = v.readonly,
					       .propagation = v.propagation});
	return 0;
}

/* ---- plain words ---------------------------------------------------------- */

static int set_network(const char *w, struct run_spec *s, struct err *e)
{
	if (!w || !strcmp(w, "none")) {
		s->net = NET_NONE;
		return 0;
	}
	if (!strcmp(w, "host")) {
		s->net = NET_HOST;
		return 0;
	}
	(void)err_set(e, ERR_UNSUPPORTED, "--network %s: not in this version",
		      w);
	return err_hint(e, "there are 'none' (the default) and 'host'");
}

static int set_init(const char *w, struct run_spec *s, struct err *e)
{
	if (!w || !*w || !strcmp(w, "yes") || !strcmp(w, "true") ||
	    !strcmp(w, "1"))
		return 0;
	if (!strcmp(w, "no") || !strcmp(w, "false") || !strcmp(w, "0")) {
		s->no_init = true;
		return 0;
	}
	return err_set(e, ERR_USAGE, "--init=%s: neither yes nor no", w);
}

static int check_hostname(const char *h, struct err *e)
{
	const size_t n = strlen(h);

	if (n == 0 || n > 64 || strpbrk(h, " \t\n/:") || h[0] == '-')
		return err_set(e, ERR_USAGE,
			       "--hostname '%.80s': a name of 1 to 64 "
			       "characters is needed",
			       h);
	return 0;
}

static int set_stop_signal(const char *w, const char *what, struct run_spec *s,
			   struct err *e)
{
	if (!w || !*w)
		return 0;
	if (!signame_parse(w, &s->stop_signal))
		return err_set(e, ERR_USAGE, "%s: Invalid signal: %s", what, w);
	return 0;
}

/* Without a terminal -t would hang or garble; PRISM_TTY=force keeps it. */
static void set_tty(const struct run_opts *o, struct run_spec *s)
{
	const char *const force = getenv("PRISM_TTY");

	s->tty = o->tty;
	if (!o->tty || isatty(STDIN_FILENO) ||
	    (force && !strcmp(force, "force")))
		return;
	log_note("stdin is not a terminal, -t ignored (PRISM_TTY=force to "
		 "keep)");
	s->tty = false;
}

int run_opts_to_spec(const struct run_opts *o, struct run_spec *s,
		     struct err *e)
{
	if (set_network(o->network, s, e) < 0 || set_init(o->init, s, e) < 0)
		return -1;
	if (o->hostname && check_hostname(o->hostname, e) < 0)
		return -1;
	if (o->workdir && o->workdir[0] != '/')
		return err_set(e, ERR_USAGE,
			       "--workdir '%s': not an absolute path",
			       o->workdir);
	for (size_t i = 0; i < o->volumes.n; i++)
		if (add_volume(s, o->volumes.v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < o->groups.n; i++)
		strv_add(&s->groups, o->groups.v[i]);
	if (o->hostname)
		s->hostname = xstrdup(o->hostname);
	if (o->rootfs) {
		s->rootfs = realpath(o->rootfs, NULL);
		if (!s->rootfs)
			return err_sys(e, "realpath", "--rootfs %s", o->rootfs);
	}
	s->keep = !o->rm;
	s->readonly_root = o->read_only;
	s->interactive = o->interactive;
	set_tty(o, s);
	return set_stop_signal(o->stop_signal, "--stop-signal", s, e);
}

/* ---- capabilities and seccomp --------------------------------------------- */

/* capget(2) of ourselves; for a plain start one call is all it takes. */
static int permitted_caps(uint64_t *ret, struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, d) < 0)
		return err_sys(e, "capget", "our own");
	*ret = (uint64_t)d[1].permitted << 32 | d[0].permitted;
	return 0;
}

int run_opts_caps(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	const struct caps_wish w = {
		.add = (const char *const *)o->cap_add.v,
		.n_add = o->cap_add.n,
		.drop = (const char *const *)o->cap_drop.v,
		.n_drop = o->cap_drop.n,
	};
	struct caps_caller caller = {.last_cap = 63};
	uint64_t have = UINT64_MAX;
	char names[256];

	if (w.n_add + w.n_drop > 0 && caps_of_caller(&caller, e) < 0)
		return -1;
	/* A new user namespace has them all, over what belongs to it. */
	if (!s->userns && permitted_caps(&have, e) < 0)
		return -1;
	if (caps_compute(&w, have, caller.last_cap, &s->caps, e) < 0)
		return -1;
	if (s->caps.missing_asked)
		log_warn(
			"ignoring capabilities that prism itself does not "
			"have: %s",
			caps_text(s->caps.missing_asked, names, sizeof(names)));
	return 0;
}

static int set_seccomp(const char *w, struct run_spec *s, struct err *e)
{
	if (!strcmp(w, "unconfined")) {
		s->seccomp_off = true;
		return 0;
	}
	free(s->filter);
	s->filter = NULL;
	return seccomp_from_file(w, s->caps.bounding, &s->filter, &s->n_filter,
				 e);
}

static int security_opt(const char *text, struct run_spec *s, struct err *e)
{
	const size_t n = strcspn(text, "=:");
	const char *const value = text[n] ? text + n + 1 : "";
	autofree char *key = xstrndup(text, n);
	ERR_IN(e, "--security-opt %s", text);

	if (!strcmp(key, "seccomp"))
		return set_seccomp(value, s, e);
	if (!strcmp(key, "no-new-privileges")) {
		s->new_privs = !strcmp(value, "false");
		if (*value && !s->new_privs && strcmp(value, "true") != 0)
			return err_set(e, ERR_USAGE,
				       "'%s' is neither true nor false", value);
		return 0;
	}
	/* Nothing to switch off: prism sets no labels and no profiles. */
	if ((!strcmp(key, "apparmor") && !strcmp(value, "unconfined")) ||
	    (!strcmp(key, "label") && !strcmp(value, "disable")))
		return 0;
	(void)err_set(e, ERR_UNSUPPORTED, "not in this version");
	return err_hint(e, "there are seccomp=FILE|unconfined and "
			   "no-new-privileges[=true|false]");
}

int run_opts_security(const struct run_opts *o, struct run_spec *s,
		      struct err *e)
{
	for (size_t i = 0; i < o->security.n; i++)
		if (security_opt(o->security.v[i], s, e) < 0)
			return -1;
	return 0;
}

/* ---- with the image ------------------------------------------------------- */

static void add_all(struct strv *to, char *const *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strv_add(to, from[i]);
}

/* One word, or a JSON array of words. */
static int add_entrypoint(struct strv *to, const char *text, struct err *e)
{
	autojson json_t *doc = NULL;
	struct jval v;
	int64_t n;

	if (text[0] != '[') {
		if (*text)
			strv_add(to, text);
		return 0;
	}
	doc = json_parse(text, strlen(text), "--entrypoint", e);
	if (!doc)
		return -1;
	v = jval_root(doc, "--entrypoint");
	n = jlen(&v, e);
	for (int64_t i = 0; i < n; i++) {
		const char *s;

		if (jat_str(&v, (size_t)i, &s, e) < 0)
			return -1;
		strv_add(to, s);
	}
	return n < 0 ? -1 : 0;
}

static int merge_args(const struct run_opts *o, const struct oci_image *img,
		      char *const *args, size_t n_args, struct run_spec *s,
		      struct err *e)
{
	if (o->entrypoint) {
		if (add_entrypoint(&s->args, o->entrypoint, e) < 0)
			return -1;
	} else if (img) {
		add_all(&s->args, img->entrypoint.v, img->entrypoint.n);
	}
	if (n_args > 0)
		add_all(&s->args, args, n_args);
	else if (img && !o->entrypoint)
		add_all(&s->args, img->cmd.v, img->cmd.n);
	if (s->args.n == 0) {
		(void)err_set(e, ERR_USAGE,
			      "no command: the image has neither "
			      "Cmd nor Entrypoint");
		return err_hint(e, "say what to run behind the image");
	}
	return 0;
}

/* -e K=V sets, -e K passes the caller's on, if it has one. */
static int merge_env(const struct run_opts *o, const struct oci_image *img,
		     struct run_spec *s, struct err *e)
{
	strv_add(&s->env, DEFAULT_PATH);
	strv_add(&s->env, "container=prism");
	if (s->tty)
		strv_add(&s->env, "TERM=xterm");
	for (size_t i = 0; img && i < img->env.n; i++)
		strv_setenv(&s->env, img->env.v[i]);
	for (size_t i = 0; i < o->env.n; i++) {
		const char *const kv = o->env.v[i];
		const char *const value = getenv(kv);

		if (!*kv || *kv == '=')
			return err_set(e, ERR_USAGE,
				       "-e '%s': the name is missing", kv);
		if (strchr(kv, '=')) {
			strv_setenv(&s->env, kv);
		} else if (value) {
			autofree char *both = xasprintf("%s=%s", kv, value);

			strv_setenv(&s->env, both);
		}
	}
	return 0;
}

int run_opts_merge_image(const struct run_opts *o, const struct oci_image *img,
			 char *const *args, size_t n_args, struct run_spec *s,
			 struct err *e)
{
	const char *const cwd = o->workdir ? o->workdir
				: img      ? img->working_dir
					   : NULL;
	const char *const user = o->user ? o->user : img ? img->user : NULL;

	if (merge_args(o, img, args, n_args, s, e) < 0 ||
	    merge_env(o, img, s, e) < 0)
		return -1;
	if (!str_empty(cwd))
		s->cwd = cwd[0] == '/' ? xstrdup(cwd) : xasprintf("/%s", cwd);
	if (!str_empty(user))
		s->user = xstrdup(user);
	if (!s->stop_signal && img &&
	    set_stop_signal(img->stop_signal, "StopSignal of the image", s, e) <
		    0)
		return -1;
	if (!o->init && spec_is_init(s))
		s->no_init = true;
	return 0;
}
