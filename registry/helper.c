#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "registry/text.h"

#define HELPER_SECONDS 120 /* a person may have to type a passphrase */

static bool name_is_fine(const char *s)
{
	if (!*s || strlen(s) > 64)
		return false;
	for (; *s; s++) {
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		      (*s >= '0' && *s <= '9') || *s == '-' || *s == '_' ||
		      *s == '.'))
			return false;
	}
	return true;
}

static _Noreturn void be_helper(const char *program, const char *word, int sock)
{
	char *const argv[] = {(char *)(uintptr_t)program,
			      (char *)(uintptr_t)word, NULL};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* dup2 clears CLOEXEC. */
	if (dup2(sock, 0) < 0 || dup2(sock, 1) < 0)
		_exit(126);
	(void)own_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execvp(program, argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* One socket for both directions: the end of the question is a shutdown. */
static int start(const char *program, const char *word, const char *input,
		 pid_t *ret_pid, struct err *e)
{
	int sv[2];
	const size_t n = strlen(input);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, "socketpair", "%s", program);
	autoclose int ours = sv[0];
	autoclose int theirs = sv[1];
	const pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, "fork", "%s", program);
	if (pid == 0)
		be_helper(program, word, theirs);
	*ret_pid = pid;

	if (send(ours, input, n, MSG_NOSIGNAL) != (ssize_t)n ||
	    shutdown(ours, SHUT_WR) < 0)
		return err_sys(e, "send", "%s", program);
	return take_fd(&ours);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int read_answer(int fd, const char *program, struct buf *b,
		       struct err *e)
{
	const int64_t end = now_ms() + HELPER_SECONDS * 1000;
	char piece[4096];
	ssize_t n = 1;

	while (n > 0 && !b->over) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		const int64_t left = end - now_ms();

		if (left <= 0)
			return err_set(e, ERR_AUTH, "%s: no answer within %d s",
				       program, HELPER_SECONDS);
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buf_add(b, piece, (size_t)n);
	}
	explicit_bzero(piece, sizeof(piece));
	if (b->over)
		return err_set(e, ERR_TOOBIG, "%s: endless answer", program);
	return 0;
}

static int take_answer(const struct buf *b, const char *program,
		       struct creds *ret, struct err *e)
{
	autojson json_t *doc =
		secret_json_parse(buf_str(b), b->len, program, e);
	const char *user;
	const char *secret;

	if (!doc)
		return -1;
	const struct jval root = jval_root(doc, program);
	if (jget_str(&root, "Username", &user, e) < 0 ||
	    jget_str(&root, "Secret", &secret, e) < 0)
		return -1;
	/* Docker's sign that the secret is an identity token. */
	if (!strcmp(user, "<token>"))
		ret->identity = xstrdup(secret);
	else {
		ret->user = xstrdup(user);
		ret->password = xstrdup(secret);
	}
	ret->source = xstrdup(program);
	return 1;
}

static int failed(const struct buf *b, int status, const char *program,
		  struct err *e)
{
	char what[160];
	char how[80];

	if (strstr(buf_str(b), "credentials not found"))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ERR_AUTH, "%s: no such program in PATH",
			       program);
	(void)text_clean(buf_str(b), b->len, what, sizeof(what));
	return err_set(e, ERR_AUTH, "%s %s%s%s", program,
		       proc_status_text(status, how, sizeof(how)),
		       *what ? ": " : "", what);
}

/* The answer into b (a secret); *ret_status: of the program's end. */
static int ask(const char *program, const char *word, const char *input,
	       struct buf *b, int *ret_status, struct err *e)
{
	autokill pid_t pid = 0;
	autoclose int fd = start(program, word, input, &pid, e);

	if (fd < 0 || read_answer(fd, program, b, e) < 0)
		return -1;
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(e, "waitpid", "%s", program);
	}
	pid = 0;
	return 0;
}

/* ret NULL: the answer means nothing. 1, or 0: it knows no such server. */
static int run(const char *name, const char *word, const char *input,
	       struct creds *ret, struct err *e)
{
	struct buf b = buf_make(TOKEN_MAX);
	int status = 0;
	int rc;

	if (!name_is_fine(name))
		return err_set(e, ERR_INVALID,
			       "the name of a credential helper is not one");
	autofree char *program = xasprintf("docker-credential-%s", name);
	rc = ask(program, word, input, &b, &status, e);
	if (rc == 0 && status)
		rc = failed(&b, status, program, e);
	else if (rc == 0)
		rc = ret ? take_answer(&b, program, ret, e) : 1;
	if (b.p)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	return rc;
}

int helper_get(const char *name, const char *server, struct creds *ret,
	       struct err *e)
{
	return run(name, "get", server, ret, e);
}

int helper_store(const char *name, const char *server, const char *user,
		 const char *password, struct err *e)
{
	autojson json_t *doc = json_pack("{s:s, s:s, s:s}", "ServerURL", server,
					 "Username", user, "Secret", password);
	autosecret char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return err_set(e, ERR_INVALID,
			       "user name or password is not UTF-8");
	return run(name, "store", text, NULL, e) < 0 ? -1 : 0;
}

int helper_erase(const char *name, const char *server, struct err *e)
{
	return run(name, "erase", server, NULL, e);
}
