#include "logconf.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/units.h"

static const char *const drivers[] = {
	[LOGFILE_JSON] = "json-file",
	[LOGFILE_NONE] = "none",
};

const char *logfile_driver_name(enum logfile_driver d)
{
	return drivers[d];
}

static int parse_driver(const char *s, enum logfile_driver *ret, struct err *e)
{
	/* Podman's word for the same; "local" is Docker's, with another form. */
	if (!strcmp(s, "k8s-file") || !strcmp(s, "local"))
		s = drivers[LOGFILE_JSON];
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (!strcmp(s, drivers[i])) {
			*ret = (enum logfile_driver)i;
			return 0;
		}
	(void)err_set(e, ERR_UNSUPPORTED, "--log-driver %s: not in prism", s);
	return err_hint(e, "there are json-file (the default) and none; "
			   "'prism logs -f' can feed any other program");
}

/* ---- one option ----------------------------------------------------------- */

/* What the options say together, before it is checked. */
struct words {
	struct log_conf *conf;
	bool non_blocking;
	bool has_buffer;
};

/* As Docker reads sizes; "-1" is none. */
static int set_max_size(struct words *w, const char *v, struct err *e)
{
	int64_t n = 0;

	if (strcmp(v, "-1") != 0 && (!units_bytes(v, &n) || n == 0))
		return err_set(e, ERR_USAGE, "'%s' is no size (10m, 1g)", v);
	w->conf->max_size_bytes = (uint64_t)n;
	return 0;
}

static int set_max_file(struct words *w, const char *v, struct err *e)
{
	if (str_to_u32(v, LOGFILE_FILES_MAX, &w->conf->max_files) &&
	    w->conf->max_files > 0)
		return 0;
	return err_set(e, ERR_USAGE, "'%s' is no number of files from 1 to %d",
		       v, LOGFILE_FILES_MAX);
}

static int set_compress(struct words *w, const char *v, struct err *e)
{
	return str_to_bool(v, &w->conf->compress)
		       ? 0
		       : err_set(e, ERR_USAGE, "'%s' is neither true nor false",
				 v);
}

static int set_mode(struct words *w, const char *v, struct err *e)
{
	w->non_blocking = !strcmp(v, "non-blocking");
	if (w->non_blocking || !*v || !strcmp(v, "blocking"))
		return 0;
	return err_set(e, ERR_USAGE,
		       "'%s' is neither blocking nor non-blocking", v);
}

static int set_buffer(struct words *w, const char *v, struct err *e)
{
	int64_t n;

	w->has_buffer = true;
	return units_bytes(v, &n)
		       ? 0
		       : err_set(e, ERR_USAGE, "'%s' is no size (4m)", v);
}

static const struct {
	const char *key;
	int (*set)(struct words *w, const char *v, struct err *e);
} known[] = {
	{"max-size", set_max_size},
	{"max-file", set_max_file},
	{"compress", set_compress},
	{"mode", set_mode},
	{"max-buffer-size", set_buffer},
	/* What they come to: log_conf.attrs. */
	{"labels", NULL},
	{"labels-regex", NULL},
	{"env", NULL},
	{"env-regex", NULL},
	{"tag", NULL},
};

static int parse_opt(struct words *w, const char *kv, struct err *e)
{
	const size_t n = strcspn(kv, "=");
	const char *const value = kv[n] ? kv + n + 1 : "";
	autofree char *key = xstrndup(kv, n);
	ERR_IN(e, "--log-opt %s", kv);

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(key, known[i].key))
			return known[i].set ? known[i].set(w, value, e) : 0;
	(void)err_set(e, ERR_USAGE, "json-file has no option '%s'", key);
	return err_hint(e, "there are max-size, max-file, compress, labels, "
			   "labels-regex, env, env-regex, tag, mode and "
			   "max-buffer-size");
}

int log_conf_parse(const char *driver, const char *const *opts, size_t n_opts,
		   struct log_conf *ret, struct err *e)
{
	struct log_conf c = {.driver = LOGFILE_JSON};
	struct words w = {.conf = &c};

	if (driver && parse_driver(driver, &c.driver, e) < 0)
		return -1;
	if (c.driver == LOGFILE_NONE && n_opts > 0)
		return err_set(e, ERR_USAGE,
			       "--log-driver none has no --log-opt");
	for (size_t i = 0; i < n_opts; i++)
		if (parse_opt(&w, opts[i], e) < 0)
			return -1;
	if (c.compress && (c.max_files < 2 || c.max_size_bytes == 0))
		return err_set(e, ERR_USAGE,
			       "--log-opt compress needs max-size, and "
			       "max-file of 2 or more: only a file that is "
			       "full is compressed");
	if (w.has_buffer && !w.non_blocking)
		return err_set(e, ERR_USAGE,
			       "--log-opt max-buffer-size needs "
			       "mode=non-blocking");
	*ret = c;
	return 0;
}
