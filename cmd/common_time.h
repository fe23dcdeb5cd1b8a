/*
 * common_time - RFC 3339 in, "3 weeks ago" out
 */
#ifndef CMD_COMMON_TIME_H
#define CMD_COMMON_TIME_H

#include <stdint.h>

/* Seconds since the epoch; 0 for what is no time ("0001-01-01..." too). */
int64_t time_parse(const char *rfc3339);

/* As Docker says it; "N/A" for 0. Malloced. */
char *time_ago(int64_t when);

/* How long: "5 minutes", "About an hour". Malloced. */
char *time_span(int64_t s);

#endif
