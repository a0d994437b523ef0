/* fuzz_request: reads any bytes as a wif_request, and judges what wif_fill makes of it.
 *
 * Most requests are right by construction; some of their fields are then replaced by any bits.  The
 * pointers of a request point to memory of exactly the size that the interface states, so that
 * AddressSanitizer notices every byte that is read or written beyond it.  A request that is taken
 * must write the elements that it says, one by one as this file numbers them, and no other byte;
 * one that is refused must write nothing, and wif_check must answer the same.
 *
 *   with libFuzzer (tests/proof/fuzz.py request)  takes the usual options and folders
 *   without                                       fuzz_request FILE...      runs each file
 *                                                 fuzz_request -runs=N      runs N random inputs
 */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/machine.h"
#include "isa/dispatch.h"
#include "weightinit_fast.h"
#include "fuzz_input.h"

enum { AXES = 6, MOST_ITEMS = 1 << 12, LARGE_ITEMS = 140000, GROUP = 32 };

static const wif_kernels *sets[WIF_ISAS]; /* the scalar one first */
static int set_count;

/* ---- threads of the caller ------------------------------------------------------------------- */

static int backwards(void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)context;
    (void)threads;
    for (int64_t k = chunks - 1; k >= 0; k--)
        run(fill, k);
    return 0;
}
/* Leaves the last chunk out, and does not say so. */
static int forgetful(void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)context;
    (void)threads;
    for (int64_t k = 0; k < chunks - 1; k++)
        run(fill, k);
    run(fill, chunks); /* no such chunk */
    return 0;
}
static int failing(void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)context;
    (void)chunks;
    (void)threads;
    (void)run;
    (void)fill;
    return 1;
}

static int hear(void *context, int64_t done, int64_t total) {
    int64_t *const last = context;
    if (done < *last || done > total)
        abort();
    *last = done;
    return done == total; /* of the last call, which is ignored */
}

/* ---- a request ------------------------------------------------------------------------------- */

static size_t bytes_of(int32_t dtype) {
    static const unsigned char bytes[] = {4, 4, 8, 2, 2, 1, 1, 4, 4};
    return bytes[dtype < 0 || dtype > 8 ? 0 : dtype];
}

static int64_t *numbers(int count) { return malloc((size_t)(count > 0 ? count : 0) * 8); }

typedef struct {
    wif_request request;
    wif_interval interval;
    char *memory; /* as large as the region, and `lead` bytes before it */
    size_t bytes;
    int64_t *shape, *whole, *start, *step, *rows;
    ptrdiff_t *strides;
    int64_t heard;
    int axes;
} made;

static void take_axes(input *in, made *m, int axes, size_t itemsize, size_t lead) {
    int order[AXES];
    int64_t items = 1;
    size_t extent = itemsize, begin = 0;
    m->shape = numbers(axes);
    m->whole = numbers(axes);
    m->start = numbers(axes);
    m->step = numbers(axes);
    m->strides = (ptrdiff_t *)numbers(axes);
    for (int k = 0; k < axes; k++) {
        const int64_t room = MOST_ITEMS / items;
        const unsigned kind = (unsigned)take(in, 1);
        int64_t n = kind < 200 ? 1 + kind % 9 : kind < 250 ? 1 + (int64_t)take(in, 1) : 0;
        n = n > room ? room : n;
        items *= n ? n : 1;
        const unsigned place = (unsigned)take(in, 1);
        const int64_t step = 1 + place % 4, reach = n ? (n - 1) * step : 0;
        m->shape[k] = n;
        m->step[k] = place & 128 ? -step : step;
        m->start[k] = place >> 2 & 3;
        m->whole[k] = m->start[k] + reach + 1 + (place >> 4 & 3);
        if (place & 128)
            m->start[k] += reach;
        const int at = (int)take(in, 1) % (k + 1); /* in memory, among the axes before */
        memmove(order + at + 1, order + at, (size_t)(k - at) * sizeof *order);
        order[at] = k;
    }
    for (int j = 0; j < axes; j++) {
        const int k = order[j];
        const unsigned gap = (unsigned)take(in, 1);
        const size_t stride = extent + (gap & 64 ? gap % 16 : 0);
        const int64_t n = m->shape[k];
        m->strides[k] = gap & 128 ? -(ptrdiff_t)stride : (ptrdiff_t)stride;
        if (n > 1) {
            extent += (size_t)(n - 1) * stride;
            begin += gap & 128 ? (size_t)(n - 1) * stride : 0;
        }
    }
    m->bytes = lead + extent;
    m->memory = patterned(m->bytes);
    m->request.data = m->memory + lead + begin;
    m->request.ndim = m->axes = axes;
    m->request.shape = m->shape;
    m->request.whole = m->whole;
    m->request.start = m->start;
    m->request.step = m->step;
    m->request.strides = m->strides;
    const unsigned without = (unsigned)take(in, 1);
    if (without % 8 == 1) {
        m->request.start = m->request.step = m->request.whole = NULL;
    } else if (without % 8 == 2) {
        m->request.strides = NULL; /* C order, which may need more memory than there is */
        m->request.data = m->memory;
    }
    if (without & 16 && axes) {
        m->rows = numbers((int)m->shape[0]);
        for (int64_t k = 0; k < m->shape[0]; k++)
            m->rows[k] = (int64_t)take(in, 1) * (without & 32 ? INT64_C(1) << 40 : 1);
        m->request.rows = m->rows;
    }
}

