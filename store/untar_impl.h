/*
 * untar_impl - what the files of untar share; nobody else includes it
 *
 * untar.c        reads entries and sends each to the function of its type
 * untar_write.c  makes files, links, devices, directories on the disk
 * untar_end.c    what has to come last: opaque marks, whiteouts, directories
 */
#ifndef STORE_UNTAR_IMPL_H
#define STORE_UNTAR_IMPL_H

#include <archive.h>
#include <archive_entry.h>

#include "store/layerlist.h"
#include "store/untar.h"
#include "store/untar_guard.h"
#include "store/untar_tree.h"
#include "store/untar_xattr.h"

/* Names that are dealt with at the end. */
struct names {
	char **v;
	size_t n;
	size_t cap;
};

struct untar {
	const struct untar_opts *o;
	struct untar_stats *st;
	struct tree *tree;
	struct list_writer *list;
	struct list_summary sum;

	/* The bytes under libarchive. */
	struct decomp *d;
	struct tar_guard guard;
	struct err cause;  /* of a failed read callback */
	const void *first; /* the first piece, looked at before */
	int64_t first_len;

	struct archive *a;
	struct archive_entry *ae;
	struct place *at;   /* of the entry */
	struct place *link; /* of a hardlink's target */
	char *clean;        /* TAR_NAME_MAX + 1 */
	struct xattr_set xattrs;
	struct list_rec rec;

	struct names whiteouts; /* clean names, without .wh. */
	struct names opaques;   /* clean names of directories */
	uint64_t holes;         /* bytes of holes hashed so far */
};

/* ---- untar.c ---- */

/* libarchive gave up: the first cause, from whoever saw it. */
int archive_failed(struct untar *u, struct err *e);

/* Say once what was left out. */
void untar_note(struct untar *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A path without control characters, for messages; buf of 160. */
#define SHOWN_MAX 160
const char *path_shown(const char *path, char *buf);

/* ---- untar_write.c ---- */

/* The entry u->ae, at u->at; u->rec is begun. Adds to the list. */
int write_file(struct untar *u, struct err *e);
int write_symlink(struct untar *u, struct err *e);
int write_hardlink(struct untar *u, struct err *e);
int write_node(struct untar *u, struct err *e);
int write_dir(struct untar *u, struct err *e);

/* ---- untar_end.c ---- */

int names_add(struct names *v, const char *name, struct err *e);
void names_free(struct names *v);

/* Opaque marks and whiteouts, then all directories; summary filled. */
int finish_tree(struct untar *u, struct err *e);

#endif
