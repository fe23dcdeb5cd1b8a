#include "stdfds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "runtime/hub.h"

#define IS_OWN(fd) ((fd) > 2)

/* Half as fast again as the default 64 KiB on a busy machine. */
#define PIPE_SIZE (256 * 1024)

static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* A fifo is an entry of a directory; a pipe is not. */
static bool has_no_name(int fd, const struct stat *st)
{
	struct statfs fs;

	if (S_ISSOCK(st->st_mode))
		return true;
	return S_ISFIFO(st->st_mode) && fstatfs(fd, &fs) == 0 &&
	       fs.f_type == PIPEFS_MAGIC;
}

/* The caller's fd as the program may have it: itself, STDFDS_NULL or a pipe. */
static int judge(int fd)
{
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return STDFDS_NULL;
	if (is_null_device(&st))
		return STDFDS_NULL;
	return has_no_name(fd, &st) ? fd : STDFDS_PIPE;
}

/*
 * Is it one file, opened once or twice? With different offsets or modes each
 * writer would have a position of its own.
 */
static bool is_one_file(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino &&
	       fcntl(a, F_GETFL) == fcntl(b, F_GETFL) &&
	       lseek(a, 0, SEEK_CUR) == lseek(b, 0, SEEK_CUR);
}

static int make_pipe(struct stdfds *s, int i, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for the program's stdio");
	s->theirs[i] = p[i != 0];
	s->ours[i] = p[i == 0];
	return 0;
}

int stdfds_make(const int own[3], struct stdfds *ret, struct err *e)
{
	struct stdfds s = STDFDS_NONE;

	for (int i = 0; i < 3; i++) {
		const int how = judge(own[i]);

		s.theirs[i] = how;
		if (how != STDFDS_PIPE)
			continue;
		if (i == 2 && s.ours[1] >= 0 && is_one_file(own[1], own[2])) {
			s.theirs[2] = s.theirs[1];
		} else if (make_pipe(&s, i, e) < 0) {
			s.theirs[i] = STDFDS_NULL;
			stdfds_close(&s);
			return -1;
		}
		/*
		 * A log is slower anyway, and an ordinary user's pipe memory is
		 * limited.
		 */
		if (i < 2 && own[i] >= 0)
			(void)fcntl(s.ours[i], F_SETPIPE_SZ, PIPE_SIZE);
	}
	*ret = s;
	return 0;
}

bool stdfds_is_copied(const struct stdfds *s)
{
	return s->ours[0] >= 0 || s->ours[1] >= 0 || s->ours[2] >= 0;
}

void stdfds_close_theirs(struct stdfds *s)
{
	if (s->theirs[2] == s->theirs[1])
		s->theirs[2] = STDFDS_NULL;
	for (int i = 0; i < 3; i++) {
		if (IS_OWN(s->theirs[i]))
			own_close(&s->theirs[i]);
		s->theirs[i] = STDFDS_NULL;
	}
}

void stdfds_close(struct stdfds *s)
{
	stdfds_close_theirs(s);
	for (int i = 0; i < 3; i++)
		own_close(&s->ours[i]);
}

void stdfds_ends(struct stdfds *s, struct hub_ends *ret)
{
	*ret = (struct hub_ends){
		.master = -1,
		.in = take_fd(&s->ours[0]),
		.in_theirs = -1,
		.out = take_fd(&s->ours[1]),
		.err = take_fd(&s->ours[2]),
	};
	if (IS_OWN(s->theirs[0]))
		ret->in_theirs = take_fd(&s->theirs[0]);
	stdfds_close(s);
}

int stdfds_open_null(struct err *e)
{
	autoclose int fd = path_open_type(AT_FDCWD, "/dev/null", PATH_IN_ROOT,
					  S_IFCHR, O_RDWR);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "openat2", "/dev/null");
	if (fstat(fd, &st) < 0 || !is_null_device(&st))
		return err_set(e, ERR_INVALID,
			       "/dev/null in the container is not the null "
			       "device");
	/* Clear the O_NONBLOCK of the open. */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return err_sys(e, "fcntl", "F_SETFL of /dev/null");
	return take_fd(&fd);
}
