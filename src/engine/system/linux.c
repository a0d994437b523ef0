/* See system.h.  Linux: the affinity mask, the quota of cgroups, HWCAP and madvise. */
#define _GNU_SOURCE 1
#include "system/system.h"

#if defined(__linux__)

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "weightinit_fast.h"

/* ---- processors ------------------------------------------------------------------------------ */

int32_t wif_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (int32_t)CPU_COUNT(&set);
    return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

#if defined(__aarch64__)
int wif_arm_aes(void) { return getauxval(AT_HWCAP) >> 3 & 1; } /* bit 3 is HWCAP_AES */
#endif

/* ---- the quota of the cgroup ----------------------------------------------------------------- */

enum { TEXT_BYTES = 4096 }; /* of a file that is read; one that does not fit counts as absent */

/* Read a file as text; return whether that was possible.  Nothing is allocated. */
static int read_text(const char *path, char text[TEXT_BYTES]) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = 0, more = 1;
    if (file < 0)
        return 0;
    while (more > 0 && bytes < TEXT_BYTES) {
        more = read(file, text + bytes, (size_t)(TEXT_BYTES - bytes));
        bytes += more > 0 ? more : 0;
    }
    close(file);
    if (more < 0 || bytes == TEXT_BYTES)
        return 0;
    text[bytes] = 0;
    return 1;
}

/* folder/name as text; whether it fits. */
static int read_in(const char *folder, const char *name, char text[TEXT_BYTES]) {
    char path[TEXT_BYTES];
    const size_t length = strlen(folder), rest = strlen(name);
    if (length + 1 + rest >= sizeof path)
        return 0;
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + 1, name, rest + 1);
    return read_text(path, text);
}

/* The processors of a quota in microseconds of a period, rounded up. */
static int32_t processors_of(const char *quota, const char *period) {
    const long long used = strtoll(quota, NULL, 10), of = strtoll(period, NULL, 10);
    if (used <= 0 || of <= 0 || (used - 1) / of >= WIF_THREADS_MOST)
        return WIF_THREADS_MOST;
    return (int32_t)((used - 1) / of) + 1;
}

/* The quota of one cgroup; "max", or a negative number, is none. */
static int32_t quota_in(const char *folder, int version) {
    char quota[TEXT_BYTES], period[TEXT_BYTES];
    if (version == 2) {
        const char *const space = read_in(folder, "cpu.max", quota) ? strchr(quota, ' ') : NULL;
        return space ? processors_of(quota, space + 1) : WIF_THREADS_MOST;
    }
    return read_in(folder, "cpu.cfs_quota_us", quota) &&
                   read_in(folder, "cpu.cfs_period_us", period)
               ? processors_of(quota, period)
               : WIF_THREADS_MOST;
}

/* Whether a list such as "cpu,cpuacct", which ends before `end`, has the controller "cpu". */
static int has_cpu(const char *list, const char *end) {
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        comma = comma ? comma : end;
        if (comma - list == 3 && !memcmp(list, "cpu", 3))
            return 1;
        list = comma + 1;
    }
    return 0;
}

int32_t wif_cgroup_threads(const char *root, const char *own) {
    char lines[TEXT_BYTES], folder[2 * TEXT_BYTES];
    int32_t found = WIF_THREADS_MOST;
    if (strlen(root) > TEXT_BYTES - 8 || !read_text(own, lines))
        return found;
    /* A line is "number:controllers:path"; version 2 has no controllers there. */
    for (char *line = lines, *next; *line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        if (end)
            *end = 0;
        const char *const list = strchr(line, ':');
        const char *const path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        const int version = path == list + 1 ? 2 : 1;
        if (version == 1 && !has_cpu(list + 1, path))
            continue;
        strcpy(folder, root);
        if (version == 1)
            strcat(folder, "/cpu");
        const size_t base = strlen(folder);
        if (!strstr(path + 1, "/..")) /* such a path is in another namespace */
            strcat(folder, path + 1);
        for (;;) { /* the quotas of the parents limit this process too */
            const int32_t here = quota_in(folder, version);
            found = here < found ? here : found;
            char *const slash = strrchr(folder, '/');
            if (strlen(folder) <= base || !slash)
                break;
            *slash = 0;
            if (strlen(folder) < base)
                break;
        }
    }
    return found;
}

int32_t wif_quota(void) { return wif_cgroup_threads("/sys/fs/cgroup", "/proc/self/cgroup"); }

/* ---- memory ---------------------------------------------------------------------------------- */

/* The first and the last page are taken whole: allocators leave a few bytes free at the beginning
 * of a mapping, and without its first page the first huge page could not be one. */
void wif_advise_huge_pages(const void *start, size_t bytes) {
    const uintptr_t page = 4096, first = (uintptr_t)start & ~(page - 1);
    const uintptr_t last = ((uintptr_t)start + bytes + page - 1) & ~(page - 1);
    /* Where pages are larger than 4 KiB, an address within one is refused, which does no harm. */
    (void)madvise((void *)first, (size_t)(last - first), MADV_HUGEPAGE);
}

#endif
