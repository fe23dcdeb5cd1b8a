/*
 * paths - where a user's files are looked for
 */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

/* $HOME, for root /root; malloced, NULL if there is none. */
char *user_home(void);
/* Below $XDG_CONFIG_HOME or ~/.config; malloced, NULL without a home. */
char *user_config_path(const char *name);

#endif