/* Replace a field by any bits. */
static void spoil(input *in, made *m) {
    wif_request *const r = &m->request;
    const uint64_t bits = take(in, (int)take(in, 1) % 2 ? 8 : 1);
    const int axes = m->axes, k = axes ? (int)take(in, 1) % axes : 0;
    const int64_t number = (int64_t)bits;
    switch (take(in, 1) % 20) {
    case 0:
        r->dtype = (int32_t)bits;
        break;
    case 1:
        r->transform = (int32_t)bits;
        break;
    case 2:
        r->first = bits;
        break;
    case 3:
        r->first = UINT64_MAX - bits % 256;
        break;
    case 4:
        r->count = number;
        break;
    case 5:
        r->ndim = (int32_t)(bits % 3) * 65 - 65; /* -65, 0 or 65 */
        break;
    case 6:
        r->threads = (int32_t)bits;
        break;
    case 7:
        r->flags = (uint32_t)bits;
        break;
    case 8:
        r->reserved = (uint32_t)bits;
        break;
    case 9:
        if (axes)
            m->shape[k] = r->rows ? m->shape[k] : number; /* rows are as many as shape[0] */
        break;
    case 10:
        if (axes)
            m->whole[k] = number;
        break;
    case 11:
        if (axes)
            m->start[k] = number;
        break;
    case 12:
        if (axes)
            m->step[k] = number;
        break;
    case 13:
        if (axes)
            m->strides[k] = (ptrdiff_t)number;
        break;
    case 14:
        if (r->rows && m->shape[0])
            m->rows[bits % (uint64_t)m->shape[0]] = number;
        break;
    case 15:
        r->data = (void *)((uintptr_t)r->data + (uintptr_t)(bits % 64) - 32);
        break;
    case 16:
        r->data = (void *)(uintptr_t)bits;
        break;
    case 17:
        r->buffer_bytes -= bits % (r->buffer_bytes + 1);
        break;
    case 18:
        m->interval.lower += (double)(bits % 2);
        break;
    default:
        r->parameters[bits % 4] = take_number(in);
    }
}

