#include "cmd/ps_size.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/own.h"
#include "cmd/size.h"
#include "store/layer.h"

#define DEPTH_MAX 200 /* fds held open on the way down */

/* What cannot be read (ids of a user namespace) counts for nothing. */
static uint64_t bytes_below(int dirfd, const char *name, int depth)
{
	const int fd = openat(dirfd, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;

	while (d) {
		const struct dirent *const de = readdir(d);
		struct stat st;

		if (!de)
			break;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			sum += bytes_below(fd, de->d_name, depth + 1);
		else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	return sum;
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
	*ret_rw = bytes_below(c->dir_fd, "upper", 0);
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
