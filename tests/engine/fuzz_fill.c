/* fuzz_fill: reads any bytes as the description of one fill of a region, and compares the fill with
 * the scalar set, element by element.
 *
 * The bytes choose an instruction set, a transform, a type, parameters, up to six axes with any
 * steps through stream and memory, of which one may have a list of ids, the places where the fill
 * is cut into plans, tasks and chunks, the kind of stores and the order of the chunks.  The buffer
 * is as large as the region, so that AddressSanitizer notices the byte after it.  The bytes before
 * the region and in its gaps must stay as they were.
 *
 *   with libFuzzer (tests/proof/fuzz.py engine)   takes the usual options and folders
 *   without                                       fuzz_fill FILE...        runs each file
 *                                                 fuzz_fill -runs=N        runs N random inputs
 */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/dispatch.h"
#include "host/fpenv.h"
#include "host/params.h"
#include "host/plan.h"
#include "host/queue.h"
#include "fuzz_input.h"

enum {
    AXES = 6,
    PLANS = 5,
    MOST_ITEMS = 1 << 15,
    MOST_BYTES = 1 << 22,
    NARROW = WIF_PUBLIC_TRANSFORMS
};

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

/* The bounds of truncated normals, and the numbers that wif_prepare_interval computes from them. */
static const double INTERVALS[][8] = {
    {-2.0, 2.0, 5.1743534376020444e-20, 0.9544997361036416, 0.9544997361036416, 0.02275013194817921,
     0.02275013194817921, 0.0},
    {-INFINITY, INFINITY, 5.421010862427522e-20, 1.0, 1.0, 0.0, 0.0, 0.0},
    {0.0, INFINITY, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0},
    {3.0, 4.0, 0.9986184307265368, 0.0013182267897969746, 0.0013182267897969746, 0.9986501019683699,
     3.1671241833119924e-05, 0.0},
    {5.0, 8.0, 0.9999997133484275, 2.8665157125709787e-07, 2.8665157125709787e-07,
     0.9999997133484281, 6.220960574271784e-16, 0.0},
    {-8.0, -7.5, -0.9999999999999675, 3.1286820671681786e-14, 3.1286820671681786e-14,
     6.220960574271784e-16, 0.9999999999999681, 0.0},
    {-2.25, 2.0, -0.010525659293134504, 0.9650253953967761, 0.9650253953967761,
     0.012224472655044703, 0.02275013194817921, 0.0},
    {-2.5, -2.25, -0.9815658620191792, 0.006014807329268568, 0.006014807329268568,
     0.006209665325776135, 0.9877755273449553, 0.0},
    {-0.5, 3.0, 0.3071876406943568, 0.690112563242383, 0.690112563242383, 0.3085375387259869,
     0.0013498980316300946, 0.0},
    /* This interval is for float64 alone. */
    {-INFINITY, -36.5, -1.0, 5.544725713074845e-292, 1.8867723895724966e-253, 0.0,
     3.402823669209385e+38, 128.0},
};
enum { ROWS_OF_BOTH = 9, ROWS_OF_DOUBLE };

/* Whether these are parameters that the package would pass on. */
static int take_parameters(input *in, int transform, int type,
                           double parameters[WIF_MOST_PARAMETERS]) {
    if (transform == WIF_words)
        return 1;
    parameters[0] = take_number(in);
    if (transform == WIF_constant)
        return 1;
    parameters[1] = take_number(in);
    if (!isfinite(parameters[0]) || !isfinite(parameters[1]))
        return 0;
    if (transform == WIF_uniform)
        return parameters[0] < parameters[1];
    if (transform == WIF_truncated)
        memcpy(parameters + 2,
               INTERVALS[take(in, 1) % (type == WIF_f64 ? ROWS_OF_DOUBLE : ROWS_OF_BOTH)],
               sizeof INTERVALS[0]);
    parameters[1] = fabs(parameters[1]);
    return transform == WIF_normal || parameters[1] > 0;
}

