/*
 * image - the table of commands of prism-image
 */
#include "cmd/cmd.h"

#include <stddef.h>

#include "base/proc.h"

extern const struct command cmd_pull;
extern const struct command cmd_fsck;
extern const struct command cmd_commit;
extern const struct command cmd_cp;
extern const struct command cmd_diff;
extern const struct command cmd_export;
extern const struct command cmd_import;
extern const struct command cmd_load;
extern const struct command cmd_login;
extern const struct command cmd_logout;
extern const struct command cmd_manifest_inspect;
extern const struct command cmd_push;
extern const struct command cmd_save;

int main(int argc, char **argv)
{
	/* A line each, as in main.c. */
	/* clang-format off */
	static const struct command *const table[] = {
		&cmd_pull,
		&cmd_fsck,
		&cmd_commit,
		&cmd_cp,
		&cmd_diff,
		&cmd_export,
		&cmd_import,
		&cmd_load,
		&cmd_login,
		&cmd_logout,
		&cmd_manifest_inspect,
		&cmd_push,
		&cmd_save,
		NULL,
	};
	/* clang-format on */

	return proc_end(cmd_main(table, argc, argv));
}
