/*
 * cmd - what a command is, and how its options become fields
 *
 * Each command is one file with one exported `const struct command cmd_NAME`.
 * Its option table is the only description of its options: parsing, --help and
 * shell completion come from it. Values land in a zeroed struct of the
 * command's own, passed down to run(); there are no globals.
 *
 * prism and prism-image share main (common_main.c). A command whose table
 * entry in prism says `in_image` is executed by prism-image with the same argv.
 *
 * run() returns the exit code, or -1 with e set: then main prints the error and
 * exits with fail_code.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

enum opt_type {
	OPT_BOOL, /* bool; --x, --x=true|false|1|0 */
	OPT_STR,  /* const char *; the last one wins */
	OPT_LIST, /* struct strv; every occurrence is added */
	OPT_MAYBE /* const char *; value only with '=': --init[=no]; "" alone */
};

struct opt {
	char letter;      /* 0: none */
	const char *name; /* long name without "--" */
	enum opt_type type;
	size_t offset;   /* offsetof(struct X_opts, field) */
	const char *arg; /* what the value is called in help; NULL for bools */
	const char *help;
	/* In the zero entry at the end: the table goes on in this one. */
	const struct opt *more;
};

/* A flag of docker or podman that prism does not have, and what serves. */
struct opt_refused {
	const char *name;
	const char *instead; /* a sentence; the hint of the error */
};

/* Global options, the same before every command. */
struct globals {
	const char *root;    /* --root, PRISM_ROOT; NULL: the default place */
	const char *run_dir; /* --run-dir, PRISM_RUN; NULL: the default */
	const char *config;  /* --config, PRISM_CONFIG; NULL: the default */
	bool debug;
	bool version; /* --version: print it and end */
	bool quiet;
};

struct command {
	const char *name;
	const char *operands; /* "IMAGE [CMD...]" */
	const char *summary;
	const struct opt *opts; /* ends with a zero entry; NULL: none */
	const struct opt_refused *refused; /* ends with a zero entry, or NULL */
	size_t fields_size; /* of the struct that the offsets point into */
	bool options_first; /* the first operand ends the options (run) */
	int min_operands;
	int max_operands; /* -1: any number */
	int fail_code;    /* exit code of an error: 125 for run, else 1 */
	bool in_image;    /* lives in prism-image; run is NULL in prism */
	int (*run)(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e); /* argv: the operands only */
};

/*
 * Parse, run, print the error, return the exit code. table ends with NULL.
 */
int cmd_main(const struct command *const *table, int argc, char **argv);

/* What another command does, with these arguments: its exit code, or -1. */
struct strv;
int cmd_run_part(const struct command *c, const struct globals *g,
		 const struct strv *args, struct err *e);

/* Print an error as the user sees it; used where no main follows. */
void cmd_print_error(const char *command, const struct err *e);

/*
 * Run prism-image with these arguments (ending with NULL) and the same global
 * options, its standard output on ours of errors (silent: nowhere); it prints
 * its own error.
 * Returns its exit code, or -1 with e set if it could not be run.
 */
int cmd_run_image(const struct globals *g, const char *const args[],
		  bool silent, struct err *e);

/*
 * fn for each operand. Where it returns 0 the operand is printed, as it was
 * typed; errors are printed and make the exit code 1, which is returned.
 */
typedef int (*cmd_fn)(void *ctx, const char *operand, struct err *e);
int cmd_each_operand(const char *command, int argc, char **argv, cmd_fn fn,
		     void *ctx);

/*
 * Docker's question before a prune, with what will be removed as the text; y
 * and yes alone are a yes. With force nothing is asked.
 */
__attribute__((format(printf, 2, 3))) bool cmd_is_sure(bool force,
						       const char *fmt, ...);

/* Open the store that the global options name. */
struct store;
int cmd_open_store(const struct globals *g, struct store **ret, struct err *e);

#endif
