/*
 * What is written K=V: -e, --env-file, labels, annotations
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/run_opts.h"

#define DEFAULT_PATH \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- files of lines ------------------------------------------------------------- */

/*
 * The value of a shell's assignment: quotes are removed, a backslash escapes
 * outside of '', a comment ends it. What a shell would compute is refused.
 */
static int shell_value(const char *v, struct buf *out, struct err *e)
{
	char quote = 0;

	for (; *v; v++) {
		if (!quote && (*v == '"' || *v == '\'')) {
			quote = *v;
		} else if (quote && *v == quote) {
			quote = 0;
		} else if (quote != '\'' && *v == '\\' && v[1]) {
			buf_addc(out, *++v);
		} else if (quote != '\'' && (*v == '$' || *v == '`')) {
			return err_set(e, ERR_USAGE,
				       "'%c' would need a shell; put it in ''",
				       *v);
		} else if (!quote && isspace((unsigned char)*v)) {
			v += strspn(v, " \t");
			if (*v && *v != '#')
				return err_set(e, ERR_USAGE,
					       "a blank outside of quotes");
			return 0;
		} else {
			buf_addc(out, *v);
		}
	}
	return quote ? err_set(e, ERR_USAGE, "a quote is not closed") : 0;
}

static void note_quotes(const char *name, int line, const char *value)
{
	const size_t n = strlen(value);

	if (n >= 2 && (value[0] == '"' || value[0] == '\'') &&
	    value[n - 1] == value[0])
		log_note("%s:%d: the quotes are part of the value; "
			 "'--env-file FILE,format=shell' removes them",
			 name, line);
}

static int env_line(char *p, const char *name, int line, bool shell,
		    struct strv *ret, struct err *e)
{
	autobuf struct buf value = buf_make(ENV_FILE_MAX);
	char *eq;
	ERR_IN(e, "%s:%d", name, line);

	p += strspn(p, " \t");
	if (!*p || *p == '#')
		return 0;
	if (shell && str_starts(p, "export "))
		p += 7 + strspn(p + 7, " \t");
	eq = strchr(p, '=');
	if (eq == p)
		return err_set(e, ERR_USAGE, "no variable name on line '%s'",
			       p);
	if (!eq) {
		if (strpbrk(p, " \t"))
			return err_set(e, ERR_USAGE,
				       "variable '%s' contains whitespaces", p);
		strv_add(ret, p);
		return 0;
	}
	*eq = '\0';
	if (strpbrk(p, " \t"))
		return err_set(e, ERR_USAGE,
			       "variable '%s' contains whitespaces", p);
	if (!shell) {
		note_quotes(name, line, eq + 1);
		strv_take(ret, xasprintf("%s=%s", p, eq + 1));
		return 0;
	}
	if (shell_value(eq + 1, &value, e) < 0)
		return -1;
	strv_take(ret, xasprintf("%s=%s", p, buf_str(&value)));
	return 0;
}

int env_file_parse(const char *text, const char *name, bool shell,
		   struct strv *ret, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	int line = 0;

	if (str_starts(text, bom))
		text += sizeof(bom) - 1;
	while (*text) {
		size_t n = strcspn(text, "\n");
		autofree char *copy = xstrndup(text, n);

		if (n && copy[n - 1] == '\r')
			copy[n - 1] = '\0';
		if (env_line(copy, name, ++line, shell, ret, e) < 0)
			return -1;
		text += n + (text[n] == '\n');
	}
	return 0;
}

/* "-" is stdin. */
static int read_lines(const char *flag, const char *path, bool shell,
		      struct strv *ret, struct err *e)
{
	autobuf struct buf b = buf_make(ENV_FILE_MAX);
	ERR_IN(e, "%s %s", flag, path);

	if (!strcmp(path, "-")) {
		if (io_read_all(STDIN_FILENO, &b, "stdin", e) < 0)
			return -1;
	} else if (fs_read_at(AT_FDCWD, path, &b, e) < 0) {
		return -1;
	}
	if (strlen(buf_str(&b)) != b.len)
		return err_set(e, ERR_INVALID, "a NUL byte in it");
	return env_file_parse(buf_str(&b), path, shell, ret, e);
}

/* ---- the environment ------------------------------------------------------------- */

extern char **environ;

