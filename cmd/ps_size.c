#include "cmd/ps_size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/userns.h"
#include "cmd/size.h"
#include "store/layer.h"

#define DEPTH_MAX 200 /* fds held open on the way down */

struct count {
	int dir_fd;
	uint64_t bytes;
	bool denied; /* something could not be read */
};

static uint64_t bytes_below(int dirfd, const char *name, int depth,
			    bool *denied)
{
	const int fd = openat(dirfd, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;

	*denied = *denied || (fd < 0 && errno == EACCES);
	while (d) {
		const struct dirent *const de = readdir(d);
		struct stat st;

		if (!de)
			break;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			sum += bytes_below(fd, de->d_name, depth + 1, denied);
		else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

static int count_inside(void *arg, struct err *e)
{
	struct count *const c = arg;
	struct idmap map;

	if (userns_enter_for_store(&map, e) < 0)
		return -1;
	c->bytes = bytes_below(c->dir_fd, "upper", 0, &c->denied);
	return 0;
}

/*
 * Directories of an ordinary user's container may be closed to all but its own
 * ids: then a process that has them counts again. Without it, what can be seen
 * is what there is.
 */
static uint64_t upper_bytes(const struct container *c)
{
	bool denied = false;
	const uint64_t plain = bytes_below(c->dir_fd, "upper", 0, &denied);
	struct count *const shared =
		denied ? mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0)
		       : MAP_FAILED;
	autoworker struct worker w = WORKER_NONE;
	struct err ignored = {0};
	uint64_t ret = plain;

	if (shared == MAP_FAILED)
		return plain;
	*shared = (struct count){.dir_fd = c->dir_fd};
	if (proc_start(&w, "size", count_inside, shared, &ignored) == 0 &&
	    proc_wait(&w, &ignored) == 0)
		ret = shared->bytes;
	(void)munmap(shared, sizeof(*shared));
	return ret;
}

/* ".../layers/sha256/<hex>/fs" */
static uint64_t layer_bytes(struct store *s, const char *path)
{
	const char *const at = strstr(path, "layers/sha256/");
	autofree char *text = NULL;
	struct digest d;
	struct err ignored = {0};
	uint64_t n = 0;

	if (!at)
		return 0;
	text = xasprintf("sha256:%.64s", at + strlen("layers/sha256/"));
	if (digest_parse(text, &d, &ignored) < 0 ||
	    layer_size(s, &d, &n, &ignored) < 0)
		return 0;
	return n;
}

void ps_size(struct store *s, const struct container *c,
	     const struct run_spec *spec, uint64_t *ret_rw, uint64_t *ret_root)
{
	*ret_rw = upper_bytes(c);
	*ret_root = *ret_rw;
	for (size_t i = 0; i < spec->lowers.n; i++)
		*ret_root += layer_bytes(s, spec->lowers.v[i]);
}

char *ps_size_text(uint64_t rw, uint64_t root)
{
	autofree char *a = size_text(rw);
	autofree char *b = size_text(root);

	return xasprintf("%s (virtual %s)", a, b);
}
