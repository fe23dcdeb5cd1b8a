/*
 * paths - where a user's files are looked for
 */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

/* $HOME, else what the passwd says; malloced, NULL if there is none. */
char *user_home(void);
/* Below $XDG_CONFIG_HOME or ~/.config; malloced, NULL without a home. */
char *user_config_path(const char *name);

/*
 * Below $XDG_RUNTIME_DIR, malloced. NULL if there is none, or if it belongs to
 * somebody else (su leaves it as it was), which is said if the file exists.
 */
char *user_runtime_path(const char *name);

#endif
