/* Limits of threads that tests ask for by themselves. */
#ifndef WIF_API_THREADS_H
#define WIF_API_THREADS_H

#include <stdint.h>

/* How many processors the quota of this process's cgroup amounts to, rounded up, at most
 * WIF_THREADS_MOST.  `root` is where cgroups are mounted, and `own` the file that says which of
 * them the process is in; tests pass other files. */
int32_t wif_cgroup_threads(const char *root, const char *own);

#endif
