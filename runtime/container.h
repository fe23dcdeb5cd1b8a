/*
 * container - a container on disk: its directory, name, lock and end
 *
 *   containers/<id>/image      digest of the manifest in use, for the gc
 *   containers/<id>/spec.json  what it is: name, image, args, keep or not, and
 *                              the pid of init; the monitor holds a lock on
 *                              it while the container lives
 *   containers/<id>/state.json how it ended (absent before that)
 *   containers/<id>/volumes    the volumes it uses (container_volumes.h)
 *   containers/<id>/upper, work, hosts, hostname, resolv.conf
 *   containers/by-name/<name>  symlink to ../<id>: making it is reserving it
 *
 * The directory is built in tmp/ and renamed when it is complete and locked,
 * so that one that is there with a free lock belongs to a dead monitor, and
 * whoever comes next may end it: container_teardown is the same for a crash
 * and for a normal end, and can be repeated.
 *
 * Whoever makes containers sets the umask to 0 before: modes are meant.
 *
 * Life: container_create -> (runs) -> container_finish; elsewhere:
 * container_open / container_sweep.
 */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include "base/err.h"
#include "base/userns.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTAINER_ID_MAX 65

enum container_file {
	CONTAINER_HOSTS,
	CONTAINER_HOSTNAME,
	CONTAINER_RESOLV,
	CONTAINER_FILES,
};

/* Where containers live: fds and path of the store, borrowed. */
struct container_home {
	const char *root_path; /* of the store, absolute */
	int root_fd;
};

struct container {
	char id[CONTAINER_ID_MAX];
	char name[128]; /* empty: none */
	char *dir;      /* absolute path of containers/<id> */
	int dir_fd;     /* -1 while not needed */
	int lock_fd;
	bool has_resolv;
	bool has_volumes;
	bool keep;
};

struct container_new {
	const char *name;        /* NULL: none */
	const char *hostname;    /* NULL: 12 digits of the id */
	const char *image;       /* as the user wrote it */
	const char *manifest;    /* digest text, NULL with --rootfs */
	const char *const *args; /* NULL-terminated */
	const char *resolv;      /* text, NULL: none */
	const char *hosts;       /* text of hosts, NULL: localhost and itself */
	const char *volumes;     /* text of volumes, NULL: none */
	bool keep;
	uint32_t root_uid; /* owner of upper: the container's root outside */
	uint32_t root_gid;
	mode_t root_mode; /* of the image's root directory */
};

/* ERR_EXISTS when the name is taken; says by whom. */
int container_create(const struct container_home *h,
		     const struct container_new *n, struct container *ret,
		     struct err *e);

/* The pid goes into spec.json: whoever finds it locked knows init. */
int container_started(struct container *c, pid_t init, struct err *e);

/*
 * The end: with keep the exit code goes into state.json; else everything is
 * removed. userns: an fd of the user namespace that owns the files (-1: we).
 */
int container_finish(const struct container_home *h, struct container *c,
		     int exit_code, int userns_fd, struct err *e);
void container_close(struct container *c);

/*
 * End what dead monitors left: those that were not to be kept are removed,
 * the others get a state. Called while a foreground container runs, and by
 * every command that needs the truth.
 */
int container_sweep(const struct container_home *h, struct err *e);

/*
 * Remove a stopped container by name, id or unique prefix of an id; with
 * volumes also its anonymous volumes.
 */
int container_remove(const struct container_home *h, const char *text,
		     bool force, bool volumes, char ret_id[CONTAINER_ID_MAX],
		     struct err *e);

/*
 * Remove a tree below the store's root that may belong to the ids of a
 * container: in its user namespace (userns_fd, -1: make one) if need be.
 */
int container_remove_files(const struct container_home *h, const char *name,
			   int userns_fd, struct err *e);

#endif