/* The axes of a region, outermost first; they stay inside the stream and are nested in memory. */
typedef struct {
    wif_axis axis[AXES];
    int count;
    int64_t items;
    uint64_t last;    /* the last element, counted from the first */
    ptrdiff_t extent; /* in bytes, from the lowest byte to behind the highest */
    ptrdiff_t start;  /* from the lowest byte to the first element */
    int64_t *ids;     /* of one of the axes, or NULL; the caller frees them */
} region;

/* Give one of the axes a list of ids: any, or runs of them, which stay inside the stream. */
static void take_ids(input *in, region *r, uint64_t last_element) {
    if (!r->count || take(in, 1) % 2 == 0)
        return;
    wif_axis *a = &r->axis[take(in, 1) % (uint64_t)r->count];
    const int kind = (int)take(in, 1);
    const uint64_t own = (uint64_t)(a->n - 1) * a->stream_step, step = a->stream_step;
    const uint64_t room = step ? (last_element - (r->last - own)) / step : 0;
    const uint64_t most = room < INT64_MAX ? room : INT64_MAX;
    const int run = kind % 4 == 0 ? 1 : 1 + (int)take(in, 1) % 40;
    uint64_t highest = 0, state = 1 + take(in, 2);
    r->ids = malloc((size_t)a->n * sizeof *r->ids); /* no more, so that every read beyond is seen */
    for (int64_t k = 0; r->ids && k < a->n; k++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t any = kind & 128 ? state : state >> 52;
        uint64_t id = any % (most + 1);
        if (k % run && (uint64_t)r->ids[k - 1] < most)
            id = (uint64_t)r->ids[k - 1] + 1;
        r->ids[k] = (int64_t)id;
        highest = id > highest ? id : highest;
    }
    if (r->ids) {
        a->ids = r->ids;
        r->last += highest * step - own;
    }
}

static uint64_t take_stream_step(input *in, int kind, uint64_t nested) {
    switch (kind) {
    case 0:
    case 1:
        return nested;
    case 2:
        return 1 + take(in, 1) % 40;
    default: {
        const uint64_t step = take(in, kind == 3 ? 2 : 8);
        return step ? step : 1;
    }
    }
}

static region take_region(input *in, size_t itemsize, uint64_t last_element) {
    region r = {.items = 1, .extent = (ptrdiff_t)itemsize};
    int order[AXES] = {0}, kinds[AXES];
    uint64_t nested = 1;
    int64_t most = MOST_ITEMS >> take(in, 1) % 10; /* faults in small regions are found sooner */
    r.count = (int)(take(in, 1) % (AXES + 1));
    for (int k = r.count - 1; k >= 0; k--) {
        wif_axis *a = &r.axis[k];
        a->n = (int64_t)take(in, 1);
        a->n = a->n < 240 ? 1 + a->n % (a->n < 128 ? 8 : 70) : 1 + (int64_t)take(in, 2);
        kinds[k] = (int)take(in, 1);
        if (kinds[k] % 5 > 1) /* the oracle draws a whole group for each element here */
            most = min(most, MOST_ITEMS / 16);
        a->n = min(a->n, max(1, most / r.items));
        a->stream_step = take_stream_step(in, kinds[k] % 5, nested);
        if (a->n > 1 && a->stream_step > (last_element - r.last) / (uint64_t)(a->n - 1))
            a->n = 1;
        r.last += (uint64_t)(a->n - 1) * a->stream_step;
        r.items *= a->n;
        nested = r.last + 1;
        const int place =
            (int)take(in, 1) % (r.count - k); /* in memory, among the axes inside this one */
        memmove(order + place + 1, order + place,
                (size_t)(r.count - 1 - k - place) * sizeof *order);
        order[place] = k;
    }
    for (int j = 0; j < r.count; j++) { /* beginning with the axis that is fastest in memory */
        wif_axis *a = &r.axis[order[j]];
        const int kind = kinds[order[j]] / 5;
        ptrdiff_t step = r.extent;
        if (kind % 5 == 4)
            step += (ptrdiff_t)take(in, 1);
        else if (kind % 5 > 1)
            step += (ptrdiff_t)(take(in, 1) % 9 * itemsize);
        if ((a->n - 1) * step > MOST_BYTES - r.extent)
            step = r.extent;
        r.extent += (a->n - 1) * step;
        a->dst_step = step;
        if (kind & 16) {
            a->dst_step = -step;
            r.start += (a->n - 1) * step;
        }
    }
    take_ids(in, &r, last_element);
    return r;
}

