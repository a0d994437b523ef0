/* See request.h. */
#include "api/request.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "api/interval.h"
#include "compiler.h"
#include "host/params.h"

/* The public numbers begin with 1, so that a field that was forgotten is refused. */
_Static_assert(WIF_FLOAT32 == WIF_f32 + 1 && WIF_FLOAT64 == WIF_f64 + 1 &&
                   WIF_FLOAT16 == WIF_f16 + 1 && WIF_BFLOAT16 == WIF_bf16 + 1 &&
                   WIF_FLOAT8_E4M3FN == WIF_f8e4m3fn + 1 && WIF_FLOAT8_E5M2 == WIF_f8e5m2 + 1 &&
                   WIF_UINT32 == WIF_TYPES + 1,
               "the numbers of types in weightinit_fast.h are those of the engine, plus 1");
_Static_assert(WIF_WORDS == WIF_words + 1 && WIF_CONSTANT == WIF_constant + 1 &&
                   WIF_UNIFORM == WIF_uniform + 1 && WIF_NORMAL == WIF_normal + 1 &&
                   WIF_TRUNCATED_NORMAL == WIF_truncated + 1 &&
                   (int)WIF_TRUNCATED_NORMAL == WIF_PUBLIC_TRANSFORMS,
               "the numbers of transforms in weightinit_fast.h are those of the engine, plus 1");
_Static_assert((int)WIF_AXES_MOST == WIF_MAX_AXES, "weightinit_fast.h tells the engine's limit");

/* ---- versions -------------------------------------------------------------------------------- */

enum {
    /* The first version had these fields.  A shorter struct is no request. */
    LEAST_SIZE = offsetof(wif_request, interval),
    /* A larger size is no size: the field was not set. */
    MOST_SIZE = 4096
};

/* A struct of a later version is longer, even if it has one small field more.  Otherwise a request
 * of today would seem to have that field, with whatever lies in the padding at its end.  (On 32-bit
 * ARM there are 4 bytes of padding, which the next field must not take.) */
_Static_assert(sizeof(void *) != 8 ||
                   sizeof(wif_request) == offsetof(wif_request, progress_context) + sizeof(void *),
               "a wif_request ends with its last field");

wif_status wif_adopt_request(const wif_request *given, wif_request *copy,
                             const wif_request **request) {
    if (!given)
        return WIF_ERROR_NULL;
    const size_t size = given->size;
    if (size == sizeof *copy) {
        *request = given;
        return WIF_OK;
    }
    /* Fields after the first ones begin at multiples of the size of a pointer, so that no struct
     * ends within a field. */
    if (size < LEAST_SIZE || size > MOST_SIZE || size % sizeof(void *))
        return WIF_ERROR_SIZE;
    const unsigned char *const bytes = (const unsigned char *)given;
    for (size_t k = sizeof *copy; k < size; k++)
        if (bytes[k])
            return WIF_ERROR_UNKNOWN;
    memset(copy, 0, sizeof *copy);
    memcpy(copy, given, size < sizeof *copy ? size : sizeof *copy);
    *request = copy;
    return WIF_OK;
}

/* ---- what is drawn --------------------------------------------------------------------------- */

wif_status wif_read_kinds(const wif_request *r, enum wif_transform *transform,
                          enum wif_type *type) {
    if (r->transform < 1 || r->transform > WIF_PUBLIC_TRANSFORMS)
        return WIF_ERROR_TRANSFORM;
    if (r->dtype < 1 || r->dtype > WIF_UINT32 ||
        (r->dtype == WIF_UINT32) != (r->transform == WIF_WORDS))
        return WIF_ERROR_DTYPE;
    *transform = (enum wif_transform)(r->transform - 1);
    *type = r->dtype == WIF_UINT32 ? WIF_f32 : (enum wif_type)(r->dtype - 1);
    return WIF_OK;
}

static int is_finite(double x) { return x - x == 0; }

wif_status wif_read_draw(const wif_request *r, enum wif_transform transform, enum wif_type type,
                         wif_draw *draw) {
    double parameters[WIF_MOST_PARAMETERS];
    const double a = r->parameters[0], b = r->parameters[1];
    parameters[0] = a;
    parameters[1] = b;
    switch (transform) {
    case WIF_uniform:
        if (!is_finite(a) || !is_finite(b) || a > b)
            return WIF_ERROR_PARAMETER;
        if (a == b) { /* a normal of std 0 gives its mean */
            transform = WIF_normal;
            parameters[1] = 0;
        }
        break;
    case WIF_normal:
        if (!is_finite(a) || !is_finite(b) || b < 0)
            return WIF_ERROR_PARAMETER;
        break;
    case WIF_truncated: {
        const double lower = r->parameters[2], upper = r->parameters[3];
        const int word_bits = type == WIF_f64 ? 64 : 32;
        if (!is_finite(a) || !is_finite(b) || b < 0 || !(lower < upper))
            return WIF_ERROR_PARAMETER;
        if (b == 0) {
            transform = WIF_normal;
            break;
        }
        wif_interval made;
        const wif_interval *interval = r->interval;
        if (interval) {
            if (!wif_interval_fits(interval, lower, upper, word_bits))
                return WIF_ERROR_INTERVAL;
        } else {
            const wif_status status = wif_interval_of(lower, upper, word_bits, &made);
            if (status != WIF_OK)
                return status;
            interval = &made;
        }
        parameters[2] = lower;
        parameters[3] = upper;
        memcpy(parameters + 4, interval->numbers, sizeof interval->numbers);
        break;
    }
    default:
        break;
    }
    const int status = wif_prepare_in_standard_state(transform, type, parameters, draw);
    if (status != WIF_PARAMS_OK)
        return status == WIF_PARAMS_OVERFLOW ? WIF_ERROR_OVERFLOW : WIF_ERROR_NO_VALUE;
    draw->key_low = r->key.low;
    draw->key_high = r->key.high;
    draw->stream = r->stream;
    return WIF_OK;
}

