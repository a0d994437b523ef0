/* See limit.h. */
#include "host/limit.h"

static _Thread_local int limit;

int weightinit_fast_get_thread_limit(void) { return limit; }

void weightinit_fast_set_thread_limit(int most) { limit = most > 0 ? most : 0; }
