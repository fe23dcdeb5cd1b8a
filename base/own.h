/*
 * own - locals that own something let go of it at the end of their scope
 *
 *         autoclose int fd = -1;
 *         autofree char *path = NULL;
 *         ctr->lock_fd = take_fd(&fd);      ownership moves on
 *
 * The cleaners keep errno. xmalloc and friends abort with a message instead of
 * returning NULL; sizes that come from outside are checked before.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

void own_close(int *fd);
void own_free(void *p); /* takes the address of a pointer */
void own_closedir(DIR **d);
void own_fclose(FILE **f);
void own_kill(pid_t *pid); /* SIGKILL and reap, if > 0 */

#define autoclose __attribute__((cleanup(own_close)))
#define autofree  __attribute__((cleanup(own_free)))
#define autodir   __attribute__((cleanup(own_closedir)))
#define autofile  __attribute__((cleanup(own_fclose)))
#define autokill  __attribute__((cleanup(own_kill)))

/* close_range(2), which musl of Debian 12 lacks; flags: CLOSE_RANGE_*. */
int own_close_range(unsigned int first, unsigned int last, int flags);

int take_fd(int *fd);
pid_t take_pid(pid_t *pid);
void *take_ptr_(void **p);
#define take_ptr(pp) ((__typeof__(*(pp)))take_ptr_((void **)(void *)(pp)))

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n)
	__attribute__((malloc, returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap)
	__attribute__((format(printf, 1, 0), malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), malloc, returns_nonnull));

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
