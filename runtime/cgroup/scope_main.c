/*
 * prism-scope - ask the systemd of this user for a cgroup (scope.h)
 *
 *   prism-scope UNIT PID          a new scope with this process in it
 *   prism-scope UNIT PID /BELOW   move the process to a cgroup inside of it
 *
 * Exits with 0, or with 1 and one line that says why not.
 *
 * A program of its own: libsystemd costs more to load than a container to
 * start, and only who has nothing delegated yet needs it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/str.h"

#define WAIT_US 20000000

#define MANAGER                                                  \
	"org.freedesktop.systemd1", "/org/freedesktop/systemd1", \
		"org.freedesktop.systemd1.Manager"

#define autobus __attribute__((cleanup(sd_bus_flush_close_unrefp)))
#define automsg __attribute__((cleanup(sd_bus_message_unrefp)))
#define autoerr __attribute__((cleanup(sd_bus_error_free)))

static int fail(const char *what, int r, const sd_bus_error *why)
{
	(void)fprintf(stderr, "%s: %s\n", what,
		      why && why->message ? why->message : strerror(-r));
	return -1;
}

/* ---- the bus -------------------------------------------------------------- */

/* Without dbus-user-session systemd still has a socket of its own. */
static int open_private(const char *dir, sd_bus **bus)
{
	char address[256];
	int r = sd_bus_new(bus);

	(void)snprintf(address, sizeof(address),
		       "unix:path=%.200s/systemd/private", dir);
	if (r >= 0)
		r = sd_bus_set_address(*bus, address);
	return r < 0 ? r : sd_bus_start(*bus);
}

/* A socket in another user's directory is not our systemd's. */
static bool is_ours(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && st.st_uid == geteuid();
}

static int open_bus(sd_bus **bus)
{
	const char *const given = getenv("XDG_RUNTIME_DIR");
	const bool ours = given && is_ours(given);
	char dir[64];
	int r;

	/* After su and sudo XDG_RUNTIME_DIR is unset or another user's. */
	(void)snprintf(dir, sizeof(dir), "/run/user/%u", (unsigned)geteuid());
	if (!ours && setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return fail("setenv XDG_RUNTIME_DIR", -errno, NULL);
	if (sd_bus_open_user(bus) >= 0)
		return 0;
	*bus = sd_bus_unref(*bus);
	r = open_private(getenv("XDG_RUNTIME_DIR"), bus);
	if (r < 0) {
		(void)fprintf(stderr, "no systemd of user %u answers in %s: ",
			      (unsigned)geteuid(), getenv("XDG_RUNTIME_DIR"));
		return fail("connect", r, NULL);
	}
	return 0;
}

/* ---- its job -------------------------------------------------------------- */

struct job {
	const char *path; /* NULL: not known yet */
	bool over;
	bool done; /* as it should be */
};

/* JobRemoved: id, path, unit, result */
static int job_removed(sd_bus_message *m, void *ctx, sd_bus_error *why)
{
	struct job *const j = ctx;
	const char *path, *unit, *result;
	uint32_t id;
	const int r =
		sd_bus_message_read(m, "uoss", &id, &path, &unit, &result);

	(void)why;
	if (r >= 0 && j->path && !strcmp(path, j->path)) {
		j->over = true;
		j->done = !strcmp(result, "done");
	}
	return 0;
}

static int wait_for(sd_bus *bus, const struct job *j, const char *unit)
{
	while (!j->over) {
		int r = sd_bus_process(bus, NULL);

		if (r == 0) {
			r = sd_bus_wait(bus, WAIT_US);
			if (r == 0)
				r = -ETIMEDOUT;
		}
		if (r < 0 && r != -EINTR)
			return fail(unit, r, NULL);
	}
	if (j->done)
		return 0;
	(void)fprintf(stderr, "systemd could not start %s\n", unit);
	return -1;
}

/* ---- what is asked -------------------------------------------------------- */

static int fill(sd_bus_message *m, const char *unit, uint32_t pid)
{
	const int r = sd_bus_message_append(
		m, "ssa(sv)a(sa(sv))", unit, "fail", 4, "Description", "s",
		"prism container", "PIDs", "au", 1, pid, "Delegate", "b", 1,
		"CollectMode", "s", "inactive-or-failed", 0);

	return r < 0 ? fail("sd_bus_message_append", r, NULL) : 0;
}

static int make_scope(sd_bus *bus, const char *unit, uint32_t pid)
{
	automsg sd_bus_message *m = NULL;
	automsg sd_bus_message *reply = NULL;
	autoerr sd_bus_error why = SD_BUS_ERROR_NULL;
	struct job j = {0};
	int r = sd_bus_match_signal(bus, NULL, NULL,
				    "/org/freedesktop/systemd1",
				    "org.freedesktop.systemd1.Manager",
				    "JobRemoved", job_removed, &j);

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &m, MANAGER,
						   "StartTransientUnit");
	if (r < 0)
		return fail("no systemd of this user answers", r, NULL);
	if (fill(m, unit, pid) < 0)
		return -1;
	r = sd_bus_call(bus, m, 0, &why, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &j.path);
	if (r < 0)
		return fail("StartTransientUnit", r, &why);
	return wait_for(bus, &j, unit);
}

static int enter(sd_bus *bus, const char *unit, uint32_t pid, const char *below)
{
	autoerr sd_bus_error why = SD_BUS_ERROR_NULL;
	const int r =
		sd_bus_call_method(bus, MANAGER, "AttachProcessesToUnit", &why,
				   NULL, "ssau", unit, below, 1, pid);

	return r < 0 ? fail("AttachProcessesToUnit", r, &why) : 0;
}

int main(int argc, char **argv)
{
	autobus sd_bus *bus = NULL;
	uint64_t pid;
	int rc = -1;

	if (argc < 3 || argc > 4 || !str_to_u64(argv[2], INT32_MAX, &pid))
		(void)fputs("usage: prism-scope UNIT PID [/BELOW]\n", stderr);
	else if (open_bus(&bus) == 0)
		rc = argc == 4 ? enter(bus, argv[1], (uint32_t)pid, argv[3])
			       : make_scope(bus, argv[1], (uint32_t)pid);
	return rc == 0 ? 0 : 1;
}
