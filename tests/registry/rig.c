#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "tests/registry/rig.h"

/* ---- the fake ------------------------------------------------------------ */

static void write_to(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	struct err e = {0};

	if (fd < 0 || io_write_all(fd, text, strlen(text), path, &e) < 0)
		fail_msg("%s: %s", path, strerror(errno));
}

/* Root needs no user namespace; everybody else gets one for the mount. */
static void own_mounts(void)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) < 0)
		fail_msg("unshare: %s", strerror(errno));
	if (uid) {
		write_to("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		write_to("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		write_to("/proc/self/gid_map", map);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail_msg("mount: %s", strerror(errno));
}

static void trust(const char *cert)
{
	const char *const bundle = curl_version_info(CURLVERSION_NOW)->cainfo;

	if (mount(cert, bundle, NULL, MS_BIND, NULL) < 0)
		fail_msg("mount over %s: %s", bundle, strerror(errno));
}

static void start_fake(struct rig *g, const char *cert)
{
	int in[2];
	int out[2];
	autobuf struct buf line = buf_make(KIB(64));
	struct err e = {0};
	char c;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	g->fake = fork();
	if (g->fake == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		execlp("python3", "python3", "tests/registry/fake.py", "--cert",
		       cert, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	g->fake_stdin = in[1];
	while (read(out[0], &c, 1) == 1 && c != '\n')
		buf_addc(&line, c);
	(void)close(out[0]);
	g->info = json_parse(buf_str(&line), line.len, "fake.py", &e);
	if (!g->info)
		fail_msg("%s", e.text);
}

struct rig *rig_up(void)
{
	struct rig *const g = xcalloc(1, sizeof(*g));
	static const char *const env[] = {
		"http_proxy", "https_proxy",        "HTTPS_PROXY",
		"all_proxy",  "ALL_PROXY",          "PRISM_CONFIG",
		"no_proxy",   "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
	};

	for (size_t i = 0; i < ARRAY_LEN(env); i++)
		(void)unsetenv(env[i]);
	memcpy(g->dir, "/tmp/registry-test.XXXXXX", 26);
	assert_non_null(mkdtemp(g->dir));
	autofree char *cert = xasprintf("%s/cert.pem", g->dir);
	start_fake(g, cert);
	own_mounts();
	trust(cert);
	(void)setenv("PRISM_RETRY_MS", "20", 1);
	(void)setenv("HOME", g->dir, 1);
	(void)setenv("XDG_CONFIG_HOME", g->dir, 1);
	(void)setenv("XDG_RUNTIME_DIR", g->dir, 1);
	return g;
}

void rig_down(struct rig *g)
{
	struct err e = {0};
	int status;

	registry_free(g->registry);
	(void)close(g->fake_stdin);
	(void)kill(g->fake, SIGTERM);
	(void)waitpid(g->fake, &status, 0);
	(void)fs_remove_tree_at(AT_FDCWD, g->dir, &e);
	json_decref(g->info);
	free(g);
}

int rig_port(const struct rig *g, const char *listener)
{
	const json_t *const ports = json_object_get(g->info, "ports");

	return (int)json_integer_value(json_object_get(ports, listener));
}

/* ---- talking to it ------------------------------------------------------- */

static size_t keep(char *p, size_t size, size_t n, void *ctx)
{
	buf_add(ctx, p, size * n);
	return size * n;
}

static void talk(const struct rig *g, const char *path, const char *post,
		 struct buf *answer)
{
	autofree char *url =
		xasprintf("http://127.0.0.1:%d%s", rig_port(g, "main"), path);
	CURL *const c = curl_easy_init();

	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	if (post)
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, post);
	assert_int_equal(curl_easy_perform(c), CURLE_OK);
	curl_easy_cleanup(c);
}

void rig_set(struct rig *g, const char *ctl_json)
{
	autobuf struct buf answer = buf_make(KIB(64));

	talk(g, "/_ctl", ctl_json, &answer);
	rig_open(g, NULL, NULL, 0);
}

json_t *rig_log(const struct rig *g)
{
	autobuf struct buf answer = buf_make(MIB(8));
	struct err e = {0};
	json_t *log;

	talk(g, "/_log", NULL, &answer);
	log = json_parse(buf_str(&answer), answer.len, "log", &e);
	if (!log)
		fail_msg("%s", e.text);
	return log;
}

int rig_count(const struct rig *g, const char *text)
{
	autojson json_t *log = rig_log(g);
	const json_t *entry;
	size_t i;
	int n = 0;

	json_array_foreach(log, i, entry)
	{
		const char *const path =
			json_string_value(json_object_get(entry, "path"));

		n += strstr(path, text) != NULL;
	}
	return n;
}

const char *rig_file(struct rig *g, const char *name, const char *text)
{
	static char path[128];
	struct err e = {0};

	(void)snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	if (fs_replace_at(AT_FDCWD, path, text, strlen(text), 0600, false, &e) <
	    0)
		fail_msg("%s", e.text);
	return path;
}

static void note(void *ctx, const char *text)
{
	struct rig *const g = ctx;
	const size_t n = strlen(g->notes);

	g->n_notes++;
	(void)snprintf(g->notes + n, sizeof(g->notes) - n, "%s\n", text);
}

void rig_open(struct rig *g, const char *config, const char *auth_file,
	      int stall_s)
{
	const struct registry_opts o = {
		.config_path = config,
		.auth_file = auth_file,
		.stall_s = stall_s,
		.note = note,
		.note_ctx = g,
	};
	struct err e = {0};

	registry_free(g->registry);
	g->registry = NULL;
	g->n_notes = 0;
	g->notes[0] = '\0';
	if (registry_make(&o, &g->registry, &e) < 0)
		fail_msg("%s", e.text);
}

struct ref rig_ref(const struct rig *g, const char *listener, const char *tag)
{
	autofree char *text =
		xasprintf("127.0.0.1:%d/repo/x:%s", rig_port(g, listener), tag);
	struct err e = {0};
	struct ref ref;

	if (ref_parse(text, &ref, &e) < 0)
		fail_msg("%s", e.text);
	return ref;
}

/* ---- blobs --------------------------------------------------------------- */

struct oci_desc rig_layer(const struct rig *g, size_t i)
{
	const json_t *const layer =
		json_array_get(json_object_get(g->info, "layers"), i);
	struct oci_desc d = {0};
	struct err e = {0};

	d.size = (uint64_t)json_integer_value(json_object_get(layer, "size"));
	if (digest_parse(json_string_value(json_object_get(layer, "digest")),
			 &d.digest, &e) < 0)
		fail_msg("%s", e.text);
	return d;
}

static int take(void *ctx, const void *p, size_t n, struct err *e)
{
	struct rig_blob *const b = ctx;

	if (b->fail_at && b->bytes.len + n > (size_t)b->fail_at)
		return err_sysno(e, ENOSPC, "write", "blob");
	buf_add(&b->bytes, p, n);
	return 0;
}

static int again(void *ctx, struct err *e)
{
	struct rig_blob *const b = ctx;

	(void)e;
	b->restarts++;
	buf_reset(&b->bytes);
	return 0;
}

static int done(void *ctx, struct err *e)
{
	struct rig_blob *const b = ctx;
	struct digest have;

	b->dones++;
	assert_int_equal(b->bytes.len, b->desc.size);
	hash_bytes(b->desc.digest.alg, b->bytes.p, b->bytes.len, &have);
	if (digest_eq(&have, &b->desc.digest))
		return 0;
	return err_set(e, ERR_MISMATCH, "digest is %s, not %s",
		       DIGEST_TEXT(&have), DIGEST_TEXT(&b->desc.digest));
}

int rig_fetch(struct rig *g, const struct ref *ref, struct rig_blob *b,
	      size_t n, size_t have, struct err *e)
{
	autofree struct registry_blob *blobs = xcalloc(n, sizeof(*blobs));

	for (size_t i = 0; i < n; i++) {
		if (!b[i].bytes.max)
			b[i].bytes = buf_make(MIB(4));
		blobs[i] = (struct registry_blob){
			.desc = b[i].desc,
			.have = i == 0 ? have : 0,
			.sink = take,
			.restart = again,
			.done = done,
			.ctx = &b[i],
		};
	}
	return registry_fetch(g->registry, ref, blobs, n, 0, NULL, NULL, e);
}

void rig_blob_free(struct rig_blob *b)
{
	buf_free(&b->bytes);
}
