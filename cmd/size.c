#include "cmd/size.h"

#include <stddef.h>

#include "base/own.h"

char *size_text(uint64_t bytes)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double n = (double)bytes;
	size_t u = 0;

	while (n >= 1000 && u + 1 < ARRAY_LEN(unit)) {
		n /= 1000;
		u++;
	}
	return xasprintf("%.3g%s", n, unit[u]);
}
