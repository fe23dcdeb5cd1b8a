/*
 * --device: nodes of the host, one by one or a directory of them
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"
#include "runtime/place.h"

static bool is_access(const char *s)
{
	const size_t n = strlen(s);

	return n >= 1 && n <= 3 && s[strspn(s, "rwm")] == '\0';
}

int device_parse(const char *text, struct device_spec *ret, struct err *e)
{
	const char *const c1 = strchr(text, ':');
	const char *const c2 = c1 ? strchr(c1 + 1, ':') : NULL;
	autofree char *src =
		c1 ? xstrndup(text, (size_t)(c1 - text)) : xstrdup(text);
	autofree char *dst = NULL;
	autofree char *target = NULL;
	const char *access = "rwm";

	if (strchr(text, '=') && src[0] != '/') {
		(void)err_set(e, ERR_UNSUPPORTED, "CDI names are not in prism");
		return err_hint(e, "name the nodes: --device /dev/nvidia0 "
				   "--device /dev/dri");
	}
	if (c2) {
		dst = xstrndup(c1 + 1, (size_t)(c2 - c1 - 1));
		access = c2 + 1;
	} else if (c1 && is_access(c1 + 1)) {
		access = c1 + 1;
	} else if (c1) {
		dst = xstrdup(c1 + 1);
	}
	if (!is_access(access))
		return err_set(e, ERR_USAGE,
			       "invalid device mode '%.20s': letters of rwm",
			       access);
	if (src[0] != '/')
		return err_set(e, ERR_USAGE, "'%s' is not an absolute path",
			       src);
	if (!str_empty(dst) && dst[0] != '/')
		return err_set(e, ERR_USAGE, "'%s' is not an absolute path",
			       dst);
	if (place_check_path(str_empty(dst) ? src : dst, e) < 0 ||
	    place_clean(str_empty(dst) ? src : dst, &target, e) < 0)
		return -1;
	*ret = (struct device_spec){.target = take_ptr(&target)};
	ret->source = take_ptr(&src);
	(void)snprintf(ret->access, sizeof(ret->access), "%s", access);
	return 0;
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static int add_device(const struct device_spec *d, int depth,
		      struct run_spec *s, struct err *e);

/* All devices below a directory, such as /dev/snd. */
static int add_directory(const struct device_spec *d, int depth,
			 struct run_spec *s, struct err *e)
{
	autodir DIR *dir = opendir(d->source);

	if (!dir)
		return err_sys(e, "opendir", "%s", d->source);
	for (;;) {
		const struct dirent *const de = readdir(dir);
		struct device_spec one;
		int rc;

		if (!de)
			return 0;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		one = *d;
		one.source = xasprintf("%s/%s", d->source, de->d_name);
		one.target = xasprintf("%s/%s", d->target, de->d_name);
		rc = add_device(&one, depth + 1, s, e);
		free(one.source);
		free(one.target);
		if (rc < 0)
			return -1;
	}
}

static int add_device(const struct device_spec *d, int depth,
		      struct run_spec *s, struct err *e)
{
	struct device_spec copy = *d;
	struct stat st;

	if (stat(d->source, &st) < 0) {
		if (depth > 0)
			return 0; /* it went away, or a link to nowhere */
		(void)err_sys(e, "stat", "%s", d->source);
		if (e->sys == ENOENT)
			(void)err_hint(e, "no such device on this machine; is "
					  "its module loaded?");
		return -1;
	}
	if (S_ISDIR(st.st_mode) && depth < 4)
		return add_directory(d, depth, s, e);
	if (!is_device(&st)) {
		return depth > 0
			       ? 0
			       : err_set(e, ERR_USAGE,
					 "%s is not a device node", d->source);
	}
	copy.source = xstrdup(d->source);
	copy.target = xstrdup(d->target);
	spec_add_device(s, &copy);
	return 0;
}

int run_opts_devices(const struct run_opts *o, struct run_spec *s,
		     struct err *e)
{
	for (size_t i = 0; i < o->devices.n; i++) {
		struct device_spec d;
		int rc;
		ERR_IN(e, "--device %s", o->devices.v[i]);

		if (device_parse(o->devices.v[i], &d, e) < 0)
			return -1;
		if (!whoami()->root && strlen(d.access) < 3)
			log_warn("--device %s: ignoring '%s': only root may "
				 "rule devices, for you the node's own mode "
				 "decides",
				 o->devices.v[i], d.access);
		rc = add_device(&d, 0, s, e);
		free(d.source);
		free(d.target);
		if (rc < 0)
			return -1;
	}
	return 0;
}
