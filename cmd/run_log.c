#include "cmd/run_log.h"

#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/ctr_json.h"
#include "cmd/format.h"
#include "runtime/name.h"

/* ---- labels and variables ------------------------------------------------- */

/* Those of K=V that list names: "a,b". */
static void add_named(json_t *attrs, const struct strv *from, const char *list)
{
	for (const char *p = list; *p;) {
		const size_t n = strcspn(p, ",");
		autofree char *key = xstrndup(p, n);
		const char *const value = strv_getenv(from, key);

		if (value && n)
			cj_str(attrs, key, value);
		p += n + (p[n] == ',');
	}
}

static int add_matching(json_t *attrs, const struct strv *from,
			const char *expression, struct err *e)
{
	regex_t re;
	char why[128];
	const int bad = regcomp(&re, expression, REG_EXTENDED | REG_NOSUB);

	if (bad) {
		(void)regerror(bad, &re, why, sizeof(why));
		return err_set(e, ERR_USAGE,
			       "'%s' is no regular expression: %s", expression,
			       why);
	}
	for (size_t i = 0; i < from->n; i++) {
		const size_t n = strcspn(from->v[i], "=");
		autofree char *key = xstrndup(from->v[i], n);

		if (from->v[i][n] && regexec(&re, key, 0, NULL, 0) == 0)
			cj_str(attrs, key, from->v[i] + n + 1);
	}
	regfree(&re);
	return 0;
}

static int add_pairs(json_t *attrs, const struct strv *opts, const char *what,
		     const struct strv *from, struct err *e)
{
	autofree char *regex = xasprintf("%s-regex", what);
	const char *const list = strv_getenv(opts, what);
	const char *const expression = strv_getenv(opts, regex);
	ERR_IN(e, "--log-opt %s", regex);

	if (list)
		add_named(attrs, from, list);
	return str_empty(expression) ? 0
				     : add_matching(attrs, from, expression, e);
}

/* ---- the tag -------------------------------------------------------------- */

static char *command_line(const struct run_spec *s)
{
	autobuf struct buf b = buf_make(STATE_MAX);

	for (size_t i = 0; i < s->args.n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", s->args.v[i]);
	return xstrdup(buf_str(&b));
}

/* Docker's logger.Info; its ImageID is cut like an id, algorithm included. */
static json_t *tag_doc(const struct container_info *i, const char *id,
		       const char *name, const struct run_spec *s)
{
	const char *const image_id = i->image_id ? i->image_id : "";
	autofree char *short_id = xstrndup(id, 12);
	autofree char *short_image = xstrndup(image_id, 12);
	autofree char *slash_name = xasprintf("/%s", name);
	autofree char *command = command_line(s);
	char host[256] = "";
	json_t *const o = json_object();

	(void)gethostname(host, sizeof(host) - 1);
	cj_str(o, "ID", short_id);
	cj_str(o, "FullID", id);
	cj_str(o, "Name", name);
	cj_str(o, "ImageID", short_image);
	cj_str(o, "ImageFullID", image_id);
	cj_str(o, "ImageName", i->image);
	cj_str(o, "Command", command);
	cj_str(o, "Hostname", host);
	cj_str(o, "DaemonName", "prism");
	cj_str(o, "ContainerID", id);
	cj_str(o, "ContainerName", slash_name);
	cj_str(o, "ContainerImageID", image_id);
	cj_str(o, "ContainerImageName", i->image);
	cj_time(o, "ContainerCreated", i->created_ns);
	cj_put(o, "ContainerEnv", cj_list(&s->env));
	cj_put(o, "ContainerLabels", cj_map(&s->labels));
	cj_put(o, "Config", cj_map(&i->log_opts));
	return o;
}

static int add_tag(json_t *attrs, const char *template, const json_t *doc,
		   struct err *e)
{
	autobuf struct buf out = buf_make(LOGFILE_ATTRS_MAX);
	autoformat struct format *f = NULL;
	ERR_IN(e, "--log-opt tag");

	f = format_parse(template, strlen(template), e);
	if (!f || format_exec(f, doc, &out, e) < 0)
		return -1;
	if (out.len)
		cj_str(attrs, "tag", buf_str(&out));
	return 0;
}

/* ---- all of them ---------------------------------------------------------- */

/* What is said twice counts as said last. */
static void unique(const struct strv *from, struct strv *to)
{
	for (size_t i = 0; i < from->n; i++)
		strv_setenv(to, from->v[i]);
}

static int set_attrs(const json_t *attrs, struct run_spec *s, struct err *e)
{
	autofree char *text = NULL;

	if (json_object_size(attrs) == 0)
		return 0;
	text = json_dumps(attrs, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text || strlen(text) > LOGFILE_ATTRS_MAX)
		return err_set(e, ERR_TOOBIG,
			       "the labels, variables and tag of --log-opt are "
			       "more than %d bytes together",
			       (int)LOGFILE_ATTRS_MAX);
	s->log.attrs = take_ptr(&text);
	return 0;
}

int run_log_attrs(const struct container_info *i, const char *id,
		  const char *name, struct run_spec *s, struct err *e)
{
	autostrv struct strv opts = {0};
	autojson json_t *attrs = NULL;
	autojson json_t *doc = NULL;
	char derived[CONTAINER_NAME_MAX];
	const char *tag;

	if (i->log_opts.n == 0 || s->log.driver != LOGFILE_JSON)
		return 0;
	unique(&i->log_opts, &opts);
	attrs = json_object();
	if (add_pairs(attrs, &opts, "labels", &s->labels, e) < 0 ||
	    add_pairs(attrs, &opts, "env", &s->env, e) < 0)
		return -1;
	tag = strv_getenv(&opts, "tag");
	if (!str_empty(tag)) {
		name_derive(id, derived);
		doc = tag_doc(i, id, name ? name : derived, s);
		if (add_tag(attrs, tag, doc, e) < 0)
			return -1;
	}
	return set_attrs(attrs, s, e);
}
