#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/libexec.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/common_complete.h"
#include "cmd/common_opts.h"
#include "cmd/common_out.h"
#include "cmd/common_words.h"
#include "store/store.h"

#define PROGRAM "prism"

/* Limits of the caller's, which any call may meet. */
static const char *limit_hint(const struct err *e)
{
	if (e->sys == EMFILE)
		return "the limit of open files is too low: ulimit -n";
	if (e->sys == EFBIG)
		return "the limit of file sizes is too low: ulimit -f";
	if (e->sys == EAGAIN &&
	    (strstr(e->text, "clone") || strstr(e->text, "fork")))
		return "no more processes are allowed: ulimit -u of this user, "
		       "or pids.max of the cgroup";
	return "";
}

void cmd_print_error(const char *command, const struct err *e)
{
	const char *const hint = e->hint[0] ? e->hint : limit_hint(e);

	(void)out_flush();
	out_error("%s: %s%s%s", PROGRAM, command ? command : "",
		  command ? ": " : "", e->text);
	if (e->step[0])
		out_error("step: %s", e->step);
	if (hint[0])
		out_error("hint: %s", hint);
}

int cmd_each_operand(const char *command, int argc, char **argv, cmd_fn fn,
		     void *ctx)
{
	int code = 0;

	for (int i = 0; i < argc; i++) {
		struct err e = {0};

		if (fn(ctx, argv[i], &e) == 0) {
			out_line("%s", argv[i]);
			(void)out_flush();
			continue;
		}
		cmd_print_error(command, &e);
		code = 1;
	}
	return code;
}

bool cmd_is_sure(bool force, const char *fmt, ...)
{
	char answer[16] = "";
	va_list ap;

	if (force)
		return true;
	out_print("WARNING! This will remove ");
	va_start(ap, fmt);
	out_vprint(fmt, ap);
	va_end(ap);
	out_print(".\nAre you sure you want to continue? [y/N] ");
	(void)out_flush();
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return !strcmp(answer, "y") || !strcmp(answer, "Y") ||
	       !strcmp(answer, "yes");
}

int cmd_open_store(const struct globals *g, struct store **ret, struct err *e)
{
	return store_open(g->root, false, ret, e);
}

static const struct opt global_opts[] = {
	{0, "root", OPT_STR, offsetof(struct globals, root), "DIR",
	 "The store (default: /var/lib/prism, or ~/.local/share/prism)"},
	{0, "run-dir", OPT_STR, offsetof(struct globals, run_dir), "DIR",
	 "What need not survive a reboot (default: /run/prism)"},
	{0, "config", OPT_STR, offsetof(struct globals, config), "FILE",
	 "Mirrors and insecure registries (/etc/prism/config.json)"},
	{'D', "debug", OPT_BOOL, offsetof(struct globals, debug), NULL,
	 "Print each step as it ends"},
	{'v', "version", OPT_BOOL, offsetof(struct globals, version), NULL,
	 "Print the version"},
	{0, "quiet", OPT_BOOL, offsetof(struct globals, quiet), NULL,
	 "No notes and warnings"},
	{0},
};

/* The global options are parsed like those of a command without a name. */
static const struct command global_command = {
	.name = "",
	.operands = "COMMAND [ARG...]",
	.summary = "An image-layer store and a run tool.",
	.opts = global_opts,
	.options_first = true,
	.max_operands = -1,
};

static int help_all(FILE *out, const struct command *const *table)
{
	(void)fprintf(out, "Usage: %s [OPTIONS] COMMAND [ARG...]\n\n%s\n\n",
		      PROGRAM, global_command.summary);
	words_list(out, table, NULL);
	(void)fputs("\nGlobal options:\n", out);
	for (const struct opt *o = global_opts; o->name; o++)
		(void)fprintf(out, "      --%-10s %s\n", o->name, o->help);
	(void)fprintf(out, "\n'%s COMMAND --help' says more.\n", PROGRAM);
	return 0;
}

static int help_group(const struct command *const *table, const char *group)
{
	out_print("Usage: %s %s COMMAND\n\n%s\n\n", PROGRAM, group,
		  words_group_summary(group));
	words_list(stdout, table, group);
	out_print("\n'%s %s COMMAND --help' says more.\n", PROGRAM, group);
	return out_flush() < 0;
}

