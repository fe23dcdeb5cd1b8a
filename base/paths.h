/*
 * paths - where a user's files are looked for
 */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

/* $HOME, else the home in /etc/passwd; malloced, NULL if there is none. */
char *user_home(void);
/* Below $XDG_CONFIG_HOME or ~/.config; malloced, NULL without a home. */
char *user_config_path(const char *name);

/*
 * A path below $XDG_RUNTIME_DIR, malloced. NULL if the variable is unset, or if
 * the directory belongs to another user (su keeps the variable); the latter is
 * a warning if the file exists.
 */
char *user_runtime_path(const char *name);

#endif
