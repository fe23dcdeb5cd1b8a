/*
 * Which network a container gets that asks for none.
 */
#include "base/conf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"

/* The word of the file, malloced; NULL: it has none. */
static int configured(const char *config, char **ret, struct err *e)
{
	autobuf struct buf b = buf_make(MIB(1));
	autofree char *name = NULL;
	autojson json_t *doc = NULL;
	const char *word;
	struct jval v;
	const int rc = conf_read(config, &b, &name, e);

	*ret = NULL;
	if (rc <= 0)
		return rc;
	doc = json_parse(buf_str(&b), b.len, name, e);
	if (!doc)
		return -1;
	v = jval_root(doc, name);
	if (jget_str_opt(&v, "default-network", &word, e) < 0)
		return -1;
	*ret = word ? xstrdup(word) : NULL;
	return 0;
}

int run_opts_default_network(const struct run_opts *o, const char *config,
			     struct run_spec *s, struct err *e)
{
	autofree char *word = NULL;

	if (o->networks.n)
		return 0;
	if (configured(config, &word, e) < 0)
		return -1;
	s->net_chosen = true;
	if (!word && whoami()->root)
		word = xstrdup("bridge");
	if (!word)
		return run_opts_user_net_default(
			s, o->ports.n > 0 || o->publish_all, e);
	if (run_opts_network(word, s, e) < 0)
		return err_prefix(e, "default-network");
	return 0;
}
