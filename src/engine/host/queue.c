/* See queue.h. */
#include "host/queue.h"

/* The work of one task. */
static int64_t work_of(const wif_plan *p) { return p->task_items + WIF_TASK_WORK; }

/* Which task of a plan is the first that begins at this place of the work of all plans or after it;
 * p->tasks if there is none. */
static int64_t first_task_from(const wif_plan *p, int64_t place) {
    const int64_t work = work_of(p), within = place - p->work_before;
    if (within <= 0)
        return 0;
    return within > (p->tasks - 1) * work ? p->tasks : (within + work - 1) / work;
}

wif_queue wif_queue_of(wif_plan *plans, int64_t count, int64_t chunk_work) {
    int64_t work = 0;
    for (int64_t k = 0; k < count; k++) {
        plans[k].work_before = work;
        work += plans[k].tasks * work_of(&plans[k]);
    }
    /* A small fill is one chunk, and a division would take a part in 40 of its time. */
    const int64_t chunks = work > chunk_work ? (work - 1) / chunk_work + 1 : count > 0;
    const wif_queue queue = {plans, count, chunk_work, chunks};
    return queue;
}

int64_t wif_queue_run(const wif_queue *q, int64_t chunk) {
    const int64_t begin = chunk * q->chunk_work, end = begin + q->chunk_work;
    int64_t at = 0, beyond = q->count; /* the chunk begins in a plan from `at` to before `beyond` */
    while (beyond - at > 1) {
        const int64_t middle = at + (beyond - at) / 2;
        if (q->plans[middle].work_before <= begin)
            at = middle;
        else
            beyond = middle;
    }
    int64_t work = 0;
    for (; at < q->count && q->plans[at].work_before < end; at++) {
        const wif_plan *p = &q->plans[at];
        const int64_t first = first_task_from(p, begin), last = first_task_from(p, end);
        for (int64_t task = first; task < last; task++)
            wif_run_task(p, task);
        work += (last - first) * work_of(p);
    }
    return work;
}
