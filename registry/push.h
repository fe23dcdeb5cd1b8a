/*
 * push - blobs and a manifest into one repository of a registry
 *
 * A blob is looked for first (HEAD); one that is missing is mounted from another
 * repository if one is named, else sent: a POST opens an upload, one PUT at the
 * place that it answers with carries all bytes. Where a repository may not be
 * mounted from, or an upload comes to an end too early, the bytes are sent from
 * the first one on.
 */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

#include "registry/endpoint.h"
#include "registry/registry.h"
#include "registry/transfer.h"

struct push_job {
	const struct transfer_env *env;
	struct auth *auth;
	struct endpoints *places; /* one: mirrors are not written to */
	const char *repository;
	const char *scope;
	struct registry_upload *uploads;
	size_t n;
	size_t parallel;
	registry_tick_fn tick;
	void *tick_ctx;
};

int push_blobs(const struct push_job *job, struct err *e);

/* Of the job: where to; its uploads are not looked at. name: tag or digest. */
int push_manifest(const struct push_job *job, const char *name,
		  const struct http_body *body, const struct digest *digest,
		  struct err *e);

#endif