static int exec_image(char **argv, struct err *e)
{
	autofree char *path = libexec_find("prism-image", e);

	if (!path)
		return -1;
	(void)execv(path, argv);
	return err_sys(e, "execv", "%s", path);
}

int cmd_run_image(const struct globals *g, const char *const args[],
		  bool silent, struct err *e)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return err_sys(e, "fork", "prism-image");
	if (pid == 0) {
		autostrv struct strv v = {0};

		strv_add(&v, PROGRAM);
		if (g->root)
			strv_take(&v, xasprintf("--root=%s", g->root));
		if (g->config)
			strv_take(&v, xasprintf("--config=%s", g->config));
		if (g->quiet)
			strv_add(&v, "--quiet");
		for (; *args; args++)
			strv_add(&v, *args);
		(void)dup2(silent ? open("/dev/null", O_WRONLY | O_CLOEXEC)
				  : STDERR_FILENO,
			   STDOUT_FILENO);
		(void)exec_image(v.v, e);
		cmd_print_error(NULL, e);
		_exit(125);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "waitpid", "prism-image");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The largest options of a command: run's. */
#define FIELDS_MAX 2048

static int run_command(const struct command *c, const struct globals *g,
		       int argc, char **argv, struct err *e)
{
	/* Not of the heap: a start would pay one more call for it. */
	_Alignas(max_align_t) char fields[FIELDS_MAX] = {0};
	bool help = false;
	int n = 0;
	int rc;

	assert(c->fields_size <= sizeof(fields));
	rc = opts_parse(c, fields, argc, argv, &n, &help, e);
	if (rc == 0 && help)
		opts_help(stdout, PROGRAM, c);
	else if (rc == 0)
		rc = c->run(g, fields, n, argv, e);
	opts_free(c, fields);
	/* Results that could not be written are a failure. */
	if (out_flush() < 0 && rc == 0 && errno != EPIPE)
		return err_sys(e, "write", "standard output");
	return rc;
}

int cmd_run_part(const struct command *c, const struct globals *g,
		 const struct strv *args, struct err *e)
{
	/* opts_parse moves operands */
	autofree char **moved = xcalloc(args->n + 1, sizeof(*moved));

	memcpy(moved, args->v, args->n * sizeof(*moved));
	return run_command(c, g, (int)args->n, moved, e);
}

/* An empty variable is as good as none. */
static const char *global_of(const char *variable)
{
	const char *const value = getenv(variable);

	return str_empty(value) ? NULL : value;
}

static int apply_globals(struct globals *g, struct err *e)
{
	if ((g->root && !*g->root) || (g->run_dir && !*g->run_dir))
		return err_set(e, ERR_USAGE,
			       "--%s: the name of the directory is empty",
			       g->root && !*g->root ? "root" : "run-dir");
	if (!g->root)
		g->root = global_of("PRISM_ROOT");
	if (!g->run_dir)
		g->run_dir = global_of("PRISM_RUN");
	if (!g->config)
		g->config = global_of("PRISM_CONFIG");
	if (g->quiet)
		log_set_level(LOG_QUIET);
	if (g->debug) {
		log_set_level(LOG_DEBUG);
		trace_live(true);
	}
	return 0;
}

static int fail(const char *name, int code, const struct err *e)
{
	assert(err_is(e));
	cmd_print_error(name, e);
	if (e->kind == ERR_USAGE && !e->hint[0] && name)
		out_error("hint: '%s %s --help' says more", PROGRAM, name);
	return code;
}

/* 126 and 127 come from the final execve in a container and nothing else. */
static int exit_code(const struct command *c, const struct err *e)
{
	switch ((enum err_kind)e->kind) {
	case ERR_NOPROG:
		return 127;
	case ERR_NOEXEC:
		return 126;
	default:
		return c->fail_code ? c->fail_code : 1;
	}
}

/*
 * The arguments of a command as it expects them: the words that named it
 * replaced by its name, and what an alias puts in front. prism-image gets the
 * global options too.
 */
static void rewrite(const struct words_found *f, int argc, char **argv, int n,
		    struct strv *ret)
{
	autofree char *name = xstrdup(f->c->name);
	char *const space = strchr(name, ' ');

