#include "scope.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/libexec.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/trace.h"

/* below: a cgroup in the unit; NULL: make the unit. */
static int ask(const char *unit, const char *below, struct err *e)
{
	autofree char *program = libexec_find("prism-scope", e);
	char pid[16];
	const char *const argv[] = {program, unit, pid, below, NULL};

	if (!program)
		return -1;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return proc_run(argv, e);
}

int scope_make(const char *id, struct err *e)
{
	/* One that ends at this moment still has the name of its run. */
	autofree char *unit =
		xasprintf("prism-%.12s-%d.scope", id, (int)getpid());
	STEP(e, "scope", "ask systemd for %s", unit);

	return ask(unit, NULL, e);
}

int scope_enter(const char *path, struct err *e)
{
	const char *const unit = strstr(path, "/prism-");
	const char *const end = unit ? strstr(unit, ".scope/") : NULL;
	autofree char *name = NULL;
	STEP(e, "scope", "ask systemd to move us to %s", path);

	if (!end || memchr(unit + 1, '/', (size_t)(end - unit - 1)))
		return err_set(e, ERR_UNSUPPORTED,
			       "it is in no scope that systemd made for prism");
	name = xasprintf("%.*s.scope", (int)(end - unit - 1), unit + 1);
	return ask(name, end + strlen(".scope"), e);
}
