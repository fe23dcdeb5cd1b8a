/*
 * login, logout - credentials of a registry, tried and kept, or forgotten
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/image_prompt.h"
#include "registry/login.h"
#include "registry/registry.h"

struct login_opts {
	const char *user;
	const char *password;
	bool from_stdin;
	const char *authfile;
	bool get;
};

static const struct opt login_options[] = {
	{'u', "username", OPT_STR, offsetof(struct login_opts, user), "USER",
	 "The user name; else it is asked for"},
	{'p', "password", OPT_STR, offsetof(struct login_opts, password),
	 "PASSWORD", "The password or access token; others can see it"},
	{0, "password-stdin", OPT_BOOL, offsetof(struct login_opts, from_stdin),
	 NULL, "Read the password from standard input"},
	{0, "authfile", OPT_STR, offsetof(struct login_opts, authfile), "FILE",
	 "Keep it there, in the form of Docker's config.json"},
	{0, "get-login", OPT_BOOL, offsetof(struct login_opts, get), NULL,
	 "Print who is logged in"},
	{0},
};

static char *server_of(int argc, char **argv, struct err *e)
{
	autofree char *server = login_server(argc > 0 ? argv[0] : "docker.io");

	if (*server && !strpbrk(server, " \t\n@?#%\\"))
		return take_ptr(&server);
	(void)err_set(e, ERR_USAGE, "'%s' is not the name of a registry",
		      argv[0]);
	return NULL;
}

/* ---- the words ------------------------------------------------------------ */

static int check(const struct login_opts *o, struct err *e)
{
	if (o->password && o->from_stdin)
		return err_set(e, ERR_USAGE,
			       "--password and --password-stdin are one "
			       "too many");
	if (o->from_stdin && !o->user)
		return err_set(e, ERR_USAGE,
			       "--password-stdin needs --username");
	if (o->user && (!*o->user || strchr(o->user, ':')))
		return err_set(e, ERR_USAGE,
			       "a user name is not empty and has no colon");
	if (o->password)
		log_warn("--password is seen by everybody on this machine and "
			 "kept in the shell's history; --password-stdin is "
			 "neither");
	return 0;
}

static char *read_password(struct err *e)
{
	struct buf b = buf_make(TOKEN_MAX);
	char *password = NULL;
	size_t n;

	if (io_read_all(STDIN_FILENO, &b, "standard input", e) == 0) {
		n = b.len;
		n -= n > 0 && b.p[n - 1] == '\n';
		n -= n > 0 && b.p[n - 1] == '\r';
		password = xstrndup(buf_str(&b), n);
	}
	if (b.p)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	return password;
}

static int hint_at_flags(struct err *e)
{
	return err_hint(e, "'-u USER --password-stdin' takes the password from "
			   "a pipe");
}

static int ask_for(const struct login_opts *o, struct login *l, struct err *e)
{
	l->user =
		o->user ? xstrdup(o->user) : prompt_line("Username", false, e);
	if (!l->user)
		return hint_at_flags(e);
	if (o->password)
		l->password = xstrdup(o->password);
	else if (o->from_stdin)
		l->password = read_password(e);
	else
		l->password = prompt_line("Password", true, e);
	if (!l->password)
		return err_is(e) && !o->from_stdin ? hint_at_flags(e) : -1;
	if (strchr(l->user, ':'))
		return err_set(e, ERR_USAGE, "a user name has no colon");
	return *l->password ? 0
			    : err_set(e, ERR_USAGE, "the password is empty");
}

/* ---- login ------------------------------------------------------------------ */

static void say_note(void *ctx, const char *text)
{
	(void)ctx;
	log_note("%s", text);
}

static int try(const struct globals *g, const char *server,
	       const struct login *l, struct err *e)
{
	const struct registry_opts o = {.config_path = g->config,
					.note = say_note};
	struct registry *r = NULL;
	int rc = registry_make(&o, &r, e);

	if (rc == 0)
		rc = registry_try_login(r, server, l->user, l->password, e);
	registry_free(r);
	return rc;
}

