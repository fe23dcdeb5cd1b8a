/*
 * Networks of ordinary users: pasta and slirp4netns, asked for or by default
 */
#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"
#include "runtime/net/user.h"

int run_opts_user_net(const char *word, struct run_spec *s, struct err *e)
{
	if (user_net_check(word, e) < 0)
		return -1;
	if (whoami()->root) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "--network %s is for ordinary users", word);
		return err_hint(e, "root has bridge networks, which need no "
				   "program beside the container");
	}
	if (user_net_usable(word, e) < 0)
		return err_prefix(e, "--network %s", word);
	s->net = NET_USER;
	s->net_user = xstrdup(word);
	return 0;
}

/*
 * Nothing to be had is no error, since nothing was asked for; ports that would
 * never be open are one.
 */
int run_opts_user_net_default(struct run_spec *s, bool ports, struct err *e)
{
	const char *how;

	if (user_net_choose(&how, e) == 0) {
		s->net = NET_USER;
		s->net_chosen = true;
		s->net_user = xstrdup(how);
		return 0;
	}
	if (ports)
		return err_prefix(e, "--publish: no network to publish in");
	log_warn("the container has loopback only: %s%s%s", e->text,
		 e->hint[0] ? "; " : "", e->hint);
	err_clear(e);
	s->net = NET_NONE;
	return 0;
}

int run_opts_user_net_refuse(const char *word, struct err *e)
{
	(void)err_set(e, ERR_UNSUPPORTED,
		      "--network %s: only root of the host can make the host's "
		      "side of it: the kernel asks for CAP_NET_ADMIN in the "
		      "host's network",
		      word);
	if (whoami()->root)
		return err_hint(e, "an outer container gives it with --cap-add "
				   "NET_ADMIN; --network host needs none");
	return err_hint(e, "leave it out: pasta reaches the world and "
			   "publishes ports; --network container:NAME joins "
			   "another container's");
}
