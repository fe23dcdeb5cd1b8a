/*
 * container - a container on disk: its directory, lock and end
 *
 *   containers/<id>/spec.json  what it is (spec_file.h), behind a head that
 *                              holds the pid of init (state.h); the monitor
 *                              holds a lock on it while the container lives
 *   containers/<id>/state.json what became of it
 *   containers/<id>/volumes    the volumes it uses (container_volumes.h)
 *   containers/<id>/stopping   a user ended it: not to be restarted
 *   containers/<id>/upper, work, hosts, hostname, resolv.conf
 *   containers/by-name/<name>  (name.h)
 *
 * The directory is built in tmp/ and renamed when it is complete and locked,
 * so that one that is there with a free lock belongs to nobody, and whoever
 * comes next may start or end it: container_teardown is the same for a crash
 * and for a normal end, and can be repeated.
 *
 * Whoever makes containers sets the umask to 0 before: modes are meant.
 *
 * Life of one that is made and run: container_create -> container_started
 * (by the monitor) -> container_finish.
 * Of one that is there: container_open -> container_state_get, or
 * container_lock -> container_load -> container_started -> container_finish;
 * container_close at the end.
 */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include "base/err.h"
#include "base/userns.h"
#include "runtime/info.h"
#include "runtime/spec.h"
#include "runtime/state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTAINER_ID_MAX   65
#define CONTAINER_NAME_MAX 128

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
	char name[CONTAINER_NAME_MAX]; /* reserved or derived */
	bool named;                    /* it is a reserved one */
	char *dir;                     /* absolute path of containers/<id> */
	int dir_fd;
	int lock_fd; /* of spec.json, open for reading and writing */
	bool has_resolv;
	bool has_volumes;
	bool keep;
	struct container_head head; /* as this process knows it */
};
#define CONTAINER_NONE                      \
	{                                   \
		.dir_fd = -1, .lock_fd = -1 \
	}

/* ---- making --------------------------------------------------------------- */

struct container_new {
	const char *id;   /* of container_new_id; NULL: a fresh one */
	const char *name; /* NULL: none */
	const struct run_spec *spec;
	const struct container_info *info;
	const char *resolv;  /* text, NULL: none */
	const char *hosts;   /* text of hosts, NULL: localhost and itself */
	const char *volumes; /* text of volumes, NULL: none */
	uint32_t root_uid;   /* owner of upper: the container's root outside */
	uint32_t root_gid;
	mode_t root_mode; /* of the image's root directory */
};

void container_new_id(char ret[CONTAINER_ID_MAX]);

/*
 * Made and locked; container_close leaves it "created". ERR_EXISTS when the
 * name is taken; says by whom.
 */
int container_create(const struct container_home *h,
		     const struct container_new *n, struct container *ret,
		     struct err *e);

/* ---- finding -------------------------------------------------------------- */

/*
 * By name, id or unique prefix of an id; not locked. ERR_NOTFOUND "No such
 * container: x".
 */
int container_open(const struct container_home *h, const char *text,
		   struct container *ret, struct err *e);
/* The same for whoever opens many: names are those of name_list_read. */
struct name_list;
int container_open_among(const struct container_home *h,
			 const struct name_list *names, const char *text,
			 struct container *ret, struct err *e);
/* By the whole id, without its name; 1 when it is gone. */
int container_open_id(const struct container_home *h, const char *id,
		      struct container *ret, struct err *e);
void container_close(struct container *c);
#define autocontainer __attribute__((cleanup(container_close)))

/*
 * All there are, in no order. fn's non-zero result ends it and is returned.
 * One that vanishes meanwhile is left out, one that is damaged gets a warning.
 * Of each a dead monitor's work is done before fn sees it (container_settle).
 */
typedef int (*container_fn)(void *ctx, struct container *c, struct err *e);
int container_each(const struct container_home *h, container_fn fn, void *ctx,
		   struct err *e);

/* What spec.json says; either may be NULL. */
int container_load(const struct container_home *h, const struct container *c,
		   struct run_spec *ret_spec, struct container_info *ret_info,
		   struct err *e);

