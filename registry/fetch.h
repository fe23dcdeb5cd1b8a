/*
 * fetch - blobs into sinks, several at a time
 */
#ifndef REGISTRY_FETCH_H
#define REGISTRY_FETCH_H

#include "registry/endpoint.h"
#include "registry/registry.h"
#include "registry/transfer.h"

struct fetch_job {
	const struct transfer_env *env;
	struct auth *auth;
	struct endpoints *places;
	const char *repository;
	const char *scope;
	struct registry_blob *blobs;
	size_t n;
	size_t parallel;
};

int fetch_blobs(const struct fetch_job *job, struct err *e);

/* "bytes 5-9/10" -> 5, 9, 10; total UINT64_MAX for "*". */
bool fetch_parse_range(const char *s, uint64_t *ret_first, uint64_t *ret_last,
		       uint64_t *ret_total);

#endif