/*
 * As Docker: who is logged in and says nothing else stays so if that still
 * works. 1 it does, 0 somebody has to be asked.
 */
static int try_old(const struct globals *g, const struct login_opts *o,
		   const char *server, struct err *e)
{
	autologin struct login old = {0};
	const int found = o->user || o->password
				  ? 0
				  : login_find(o->authfile, server, &old, e);

	if (found <= 0)
		return found;
	out_line("Authenticating with existing credentials of %s", old.source);
	if (try(g, server, &old, e) == 0)
		return 1;
	if (e->kind != ERR_AUTH || !isatty(STDIN_FILENO))
		return -1;
	log_warn("%s", e->text);
	err_clear(e);
	return 0;
}

static int log_in(const struct globals *g, const struct login_opts *o,
		  const char *server, struct err *e)
{
	autologin struct login l = {0};
	const int old = try_old(g, o, server, e);
	bool helper;

	if (old < 0)
		return -1;
	if (!old) {
		if (ask_for(o, &l, e) < 0 || try(g, server, &l, e) < 0 ||
		    login_keep(o->authfile, server, &l, &helper, e) < 0)
			return -1;
		if (!helper)
			log_note("the password is kept in %s, where it is not "
				 "encrypted",
				 l.source);
	}
	out_line("Login Succeeded");
	return 0;
}

static int get_login(const struct login_opts *o, const char *server,
		     struct err *e)
{
	autologin struct login l = {0};
	const int found = login_find(o->authfile, server, &l, e);

	if (found == 0)
		return err_set(e, ERR_NOTFOUND, "not logged in to %s", server);
	if (found > 0)
		out_line("%s", l.user);
	return found < 0 ? -1 : 0;
}

static int login_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	const struct login_opts *const o = fields;
	autofree char *server = server_of(argc, argv, e);

	if (!server || check(o, e) < 0)
		return -1;
	return o->get ? get_login(o, server, e) : log_in(g, o, server, e);
}

extern const struct command cmd_login;
const struct command cmd_login = {
	.name = "login",
	.operands = "[REGISTRY]",
	.summary = "Log in to a registry (default: docker.io)",
	.opts = login_options,
	.fields_size = sizeof(struct login_opts),
	.max_operands = 1,
	.run = login_run,
};

/* ---- logout ------------------------------------------------------------------ */

struct logout_opts {
	bool all;
	const char *authfile;
};

static const struct opt logout_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct logout_opts, all), NULL,
	 "Forget all registries that the file knows"},
	{0, "authfile", OPT_STR, offsetof(struct logout_opts, authfile), "FILE",
	 "Forget it there, instead of in the file that login writes"},
	{0},
};

static int log_out(const struct logout_opts *o, const char *server,
		   struct err *e)
{
	autologin struct login left = {0};
	const int rc = login_drop(o->authfile, server, e);

	if (rc < 0)
		return -1;
	out_line("%s %s",
		 rc ? "Removing login credentials for" : "Not logged in to",
		 server);
	if (login_find(o->authfile, server, &left, e) < 0)
		return -1;
	if (left.source)
		log_note("there are still credentials for %s in %s", server,
			 left.source);
	return 0;
}

static int logout_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct logout_opts *const o = fields;
	autofree char *server = NULL;

	(void)g;
	if (o->all && argc > 0)
		return err_set(e, ERR_USAGE,
			       "--all and a name are one too "
			       "many");
	if (o->all) {
		if (login_drop(o->authfile, NULL, e) < 0)
			return -1;
		out_line("Removed login credentials for all registries");
		return 0;
	}
	server = server_of(argc, argv, e);
	return server ? log_out(o, server, e) : -1;
}

extern const struct command cmd_logout;
const struct command cmd_logout = {
	.name = "logout",
	.operands = "[REGISTRY]",
	.summary = "Forget the login at a registry",
	.opts = logout_options,
	.fields_size = sizeof(struct logout_opts),
	.max_operands = 1,
	.run = logout_run,
};