/* ---- what is judged -------------------------------------------------------------------------- */

/* Knows the elements of a draw: the scalar set draws them, one group at a time. */
typedef struct {
    wif_draw_rows *draw_rows;
    const wif_draw *draw;
    size_t itemsize;
    uint64_t group;
    int known;
    char items[WIF_GROUP_WORDS * 8];
} oracle;

static const char *expected(oracle *o, uint64_t element) {
    const uint64_t group = element / WIF_GROUP_WORDS;
    if (!o->known || group != o->group) {
        const wif_fpstate host = wif_fp_enter();
        o->draw_rows(o->items, 0, group * WIF_GROUP_WORDS, 0, NULL, 1, WIF_GROUP_WORDS, o->draw, 0);
        wif_fp_leave(host);
        o->group = group;
        o->known = 1;
    }
    return o->items + element % WIF_GROUP_WORDS * o->itemsize;
}

static void write_expected(oracle *o, char *dst, uint64_t first, const wif_axis *axes, int count) {
    if (!count) {
        memcpy(dst, expected(o, first), o->itemsize);
        return;
    }
    for (int64_t k = 0; k < axes->n; k++)
        write_expected(o, dst + k * axes->dst_step,
                       first + (uint64_t)(axes->ids ? axes->ids[k] : k) * axes->stream_step,
                       axes + 1, count - 1);
}

static void run_in_any_order(const wif_queue *queue, uint64_t step, uint64_t begin) {
    const uint64_t chunks = (uint64_t)queue->chunks;
    for (step %= chunks;; step++) {
        uint64_t a = chunks, b = step;
        while (b) {
            const uint64_t rest = a % b;
            a = b, b = rest;
        }
        if (a == 1)
            break;
    }
    uint64_t chunk = begin % chunks;
    for (uint64_t k = 0; k < chunks; k++, chunk = (chunk + step) % chunks)
        wif_queue_run(queue, (int64_t)chunk);
}

/* Split a region along its first axis into plans of their own, up to `most` of different sizes;
 * return how many. */
static int split(const wif_plan *whole, const region *r, wif_plan *plans, wif_axis (*axes)[AXES],
                 int most) {
    int count = 0;
    for (int64_t done = 0, left = r->count ? r->axis[0].n : 1; left; count++) {
        const int64_t n = count == most - 1 ? left : max(1, left / (2 + count));
        plans[count] = *whole;
        memcpy(axes[count], r->axis, sizeof r->axis);
        if (r->count) {
            wif_axis *a = &axes[count][0];
            a->n = n;
            plans[count].dst += done * a->dst_step;
            if (a->ids)
                a->ids += done;
            else
                plans[count].first += (uint64_t)done * a->stream_step;
        }
        done += n, left -= n;
    }
    return count;
}

static void compare(const char *got, const char *wanted, size_t bytes, const char *isa,
                    const char *what, int type) {
    for (size_t k = 0; k < bytes; k++)
        if (got[k] != wanted[k]) {
            fprintf(stderr, "fuzz_fill: %s, %s of type %d: byte %zu of %zu is %02x, not %02x\n",
                    isa, what, type, k, bytes, got[k] & 0xff, wanted[k] & 0xff);
            abort();
        }
}

/* ---- one input ------------------------------------------------------------------------------- */

static void narrow(input *in, const wif_kernels *set, const wif_kernels *scalar, int type) {
    const size_t count = take(in, 1), itemsize = wif_type_bytes(type);
    float *source = malloc(count * sizeof *source);
    for (size_t k = 0; source && k < count; k++) {
        const uint32_t bits = (uint32_t)take(in, 4);
        memcpy(&source[k], &bits, sizeof bits);
        if (isnan(source[k]))
            source[k] = (float)k;
    }
    char *got = malloc(count * itemsize), *wanted = malloc(count * itemsize);
    if (set->narrow[type] && source && got && wanted) {
        set->narrow[type](got, source, count);
        scalar->narrow[type](wanted, source, count);
        compare(got, wanted, count * itemsize, set->isa, "narrow", type);
    }
    free(source);
    free(got);
    free(wanted);
}

