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

int main(int argc, char **argv)
{
	static const struct command *const table[] = {
		&cmd_pull, &cmd_fsck,   &cmd_commit, &cmd_cp,
		&cmd_diff, &cmd_export, NULL,
	};

	return proc_end(cmd_main(table, argc, argv));
}
