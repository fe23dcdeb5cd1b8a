/*
 * netfiles - the texts of a container's /etc/hosts and /etc/resolv.conf
 *
 * hosts: Docker's lines for localhost and the container itself; with the host's
 * network the host's own file; --add-host behind that.
 *
 * resolv.conf: with the host's network the host's own. Else the name servers of
 * the host that can be reached from another network namespace, so none on
 * loopback, and its search and options. --dns, --dns-search and --dns-option
 * each replace one of these lists. A user-mode network answers in place of
 * servers on the host's loopback, systemd-resolved's stub included.
 */
#ifndef RUNTIME_NETFILES_H
#define RUNTIME_NETFILES_H

#include "base/buf.h"
#include "base/err.h"
#include "runtime/spec.h"

/* host_text: the host's file, with its network; NULL: lines of its own. */
void netfiles_hosts(const struct run_spec *s, const char *hostname,
		    const char *host_text, struct buf *ret);

/* host_text: what netfiles_read_resolv gave. */
void netfiles_resolv(const struct run_spec *s, const char *host_text,
		     struct buf *ret);

/*
 * Are those of the host on its loopback, and are there no others to be asked
 * from a network of its own? Then it has none.
 */
bool netfiles_has_no_server(const struct run_spec *s, const char *host_text);

/* Does a flag ask for a resolv.conf, whatever the network? */
bool netfiles_wants_resolv(const struct run_spec *s);

/*
 * The host's resolv.conf for the network of s; absent is empty. Where it names
 * the stub of systemd-resolved alone, and that is out of reach, the file behind
 * it.
 */
int netfiles_read_resolv(const struct run_spec *s, struct buf *ret,
			 struct err *e);

#endif