/*
 * Other limits and another restart policy, those of spec: now, if it runs, and
 * for all later starts.
 */
int container_update(const struct container *c, const struct run_spec *spec,
		     struct err *e);

/* What it is doing, and what became of it (state.h). */
int container_state_get(const struct container *c, struct container_state *ret,
			struct err *e);

/*
 * A pidfd of init of a running container, checked to be this container's and
 * no other process that got its number. ERR_NOTFOUND when it does not run.
 */
int container_pidfd(const struct container *c, pid_t *ret_pid, struct err *e);

/*
 * The same of one that runs or is being started: to end it or to limit it. Its
 * init may have all capabilities still, so nothing may join it.
 */
int container_init_pidfd(const struct container *c, pid_t *ret_pid,
			 struct err *e);

/* ---- living: for the one that holds the lock ------------------------------- */

/* For a start: ERR_BUSY when it lives. The head is read again. */
int container_lock(struct container *c, struct err *e);
/* For the work of a dead monitor: it looks as dead as it is meanwhile. */
int container_lock_dead(struct container *c, struct err *e);

/*
 * A new run: pid and time go into the head; state.json is that of the past. It
 * is running when container_runs says that init has executed the program.
 */
int container_started(struct container *c, pid_t init, struct err *e);
int container_runs(struct container *c, struct err *e);

/* Replace state.json; s->run and s->started_ns are set here. */
int container_state_put(const struct container *c, struct container_state *s,
			struct err *e);

/*
 * The end: the exit code goes into the head, for those who wait; with keep
 * into state.json too, else everything is removed. userns: an fd of the user
 * namespace that owns the files (-1: we). Closes c.
 */
int container_finish(const struct container_home *h, struct container *c,
		     int exit_code, int userns_fd, struct err *e);
/*
 * The same with all that state.json is to say. Whoever could not start it puts
 * c->head back before: one that never ran is "created" still.
 */
int container_finish_state(const struct container_home *h, struct container *c,
			   struct container_state *s, int userns_fd,
			   struct err *e);

/* ---- stopping -------------------------------------------------------------- */

/*
 * The marker that a user ended it. Set before the signal, so that the monitor
 * finds it; a start takes it away.
 */
int container_mark_stopping(const struct container *c, bool on, struct err *e);
bool container_is_stopping(const struct container *c);

/* Until nobody holds the lock. */
int container_wait_unlocked(const struct container *c, struct err *e);

/* ---- ending: container_end.c ----------------------------------------------- */

/* Remove one whose lock is held by us, and its anonymous volumes if asked. */
int container_teardown(const struct container_home *h,
		       const struct container *c, bool volumes, int userns_fd,
		       struct err *e);

/* Remove the cgroups of one that is kept; what is busy, in the background. */
void container_cgroup_end(const struct container *c);

/* The same without waiting until its files are gone. */
int container_teardown_later(const struct container_home *h,
			     const struct container *c, bool volumes,
			     int userns_fd, struct err *e);

/*
 * End what dead monitors left: those that were not to be kept are removed,
 * the others get a state. Called while a foreground container runs, and by
 * every command that needs the truth.
 */
int container_sweep(const struct container_home *h, struct err *e);

/* The same of one that is open; 1: it is gone. */
int container_settle(const struct container_home *h, struct container *c,
		     struct err *e);

/*
 * Remove a stopped container of container_open; force: kill it before;
 * volumes: also its anonymous volumes. ERR_BUSY when it runs.
 */
int container_remove(const struct container_home *h, struct container *c,
		     bool force, bool volumes, struct err *e);

/*
 * The same of many: each is hidden, which ends its name and all that is to be
 * seen of it; then all files go at once. Those that were not hidden are passed
 * over.
 */
int container_hide(const struct container_home *h, struct container *c,
		   bool force, bool volumes, struct err *e);
int container_remove_hidden(const struct container_home *h,
			    const struct container *v, size_t n, struct err *e);

/*
 * Remove a tree below the store's root that may belong to the ids of a
 * container: in its user namespace (userns_fd, -1: make one) if need be.
 */
int container_remove_files(const struct container_home *h, const char *name,
			   int userns_fd, struct err *e);

#endif
