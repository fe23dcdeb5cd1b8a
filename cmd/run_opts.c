/*
 * What stands in the flags alone. The other parts are named in run_opts.h.
 */
#include "cmd/run_opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/signame.h"

/* --init[=no] and its like: yes when it stands alone. */
static int take_yes_no(const char *flag, const char *w, bool *ret_no,
		       struct err *e)
{
	*ret_no = false;
	if (!w || !*w || !strcmp(w, "yes") || !strcmp(w, "true") ||
	    !strcmp(w, "1"))
		return 0;
	if (!strcmp(w, "no") || !strcmp(w, "false") || !strcmp(w, "0")) {
		*ret_no = true;
		return 0;
	}
	return err_set(e, ERR_USAGE, "--%s=%s: neither yes nor no", flag, w);
}

/* PRISM_TTY=force keeps it. */
bool run_opts_tty(bool wanted)
{
	const char *const force = getenv("PRISM_TTY");

	if (!wanted || isatty(STDIN_FILENO) ||
	    (force && !strcmp(force, "force")))
		return wanted;
	log_note("stdin is not a terminal, -t ignored (PRISM_TTY=force to "
		 "keep)");
	return false;
}

static int set_umask(const char *w, struct run_spec *s, struct err *e)
{
	uint32_t mask = 0;

	if (!w)
		return 0;
	for (const char *p = w; *p; p++) {
		if (*p < '0' || *p > '7' || mask > 07777)
			return err_set(e, ERR_USAGE, "--umask '%s': not octal",
				       w);
		mask = mask << 3 | (uint32_t)(*p - '0');
	}
	if (!*w || mask > 0777)
		return err_set(e, ERR_USAGE, "--umask '%s': not octal", w);
	s->umask = mask | UMASK_GIVEN;
	return 0;
}

/* The host's file of that zone over /etc/localtime; "local": the host's own. */
static int set_tz(const char *w, struct run_spec *s, struct err *e)
{
	autofree char *path = NULL;
	char *real;

	if (!w)
		return 0;
	if (!*w || w[0] == '/' || strstr(w, "..") ||
	    w[strcspn(w, " \t\n:;")] != '\0')
		return err_set(e, ERR_USAGE,
			       "--tz '%s': not a zone such as Europe/Berlin, "
			       "or local",
			       w);
	path = strcmp(w, "local") != 0 ? xasprintf("/usr/share/zoneinfo/%s", w)
				       : xstrdup("/etc/localtime");
	real = realpath(path, NULL);
	if (!real) {
		(void)err_sys(e, "realpath", "--tz %s: %s", w, path);
		return err_hint(e, "zones are in the package tzdata");
	}
	s->tz = xstrdup(w);
	spec_add_mount(s,
		       &(struct mount_spec){.type = MOUNT_BIND,
					    .source = real,
					    .target = xstrdup("/etc/localtime"),
					    .readonly = true,
					    .propagation = MS_PRIVATE});
	return 0;
}

static void add_groups(const struct run_opts *o, struct run_spec *s)
{
	for (size_t i = 0; i < o->groups.n; i++)
		if (!strcmp(o->groups.v[i], "keep-groups"))
			s->keep_groups = true;
		else
			strv_add(&s->groups, o->groups.v[i]);
}

static int program(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	if (take_yes_no("init", o->init, &s->no_init, e) < 0 ||
	    take_yes_no("passwd", o->passwd, &s->no_passwd, e) < 0)
		return -1;
	if (o->workdir && o->workdir[0] != '/')
		return err_set(e, ERR_USAGE,
			       "--workdir '%s': not an absolute path",
			       o->workdir);
	if (!str_empty(o->stop_signal) &&
	    !signame_parse(o->stop_signal, &s->stop_signal))
		return err_set(e, ERR_USAGE,
			       "--stop-signal: Invalid signal: %s",
			       o->stop_signal);
	add_groups(o, s);
	if (s->keep_groups && s->groups.n)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --group-add keep-groups "
			       "and --group-add %s",
			       s->groups.v[0]);
	return set_umask(o->umask, s, e);
}

int run_opts_to_spec(const struct run_opts *o, struct run_spec *s,
		     struct err *e)
{
	if (run_opts_monitor(o, s, e) < 0 || run_opts_net(o, s, e) < 0 ||
	    run_opts_ns(o, s, e) < 0 || run_opts_limits(o, s, e) < 0 ||
	    program(o, s, e) < 0 || run_opts_mounts(o, s, e) < 0 ||
	    run_opts_devices(o, s, e) < 0 || set_tz(o->tz, s, e) < 0)
		return -1;
	if (o->rootfs) {
		s->rootfs = realpath(o->rootfs, NULL);
		if (!s->rootfs)
			return err_sys(e, "realpath", "--rootfs %s", o->rootfs);
	}
	s->keep = !o->rm;
	s->readonly_root = o->read_only;
	s->interactive = o->interactive;
	s->tty = o->detach || o->create ? o->tty : run_opts_tty(o->tty);
	return 0;
}
