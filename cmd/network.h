/*
 * network - what the network commands share
 */
#ifndef CMD_NETWORK_H
#define CMD_NETWORK_H

#include "base/err.h"
#include "cmd/ctr.h"
#include "cmd/filter.h"
#include "runtime/net/netdef.h"
#include <jansson.h>
#include <stdbool.h>

/*
 * host and none are shown like networks, though no file says anything of them.
 * A netdef with such a name has nothing but its name and id.
 */
bool network_is_builtin(const struct netdef *d);

/* "bridge", "macvlan", "ipvlan"; "host" and "null" of those two. */
const char *network_driver(const struct netdef *d);

/* The same as netdef_load, and it finds host and none. */
int network_load(int root_fd, const char *text, struct netdef *ret,
		 struct err *e);

/* ERR_BUSY: bridge, host and none stay. */
int network_check_removable(const struct netdef *d, struct err *e);

/* ---- network_users.c ------------------------------------------------------------ */

/* Who is in a network, as the disk knows it. */
struct network_user {
	char id[CONTAINER_ID_MAX];
	char name[CONTAINER_NAME_MAX];
	bool alive;
	json_t *endpoint; /* as network inspect shows it; NULL: not alive */
};

struct network_users {
	struct network_user *v;
	size_t n;
};

/* Running ones, and with all those that would be in it when started. */
int network_users(const struct ctr *r, const struct netdef *d, bool all,
		  struct network_users *ret, struct err *e);
void network_users_free(struct network_users *u);
#define autousers __attribute__((cleanup(network_users_free)))

#endif
