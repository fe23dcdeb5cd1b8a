#include "runtime/hide.h"

#include <sys/prctl.h>

#include "runtime/caps_apply.h"

bool hide_begin(void)
{
	return (caps_apply_permitted() & CAP_BIT(CAP_SYS_PTRACE)) &&
	       prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

void hide_end(bool begun)
{
	if (begun)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
