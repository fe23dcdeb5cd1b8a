#include "cmd/run_volumes.h"

#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/place.h"
#include "store/volume.h"

/* "/data/", as images write it, is the mount "/data". */
static void add_declared(struct run_spec *spec, const char *path)
{
	autofree char *clean = NULL;
	struct err ignored = {0};

	if (place_clean(path, &clean, &ignored) < 0 ||
	    spec_mount_at(spec, clean))
		return;
	/* Images for systemd declare /sys/fs/cgroup; warn about any other. */
	if (place_is_kernels(clean)) {
		log_warn("ignoring VOLUME %s of the image: an image may not "
			 "mount on /proc or /sys",
			 path);
		return;
	}
	spec_add_mount(spec, &(struct mount_spec){.type = MOUNT_VOLUME,
						  .target = take_ptr(&clean),
						  .propagation = MS_PRIVATE});
}

static int make_one(struct store *s, struct mount_spec *m, struct err *e)
{
	const struct volume_new n = {.name = m->volume};
	autovolume struct volume v = {0};
	STEP(e, "volume", "find or make %s",
	     n.name ? n.name : "an anonymous one");

	if (volume_make(s, &n, &v, NULL, e) < 0)
		return -1;
	m->anonymous = m->anonymous || !m->volume;
	free(m->volume);
	free(m->source);
	m->volume = xstrdup(v.name);
	m->source = take_ptr(&v.source);
	return 0;
}

int run_volumes_make(struct store *s, const struct oci_image *img,
		     struct run_spec *spec, int *ret_lock, struct err *e)
{
	autoclose int lock = -1;

	for (size_t i = 0; img && i < img->volumes.n; i++)
		add_declared(spec, img->volumes.v[i]);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		struct mount_spec *const m = &spec->mounts[i];

		if (m->type != MOUNT_VOLUME)
			continue;
		if (lock < 0)
			lock = volume_lock(s, FS_LOCK_SHARED, e);
		if (lock < 0 || make_one(s, m, e) < 0)
			return -1;
	}
	*ret_lock = take_fd(&lock);
	return 0;
}

int run_volumes_from(struct run_spec *spec, const struct run_spec *other,
		     const char *how, struct err *e)
{
	if (how && strcmp(how, "ro") != 0 && strcmp(how, "rw") != 0)
		return err_set(e, ERR_USAGE,
			       "--volumes-from: invalid mode '%s': not one of "
			       "ro, rw",
			       how);
	for (size_t i = 0; i < other->n_mounts; i++) {
		struct mount_spec m = other->mounts[i];

		if (m.type == MOUNT_TMPFS || spec_mount_at(spec, m.target))
			continue;
		m.source = m.source ? xstrdup(m.source) : NULL;
		m.volume = m.volume ? xstrdup(m.volume) : NULL;
		m.subpath = m.subpath ? xstrdup(m.subpath) : NULL;
		m.data = NULL;
		m.target = xstrdup(m.target);
		m.readonly = m.readonly || (how && !strcmp(how, "ro"));
		spec_add_mount(spec, &m);
	}
	return 0;
}
