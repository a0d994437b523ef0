/* How many threads a fill uses by default.  weightinit_fast/_resolve/threads.py has the same rules
 * for Python, and some more, which only Python can know. */
#if defined(__linux__)
#define _GNU_SOURCE 1
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/threads.h"
#include "host/runtime.h"
#include "weightinit_fast.h"

#if defined(_WIN32)
#include <windows.h>
#elif defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#else
#include <unistd.h>
#endif

static int32_t lesser(int32_t a, int32_t b) { return a < b ? a : b; }

/* A number at the beginning of a text, at most WIF_THREADS_MOST; 0 if there is none.  What follows
 * it is ignored: OpenMP allows a list, with a number for each level of nested regions. */
static int32_t number_in(const char *text) {
    int32_t number = 0;
    for (; text && *text >= '0' && *text <= '9'; text++)
        number = lesser(10 * number + (*text - '0'), WIF_THREADS_MOST);
    return number;
}

/* The limit that the environment sets.  It is read once, because reading it at each fill would be a
 * race with a thread that changes the environment. */
static int32_t environment_limit(void) {
    static _Atomic int32_t known;
    int32_t limit = atomic_load_explicit(&known, memory_order_relaxed);
    if (limit)
        return limit;
    limit = number_in(getenv("WEIGHTINIT_FAST_NUM_THREADS"));
    if (!limit)
        limit = number_in(getenv("OMP_NUM_THREADS"));
    if (!limit)
        limit = WIF_THREADS_MOST;
    atomic_store_explicit(&known, limit, memory_order_relaxed);
    return limit;
}

/* ---- the quota of the cgroup ----------------------------------------------------------------- */

#if defined(__linux__)

enum {
    TEXT_BYTES = 4096, /* of a file that is read; one that does not fit counts as absent */
    QUOTA_NS = 1000 * 1000 * 1000
};

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
            found = lesser(found, quota_in(folder, version));
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

/* The quota may change while the process lives, and to read it takes 30 to 60 us, so that it is
 * read again after a second. */
static int32_t quota(void) {
    static _Atomic int32_t known;
    static _Atomic uint64_t read_ns;
    const uint64_t now = wif_now_ns();
    int32_t found = atomic_load(&known);
    if (!found || now - atomic_load(&read_ns) >= QUOTA_NS) {
        found = wif_cgroup_threads("/sys/fs/cgroup", "/proc/self/cgroup");
        atomic_store(&read_ns, now);
        atomic_store(&known, found);
    }
    return found;
}

#else
static int32_t quota(void) { return WIF_THREADS_MOST; }
int32_t wif_cgroup_threads(const char *root, const char *own) {
    (void)root;
    (void)own;
    return WIF_THREADS_MOST;
}
#endif

/* ---- processors ------------------------------------------------------------------------------ */

/* How many processors the calling thread may run on. */
static int32_t processors(void) {
#if defined(_WIN32)
    return (int32_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
#else
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (int32_t)CPU_COUNT(&set);
#endif
    return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

int32_t wif_default_threads(void) {
    const int32_t most = lesser(lesser(environment_limit(), processors()), quota());
    return most < 1 ? 1 : most;
}
