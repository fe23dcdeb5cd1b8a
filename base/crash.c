#include "crash.h"

#ifdef PRISM_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "str.h"

static void list_point(const char *file, const char *name)
{
	const int fd =
		open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		return;
	(void)!write(fd, name, strlen(name));
	(void)!write(fd, "\n", 1);
	(void)close(fd);
}

void crash_point(const char *name)
{
	static uint64_t passes;
	const char *const at = getenv("PRISM_CRASH_AT");
	const char *const list = getenv("PRISM_CRASH_LIST");
	const size_t n = strlen(name);
	uint64_t wanted = 1;

	if (list)
		list_point(list, name);
	if (!at || strncmp(at, name, n) != 0)
		return;
	if (at[n] != '\0' &&
	    (at[n] != ':' || !str_to_u64(at + n + 1, 100000, &wanted)))
		return;
	if (++passes == wanted)
		(void)kill(getpid(), SIGKILL);
}

#else
/* An empty translation unit is not ISO C. */
extern const int crash_points_are_off;
const int crash_points_are_off = 1;
#endif
