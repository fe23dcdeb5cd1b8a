/*
 * reach - addresses that no registry may send us to
 *
 * A redirect, the Location of an upload and the realm of a token are words of
 * the other side: with them it would ask, from where we are, what only this
 * machine is to ask: the metadata service of a cloud, which answers with
 * credentials, or what listens on loopback. So an address that is link-local,
 * of a metadata service, loopback, unspecified, multicast or broadcast is
 * refused there. What counts is the address that a connection goes to, however
 * it was written and whatever its name resolved to (http.c asks just before
 * each connection and each request); where a proxy resolves names, only what
 * stands in the URL can be looked at.
 *
 * Allowed is all that the user named: a registry's or mirror's own host and
 * port; and what is where that registry is itself: its own address, and
 * loopback if it is there. Private networks are allowed: mirrors and blob
 * stores are often there.
 */
#ifndef REGISTRY_REACH_H
#define REGISTRY_REACH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is wrong with this host, a number or localhost, as the end of "it
 * is ...", or NULL: nothing, or a name. home: the number of the registry that
 * sends us there; NULL or "": not known.
 */
const char *reach_refuses(const char *host, const char *home);

/*
 * Is that one of the proxies in the environment? They are the user's choice,
 * wherever they are.
 */
bool reach_is_proxy(const char *number, uint16_t port);

#endif
