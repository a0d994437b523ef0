/* The store limit: how fast this machine stores bytes that need no computation.
 *
 * store_limit.py compiles this file on the fly and loads it with ctypes. Each function writes
 * [dst, dst+bytes), or a new mapping of that size, on the given number of threads. The threads take
 * pieces from a common counter, so that a thread that is held up does not delay the others; the
 * fills of weightinit_fast, which are compared with these functions, do the same.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define X86 1
#endif

enum { LINE = 64, PIECE = 1 << 20, HUGE_PAGE = 2 << 20, MAX_THREADS = 1024 };

typedef void (*store_fn)(char *dst, size_t bytes);

/* ---- one thread; dst and bytes are multiples of a cache line; every float32 is 1.0 ------------
 */

static void store_plain(char *dst, size_t bytes) {
    float one = 1.0f, *p = (float *)(void *)dst;
    for (size_t k = 0; k < bytes / sizeof one; k++)
        p[k] = one;
}

#if X86
__attribute__((target("sse2"))) static void store_sse2(char *dst, size_t bytes) {
    __m128 one = _mm_set1_ps(1.0f);
    for (char *end = dst + bytes; dst != end; dst += LINE)
        for (int k = 0; k < LINE; k += 16)
            _mm_stream_ps((float *)(void *)(dst + k), one);
    _mm_sfence();
}

__attribute__((target("avx"))) static void store_avx(char *dst, size_t bytes) {
    __m256 one = _mm256_set1_ps(1.0f);
    for (char *end = dst + bytes; dst != end; dst += LINE) {
        _mm256_stream_ps((float *)(void *)dst, one);
        _mm256_stream_ps((float *)(void *)(dst + 32), one);
    }
    _mm_sfence();
}

__attribute__((target("avx512f"))) static void store_avx512(char *dst, size_t bytes) {
    __m512 one = _mm512_set1_ps(1.0f);
    for (char *end = dst + bytes; dst != end; dst += LINE)
        _mm512_stream_ps((float *)(void *)dst, one);
    _mm_sfence();
}
#endif

static void store_memset(char *dst, size_t bytes) { memset(dst, 1, bytes); }

static store_fn widest(const char **name) {
#if X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return *name = "avx512f", store_avx512;
    if (__builtin_cpu_supports("avx"))
        return *name = "avx", store_avx;
    if (__builtin_cpu_supports("sse2"))
        return *name = "sse2", store_sse2;
#endif
    return *name = "plain", store_plain;
}

/* ---- threads ----------------------------------------------------------------------------------
 */

typedef struct {
    store_fn store;
    char *dst;
    size_t bytes, piece;
    atomic_size_t next;
} job;

static void *work(void *argument) {
    job *j = argument;
    size_t at;
    while ((at = atomic_fetch_add(&j->next, j->piece)) < j->bytes)
        j->store(j->dst + at, j->bytes - at < j->piece ? j->bytes - at : j->piece);
    return NULL;
}

/* Return 0, or -1 if a thread could not be started. */
static int run(store_fn store, char *dst, size_t bytes, int threads, size_t piece) {
    pthread_t helper[MAX_THREADS];
    int made = 0, wanted = (threads < MAX_THREADS ? threads : MAX_THREADS) - 1;
    job j = {.store = store, .dst = dst, .bytes = bytes};
    j.piece = wanted > 0 || bytes == 0 ? piece : bytes;
    while (made < wanted && pthread_create(&helper[made], NULL, work, &j) == 0)
        made++;
    work(&j);
    for (int k = 0; k < made; k++)
        pthread_join(helper[k], NULL);
    return made == wanted ? 0 : -1;
}

/* ---- the functions that Python calls -----------------------------------------------------------
 */

const char *nt_name(void) {
    const char *name;
    widest(&name);
    return name;
}

/* memcpy writes the two ends that do not fill a cache line; they are less than 128 bytes. */
int nt_store(char *dst, size_t bytes, int threads) {
    static const float ones[LINE / sizeof(float)] = {1, 1, 1, 1, 1, 1, 1, 1,
                                                     1, 1, 1, 1, 1, 1, 1, 1};
    const char *name;
    store_fn store = widest(&name);
    size_t head = -(uintptr_t)dst % LINE;
    if (head > bytes)
        head = bytes;
    size_t tail = (bytes - head) % LINE;
    memcpy(dst, ones, head);
    memcpy(dst + bytes - tail, ones, tail);
    return run(store, dst + head, bytes - head - tail, threads, PIECE);
}

int memset_threads(char *dst, size_t bytes, int threads) {
    return run(store_memset, dst, bytes, threads, PIECE);
}

/* Map new memory, ask for huge pages, write it, and unmap it; each page is touched by one thread
 * alone. Leave four of the bytes that were written in seen. Return 0, or -1 if memory or a thread
 * was not available. */
int memset_fresh(size_t bytes, int threads, char *seen) {
    size_t mapped = bytes + HUGE_PAGE;
    char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return -1;
    char *dst = base + -(uintptr_t)base % HUGE_PAGE;
#ifdef MADV_HUGEPAGE
    madvise(dst, bytes, MADV_HUGEPAGE); /* may fail, as it may for the fill that is compared */
#endif
    int status = run(store_memset, dst, bytes, threads, HUGE_PAGE);
    for (size_t k = 0; k < 4 && bytes != 0; k++)
        seen[k] = dst[(bytes - 1) / 3 * k];
    munmap(base, mapped);
    return status;
}
