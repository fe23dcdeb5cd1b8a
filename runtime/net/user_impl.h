/*
 * user_impl - what user.c (the process), user_args.c (its words) and
 * user_find.c (which program) share
 */
#ifndef RUNTIME_NET_USER_IMPL_H
#define RUNTIME_NET_USER_IMPL_H

#include "base/str.h"
#include "runtime/net/user.h"

/* Names in the container's directory while it starts. */
#define USER_NET_READY "net.ready"
#define USER_NET_API   "net.api"

/* The FIFO in slirp4netns; pasta opens it by its name. */
#define USER_NET_READY_FD 3

/* Its arguments, argv[0] included. ERR_UNSUPPORTED for sctp. */
int user_net_args(const struct user_net_conf *c, struct strv *ret,
		  struct err *e);

/*
 * Where port i is to be opened: NULL is everywhere. False: another one of the
 * list does it, which is of the other family.
 */
bool user_net_port_ip(const struct user_net_conf *c, size_t i,
		      const char **ret);

/* The value of an option of slirp4netns, or def; valid until ret is freed. */
const char *user_net_option(const struct strv *options, const char *name,
			    const char *def);
void user_net_options(const char *how, struct strv *ret);

/* /dev/net/tun can be opened. */
int user_net_tun(struct err *e);

#endif