	for (int i = 0; f->c->run == NULL && i < argc - n; i++)
		strv_add(ret, argv[i]);
	if (!f->c->run) {
		if (space)
			*space = '\0';
		strv_add(ret, name);
		if (space)
			strv_add(ret, space + 1);
	}
	if (f->insert)
		strv_add(ret, f->insert);
	if (f->insert2)
		strv_add(ret, f->insert2);
	for (int i = argc - n + f->used; i < argc; i++)
		strv_add(ret, argv[i]);
}

/* "prism help WORDS" is "prism WORDS --help". */
static int help_for(const struct command *const *table, int argc, char **argv)
{
	autofree char **v = xcalloc((size_t)argc + 1, sizeof(*v));

	if (argc < 3) {
		(void)help_all(stdout, table);
		return out_flush() < 0;
	}
	v[0] = argv[0];
	for (int i = 2; i < argc; i++)
		v[i - 1] = argv[i];
	v[argc - 1] = (char[]){"--help"};
	return cmd_main(table, argc, v);
}

/* n words at the end of argv, the first of them a command's. */
static int dispatch(const struct command *const *table, const struct globals *g,
		    int argc, char **argv, int n)
{
	autostrv struct strv args = {0};
	autofree char **moved = NULL; /* opts_parse moves operands */
	struct words_found found;
	struct err e = {0};
	int rc;

	if (words_find(table, n, argv + argc - n, &found, &e) < 0)
		return fail(NULL, 125, &e);
	if (!found.c)
		return help_group(table, found.first);
	rewrite(&found, argc, argv, n, &args);
	moved = xcalloc(args.n + 1, sizeof(*moved));
	if (args.n > 0)
		memcpy(moved, args.v, args.n * sizeof(*moved));
	if (!found.c->run)
		rc = exec_image(moved, &e);
	else
		rc = run_command(found.c, g, (int)args.n, moved, &e);
	return rc < 0 ? fail(found.c->name, exit_code(found.c, &e), &e) : rc;
}

/*
 * A caller may have closed some of 0, 1, 2. What we open would take their
 * place, and go into a container as its stdin. One of O_PATH counts as closed:
 * nothing can be read from it or written to it.
 */
static int fill_stdio(struct err *e)
{
	struct pollfd p[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};

	(void)poll(p, ARRAY_LEN(p), 0);
	for (int i = 0; i < (int)ARRAY_LEN(p); i++) {
		int fd;

		if (!(p[i].revents & POLLNVAL))
			continue;
		fd = open("/dev/null", O_RDWR);
		if (fd < 0 || (fd != i && dup2(fd, i) < 0))
			return err_sys(e, "open", "/dev/null as %d", i);
		if (fd != i)
			(void)close(fd);
	}
	return 0;
}

/* For the shells: what can stand at the end of argv (common_complete.h). */
static int complete(const struct command *const *table, int argc, char **argv)
{
	struct err e = {0};
	bool elsewhere = false;

	if (argc < 3)
		return 0;
	complete_print(table, &global_command, argc - 2, argv + 2, &elsewhere);
	if (elsewhere)
		(void)exec_image(argv, &e);
	return out_flush() < 0;
}

int cmd_main(const struct command *const *table, int argc, char **argv)
{
	struct globals g = {0};
	struct err e = {0};
	/* opts_parse moves operands, and prism-image gets argv as it was. */
	autofree char **args = xcalloc((size_t)argc + 1, sizeof(*args));
	bool help = false;
	int n = 0;

	if (fill_stdio(&e) < 0)
		return fail(NULL, 125, &e);
	/*
	 * A file beyond RLIMIT_FSIZE is an error to tell, and no death. What
	 * runs in a container gets it back (runtime/signals.h).
	 */
	(void)signal(SIGXFSZ, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "__complete"))
		return complete(table, argc, argv);
	memcpy(args, argv, (size_t)argc * sizeof(*args));
	if (opts_parse(&global_command, &g, argc - 1, args + 1, &n, &help, &e) <
	    0)
		return fail(NULL, 125, &e);
	if (apply_globals(&g, &e) < 0)
		return fail(NULL, 125, &e);
	if (g.version) {
		out_line("%s version %s", PROGRAM, PRISM_VERSION);
		return out_flush() < 0;
	}
	if (help || n == 0) {
		(void)help_all(help ? stdout : stderr, table);
		return !help;
	}
	if (!strcmp(args[1], "help"))
		return help_for(table, argc, argv);
	return dispatch(table, &g, argc, argv, n);
}
