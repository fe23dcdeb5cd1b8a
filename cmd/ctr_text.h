/*
 * ctr_text - what ps and inspect say of a container, in Docker's words
 *
 * All results are malloced.
 */
#ifndef CMD_CTR_TEXT_H
#define CMD_CTR_TEXT_H

#include "runtime/container.h"
#include "runtime/net/net.h"

/* "sh -c 'sleep 10'": path and arguments, those with a space in quotes. */
char *ctr_text_command(const struct run_spec *s);

/* At most max characters, the last of them an ellipsis if it was cut. */
char *ctr_text_cut(const char *s, size_t max);

/* As Go's strconv.Quote. */
char *ctr_text_quote(const char *s);

/* "Up 5 minutes (healthy)", "Exited (0) 3 hours ago". */
char *ctr_text_status(const struct container_state *s, int64_t now_ns);

/* "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp" */
char *ctr_text_ports(const struct run_spec *s, const struct net_state *n);

/* "0.0.0.0:8080", "[::]:8080" */
char *ctr_text_host_port(const struct net_port *p);

/* "host", "none", "container:ID" */
char *ctr_text_network(const struct run_spec *s);
/* The same, and of several networks all: "front,back". */
char *ctr_text_networks(const struct run_spec *s);

/* "a=b,c=d" */
char *ctr_text_labels(const struct strv *labels);

/* Names of volumes, paths of bind mounts. Cut as ps does: 15 characters. */
char *ctr_text_mounts(const struct run_spec *s, bool cut);

#endif