/* ---- where it goes --------------------------------------------------------------------------- */

/* *product *= factor, unless that would be above `most`; return whether it is not. */
static int multiply(uint64_t *product, uint64_t factor, uint64_t most) {
    if (factor && *product > most / factor)
        return 0;
    *product *= factor;
    return 1;
}

static uint64_t magnitude(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

/* Check that `below` bytes before data, and `above` bytes from data on, are memory that the request
 * may write. */
static wif_status check_memory(const wif_request *r, uint64_t below, uint64_t above) {
    const uintptr_t data = (uintptr_t)r->data, begin = (uintptr_t)r->buffer;
    if (!r->data)
        return WIF_ERROR_NULL;
    if (below > PTRDIFF_MAX || above > PTRDIFF_MAX || below > data || above > UINTPTR_MAX - data)
        return WIF_ERROR_MEMORY;
    if (begin && (data < begin || below > data - begin || data - begin > r->buffer_bytes ||
                  above > r->buffer_bytes - (data - begin)))
        return WIF_ERROR_MEMORY;
    return WIF_OK;
}

static uint64_t last_element_of(enum wif_type type) {
    return type == WIF_f64 ? (uint64_t)INT64_MAX : UINT64_MAX;
}

/* Successive elements in successive places. */
static wif_status read_run(const wif_request *r, enum wif_type type, wif_region *region) {
    const uint64_t itemsize = wif_type_bytes((int)type), last = last_element_of(type);
    if (r->count < 0 || r->rows)
        return WIF_ERROR_SHAPE;
    region->items = r->count;
    if (!r->count)
        return WIF_OK;
    const uint64_t count = (uint64_t)r->count;
    if (r->first > last || count - 1 > last - r->first)
        return WIF_ERROR_STREAM_END;
    if (count > PTRDIFF_MAX / itemsize)
        return WIF_ERROR_MEMORY;
    region->data = r->data;
    region->first = r->first;
    region->count = 1;
    region->axes[0] = (wif_axis){r->count, 1, (ptrdiff_t)itemsize, NULL};
    return check_memory(r, 0, count * itemsize);
}

int wif_ids_are_within(const int64_t *ids, int64_t count, uint64_t most) {
    uint64_t bits = 0; /* the highest bit is that of a negative id, or of most - id */
    most = most > INT64_MAX ? INT64_MAX : most;
    for (int64_t k = 0; k < count; k++)
        bits |= (uint64_t)ids[k] | (most - (uint64_t)ids[k]);
    return !(bits >> 63);
}

/* Add an axis of more than one position, or one of rows, to those outside it; merge it with the one
 * before if it continues that one both in the stream and in memory. */
static void add_axis(wif_region *region, int64_t n, uint64_t stream_step, ptrdiff_t dst_step,
                     const int64_t *ids) {
    wif_axis *const before = &region->axes[region->count ? region->count - 1 : 0];
    uint64_t stream_run = stream_step, dst_run = magnitude(dst_step);
    if (region->count && !before->ids && !ids && (before->dst_step < 0) == (dst_step < 0) &&
        multiply(&stream_run, (uint64_t)n, UINT64_MAX) && before->stream_step == stream_run &&
        multiply(&dst_run, (uint64_t)n, PTRDIFF_MAX) && magnitude(before->dst_step) == dst_run) {
        before->n *= n;
        before->stream_step = stream_step;
        before->dst_step = dst_step;
    } else {
        region->axes[region->count++] = (wif_axis){n, stream_step, dst_step, ids};
    }
}

/* Whether each axis steps over all that the axes with smaller strides cover, so that no two
 * elements share memory.  Other strides may be free of overlaps too, but to find that out is hard
 * in general, and no usual array has them. */
static int are_nested(const wif_request *r, uint64_t itemsize) {
    int order[WIF_MAX_AXES], count = 0; /* the axes, the smallest stride first */
    for (int k = 0; k < r->ndim; k++) {
        int place = count;
        if (r->shape[k] == 1)
            continue;
        for (; place && magnitude(r->strides[order[place - 1]]) > magnitude(r->strides[k]); place--)
            order[place] = order[place - 1];
        order[place] = k;
        count++;
    }
    uint64_t covered = itemsize;
    for (int k = 0; k < count; k++) {
        const uint64_t stride = magnitude(r->strides[order[k]]);
        if (stride < covered)
            return 0;
        covered += stride * (uint64_t)(r->shape[order[k]] - 1);
    }
    return 1;
}

static wif_status read_tensor(const wif_request *r, enum wif_type type, wif_region *region) {
    const int axes = r->ndim;
    const uint64_t itemsize = wif_type_bytes((int)type), last = last_element_of(type);
    const int64_t *const whole = r->whole ? r->whole : r->shape;
    uint64_t steps[WIF_MAX_AXES]; /* through the stream, from one position of `whole` to the next */
    uint64_t items = 1, in_whole = 1, packed = itemsize;
    ptrdiff_t strides[WIF_MAX_AXES];
    int is_empty = 0;

    if (axes < 0 || axes > WIF_MAX_AXES || r->count)
        return WIF_ERROR_SHAPE;
    if (!r->shape)
        return WIF_ERROR_NULL;
    for (int k = 0; k < axes; k++) {
        if (r->shape[k] < 0 || (whole[k] < 0 && !(k == 0 && r->rows)))
            return WIF_ERROR_SHAPE;
        is_empty |= r->shape[k] == 0;
    }
    /* A length of 0 must not hide a product of the others that is too large. */
    for (int k = axes - 1; k >= 0; k--) {
        const uint64_t n = (uint64_t)r->shape[k] + !r->shape[k];
        const uint64_t of_whole = k == 0 && r->rows ? 1 : (uint64_t)whole[k] + !whole[k];
        steps[k] = in_whole;
        strides[k] = r->strides ? r->strides[k] : (ptrdiff_t)packed;
        if (!multiply(&items, n, INT64_MAX) || !multiply(&in_whole, of_whole, INT64_MAX) ||
            !multiply(&packed, n, PTRDIFF_MAX))
            return WIF_ERROR_SHAPE;
    }

    uint64_t begin = 0, reach = 0; /* the region's first element in `whole`, and its highest */
    uint64_t below = 0, above = 0; /* bytes before and after the first element's */
    region->items = is_empty ? 0 : (int64_t)items;
    region->count = 0;
    for (int k = 0; k < axes; k++) {
        const int64_t n = r->shape[k];
        const int by_id = k == 0 && r->rows;
        if (by_id || is_empty)
            continue;
        const int64_t start = r->start ? r->start[k] : 0, step = r->step ? r->step[k] : 1;
        if (start < 0 || start >= whole[k] || !step)
            return WIF_ERROR_REGION;
        const uint64_t room = step < 0 ? (uint64_t)start : (uint64_t)(whole[k] - 1 - start);
        if (n > 1 && magnitude(step) > room / (uint64_t)(n - 1))
            return WIF_ERROR_REGION;
        const uint64_t moved = (uint64_t)(n - 1) * magnitude(step) * steps[k];
        begin += (uint64_t)start * steps[k];
        reach += (uint64_t)start * steps[k] + (step < 0 ? 0 : moved);
    }
    if (is_empty)
        return r->rows && !wif_ids_are_within(r->rows, r->shape[0], INT64_MAX) ? WIF_ERROR_ROW
                                                                               : WIF_OK;
    for (int k = 0; k < axes; k++) {
        uint64_t moved = magnitude(strides[k]);
        if (r->shape[k] == 1)
            continue;
        if (!multiply(&moved, (uint64_t)(r->shape[k] - 1), PTRDIFF_MAX) ||
            moved > PTRDIFF_MAX - (strides[k] < 0 ? below : above))
            return WIF_ERROR_MEMORY;
        *(strides[k] < 0 ? &below : &above) += moved;
    }
    if (r->strides && !are_nested(r, itemsize))
        return WIF_ERROR_STRIDE;
    const wif_status status = check_memory(r, below, above + itemsize);
    if (status != WIF_OK)
        return status;
    if (r->first > last || reach > last - r->first)
        return WIF_ERROR_STREAM_END;

    region->data = r->data;
    region->first = r->first + begin;
    for (int k = 0; k < axes; k++) {
        const int64_t n = r->shape[k];
        if (k == 0 && r->rows) {
            if (!wif_ids_are_within(r->rows, n, (last - r->first - reach) / steps[0]))
                return WIF_ERROR_ROW;
            add_axis(region, n, steps[0], n == 1 ? (ptrdiff_t)itemsize : strides[0], r->rows);
            continue;
        }
        if (n == 1)
            continue;
        const int64_t step = r->step ? r->step[k] : 1;
        const uint64_t stream_step = magnitude(step) * steps[k];
        ptrdiff_t stride = strides[k];
        if (step < 0) { /* the axes of a plan run forward through the stream */
            region->first -= (uint64_t)(n - 1) * stream_step;
            region->data += (n - 1) * stride;
            stride = -stride;
        }
        add_axis(region, n, stream_step, stride, NULL);
    }
    return WIF_OK;
}

wif_status wif_read_region(const wif_request *r, enum wif_type type, wif_region *region) {
    return r->ndim ? read_tensor(r, type, region) : read_run(r, type, region);
}
