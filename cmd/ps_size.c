#include "cmd/ps_size.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/userns.h"
#include "base/walk.h"
#include "cmd/size.h"
#include "store/layer.h"

struct count {
	int dir_fd;
	uint64_t bytes;
	bool denied; /* something could not be read */
};

/* The container may change its files meanwhile: sum up what was seen. */
static uint64_t bytes_below(int fd, bool *ret_denied)
{
	struct err ignored = {0};
	autowalk struct walk *w =
		walk_open(fd, "", WALK_DENIED_OK | WALK_NO_XDEV, &ignored);
	struct walk_at at = {0};
	uint64_t sum = 0;

	while (w) {
		const int event = walk_next(w, &at, &ignored);

		if (event <= 0)
			break;
		if (S_ISREG(at.st.st_mode) || S_ISLNK(at.st.st_mode))
			sum += (uint64_t)at.st.st_size;
	}
	*ret_denied = w && walk_denied(w);
	return sum;
}

static uint64_t upper_below(int dir_fd, bool *ret_denied)
{
	autoclose int upper = path_open(dir_fd, "upper", PATH_NO_LINKS,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (upper >= 0)
		return bytes_below(upper, ret_denied);
	*ret_denied = errno == EACCES;
	return 0;
}

static int count_inside(void *arg, struct err *e)
{
	struct count *const c = arg;
	struct idmap map;

	if (userns_enter_for_store(&map, e) < 0)
		return -1;
	c->bytes = upper_below(c->dir_fd, &c->denied);
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
	const uint64_t plain = upper_below(c->dir_fd, &denied);
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
