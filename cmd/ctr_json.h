/*
 * ctr_json - parts of a container's document, and small helpers to build it
 *
 * jansson answers NULL for strings that are no UTF-8; here they become "?".
 */
#ifndef CMD_CTR_JSON_H
#define CMD_CTR_JSON_H

#include "base/json.h"
#include "base/str.h"
#include "runtime/container.h"

json_t *cj_text(const char *s); /* NULL: "" */
void cj_put(json_t *o, const char *key, json_t *v);
void cj_str(json_t *o, const char *key, const char *s);
void cj_int(json_t *o, const char *key, int64_t n);
void cj_bool(json_t *o, const char *key, bool b);
/* RFC 3339; 0 is Docker's year 1. */
void cj_time(json_t *o, const char *key, int64_t ns);
json_t *cj_list(const struct strv *a);         /* [] for none */
json_t *cj_list_or_null(const struct strv *a); /* null for none */
json_t *cj_set(const struct strv *a);          /* {"80/tcp": {}} */
json_t *cj_map(const struct strv *a);          /* from K=V */

/* HostConfig and NetworkSettings. */
json_t *ctr_json_host(const struct run_spec *s, const struct container_info *i);
struct net_state;
json_t *ctr_json_network(const struct run_spec *s, const struct net_state *net,
			 bool alive);

/* What is known of its networks, over what stands in NetworkSettings. */
struct net_state;
void ctr_json_ends(json_t *settings, const struct run_spec *s,
		   const struct net_state *st);

#endif
