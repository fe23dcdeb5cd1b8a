/*
 * main - the table of commands of prism
 *
 * Commands that need tar, HTTP or hashing live in prism-image; the table marks
 * them and main executes prism-image with the same argv.
 */
#include "cmd/cmd.h"

#include <stddef.h>

#include "base/proc.h"

extern const struct command cmd_attach;
extern const struct command cmd_logs;
extern const struct command cmd_run;
extern const struct command cmd_exec;
extern const struct command cmd_list_images;
extern const struct command cmd_rmi;
extern const struct command cmd_completion;
extern const struct command cmd_info;
extern const struct command cmd_tag;
extern const struct command cmd_image_prune;
extern const struct command cmd_image_exists;
extern const struct command cmd_history;
extern const struct command cmd_inspect;
extern const struct command cmd_rm;
extern const struct command cmd_restart;
extern const struct command cmd_start;
extern const struct command cmd_container_prune;
extern const struct command cmd_create;
extern const struct command cmd_generate_systemd;
extern const struct command cmd_port;
extern const struct command cmd_stats;
extern const struct command cmd_top;
extern const struct command cmd_update;
extern const struct command cmd_kill;
extern const struct command cmd_pause;
extern const struct command cmd_ps;
extern const struct command cmd_rename;
extern const struct command cmd_stop;
extern const struct command cmd_unpause;
extern const struct command cmd_wait;
extern const struct command cmd_version;
extern const struct command cmd_network_connect;
extern const struct command cmd_network_create;
extern const struct command cmd_network_disconnect;
extern const struct command cmd_network_inspect;
extern const struct command cmd_network_ls;
extern const struct command cmd_network_prune;
extern const struct command cmd_network_reload;
extern const struct command cmd_network_rm;
extern const struct command cmd_volume_create;
extern const struct command cmd_volume_inspect;
extern const struct command cmd_volume_ls;
extern const struct command cmd_volume_prune;
extern const struct command cmd_system_df;
extern const struct command cmd_system_prune;
extern const struct command cmd_volume_rm;

static const struct command pull_elsewhere = {
	.name = "pull",
	.summary = "Fetch an image from a registry",
	.in_image = true,
};
static const struct command commit_elsewhere = {
	.name = "commit",
	.summary = "Make an image of a container's changes",
	.in_image = true,
};
static const struct command cp_elsewhere = {
	.name = "cp",
	.summary = "Copy files between a container and the host",
	.in_image = true,
};
static const struct command diff_elsewhere = {
	.name = "diff",
	.summary = "Show what a container changed in its image",
	.in_image = true,
};
static const struct command export_elsewhere = {
	.name = "export",
	.summary = "Write a container's file system as a tar",
	.in_image = true,
};
static const struct command login_elsewhere = {
	.name = "login",
	.summary = "Log in to a registry (default: docker.io)",
	.in_image = true,
};
static const struct command logout_elsewhere = {
	.name = "logout",
	.summary = "Forget the login at a registry",
	.in_image = true,
};
static const struct command push_elsewhere = {
	.name = "push",
	.summary = "Send an image to a registry",
	.in_image = true,
};
static const struct command fsck_elsewhere = {
	.name = "fsck",
	.summary = "Check the store",
	.in_image = true,
};
static const struct command import_elsewhere = {
	.name = "import",
	.summary = "Make an image of the files of a tar",
	.in_image = true,
};
static const struct command load_elsewhere = {
	.name = "load",
	.summary = "Take images from an archive",
	.in_image = true,
};
static const struct command manifest_inspect_elsewhere = {
	.name = "manifest inspect",
	.summary = "Show what a registry holds under a name",
	.in_image = true,
};
static const struct command save_elsewhere = {
	.name = "save",
	.summary = "Write images to an archive",
	.in_image = true,
};

int main(int argc, char **argv)
{
	/* A line each, so that two branches can add one. */
	/* clang-format off */
	static const struct command *const table[] = {
		&cmd_run,
		&cmd_exec,
		&cmd_ps,
		&cmd_logs,
		&cmd_attach,
		&cmd_stop,
		&pull_elsewhere,
		&push_elsewhere,
		&login_elsewhere,
		&logout_elsewhere,
		&cmd_list_images,
		&cmd_rmi,
		&cmd_inspect,
		&cmd_rm,
		&fsck_elsewhere,
		&commit_elsewhere,
		&cp_elsewhere,
		&diff_elsewhere,
		&export_elsewhere,
		&import_elsewhere,
		&load_elsewhere,
		&manifest_inspect_elsewhere,
		&save_elsewhere,
		&cmd_info,
		&cmd_tag,
		&cmd_image_prune,
		&cmd_image_exists,
		&cmd_history,
		&cmd_version,
		&cmd_network_connect,
		&cmd_network_create,
		&cmd_network_disconnect,
		&cmd_network_inspect,
		&cmd_network_ls,
		&cmd_network_prune,
		&cmd_network_reload,
		&cmd_network_rm,
		&cmd_volume_create,
		&cmd_volume_inspect,
		&cmd_volume_ls,
		&cmd_volume_prune,
		&cmd_system_df,
		&cmd_system_prune,
		&cmd_volume_rm,
		&cmd_kill,
		&cmd_pause,
		&cmd_rename,
		&cmd_unpause,
		&cmd_wait,
		&cmd_container_prune,
		&cmd_create,
		&cmd_generate_systemd,
		&cmd_port,
		&cmd_stats,
		&cmd_top,
		&cmd_update,
		&cmd_completion,
		&cmd_restart,
		&cmd_start,
		NULL,
	};
	/* clang-format on */

	return proc_end(cmd_main(table, argc, argv));
}