/* All of the caller's variables whose name begins so. */
static void pass_prefix(const char *prefix, size_t n, struct strv *env)
{
	for (char **p = environ; *p; p++)
		if (!strncmp(*p, prefix, n) && strchr(*p, '='))
			strv_setenv(env, *p);
}

/* K=V sets, K passes the caller's on if it has one, PREFIX* all such. */
static int add_variable(const char *kv, struct strv *env, struct err *e)
{
	const size_t n = strlen(kv);
	const char *value;

	if (!n || *kv == '=')
		return err_set(e, ERR_USAGE, "-e '%s': the name is missing",
			       kv);
	if (strchr(kv, '=')) {
		strv_setenv(env, kv);
		return 0;
	}
	if (kv[n - 1] == '*') {
		pass_prefix(kv, n - 1, env);
		return 0;
	}
	value = getenv(kv);
	if (value) {
		autofree char *both = xasprintf("%s=%s", kv, value);

		strv_setenv(env, both);
	}
	return 0;
}

static int add_env_file(const char *arg, struct strv *env, struct err *e)
{
	const char *const comma = strrchr(arg, ',');
	const bool shell = comma && !strcmp(comma, ",format=shell");
	autofree char *path =
		shell ? xstrndup(arg, (size_t)(comma - arg)) : xstrdup(arg);
	autostrv struct strv lines = {0};

	if (read_lines("--env-file", path, shell, &lines, e) < 0)
		return -1;
	for (size_t i = 0; i < lines.n; i++)
		if (add_variable(lines.v[i], env, e) < 0)
			return -1;
	return 0;
}

int run_opts_add_env(const struct strv *files, const struct strv *env,
		     struct strv *to, struct err *e)
{
	/* -e wins over files, wherever it stands. */
	for (size_t i = 0; i < files->n; i++)
		if (add_env_file(files->v[i], to, e) < 0)
			return -1;
	for (size_t i = 0; i < env->n; i++)
		if (add_variable(env->v[i], to, e) < 0)
			return -1;
	return 0;
}

int run_opts_env(const struct run_opts *o, const struct oci_image *img,
		 struct run_spec *s, struct err *e)
{
	if (!o->unsetenv_all) {
		strv_add(&s->env, DEFAULT_PATH);
		strv_add(&s->env, "container=prism");
		if (s->tty)
			strv_add(&s->env, "TERM=xterm");
	}
	if (o->env_host)
		pass_prefix("", 0, &s->env);
	for (size_t i = 0; img && !o->unsetenv_all && i < img->env.n; i++)
		strv_setenv(&s->env, img->env.v[i]);
	for (size_t i = 0; i < o->unsetenv.n; i++)
		strv_unsetenv(&s->env, o->unsetenv.v[i]);
	return run_opts_add_env(&o->env_files, &o->env, &s->env, e);
}

/* ---- labels and annotations ---------------------------------------------------------- */

/* K alone is K=; the last of a name wins. */
static int add_pair(const char *flag, const char *kv, struct strv *to,
		    struct err *e)
{
	autofree char *both =
		strchr(kv, '=') ? xstrdup(kv) : xasprintf("%s=", kv);

	if (!*kv || *kv == '=')
		return err_set(e, ERR_USAGE, "%s '%s': the name is missing",
			       flag, kv);
	strv_setenv(to, both);
	return 0;
}

int run_opts_labels(const struct run_opts *o, const struct oci_image *img,
		    struct run_spec *s, struct err *e)
{
	for (size_t i = 0; img && i < img->labels.n; i++)
		strv_setenv(&s->labels, img->labels.v[i]);
	for (size_t i = 0; i < o->label_files.n; i++) {
		autostrv struct strv lines = {0};

		if (read_lines("--label-file", o->label_files.v[i], false,
			       &lines, e) < 0)
			return -1;
		for (size_t k = 0; k < lines.n; k++)
			if (add_pair("--label-file", lines.v[k], &s->labels,
				     e) < 0)
				return -1;
	}
	for (size_t i = 0; i < o->labels.n; i++)
		if (add_pair("--label", o->labels.v[i], &s->labels, e) < 0)
			return -1;
	for (size_t i = 0; i < o->annotations.n; i++)
		if (add_pair("--annotation", o->annotations.v[i],
			     &s->annotations, e) < 0)
			return -1;
	return 0;
}
