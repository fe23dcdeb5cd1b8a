/*
 * etc/passwd and etc/group of an image, and --user. The input is the text of
 * --user, that of passwd and that of group, with a NUL between each two.
 */
#include <string.h>

#include "base/own.h"
#include "runtime/user.h"
#include "tests/fuzz/fuzz.h"

/* Cut the part up to the next NUL off. */
static const char *part(const char **p, size_t *n, size_t *ret_n)
{
	const char *const from = *p;
	const char *const nul = *n ? memchr(*p, '\0', *n) : NULL;

	*ret_n = nul ? (size_t)(nul - from) : *n;
	*p += *ret_n + (nul != NULL);
	*n -= *ret_n + (nul != NULL);
	return from;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const add[] = {"wheel", "12"};
	const char *p = (const char *)data;
	size_t n_user;
	const char *const text = part(&p, &size, &n_user);
	autofree char *user = xstrndup(text, n_user);
	autofree struct user *u = xcalloc(1, sizeof(*u));
	struct user_files f;
	struct user_wish w = {.user = user};
	struct err e = {0};

	f.passwd = part(&p, &size, &f.passwd_len);
	f.group = part(&p, &size, &f.group_len);
	if (user_resolve_text(&f, &w, u, &e) == 0) {
		MUST(u->uid <= USER_ID_MAX && u->gid <= USER_ID_MAX);
		MUST(u->n_groups >= 1 && u->n_groups <= GROUPS_MAX);
		MUST(memchr(u->home, '\0', sizeof(u->home)));
	} else {
		MUST(err_is(&e));
	}
	err_clear(&e);
	w.group_add = add;
	w.n_group_add = 2;
	(void)user_resolve_text(&f, &w, u, &e);
	return 0;
}
