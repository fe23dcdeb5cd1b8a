/*
 * netdef - the networks that containers can be in, as the disk knows them
 *
 *   networks/<name>/config.json   what it is; never changed once it is there
 *   networks/<name>/...           addresses in use (book.h), locks
 *   networks/.lock                flock only
 *
 * A network is built in tmp/ and gets its name by one rename; it loses it the
 * same way. Nothing of it is in the kernel until a container needs it.
 *
 * The network "bridge" (interface prism0) is there without a file: netdef_load
 * gives it with implicit set and without a subnet, and netdef_use, which the
 * first container calls, chooses the subnet (10.88.0.0/16 unless taken) and
 * writes it down. "host" and "none" are not networks in this sense; their names
 * are taken.
 *
 * Whoever begins to use a network holds the lock shared until its addresses are
 * in the book (netdef_use gives it); makers and removers hold it exclusively,
 * and remove nothing that is in use. Reading for show needs no lock.
 *
 * Life: netdef_use -> addresses -> close the lock; netdef_load for show;
 * netdef_create; netdef_lock -> netdef_remove. netdef_free at the end.
 * Errors: ERR_NOTFOUND "network x not found", ERR_EXISTS, ERR_USAGE, ERR_BUSY
 * (no subnet is free, or the one given overlaps).
 */
#ifndef RUNTIME_NET_NETDEF_H
#define RUNTIME_NET_NETDEF_H

#include "base/err.h"
#include "base/fs.h"
#include "base/ip.h"
#include "base/str.h"
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NETDEF_NAME_MAX 128
#define NETDEF_DEFAULT  "bridge"
#define NETDEF_LINK     "prism0" /* of the default network */

enum netdef_driver {
	NETDEF_BRIDGE,
	NETDEF_MACVLAN,
	NETDEF_IPVLAN,
	NETDEF_DRIVERS
};

/* How macvlan and ipvlan share their parent; a bridge has none. */
enum netdef_mode {
	NETDEF_MODE_NONE,
	NETDEF_MODE_BRIDGE,   /* macvlan, the default */
	NETDEF_MODE_PRIVATE,  /* macvlan */
	NETDEF_MODE_VEPA,     /* macvlan */
	NETDEF_MODE_PASSTHRU, /* macvlan */
	NETDEF_MODE_L2,       /* ipvlan, the default */
	NETDEF_MODE_L3,       /* ipvlan */
	NETDEF_MODE_L3S,      /* ipvlan */
	NETDEF_MODES
};

/* What one family of addresses has; subnet.ip.len 0: it has none. */
struct netdef_pool {
	struct ip_net subnet;
	struct ip gateway;   /* none: no default route (ipvlan l3, internal) */
	struct ip_net range; /* addresses are chosen from it; none: subnet */
	struct strv aux;     /* NAME=ADDRESS, never chosen */
};

struct netdef {
	char name[NETDEF_NAME_MAX];
	char id[65];
	enum netdef_driver driver;
	struct netdef_pool v4;
	struct netdef_pool v6;
	bool implicit; /* the default network, not yet on disk */
	bool internal; /* no way out */
	bool ipv6;     /* asked for: v6 is there */
	bool no_masquerade;
	bool isolated;       /* its containers do not reach each other */
	struct ip host_ip;   /* -p without an address binds this; none: all */
	char link[IFNAMSIZ]; /* of the bridge, or the parent; may be empty */
	uint32_t mtu;        /* 0: as the host's */
	enum netdef_mode mode;
	struct strv options; /* K=V as given */
	struct strv labels;
	int64_t created_ns; /* 0: it is implicit */
};

void netdef_free(struct netdef *d);
#define autonetdef __attribute__((cleanup(netdef_free)))

const char *netdef_driver_name(enum netdef_driver d);
bool netdef_driver_parse(const char *s, enum netdef_driver *ret);
const char *netdef_mode_name(enum netdef_mode m); /* "" for none */

/*
 * The id of a network that everybody has (bridge, host, none): its name in hex
 * digits, and zeros.
 */
void netdef_fixed_id(const char *name, char ret[65]);

/* root_fd is that of the store; an fd that holds networks/.lock; waits. */
int netdef_lock(int root_fd, enum fs_lock mode, struct err *e);
/* An fd of networks/<name>. */
int netdef_opendir(int root_fd, const char *name, struct err *e);

/* By name, whole id, or unique beginning of an id. */
int netdef_load(int root_fd, const char *text, struct netdef *ret,
		struct err *e);
/* The names of all, the default one too, sorted. */
int netdef_names(int root_fd, struct strv *ret, struct err *e);

/*
 * Make it: name, driver, pools, internal, ipv6, link, options and labels are
 * as the user says; what is missing is chosen, and *d is then what netdef_load
 * would give. Takes the lock itself.
 */
int netdef_create(int root_fd, struct netdef *d, struct err *e);

/*
 * For a container that is to be in it: the same as netdef_load, and the default
 * network is written down if it was not. Returns an fd that holds the lock
 * shared.
 */
int netdef_use(int root_fd, const char *text, struct netdef *ret,
	       struct err *e);

/* Out of sight, then removed. Needs the lock exclusively; does not ask who
 * uses it. */
int netdef_remove(int root_fd, const char *name, struct err *e);

/*
 * True for an address that no container gets: the subnet's own name, the
 * broadcast address, the gateway, the aux ones.
 */
bool netdef_reserved(const struct netdef_pool *p, const struct ip *a);

/* ---- netdef_check.c: what the user asks for ----------------------------------- */

/* ERR_USAGE unless Docker would take this name; ERR_EXISTS for none, host. */
int netdef_check_name(const char *name, struct err *e);

/* Docker's option of one container: what its interface is called. */
#define NETDEF_IFNAME_OPT "com.docker.network.endpoint.ifname"

/* ERR_USAGE unless the kernel would take it for an interface. */
int netdef_check_interface(const char *name, struct err *e);

/* Read options (parent, mode, mtu, com.docker.network...) into d. */
int netdef_read_options(struct netdef *d, struct err *e);

/* What is wrong by itself: gateway outside of its subnet and its like. */
int netdef_check(const struct netdef *d, struct err *e);

/* ---- netdef_file.c: config.json ------------------------------------------------- */

int netdef_write(int dir, const struct netdef *d, struct err *e);
int netdef_read(int networks, const char *name, struct netdef *ret,
		struct err *e);

#endif
