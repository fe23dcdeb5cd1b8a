#include "detach_keys.h"

#include <string.h>

#include "base/str.h"

static int parse_key(const char *s, size_t n, unsigned char *ret)
{
	const char *const rest = str_after(s, "ctrl-");

	if (n == 1 && (unsigned char)*s < 0x80) {
		*ret = (unsigned char)*s;
		return 0;
	}
	if (n != 6 || !rest)
		return -1;
	if (*rest >= 'a' && *rest <= 'z')
		*ret = (unsigned char)(*rest - 'a' + 1);
	else if (*rest == '@' || (*rest >= '[' && *rest <= '_'))
		*ret = (unsigned char)(*rest - '@');
	else
		return -1;
	return 0;
}

int detach_keys_parse(const char *s, struct detach_keys *ret, struct err *e)
{
	struct detach_keys k = {.n = 0};
	const char *p = s;

	if (!*s) {
		*ret = k;
		return 0;
	}
	for (;;) {
		const size_t n = strcspn(p, ",");

		if (k.n == DETACH_KEYS_MAX)
			return err_set(e, ERR_USAGE,
				       "--detach-keys: more than %d keys",
				       DETACH_KEYS_MAX);
		if (parse_key(p, n, &k.keys[k.n++]) < 0)
			return err_set(e, ERR_USAGE,
				       "--detach-keys '%s': '%.*s' is neither "
				       "one character nor ctrl- and one of a-z "
				       "@ [ \\ ] ^ _",
				       s, (int)n, p);
		if (!p[n])
			break;
		p += n + 1;
	}
	*ret = k;
	return 0;
}

/*
 * The held keys turned out to be none: the first goes out, and what remains
 * may be a beginning again.
 */
static void let_go(struct detach_keys *k, unsigned char *out, size_t *at)
{
	const size_t n = k->held;
	size_t i = 1;

	while (i < n && memcmp(k->keys, k->keys + i, n - i) != 0)
		i++;
	memcpy(out + *at, k->keys, i);
	*at += i;
	k->held = n - i;
}

bool detach_keys_feed(struct detach_keys *k, const unsigned char *p, size_t n,
		      unsigned char *out, size_t *ret_n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		while (k->held && p[i] != k->keys[k->held])
			let_go(k, out, &at);
		if (k->n == 0 || p[i] != k->keys[k->held]) {
			out[at++] = p[i];
			continue;
		}
		if (++k->held == k->n) {
			k->held = 0;
			*ret_n = at;
			return true;
		}
	}
	*ret_n = at;
	return false;
}
