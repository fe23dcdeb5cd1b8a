/*
 * crash - named places where a test lets the process die
 *
 * With PRISM_CRASH_AT=<name> (or <name>:<n> for the n-th pass) in the
 * environment the process kills itself with SIGKILL there. Compiled in only
 * with -DPRISM_CRASH_POINTS (make test builds); otherwise nothing.
 *
 * PRISM_CRASH_LIST=<file> instead appends the name of each point passed, which
 * is how the tests learn which points there are.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef PRISM_CRASH_POINTS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
	(void)name;
}
#endif

#endif
