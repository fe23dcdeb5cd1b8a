#include "base/signame.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"

#define RT_MIN 34
#define RT_MAX 64

/* Where one number has two names, the usual one comes first. */
static const struct {
	const char *name;
	int sig;
} names[] = {
	{"HUP", SIGHUP},       {"INT", SIGINT},       {"QUIT", SIGQUIT},
	{"ILL", SIGILL},       {"TRAP", SIGTRAP},     {"ABRT", SIGABRT},
	{"BUS", SIGBUS},       {"FPE", SIGFPE},       {"KILL", SIGKILL},
	{"USR1", SIGUSR1},     {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},
	{"PIPE", SIGPIPE},     {"ALRM", SIGALRM},     {"TERM", SIGTERM},
	{"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},     {"CONT", SIGCONT},
	{"STOP", SIGSTOP},     {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},     {"URG", SIGURG},       {"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},
	{"WINCH", SIGWINCH},   {"IO", SIGIO},         {"PWR", SIGPWR},
	{"SYS", SIGSYS},       {"IOT", SIGABRT},      {"CLD", SIGCHLD},
	{"POLL", SIGIO},
};

/* "", "+3" or "-3" behind RTMIN or RTMAX. */
static bool parse_rt(const char *rest, int base, char sign, int *ret)
{
	uint32_t n = 0;

	if (*rest &&
	    (*rest != sign || !str_to_u32(rest + 1, RT_MAX - RT_MIN, &n)))
		return false;
	*ret = sign == '+' ? base + (int)n : base - (int)n;
	return true;
}

bool signame_parse(const char *s, int *ret)
{
	uint32_t n = 0;

	if (str_to_u32(s, RT_MAX, &n)) {
		if (n == 0)
			return false;
		*ret = (int)n;
		return true;
	}
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(s, names[i].name) == 0) {
			*ret = names[i].sig;
			return true;
		}
	}
	if (strncasecmp(s, "RTMIN", 5) == 0)
		return parse_rt(s + 5, RT_MIN, '+', ret);
	if (strncasecmp(s, "RTMAX", 5) == 0)
		return parse_rt(s + 5, RT_MAX, '-', ret);
	return false;
}

const char *signame_text(int sig, char *buf)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].sig == sig) {
			(void)snprintf(buf, SIGNAME_MAX, "SIG%s",
				       names[i].name);
			return buf;
		}
	}
	if (sig == RT_MIN || sig == RT_MAX)
		(void)snprintf(buf, SIGNAME_MAX, "SIGRT%s",
			       sig == RT_MIN ? "MIN" : "MAX");
	else if (sig > RT_MIN && sig < RT_MAX)
		(void)snprintf(buf, SIGNAME_MAX, "SIGRTMIN+%d", sig - RT_MIN);
	else
		(void)snprintf(buf, SIGNAME_MAX, "signal %d", sig);
	return buf;
}
