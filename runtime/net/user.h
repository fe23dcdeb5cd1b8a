/*
 * user - networks for ordinary users: pasta (of passt), else slirp4netns
 *
 * The kernel lets an ordinary user make no link into the host's network. So a
 * program of the same user takes the packets of a tap device in the
 * container's namespace and makes sockets of the host out of them; nothing is
 * translated, and nothing of it needs a privilege.
 *
 * The program is a child of the monitor, ends with it also by kill -9, and
 * comes by the container's namespaces as open files, which stand behind its
 * stdin and stdout: newer pastas close all others. It says in a FIFO of the
 * container's directory that it is ready.
 *
 * Which one it is, is chosen when the container is made and stands in
 * run_spec.net_user as podman's words have it: "pasta[:OPTION,...]", any
 * options of pasta's own, or "slirp4netns[:NAME=VALUE,...]".
 *
 * Life: user_net_choose or user_net_check (once) -> user_net_start ->
 * user_net_wait -> user_net_leave -> user_net_end_pid.
 */
#ifndef RUNTIME_NET_USER_H
#define RUNTIME_NET_USER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Is it "pasta" or "slirp4netns", with options or without? */
bool user_net_is(const char *word);

bool user_net_is_pasta(const char *word);

/* The same, and all options are known and well formed. */
int user_net_check(const char *how, struct err *e);

/*
 * What serves on this machine, now. ERR_NOTFOUND or ERR_UNSUPPORTED with the
 * package, or the file and its mode, that is in the way.
 */
int user_net_choose(const char **ret, struct err *e);

/* Can this one be had? Errors as above. */
int user_net_usable(const char *how, struct err *e);

/* Of slirp4netns: may the container reach the host's loopback? */
bool user_net_allows_loopback(const char *how);

/*
 * Is the pasta of this machine one from before 2024_08_21, like Debian 12's? It
 * is known by what it can do: its version is "unknown" there. Such a one
 * - answers nobody on the host's loopback at a udp port whose two numbers
 *   differ: it looks for the way back by the wrong one
 * - has no way to a name server on the host's loopback, unless all of the host's
 *   loopback is opened to the container
 */
bool user_net_pasta_is_old(void);

/* Where it answers questions for names, with the host's own name servers. */
#define USER_NET_ADDRESS_MAX 16
void user_net_dns(const char *how, char ret[USER_NET_ADDRESS_MAX]);

struct net_port;

struct user_net_conf {
	const char *how;
	const struct net_port *ports; /* 0.0.0.0 and :: are one */
	size_t n_ports;
	bool dns;   /* it is to answer at user_net_dns */
	int netns;  /* of the container */
	int userns; /* the one that owns it */
	int dir_fd; /* of the container */
};

struct user_net {
	pid_t pid; /* 0: none */
	int pidfd;
	int said;  /* what it says on stderr */
	int ready; /* the FIFO */
};
#define USER_NET_NONE                                          \
	{                                                      \
		.pid = 0, .pidfd = -1, .said = -1, .ready = -1 \
	}

/* On an error nothing runs. */
int user_net_start(const struct user_net_conf *c, struct user_net *ret,
		   struct err *e);

/* Until packets pass and ports are open. */
int user_net_wait(struct user_net *u, const struct user_net_conf *c,
		  struct err *e);

/* Kill and reap, if it runs. */
void user_net_end(struct user_net *u);

/* Let it run; its pid is the caller's, for user_net_end_pid. */
pid_t user_net_leave(struct user_net *u);

/* The same of a pid that was written down: only if it is a child of ours. */
void user_net_end_pid(pid_t pid);

#endif
