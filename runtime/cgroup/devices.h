/*
 * devices - which device nodes may be made and opened
 *
 * The list of the OCI runtime specification (null, zero, full, random,
 * urandom, tty, console, ptmx, and the terminals of /dev/pts), what --device
 * named, and the rules of --device-cgroup-rule; nothing else. Only root of the
 * host may say so.
 *
 * v1 takes lines (devices.deny, devices.allow), v2 a BPF program that the
 * kernel asks at each mknod and open.
 */
#ifndef RUNTIME_CGROUP_DEVICES_H
#define RUNTIME_CGROUP_DEVICES_H

#include "base/err.h"
#include "runtime/spec.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_ANY (-1)

struct device_rule {
	char type; /* 'c', 'b' or 'a' */
	int64_t major;
	int64_t minor;
	unsigned access; /* BPF_DEVCG_ACC_* */
};

struct device_rules {
	struct device_rule *v;
	size_t n;
};

/* Is there anything that the modes of the nodes do not say? */
bool devices_are_ruled(const struct run_spec *s);

/* "c 10:* rwm", as Docker and the kernel write it. ERR_USAGE. */
int device_rule_parse(const char *text, struct device_rule *ret, struct err *e);
/* The kernel's own line of it. */
#define DEVICE_RULE_MAX 64
void device_rule_text(const struct device_rule *r, char ret[DEVICE_RULE_MAX]);

int device_rules_make(const struct run_spec *s, struct device_rules *ret,
		      struct err *e);
void device_rules_free(struct device_rules *r);
#define autodevices __attribute__((cleanup(device_rules_free)))

/* The program for v2, malloced. */
struct bpf_insn *device_rules_program(const struct device_rules *r,
				      size_t *ret_n);

/* v1: into the files of this cgroup, and read back. */
int device_rules_write(int cgroup_fd, const struct device_rules *r,
		       struct err *e);
/* v2: load the program and attach it to this cgroup. */
int device_rules_attach(int cgroup_fd, const struct device_rules *r,
			struct err *e);

#endif
