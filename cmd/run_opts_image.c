/*
 * With the image: what runs, as whom, where; its health check, ports, labels
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/signame.h"
#include "base/units.h"
#include "cmd/run_opts.h"

static void add_all(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_add(to, from->v[i]);
}

/* A JSON array of words; what names it in errors. */
static int add_json(struct strv *to, const char *text, const char *what,
		    struct err *e)
{
	autojson json_t *doc = json_parse(text, strlen(text), what, e);
	struct jval v;
	int64_t n;

	if (!doc)
		return -1;
	v = jval_root(doc, what);
	n = jlen(&v, e);
	for (int64_t i = 0; i < n; i++) {
		const char *s;

		if (jat_str(&v, (size_t)i, &s, e) < 0)
			return -1;
		strv_add(to, s);
	}
	return n < 0 ? -1 : 0;
}

/* ---- what runs ------------------------------------------------------------------- */

/* One word, or a JSON array of words. */
static int add_entrypoint(struct strv *to, const char *text, struct err *e)
{
	if (text[0] == '[')
		return add_json(to, text, "--entrypoint", e);
	if (*text)
		strv_add(to, text);
	return 0;
}

static int merge_args(const struct run_opts *o, const struct oci_image *img,
		      char *const *args, size_t n_args, struct run_spec *s,
		      struct err *e)
{
	if (o->entrypoint) {
		if (add_entrypoint(&s->args, o->entrypoint, e) < 0)
			return -1;
	} else if (img) {
		add_all(&s->args, &img->entrypoint);
	}
	for (size_t i = 0; i < n_args; i++)
		strv_add(&s->args, args[i]);
	if (n_args == 0 && img && !o->entrypoint)
		add_all(&s->args, &img->cmd);
	if (s->args.n == 0) {
		(void)err_set(e, ERR_USAGE,
			      "no command: the image has neither "
			      "Cmd nor Entrypoint");
		return err_hint(e, "say what to run behind the image");
	}
	return 0;
}

static int merge_stop_signal(const struct oci_image *img, struct run_spec *s,
			     struct err *e)
{
	if (s->stop_signal || !img || str_empty(img->stop_signal))
		return 0;
	if (!signame_parse(img->stop_signal, &s->stop_signal))
		return err_set(e, ERR_INVALID,
			       "StopSignal of the image: Invalid signal: %s",
			       img->stop_signal);
	return 0;
}

/* ---- health check ------------------------------------------------------------------ */

static int take_duration(const char *flag, const char *text, int64_t *to,
			 struct err *e)
{
	int64_t ns;

	if (!text)
		return 0;
	if (!units_duration_ns(text, &ns) || (ns > 0 && ns < 1000000))
		return err_set(e, ERR_USAGE,
			       "--%s '%s': not a duration of 1ms or more, "
			       "such as 30s or 1m30s",
			       flag, text);
	*to = ns;
	return 0;
}

static int health_test(const char *cmd, struct strv *to, struct err *e)
{
	strv_free(to);
	*to = (struct strv){0};
	if (!*cmd || !strcmp(cmd, "none"))
		return 0;
	if (cmd[0] == '[')
		return add_json(to, cmd, "--health-cmd", e);
	strv_add(to, "CMD-SHELL");
	strv_add(to, cmd);
	return 0;
}

int run_opts_health(const struct run_opts *o, const struct oci_image *img,
		    struct run_spec *s, struct err *e)
{
	struct health_spec *const h = &s->health;
	const bool any = o->health_cmd || o->health_interval ||
			 o->health_timeout || o->health_retries ||
			 o->health_start_period || o->health_start_interval;

	if (o->no_healthcheck)
		return any ? err_set(e, ERR_USAGE,
				     "--no-healthcheck conflicts with "
				     "--health-* options")
			   : 0;
	if (img && img->health.test.n &&
	    strcmp(img->health.test.v[0], "NONE") != 0) {
		add_all(&h->test, &img->health.test);
		h->interval_ns = img->health.interval_ns;
		h->timeout_ns = img->health.timeout_ns;
		h->start_period_ns = img->health.start_period_ns;
		h->start_interval_ns = img->health.start_interval_ns;
		h->retries = img->health.retries;
	}
	if (o->health_cmd && health_test(o->health_cmd, &h->test, e) < 0)
		return -1;
	if (take_duration("health-interval", o->health_interval,
			  &h->interval_ns, e) < 0 ||
	    take_duration("health-timeout", o->health_timeout, &h->timeout_ns,
			  e) < 0 ||
	    take_duration("health-start-period", o->health_start_period,
			  &h->start_period_ns, e) < 0 ||
	    take_duration("health-start-interval", o->health_start_interval,
			  &h->start_interval_ns, e) < 0)
		return -1;
	if (o->health_retries &&
	    !units_i64(o->health_retries, 0, 1000000, &h->retries))
		return err_set(e, ERR_USAGE,
			       "--health-retries '%s': not a number",
			       o->health_retries);
	return 0;
}

/* ---- all ------------------------------------------------------------------------------ */

static void merge_ports(const struct oci_image *img, struct run_spec *s)
{
	for (size_t i = 0; img && i < img->exposed_ports.n; i++) {
		struct err ignored = {0};

		/* An odd word in an image must not stop it. */
		(void)expose_parse(img->exposed_ports.v[i], &s->exposed,
				   &ignored);
	}
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
	    run_opts_env(o, img, s, e) < 0 ||
	    run_opts_labels(o, img, s, e) < 0 ||
	    run_opts_health(o, img, s, e) < 0 ||
	    merge_stop_signal(img, s, e) < 0)
		return -1;
	merge_ports(img, s);
	if (img)
		add_all(&s->shell, &img->shell);
	if (!str_empty(cwd))
		s->cwd = cwd[0] == '/' ? xstrdup(cwd) : xasprintf("/%s", cwd);
	/* What the user namespace chose (keep-id) stands already. */
	if (!str_empty(user)) {
		free(s->user);
		free(s->user_name);
		s->user = xstrdup(user);
		s->user_name = NULL;
	}
	if (!o->init && spec_is_init(s))
		s->no_init = true;
	return 0;
}

int run_opts_platform(const struct run_opts *o, char **ret, struct err *e)
{
	struct oci_platform p;

	*ret = NULL;
	if (o->platform) {
		if (o->arch || o->os || o->variant)
			return err_set(e, ERR_USAGE,
				       "conflicting options: --platform and "
				       "--%s",
				       o->arch ? "arch"
				       : o->os ? "os"
					       : "variant");
		*ret = xstrdup(o->platform);
		return 0;
	}
	if (!o->arch && !o->os && !o->variant)
		return 0;
	oci_platform_host(&p);
	*ret = xasprintf("%s/%s%s%s", o->os ? o->os : "linux",
			 o->arch ? o->arch : p.arch, o->variant ? "/" : "",
			 o->variant ? o->variant : "");
	return 0;
}