static void fill(input *in, const wif_kernels *set, const wif_kernels *scalar, int transform,
                 int type) {
    static const int ROUNDING[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    double parameters[WIF_MOST_PARAMETERS] = {0};
    wif_plan whole = {0}, plans[PLANS];
    wif_axis axes[PLANS][AXES];
    wif_draw plain = {0};
    const unsigned flags = (unsigned)take(in, 1);
    const size_t lead = take(in, 1) % 96;
    if (!take_parameters(in, transform, type, parameters))
        return;
    fesetround(ROUNDING[flags & 3]);
    if (wif_prepare(transform, type, parameters, &plain))
        return;
    plain.key_low = take(in, 2);
    plain.key_high = take(in, 1);
    plain.stream = take(in, 1);
    const int fresh = flags >> 2 & 1, far = flags >> 3 & 1, streamed = flags >> 4 & 1;
    const uint64_t last_element = type == WIF_f64 ? INT64_MAX : UINT64_MAX;
    uint64_t first = take(in, far ? 8 : 2);
    const int cut = (int)take(in, 1);
    const uint64_t step = take(in, 2), begin = take(in, 2);
    const region r = take_region(in, wif_type_bytes(type), last_element);
    if (first > last_element - r.last)
        first = last_element - r.last;
    const int most_plans = 1 + (int)(take(in, 1) % PLANS);
    const int64_t chunk_work = 257 + (int64_t)(take(in, 2) * (1 + take(in, 1) % 8));

    const size_t bytes = lead + (size_t)r.extent;
    char *got = patterned(bytes), *wanted = patterned(bytes);
    if (got && wanted) {
        whole.draw = plain;
        wif_plan_choose_kernels(&whole, set, type, r.items);
        whole.dst = got + lead + r.start;
        whole.first = first;
        whole.direct_items = cut < 128
                                 ? wif_plan_direct_items(whole.itemsize, r.items, 1 + cut, fresh)
                                 : WIF_GROUP_WORDS + (cut - 128) * 17;
        const int count = split(&whole, &r, plans, axes, most_plans);
        for (int k = 0; k < count; k++) {
            plans[k].nontemporal = streamed;
            wif_plan_cut(&plans[k], axes[k], r.count);
        }
        const wif_queue queue = wif_queue_of(plans, count, chunk_work);
        run_in_any_order(&queue, step, begin);
        oracle o = {wif_choose_kernel(scalar, type, &plain), &plain, whole.itemsize, 0, 0, {0}};
        write_expected(&o, wanted + lead + r.start, first, r.axis, r.count);
        compare(got, wanted, bytes, set->isa, "fill", type);
    }
    free(r.ids);
    free(got);
    free(wanted);
    if (fegetround() != ROUNDING[flags & 3])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static wif_isa isas[WIF_ISAS];
    static const wif_kernels *sets[WIF_ISAS]; /* the scalar one first */
    static int count;
    if (!count) {
        wif_list_isas(isas);
        for (int k = 0; k < WIF_ISAS; k++)
            if (isas[k].kernels && !isas[k].lacks)
                sets[count++] = isas[k].kernels;
    }
    input in = {data, data + size};
    const wif_kernels *set = sets[take(&in, 1) % (uint64_t)count];
    const int transform = (int)(take(&in, 1) % (NARROW + 1));
    const int type = (int)(take(&in, 1) % WIF_TYPES);
    if (transform == NARROW)
        narrow(&in, set, sets[0], type);
    else
        fill(&in, set, sets[0], transform, transform == WIF_words ? WIF_f32 : type);
    fesetround(FE_TONEAREST);
    return 0;
}

#include "fuzz_main.h"