/* Make a request in place, since it points into itself. */
static void take_request(input *in, made *m) {
    memset(m, 0, sizeof *m);
    const int32_t transform = 1 + (int32_t)(take(in, 1) % 5);
    const int32_t dtype = transform == WIF_WORDS ? WIF_UINT32 : 1 + (int32_t)(take(in, 1) % 6);
    const unsigned kind = (unsigned)take(in, 1);
    const size_t itemsize = bytes_of(dtype), lead = take(in, 1) % 70;
    m->request = wif_request_new(NULL, dtype, 0);
    wif_request *const r = &m->request;
    r->transform = transform;
    r->key.low = take(in, 1);
    r->key.high = take(in, 1);
    r->stream = take(in, 1);
    r->first = take(in, kind & 1 ? 2 : 5);
    r->threads = 1 + (int32_t)(kind >> 1 & 1);
    for (int k = 0; k < 2; k++)
        r->parameters[k] = take_number(in);
    if (transform == WIF_UNIFORM && r->parameters[0] > r->parameters[1])
        wif_set_uniform(r, r->parameters[1], r->parameters[0]);
    if (transform != WIF_UNIFORM)
        r->parameters[1] = fabs(r->parameters[1]);
    r->parameters[2] = (double)(int8_t)take(in, 1) / 16;
    r->parameters[3] = r->parameters[2] + (double)(1 + take(in, 1)) / 16;
    if (kind & 4 && transform == WIF_TRUNCATED_NORMAL &&
        wif_prepare_interval(r->parameters[2], r->parameters[3], dtype, &m->interval) == WIF_OK)
        r->interval = &m->interval;
    const int axes = (int)(take(in, 1) % (AXES + 1));
    if (axes) {
        take_axes(in, m, axes, itemsize, lead);
    } else {
        r->count = kind >= 252 ? LARGE_ITEMS + (int64_t)take(in, 2) : (int64_t)take(in, 2) % 5000;
        m->bytes = lead + (size_t)r->count * itemsize;
        m->memory = patterned(m->bytes);
        r->data = m->memory + lead;
    }
    if (kind >= 252) {
        static wif_parallel_for *const ways[] = {NULL, backwards, forgetful, failing};
        r->parallel_for = ways[take(in, 1) % 4];
        r->threads = 3;
    }
    r->buffer = m->memory;
    r->buffer_bytes = m->bytes;
    if (kind & 8)
        for (unsigned left = 1 + (kind >> 4 & 1); left; left--)
            spoil(in, m);
    if (kind & 32) {
        r->progress = hear;
        r->progress_context = &m->heard;
    }
}

/* ---- what is judged -------------------------------------------------------------------------- */

typedef struct {
    const wif_request *request;
    wif_interval interval; /* prepared once, since this takes longer than a group */
    uint64_t group;
    int known;
    char items[GROUP * 8];
} oracle;

/* An element: the scalar set draws the group that holds it. */
static const char *expected(oracle *o, uint64_t element, size_t itemsize) {
    if (!o->known || element / GROUP != o->group) {
        wif_request one = wif_request_new(o->items, o->request->dtype, GROUP);
        one.transform = o->request->transform;
        memcpy(one.parameters, o->request->parameters, sizeof one.parameters);
        if (one.transform == WIF_TRUNCATED_NORMAL && one.parameters[1] > 0)
            one.interval = &o->interval;
        one.key = o->request->key;
        one.stream = o->request->stream;
        one.first = o->group = element / GROUP;
        one.first *= GROUP;
        o->known = 1;
        if (wif_fill(&one) != WIF_OK)
            abort();
    }
    return o->items + element % GROUP * itemsize;
}

static void write_expected(oracle *o, char *to, size_t itemsize, int axis, ptrdiff_t place,
                           uint64_t element, const uint64_t *steps, const ptrdiff_t *strides) {
    const wif_request *const r = o->request;
    if (axis == r->ndim) {
        memcpy(to + place, expected(o, element, itemsize), itemsize);
        return;
    }
    for (int64_t k = 0; k < r->shape[axis]; k++) {
        const int64_t position = axis == 0 && r->rows
                                     ? r->rows[k]
                                     : (r->start ? r->start[axis] : 0) +
                                           k * (r->step && r->shape[axis] > 1 ? r->step[axis] : 1);
        write_expected(o, to, itemsize, axis + 1, place + k * strides[axis],
                       element + (uint64_t)position * steps[axis], steps, strides);
    }
}

