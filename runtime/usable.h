/*
 * usable - can a container be started here at all?
 *
 * Tries, in a child that ends at once, what every start needs: namespaces (as
 * an ordinary user a user namespace first) and overlayfs. What fails is the
 * error, with its step.
 */
#ifndef RUNTIME_USABLE_H
#define RUNTIME_USABLE_H

#include "base/err.h"

int usable_check(struct err *e);

#endif
