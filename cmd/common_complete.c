#include "cmd/common_complete.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/common_opts.h"
#include "cmd/common_out.h"
#include "cmd/common_words.h"

static void print_word(void *ctx, const char *word, const char *summary)
{
	(void)ctx;
	out_print("%s\t%s\n", word, summary);
}

static void print_options(const struct command *c)
{
	for (const struct opt *o = opt_first(c->opts); o; o = opt_next(o))
		out_print("--%s\t%s\n", o->name, o->help);
	out_print("--help\tSay what it does\n");
}

static bool begins(const char *s, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(s, with, strlen(with));
}

/* By what help calls it: FILE, IMAGE..., [CONTAINER]. */
static void print_kind(const char *s, size_t n)
{
	while (n > 0 && (*s == '[' || *s == '<')) {
		s++;
		n--;
	}
	if (begins(s, n, "CONTAINER") || begins(s, n, "NAME"))
		out_line(":containers");
	if (begins(s, n, "IMAGE") || begins(s, n, "REPOSITORY") ||
	    begins(s, n, "NAME"))
		out_line(":images");
	if (begins(s, n, "VOLUME"))
		out_line(":volumes");
	if (begins(s, n, "NETWORK"))
		out_line(":networks");
	if (begins(s, n, "FILE") || begins(s, n, "DIR") ||
	    begins(s, n, "PATH") || begins(s, n, "SRC") ||
	    begins(s, n, "DST") || begins(s, n, "SOURCE") || n == 0)
		out_line(":files");
}

/* "always|missing|never": words; what is in capitals is not meant as it is. */
static void print_values(const struct opt *o)
{
	const char *s = o->arg ? o->arg : "";

	if (!strcmp(o->name, "network") || !strcmp(o->name, "net")) {
		out_line(":networks");
		return;
	}
	if (!strchr(s, '|')) {
		print_kind(s, strlen(s));
		if (!strcmp(o->name, "volume") || !strcmp(o->name, "mount"))
			out_print(":files\n:volumes\n");
		return;
	}
	for (size_t n; *s; s += n + (s[n] == '|')) {
		n = strcspn(s, "|");
		if (*s >= 'a' && *s <= 'z')
			out_line("%.*s", (int)n, s);
	}
}

/* Operand i of "CONTAINER [CMD...]"; what is behind the last is like it. */
static void print_operand(const struct command *c, int i)
{
	const char *s = c->operands ? c->operands : "";

	if (!*s || (c->max_operands >= 0 && i >= c->max_operands))
		return;
	for (; i > 0; i--) {
		const char *const next = strchr(s, ' ');

		if (!next)
			break;
		s = next + 1;
	}
	print_kind(s, strcspn(s, " "));
	/* The words of a program that runs elsewhere: our files may help. */
	if (begins(s, strlen(s), "[CMD") || begins(s, strlen(s), "[ARG") ||
	    begins(s, strlen(s), "CMD"))
		out_line(":files");
}

/* The option that this word is and that wants the next one as its value. */
static const struct opt *waits(const struct command *c, const char *word)
{
	const size_t n = strlen(word);

	if (n < 2 || word[0] != '-')
		return NULL;
	for (const struct opt *o = opt_first(c->opts); o; o = opt_next(o)) {
		const bool it = word[1] == '-' ? !strcmp(word + 2, o->name)
					       : o->letter == word[n - 1];

		if (it)
			return o->type == OPT_STR || o->type == OPT_LIST ? o
									 : NULL;
	}
	return NULL;
}

/*
 * Go through the words before the last: how many operands there are, and
 * whether an option waits for its value. Returns the index of the first
 * operand, or n - 1.
 */
static int walk(const struct command *c, int n, char *const *words,
		int *ret_operands, const struct opt **ret_waiting,
		bool *ret_end)
{
	int first = n - 1;

	*ret_operands = 0;
	*ret_waiting = NULL;
	*ret_end = false; /* no more options */
	for (int i = 0; i < n - 1; i++) {
		if (*ret_waiting) {
			*ret_waiting = NULL;
			continue;
		}
		if (!*ret_end && !strcmp(words[i], "--")) {
			*ret_end = true;
		} else if (!*ret_end && words[i][0] == '-' && words[i][1]) {
			*ret_waiting = waits(c, words[i]);
		} else {
			if (first == n - 1)
				first = i;
			++*ret_operands;
			*ret_end = *ret_end || c->options_first;
		}
	}
	return first;
}

static void print_arguments(const struct command *c, int n, char *const *words)
{
	const struct opt *waiting;
	int operands;
	bool end;

	(void)walk(c, n, words, &operands, &waiting, &end);
	if (waiting)
		print_values(waiting);
	else if (!end && words[n - 1][0] == '-')
		print_options(c);
	else
		print_operand(c, operands);
}

void complete_print(const struct command *const *table,
		    const struct command *globals, int n, char *const *words,
		    bool *ret_elsewhere)
{
	struct words_found found;
	struct err ignored = {0};
	const struct opt *waiting;
	int operands;
	bool end;
	const int at = walk(globals, n, words, &operands, &waiting, &end);

	*ret_elsewhere = false;
	if (operands == 0) {
		if (waiting)
			print_values(waiting);
		else if (words[n - 1][0] == '-')
			print_options(globals);
		else
			words_each(table, NULL, print_word, NULL);
		return;
	}
	if (words_find(table, n - 1 - at, words + at, &found, &ignored))
		return;
	if (!found.c) {
		words_each(table, found.first, print_word, NULL);
		return;
	}
	if (!found.c->run) {
		*ret_elsewhere = true;
		return;
	}
	print_arguments(found.c, n - at - found.used, words + at + found.used);
}
