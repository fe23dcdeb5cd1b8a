/*
 * user - who a program runs as: "--user" text and the image's own files
 *
 * The text is USER[:GROUP], each a name or a number, or empty for root. Names
 * are looked up in etc/passwd and etc/group of the image, never on the host.
 * A number is always a number, even if an account has that name.
 *
 *   alice        uid, gid, HOME of the entry; groups that list alice
 *   alice:adm    only the group adm
 *   405          as the entry with uid 405; without one gid 0, HOME=/
 *   405:100      gid 100
 *   (empty)      uid 0 and all groups that list its entry's name
 *
 * The primary group also stands in the list of groups: otherwise a set-gid
 * program could leave it, and with it a rule that denies the group something.
 *
 * The files come from an image, so from anyone: they are bounded, a line that
 * is not as passwd(5) and group(5) say is skipped; a file that is missing, not
 * regular, or on procfs counts as empty.
 *
 * Errors: ERR_NOTFOUND for unknown names, ERR_USAGE for text that makes no
 * sense, ERR_TOOBIG past a limit.
 */
#ifndef RUNTIME_USER_H
#define RUNTIME_USER_H

#include "base/err.h"
#include "base/limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What Docker accepts; above lie numbers that mean "no change" to setuid. */
#define USER_ID_MAX 0x7fffffffU

#define USER_HOME_MAX 1024 /* longer ones are taken for broken: HOME=/ */

struct user {
	uint32_t uid;
	uint32_t gid;
	uint32_t groups[GROUPS_MAX]; /* the primary one first */
	size_t n_groups;
	char home[USER_HOME_MAX];
	bool known; /* has an entry in etc/passwd (else whoami fails) */
};

struct user_wish {
	const char *user;             /* NULL or "": root */
	const char *const *group_add; /* words of --group-add */
	size_t n_group_add;
	bool has_home; /* HOME is given: an entry may be left unread for it */
};

/*
 * Resolve against the files below root_fd (symlinks stay inside). Reads each
 * file at most once, and only if it can change the result: with uid:gid in
 * numbers and has_home neither; `known` is then false.
 */
int user_resolve(int root_fd, const struct user_wish *w, struct user *ret,
		 struct err *e);

/* The same on the text of the files; NULL: absent. */
struct user_files {
	const char *passwd;
	size_t passwd_len;
	const char *group;
	size_t group_len;
};
int user_resolve_text(const struct user_files *f, const struct user_wish *w,
		      struct user *ret, struct err *e);

#endif