/* Write what an accepted request means into a copy of its memory. */
static void write_all(const made *m, char *wanted) {
    const wif_request *const r = &m->request;
    const size_t itemsize = bytes_of(r->dtype);
    const ptrdiff_t begin = (char *)r->data - m->memory;
    oracle o = {.request = r};
    if (r->transform == WIF_TRUNCATED_NORMAL)
        wif_prepare_interval(r->parameters[2], r->parameters[3], r->dtype, &o.interval);
    if (!r->ndim) {
        for (int64_t k = 0; k < r->count; k++)
            memcpy(wanted + begin + k * (ptrdiff_t)itemsize,
                   expected(&o, r->first + (uint64_t)k, itemsize), itemsize);
        return;
    }
    uint64_t steps[AXES], step = 1;
    ptrdiff_t strides[AXES], stride = (ptrdiff_t)itemsize;
    for (int k = r->ndim - 1; k >= 0; k--) {
        steps[k] = step;
        strides[k] = r->strides ? r->strides[k] : stride;
        step *= (uint64_t)(r->whole ? r->whole : r->shape)[k];
        stride *= r->shape[k];
    }
    for (int k = 0; k < r->ndim; k++)
        if (!r->shape[k])
            return;
    write_expected(&o, wanted, itemsize, 0, begin, r->first, steps, strides);
}

static void fail(const char *what, wif_status status) {
    fprintf(stderr, "fuzz_request: %s (%s)\n", what, wif_status_text(status));
    abort();
}

static void judge(made *m, unsigned kind) {
    /* A last group of the stream is whole, since both ends of a stream are ends of groups. */
    wif_use_kernels(sets[kind % (unsigned)set_count]);
    char *const wanted = malloc(m->bytes);
    memcpy(wanted, m->memory, m->bytes);
    const int spoils = m->request.parallel_for == forgetful || m->request.parallel_for == failing;
    const wif_status checked = wif_check(&m->request);
    if (memcmp(wanted, m->memory, m->bytes))
        fail("wif_check wrote", checked);
    const wif_status status = wif_fill(&m->request);
    wif_use_kernels(sets[0]);
    if (status == WIF_ERROR_PARALLEL_FOR && spoils && checked == WIF_OK) {
        free(wanted);
        return;
    }
    if (status != checked)
        fail("wif_check and wif_fill differ", status);
    if (status == WIF_OK)
        write_all(m, wanted);
    if (memcmp(wanted, m->memory, m->bytes))
        fail("other bytes than those of the elements", status);
    free(wanted);
}

/* A request of another size, in memory of exactly that size. */
static void judge_size(input *in, made *m) {
    const size_t size = take(in, 1) % 2 ? (size_t)take(in, 1) * 2 : (size_t)take(in, 8);
    const size_t room = size < 8 ? 8 : size > 5000 ? 5000 : size;
    unsigned char *const bytes = calloc(1, room);
    const wif_request plain = m->request;
    memcpy(bytes, &plain, room < sizeof plain ? room : sizeof plain);
    memcpy(bytes, &size, sizeof size);
    for (size_t k = sizeof plain; k < room && take(in, 1) % 4 == 0; k++)
        bytes[k] = (unsigned char)take(in, 1);
    wif_check((const wif_request *)(const void *)bytes);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!set_count) {
        static wif_isa isas[WIF_ISAS];
        wif_list_isas(isas);
        for (int k = 0; k < WIF_ISAS; k++)
            if (isas[k].kernels && !isas[k].lacks)
                sets[set_count++] = isas[k].kernels;
        wif_use_kernels(sets[0]);
    }
    static const int ROUNDING[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    input in = {data, data + size};
    const unsigned kind = (unsigned)take(&in, 1), rounding = (unsigned)take(&in, 1) % 4;
    made m;
    take_request(&in, &m);
    fesetround(ROUNDING[rounding]);
    judge(&m, kind);
    judge_size(&in, &m);
    if (fegetround() != ROUNDING[rounding])
        abort();
    fesetround(FE_TONEAREST);
    free(m.memory);
    free(m.shape);
    free(m.whole);
    free(m.start);
    free(m.step);
    free(m.rows);
    free(m.strides);
    return 0;
}

#include "fuzz_main.h"
