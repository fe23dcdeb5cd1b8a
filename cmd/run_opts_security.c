/*
 * --privileged, --cap-add, --cap-drop, --security-opt
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"
#include "runtime/apparmor.h"
#include "runtime/seccomp.h"

/* ---- capabilities ---------------------------------------------------------------- */

static int capabilities(const struct run_opts *o, struct run_spec *s,
			struct err *e)
{
	const struct caps_wish w = {
		.add = (const char *const *)o->cap_add.v,
		.n_add = o->cap_add.n,
		.drop = (const char *const *)o->cap_drop.v,
		.n_drop = o->cap_drop.n,
		.privileged = o->privileged,
	};
	struct caps_caller caller = {.last_cap = 63};
	/* A new user namespace has them all, over what belongs to it. */
	const uint64_t have = s->userns ? UINT64_MAX : whoami()->permitted;
	char names[256];

	if ((w.n_add + w.n_drop > 0 || w.privileged) &&
	    caps_of_caller(&caller, e) < 0)
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

/* ---- --security-opt ---------------------------------------------------------------- */

static int set_seccomp(const char *w, struct run_spec *s, struct err *e)
{
	free(s->filter);
	s->filter = NULL;
	s->seccomp_off = !strcmp(w, "unconfined");
	if (s->seccomp_off || !strcmp(w, "builtin"))
		return 0;
	return seccomp_from_file(w, s->caps.bounding, &s->filter, &s->n_filter,
				 e);
}

static int set_new_privs(const char *value, struct run_spec *s, struct err *e)
{
	s->new_privs = !strcmp(value, "false");
	if (*value && !s->new_privs && strcmp(value, "true") != 0)
		return err_set(e, ERR_USAGE, "'%s' is neither true nor false",
			       value);
	return 0;
}

/* "/proc/a:/sys/b" into a list of absolute paths. */
static int add_paths(const char *value, struct strv *to, struct err *e)
{
	for (const char *p = value; *p;) {
		const size_t n = strcspn(p, ":");

		if (*p != '/' && n && strncmp(p, "ALL", n) != 0 &&
		    strncmp(p, "all", n) != 0)
			return err_set(e, ERR_USAGE,
				       "'%.*s' is not an absolute path", (int)n,
				       p);
		if (n)
			strv_take(to, xstrndup(p, n));
		p += n + (p[n] == ':');
	}
	return 0;
}

static int set_unmask(const char *value, struct run_spec *s, struct err *e)
{
	if (!strcmp(value, "ALL") || !strcmp(value, "all")) {
		s->no_masks = true;
		return 0;
	}
	return add_paths(value, &s->unmask, e);
}

static int set_systempaths(const char *value, struct run_spec *s, struct err *e)
{
	if (strcmp(value, "unconfined") != 0)
		return err_set(e, ERR_USAGE,
			       "there is only "
			       "systempaths=unconfined");
	s->no_masks = true;
	return 0;
}

static int set_apparmor(const char *value, struct run_spec *s, struct err *e)
{
	if (apparmor_check_name(value, e) < 0)
		return -1;
	free(s->apparmor);
	s->apparmor = xstrdup(value);
	return 0;
}

/*
 * prism sets no labels: accept the options that turn them off, refuse others.
 */
static int set_label(const char *value, struct err *e)
{
	if (!strcmp(value, "disable") || !strcmp(value, "nested") ||
	    !strcmp(value, "unconfined"))
		return 0;
	(void)err_set(e, ERR_UNSUPPORTED, "prism sets no SELinux labels");
	return err_hint(e, "label=disable is accepted: labels are always off");
}

static int security_opt(const char *text, struct run_spec *s, struct err *e)
{
	const size_t n = strcspn(text, "=:");
	const char *const value = text[n] ? text + n + 1 : "";
	autofree char *key = xstrndup(text, n);
	ERR_IN(e, "--security-opt %s", text);

	if (!strcmp(key, "seccomp"))
		return set_seccomp(value, s, e);
	if (!strcmp(key, "no-new-privileges"))
		return set_new_privs(value, s, e);
	if (!strcmp(key, "systempaths"))
		return set_systempaths(value, s, e);
	if (!strcmp(key, "mask"))
		return add_paths(value, &s->mask, e);
	if (!strcmp(key, "unmask"))
		return set_unmask(value, s, e);
	if (!strcmp(key, "apparmor"))
		return set_apparmor(value, s, e);
	if (!strcmp(key, "label"))
		return set_label(value, e);
	(void)err_set(e, ERR_USAGE, "unknown option '%s'", key);
	return err_hint(e,
			"valid options: seccomp=FILE|unconfined, "
			"no-new-privileges[=true|false], "
			"apparmor=NAME|unconfined, label=disable, "
			"systempaths=unconfined, mask=PATH, unmask=ALL|PATH");
}

/* All at once; an option that says otherwise still holds. */
static void privileged(struct run_spec *s)
{
	s->privileged = true;
	s->no_masks = true;
	s->seccomp_off = true;
	s->new_privs = true;
}

int run_opts_security(const struct run_opts *o, struct run_spec *s,
		      struct err *e)
{
	if (capabilities(o, s, e) < 0)
		return -1;
	if (o->privileged)
		privileged(s);
	for (size_t i = 0; i < o->security.n; i++)
		if (security_opt(o->security.v[i], s, e) < 0)
			return -1;
	return 0;
}
