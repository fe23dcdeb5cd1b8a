/*
 * pid1 - what the monitor's child hands to PID 1 of a container
 *
 * PID 1 is a small static program of its own (pid1.c, built with musl), whose
 * bytes prism carries. It is executed from a memfd, so /proc/1/exe and
 * /proc/self/exe in the container never lead to a file of the host, and a
 * container costs one small process instead of a copy of prism.
 *
 * The memfd holds the ELF file, padded with zeros to PID1_CONF_AT, then a
 * struct pid1_conf, then n_groups uint32_t, then n_filter sock_filter. Its
 * arguments and environment are those of the program, behind one argv[0] of
 * its own. Two fds are open besides 0, 1, 2: PID1_CONF_FD, PID1_SYNC_FD.
 *
 * For `prism exec` the same program is the joiner (exec.h), which stays outside
 * of the container's PID namespace.
 *
 * Errors: one struct sync_msg on PID1_SYNC_FD; end of file there means that
 * the program was executed.
 */
#ifndef RUNTIME_PID1_H
#define RUNTIME_PID1_H

#include <stdint.h>

#define PID1_MAGIC   0x50524953U
#define PID1_CONF_AT 65536 /* larger than the ELF file; asserted at build */
#define PID1_CONF_FD 3
#define PID1_SYNC_FD 4

enum pid1_flag {
	PID1_EXEC_ONLY = 1,    /* no reaper: the program itself is PID 1 */
	PID1_CTTY = 2,         /* stdin is the controlling terminal */
	PID1_NEW_PRIVS = 4,    /* leave no_new_privs off */
	PID1_NO_SETGROUPS = 8, /* not permitted (single id), or not wanted */
	PID1_JOINED = 16, /* an exec: others are in the container already */
	PID1_TIED = 32,   /* the program dies with this process */
	PID1_SHARED_PIDS = 64, /* no pid namespace of its own: end all itself */
	PID1_WAIT_GO = 128,    /* SYNC_GO comes before the program */
	PID1_OWN_FILTER = 256, /* a user's filter: may refuse what we need */
	PID1_TIE_AGAIN = 512,  /* execve cleared PR_SET_PDEATHSIG */
};

struct pid1_conf {
	uint32_t magic;
	uint32_t flags; /* enum pid1_flag */
	uint32_t uid;
	uint32_t gid;
	uint32_t n_groups;
	uint32_t n_filter; /* 0: no seccomp */
	uint64_t bounding;
	uint64_t permitted; /* and effective */
	uint64_t inheritable;
	uint64_t ambient;
	int32_t last_cap;
	uint32_t pad;
};

#endif
