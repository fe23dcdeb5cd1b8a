#include "cmd/size.h"

#include <stddef.h>

#include "base/own.h"

static char *scaled(uint64_t bytes, double step, const char *const *unit,
		    size_t n_units, int digits)
{
	double n = (double)bytes;
	size_t u = 0;

	while (n >= step && u + 1 < n_units) {
		n /= step;
		u++;
	}
	return xasprintf("%.*g%s", digits, n, unit[u]);
}

char *size_text(uint64_t bytes)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};

	return scaled(bytes, 1000, unit, ARRAY_LEN(unit), 3);
}

char *size_text_binary(uint64_t bytes)
{
	static const char *const unit[] = {"B",   "KiB", "MiB",
					   "GiB", "TiB", "PiB"};

	return scaled(bytes, 1024, unit, ARRAY_LEN(unit), 4);
}
