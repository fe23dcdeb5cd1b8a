#include "runtime/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"

#define BIT(c) (UINT64_C(1) << (c))

/* By number, without "CAP_". */
static const char *const names[] = {
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"KILL",
	"SETGID",
	"SETUID",
	"SETPCAP",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_ADMIN",
	"NET_RAW",
	"IPC_LOCK",
	"IPC_OWNER",
	"SYS_MODULE",
	"SYS_RAWIO",
	"SYS_CHROOT",
	"SYS_PTRACE",
	"SYS_PACCT",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_NICE",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"MKNOD",
	"LEASE",
	"AUDIT_WRITE",
	"AUDIT_CONTROL",
	"SETFCAP",
	"MAC_OVERRIDE",
	"MAC_ADMIN",
	"SYSLOG",
	"WAKE_ALARM",
	"BLOCK_SUSPEND",
	"AUDIT_READ",
	"PERFMON",
	"BPF",
	"CHECKPOINT_RESTORE",
};

#define N_NAMES   ARRAY_LEN(names)
#define ALL_NAMED (BIT(N_NAMES) - 1)

_Static_assert(N_NAMES == CAP_CHECKPOINT_RESTORE + 1, "no name was left out");

int caps_parse(const char *name, uint64_t *ret, struct err *e)
{
	const char *bare = name;

	if (strcasecmp(name, "ALL") == 0) {
		*ret = ALL_NAMED;
		return 0;
	}
	if (strncasecmp(bare, "CAP_", 4) == 0)
		bare += 4;
	for (size_t i = 0; i < N_NAMES; i++) {
		if (strcasecmp(bare, names[i]) == 0) {
			*ret = BIT(i);
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "unknown capability '%.64s'", name);
}

const char *caps_name(int cap, char *buf)
{
	if (cap >= 0 && (size_t)cap < N_NAMES)
		(void)snprintf(buf, CAPS_NAME_MAX, "CAP_%s", names[cap]);
	else
		(void)snprintf(buf, CAPS_NAME_MAX, "CAP_%d", cap);
	return buf;
}

const char *caps_text(uint64_t set, char *buf, size_t n)
{
	size_t at = 0;

	(void)snprintf(buf, n, "%s", set ? "" : "none");
	for (int cap = 0; cap < 64; cap++) {
		char name[CAPS_NAME_MAX];
		int len;

		if (!(set & BIT(cap)))
			continue;
		len = snprintf(buf + at, n - at, "%s%s", at ? ", " : "",
			       caps_name(cap, name));
		if (len < 0 || (size_t)len >= n - at) {
			/* Whole names only, and a sign that there are more. */
			(void)snprintf(buf + at, n - at, "...");
			return buf;
		}
		at += (size_t)len;
	}
	return buf;
}

/* ---- what the caller has ------------------------------------------------- */

static int status_set(const char *text, const char *key, uint64_t *ret,
		      struct err *e)
{
	const char *p = strstr(text, key);
	uint64_t set = 0;
	size_t n = 0;

	if (!p)
		return err_set(e, ERR_UNSUPPORTED,
			       "/proc/self/status has no line %s", key + 1);
	for (p += strlen(key); *p == ' ' || *p == '\t'; p++)
		;
	for (; n < 16; n++, p++) {
		if (*p >= '0' && *p <= '9')
			set = set << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			set = set << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	if (!n)
		return err_set(e, ERR_INVALID,
			       "/proc/self/status: %s is not a number",
			       key + 1);
	*ret = set;
	return 0;
}

/* Ask from the newest that we know upwards, then downwards: two calls. */
static int find_last_cap(void)
{
	int cap = CAP_LAST_CAP;

	while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0)
		cap++;
	while (cap > 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
		cap--;
	return cap;
}

int caps_of_caller(struct caps_caller *ret, struct err *e)
{
	autobuf struct buf text = buf_make(KIB(16));
	autoclose int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct caps_caller c = {0};

	if (fd < 0)
		return err_sys(e, "open", "/proc/self/status");
	if (io_read_all(fd, &text, "/proc/self/status", e) < 0)
		return -1;
	if (status_set(buf_str(&text), "\nCapPrm:", &c.permitted, e) < 0 ||
	    status_set(buf_str(&text), "\nCapBnd:", &c.bounding, e) < 0)
		return -1;
	c.last_cap = find_last_cap();
	*ret = c;
	return 0;
}

/* ---- what the program gets ----------------------------------------------- */

struct words {
	uint64_t set;
	bool all;
};

static int parse_words(const char *const *v, size_t n, const char *option,
		       struct words *ret, struct err *e)
{
	ERR_IN(e, "%s", option);
	*ret = (struct words){0};
	for (size_t i = 0; i < n; i++) {
		uint64_t set = 0;

		if (caps_parse(v[i], &set, e) < 0)
			return -1;
		if (strcasecmp(v[i], "ALL") == 0)
			ret->all = true;
		else
			ret->set |= set;
	}
	return 0;
}

int caps_compute(const struct caps_wish *w, uint64_t have, int last_cap,
		 struct caps *ret, struct err *e)
{
	/* What the kernel does not know is not missing. */
	const uint64_t known = last_cap >= 0 && last_cap < 63
				       ? BIT(last_cap + 1) - 1
				       : ~UINT64_C(0);
	const uint64_t all = ALL_NAMED & known;
	struct words add;
	struct words drop;
	uint64_t want;
	uint64_t added;

	if (parse_words(w->add, w->n_add, "--cap-add", &add, e) < 0 ||
	    parse_words(w->drop, w->n_drop, "--cap-drop", &drop, e) < 0)
		return -1;
	added = add.all ? (all & ~drop.set) | add.set : add.set;
	if (w->privileged)
		want = all;
	else if (add.all)
		want = all & ~drop.set;
	else if (drop.all)
		want = add.set;
	else
		want = (CAPS_DEFAULT & ~drop.set) | add.set;
	added &= want;
	*ret = (struct caps){
		.bounding = want & have,
		.added = added & have,
		.missing = want & ~have,
		.missing_asked = (w->privileged ? want : added) & ~have,
	};
	return 0;
}

void caps_for_user(const struct caps *c, uint32_t uid, struct caps_sets *ret)
{
	const uint64_t held = uid == 0 ? c->bounding : c->added;

	*ret = (struct caps_sets){
		.bounding = c->bounding,
		.permitted = held,
		.effective = held,
		.inheritable = uid == 0 ? 0 : held,
		.ambient = uid == 0 ? 0 : held,
	};
}
