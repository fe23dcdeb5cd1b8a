/*
 * signame - signals by name and by number (signal(7))
 *
 * Numbers are those of the machine prism runs on. RTMIN is 34 and RTMAX 64, as
 * programs know them: the C library keeps 32 and 33 for itself.
 */
#ifndef BASE_SIGNAME_H
#define BASE_SIGNAME_H

#include <stdbool.h>

/*
 * "TERM", "SIGTERM", "sigterm", "15", "RTMIN+1", "SIGRTMAX-2". False, and *ret
 * as it was, for other words and for numbers outside 1..64.
 */
bool signame_parse(const char *s, int *ret);

/* "SIGTERM", "SIGRTMIN+1"; "signal 99" for what is none. Returns buf. */
#define SIGNAME_MAX 24
const char *signame_text(int sig, char *buf);

#endif
