/*
 * words - from the words that a user types to a command
 *
 * A command's name may have two words ("volume ls"). Other words for the same
 * command stand in one table of aliases ("container ls" is "ps"); the first
 * word of either is a group ("prism container --help" lists it). Commands of
 * docker and podman that prism does not have are errors with a name and say
 * what serves instead; a mistyped one is answered with the nearest.
 */
#ifndef CMD_COMMON_WORDS_H
#define CMD_COMMON_WORDS_H

#include "cmd/cmd.h"
#include <stdio.h>

struct words_found {
	const struct command *c;
	int used;            /* words that named it */
	const char *first;   /* the alias, or the name: for messages */
	const char *insert;  /* "--type": goes in front of the arguments */
	const char *insert2; /* its value */
};

/*
 * The command of n words. A group without a command, or with --help, gives
 * c == NULL and first = the group. ERR_USAGE, ERR_UNSUPPORTED.
 */
int words_find(const struct command *const *table, int n, char *const *words,
	       struct words_found *ret, struct err *e);

/* "Commands:" of a group, or (NULL) all names with one word and the groups. */
void words_list(FILE *out, const struct command *const *table,
		const char *group);
const char *words_group_summary(const char *group);

/*
 * Every name below group (NULL: the first words), aliases too, each once.
 */
void words_each(const struct command *const *table, const char *group,
		void (*fn)(void *ctx, const char *word, const char *summary),
		void *ctx);

#endif
