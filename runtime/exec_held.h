/*
 * exec_held - an exec whose other end a process of its own holds
 *
 *   caller           holder                    joiner, program (exec.h)
 *   attach client <- pair of sockets ->  hub <- pty, or pipes
 *
 * The holder is to an exec what the monitor is to a container: the caller may
 * be stopped, detached or gone, and the terminal of the program lives on. It
 * ends with the program; unless detach keys were asked for it dies with the
 * caller.
 */
#ifndef RUNTIME_EXEC_HELD_H
#define RUNTIME_EXEC_HELD_H

#include "runtime/exec.h"

int exec_held(const struct exec_request *r, const struct detach_keys *keys,
	      bool *ret_detached, int *ret_code, struct err *e);

#endif
