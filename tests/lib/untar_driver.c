/*
 * untar_driver - unpack one layer from a file, for tests and measurements
 *
 *   untar_driver [-f] [-c] [-u] [-n] [-s] [-S] TARBALL DIR LIST
 *
 *   -f decompress in a process of its own    -c confine before unpacking
 *   -u user.overlay xattrs                   -n skip device nodes
 *   -s squash all owners                     -S squash unmapped owners
 *
 * Prints the diff id and the counts; "error: ..." and exit code 1 otherwise.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "store/untar.h"

struct job {
	struct untar_opts o;
	bool fork;
	bool confine;
	int in;
	int dir;
	int list;
	struct untar_stats stats;
	struct digest diff_id;
	uint64_t size;
};

static int work(struct job *j, struct err *e)
{
	autodecomp struct decomp *d =
		decomp_open(decomp_read_fd, &j->in, DIGEST_SHA256);

	if (j->fork && decomp_fork(d, j->in, e) < 0)
		return -1;
	if (j->confine && untar_confine(j->dir, &j->o, e) < 0)
		return -1;
	if (untar(d, j->dir, j->list, &j->o, &j->stats, e) < 0)
		return -1;
	return decomp_finish(d, &j->diff_id, &j->size, e);
}

static int open_all(struct job *j, char **argv)
{
	j->in = open(argv[0], O_RDONLY | O_CLOEXEC);
	(void)mkdir(argv[1], 0755);
	j->dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	j->list = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (j->in >= 0 && j->dir >= 0 && j->list >= 0)
		return 0;
	perror("untar_driver");
	return -1;
}

static void parse(struct job *j, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "fcunsS")) != -1) {
		j->fork |= c == 'f';
		j->confine |= c == 'c';
		j->o.userxattr |= c == 'u';
		j->o.no_devices |= c == 'n';
		j->o.squash |= c == 's';
		j->o.squash_unmapped |= c == 'S';
	}
}

int main(int argc, char **argv)
{
	struct job j = {.in = -1, .dir = -1, .list = -1};
	struct err e = {0};

	parse(&j, argc, argv);
	if (argc - optind != 3 || open_all(&j, argv + optind) < 0)
		return 2;
	if (work(&j, &e) < 0) {
		printf("error: %s\n", e.text);
		return 1;
	}
	printf("%s\n", DIGEST_TEXT(&j.diff_id));
	printf("size=%llu entries=%llu bytes=%llu devices_skipped=%llu "
	       "xattrs_dropped=%llu ids_squashed=%llu\n",
	       (unsigned long long)j.size, (unsigned long long)j.stats.entries,
	       (unsigned long long)j.stats.file_bytes,
	       (unsigned long long)j.stats.devices_skipped,
	       (unsigned long long)j.stats.xattrs_dropped,
	       (unsigned long long)j.stats.ids_squashed);
	if (j.stats.note[0])
		printf("note: %s\n", j.stats.note);
	return 0;
}
