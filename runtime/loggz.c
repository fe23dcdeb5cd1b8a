#include "loggz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/crash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"

#define CHUNK KIB(32)
#define GZIP  16 /* added to the window bits: with gzip's header (zlib.h) */

/* The extra field (RFC 1952, 2.3.1.1): two letters, a length, the inode. */
#define EXTRA_LEN 12
#define EXTRA_AT  12 /* in the file: behind the header and XLEN */
#define FEXTRA    4  /* in the flags, byte 3 */

static void put_extra(unsigned char *p, uint64_t ino)
{
	p[0] = 'p';
	p[1] = 'r';
	p[2] = sizeof(ino);
	p[3] = 0;
	for (size_t i = 0; i < sizeof(ino); i++)
		p[4 + i] = (unsigned char)(ino >> (8 * i));
}

uint64_t loggz_origin(int fd)
{
	unsigned char head[EXTRA_AT + EXTRA_LEN];
	uint64_t ino = 0;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    !(head[3] & FEXTRA) || memcmp(head + EXTRA_AT, "pr\10", 4) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(ino); i++)
		ino |= (uint64_t)head[EXTRA_AT + 4 + i] << (8 * i);
	return ino;
}

/* ---- packing -------------------------------------------------------------- */

/* What zlib makes of z's input goes to the file. */
static int deflate_all(z_stream *z, int how, int to, struct err *e)
{
	unsigned char out[CHUNK];

	do {
		z->next_out = out;
		z->avail_out = sizeof(out);
		(void)deflate(z, how);
		if (io_write_all(to, out, sizeof(out) - z->avail_out,
				 "the packed log", e) < 0)
			return -1;
	} while (z->avail_out == 0);
	return 0;
}

static int pack_fd(int from, int to, z_stream *z, struct err *e)
{
	unsigned char in[CHUNK];
	int64_t n;

	do {
		n = io_read_full(from, in, sizeof(in), "the log", e);
		if (n < 0)
			return -1;
		z->next_in = in;
		z->avail_in = (unsigned int)n;
		if (deflate_all(z,
				n < (int64_t)sizeof(in) ? Z_FINISH : Z_NO_FLUSH,
				to, e) < 0)
			return -1;
	} while (n == (int64_t)sizeof(in));
	return 0;
}

static int pack(int from, int to, struct err *e)
{
	unsigned char extra[EXTRA_LEN];
	gz_header head = {
		.extra = extra, .extra_len = sizeof(extra), .os = 3, /* Unix */
	};
	z_stream z = {0};
	struct stat st;
	int rc;

	if (fstat(from, &st) < 0)
		return err_sys(e, "fstat", "the log");
	put_extra(extra, st.st_ino);
	head.time = (uLong)st.st_mtime;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
			 MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, ERR_SYS, "no memory to pack the log");
	(void)deflateSetHeader(&z, &head);
	rc = pack_fd(from, to, &z, e);
	(void)deflateEnd(&z);
	return rc;
}

int loggz_pack(int dir_fd, const char *name, struct err *e)
{
	autofree char *final = xasprintf("%s" LOGGZ_SUFFIX, name);
	autofree char *temp = xasprintf("%s.new", final);
	autoclose int from = -1;
	autoclose int to = -1;
	ERR_IN(e, "pack %s", name);

	from = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return err_sys(e, "openat", "%s", name);
	to = openat(dir_fd, temp,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0640);
	if (to < 0)
		return err_sys(e, "openat", "%s", temp);
	crash_point("log-pack-begun");
	if (pack(from, to, e) < 0) {
		(void)unlinkat(dir_fd, temp, 0);
		return -1;
	}
	if (renameat(dir_fd, temp, dir_fd, final) < 0)
		return err_sys(e, "renameat", "%s to %s", temp, final);
	crash_point("log-packed");
	(void)unlinkat(dir_fd, name, 0);
	return 0;
}

/* ---- unpacking ------------------------------------------------------------ */

static int open_nameless(int dir_fd)
{
	const int fd =
		openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("prism-log", MFD_CLOEXEC);
}

/* 1 at the end, also where it is damaged; 0; -1. */
static int inflate_all(z_stream *z, int to, struct err *e)
{
	unsigned char out[CHUNK];
	int how;

	do {
		z->next_out = out;
		z->avail_out = sizeof(out);
		how = inflate(z, Z_NO_FLUSH);
		if (io_write_all(to, out, sizeof(out) - z->avail_out,
				 "the unpacked log", e) < 0)
			return -1;
		if (how != Z_OK && how != Z_BUF_ERROR)
			return 1;
	} while (z->avail_out == 0);
	return 0;
}

static int unpack(int from, int to, z_stream *z, struct err *e)
{
	unsigned char in[CHUNK];
	int64_t n;
	int rc;

	do {
		n = io_read_full(from, in, sizeof(in), "the packed log", e);
		if (n < 0)
			return -1;
		z->next_in = in;
		z->avail_in = (unsigned int)n;
		rc = inflate_all(z, to, e);
	} while (rc == 0 && n == (int64_t)sizeof(in));
	return rc < 0 ? -1 : 0;
}

int loggz_unpack(int dir_fd, int fd, int *ret_fd, struct err *e)
{
	autoclose int to = open_nameless(dir_fd);
	z_stream z = {0};
	int rc;

	if (to < 0)
		return err_sys(e, "memfd_create", "to unpack a log");
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    inflateInit2(&z, MAX_WBITS + GZIP) != Z_OK)
		return err_set(e, ERR_SYS, "cannot unpack a log");
	rc = unpack(fd, to, &z, e);
	(void)inflateEnd(&z);
	if (rc == 0)
		*ret_fd = take_fd(&to);
	return rc;
}
