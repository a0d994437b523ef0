/* Fills on threads of its own, and checks on which of them progress() is called.  tests/consumers
 * links it with an engine that was built without threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <weightinit_fast.h>

enum { THREADS = 3, ITEMS = 6 * 1000 * 1000 };

static pthread_t caller;
static int heard; /* how often progress() was called */

static int progress(void *context, int64_t done, int64_t total) {
    (void)context;
    if (!pthread_equal(pthread_self(), caller)) {
        fprintf(stderr, "progress(%lld, %lld) on another thread\n", (long long)done,
                (long long)total);
        exit(1);
    }
    heard++;
    return 0;
}

typedef struct {
    _Atomic int64_t next;
    int64_t chunks;
    wif_chunk *run;
    void *fill;
} shared;

static void *work(void *state) {
    shared *const s = state;
    for (int64_t k; (k = atomic_fetch_add(&s->next, 1)) < s->chunks;)
        s->run(s->fill, k);
    return NULL;
}

static int on_threads(void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    shared s = {.chunks = chunks, .run = run, .fill = fill};
    pthread_t helpers[THREADS];
    (void)context;
    atomic_init(&s.next, 0);
    for (int k = 1; k < threads; k++)
        if (pthread_create(&helpers[k], NULL, work, &s))
            exit(2);
    work(&s);
    for (int k = 1; k < threads; k++)
        pthread_join(helpers[k], NULL);
    return 0;
}

int main(void) {
    double *const out = malloc(ITEMS * sizeof *out);
    wif_request request = wif_request_new(out, WIF_FLOAT64, ITEMS);
    wif_set_normal(&request, 0, 1);
    request.threads = THREADS;
    request.parallel_for = on_threads;
    request.progress = progress;
    caller = pthread_self();
    if (!out || wif_fill(&request) != WIF_OK)
        return 3;
    free(out);
    printf("%d\n", heard);
    return 0;
}
