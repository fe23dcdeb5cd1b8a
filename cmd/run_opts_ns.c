/*
 * --pid, --ipc, --uts, --cgroupns: whose namespaces. The user namespace needs
 * more than the flags and is chosen in run_userns.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cmd/run_opts.h"

/* "container:NAME" -> NAME, or NULL. */
static const char *of_container(const char *w)
{
	const char *const name = str_after(w, "container:");

	return str_empty(name) ? NULL : name;
}

static int unknown_mode(const char *flag, const char *w, const char *there_are,
			struct err *e)
{
	(void)err_set(e, ERR_USAGE, "--%s '%s': unknown mode", flag, w);
	return err_hint(e, "there are %s", there_are);
}

static int set_pid(const char *w, struct run_spec *s, struct err *e)
{
	if (str_empty(w) || !strcmp(w, "private"))
		return 0;
	if (!strcmp(w, "host")) {
		s->pid_ns = NS_HOST;
		return 0;
	}
	if (!of_container(w))
		return unknown_mode("pid", w,
				    "private, host and "
				    "container:NAME",
				    e);
	s->pid_ns = NS_JOIN;
	s->pid_of = xstrdup(of_container(w));
	return 0;
}

static int set_ipc(const char *w, struct run_spec *s, struct err *e)
{
	if (str_empty(w) || !strcmp(w, "private") || !strcmp(w, "shareable"))
		return 0;
	if (!strcmp(w, "none")) {
		s->no_shm = true;
		return 0;
	}
	if (!strcmp(w, "host")) {
		s->ipc_ns = NS_HOST;
		return 0;
	}
	if (!of_container(w))
		return unknown_mode("ipc", w,
				    "private, shareable, none, host and "
				    "container:NAME",
				    e);
	s->ipc_ns = NS_JOIN;
	s->ipc_of = xstrdup(of_container(w));
	return 0;
}

static int set_uts(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	const char *const w = o->uts;

	if (str_empty(w) || !strcmp(w, "private"))
		return 0;
	if (strcmp(w, "host") != 0)
		return unknown_mode("uts", w, "private and host", e);
	if (o->hostname || o->domainname)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --%s and --uts host",
			       o->hostname ? "hostname" : "domainname");
	s->uts_ns = NS_HOST;
	return 0;
}

static int set_cgroup(const char *w, struct run_spec *s, struct err *e)
{
	if (str_empty(w) || !strcmp(w, "private"))
		return 0;
	if (strcmp(w, "host") != 0)
		return unknown_mode("cgroupns", w, "private and host", e);
	s->cgroup_ns = NS_HOST;
	return 0;
}

/* Names of runtimes that do what prism does itself. */
static int check_runtime(const char *w, struct err *e)
{
	static const char *const same[] = {"runc", "crun", "prism",
					   "io.containerd.runc.v2"};

	if (str_empty(w))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (!strcmp(w, same[i]))
			return 0;
	(void)err_set(e, ERR_UNSUPPORTED,
		      "--runtime %s: prism is its own "
		      "runtime",
		      w);
	return err_hint(e, "runc and crun are accepted, as they do the same; "
			   "for a GPU name its --device nodes");
}

int run_opts_ns(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	if (set_pid(o->pid, s, e) < 0 || set_ipc(o->ipc, s, e) < 0 ||
	    set_uts(o, s, e) < 0 || set_cgroup(o->cgroupns, s, e) < 0 ||
	    check_runtime(o->runtime, e) < 0)
		return -1;
	return 0;
}
