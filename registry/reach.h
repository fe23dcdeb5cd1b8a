/*
 * reach - addresses that a registry must not send prism to
 *
 * A registry chooses where a redirect, the Location of an upload and the realm
 * of a token lead. Through these it could make prism send requests that only
 * this machine can send: to a cloud's metadata service, which answers with
 * credentials, or to a service on loopback (server-side request forgery). So
 * these URLs may not lead to an address that is link-local, loopback,
 * unspecified, multicast, broadcast or a metadata service. The check is on the
 * address that is connected to, however the URL wrote it and whatever a name
 * resolved to: http.c checks before each connection and each request. Where a
 * proxy resolves names, only the host in the URL can be checked.
 *
 * Always allowed: a registry or mirror that the user named (its host and port);
 * the address at which that registry answers; and loopback, if that registry is
 * on loopback. Private networks are allowed, since mirrors and blob stores are
 * often there.
 */
#ifndef REGISTRY_REACH_H
#define REGISTRY_REACH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The reason to refuse this host, worded to follow "it is ...", or NULL to
 * allow it. A name other than localhost is always allowed; its addresses are
 * checked later. home: the numeric address of the registry that named the host;
 * NULL or "" if unknown.
 */
const char *reach_refuses(const char *host, const char *home);

/*
 * Is this the address and port of a proxy from the environment? A proxy is the
 * user's choice and allowed at any address.
 */
bool reach_is_proxy(const char *number, uint16_t port);

#endif
