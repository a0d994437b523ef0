/* golden_dump: list instruction sets, or draw with one of them.
 *
 *   golden_dump                          prints a line for each set: its name, and "runnable" or
 *                                        why it cannot run
 *   golden_dump ISA TRANSFORM TYPE KEY_LOW KEY_HIGH STREAM FIRST COUNT [PARAMETER ...]
 *                                        writes COUNT elements, little-endian, to standard output
 *   golden_dump ISA orthogonal TYPE KEY_LOW KEY_HIGH STREAM ROWS COLUMNS GAIN
 *                                        writes an orthogonal matrix of this shape in the same way
 *
 * Up to 2^22 elements are drawn four times more before they are written, and each time they must be
 * the same: first into a table in Fortran order, which is filled by tiles that are transposed in
 * registers; into another such table, whose columns leave through strips; then past the caches to
 * an odd address; and then by wif_fill of weightinit_fast.h, which also computes the probabilities
 * of a truncated normal anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/machine.h"
#include "isa/dispatch.h"
#include "host/params.h"
#include "host/plan.h"
#include "binary_output.h"
#include "linalg/orthogonal.h"
#include "weightinit_fast.h"

#define NAME(with, type, name, bytes, ...) {#type, bytes},
static const struct {
    const char *name;
    size_t bytes;
} types[] = {WIF_FOR_EACH_TYPE(NAME, )};

static uint64_t number(const char *text) { return strtoull(text, 0, 0); }

static void to_little_endian(char *data, size_t items, size_t bytes) {
    const union {
        uint16_t whole;
        uint8_t low_first;
    } probe = {1};
    for (size_t i = 0; !probe.low_first && i < items; i++)
        for (size_t j = 0; j < bytes / 2; j++) {
            const char kept = data[i * bytes + j];
            data[i * bytes + j] = data[i * bytes + bytes - 1 - j];
            data[i * bytes + bytes - 1 - j] = kept;
        }
}

/* Draw the region of these axes into dst, task by task. */
static void draw(wif_plan *plan, char *dst, const wif_axis *axes, int count) {
    plan->dst = dst;
    wif_plan_cut(plan, axes, count);
    for (int64_t task = 0; task < plan->tasks; task++)
        wif_run_task(plan, task);
}

/* Whether the range is the same when it is drawn into a table of so many rows in Fortran order. */
static int same_in_columns(wif_plan *plan, const char *range, size_t count, size_t rows) {
    const size_t size = plan->itemsize, columns = count / rows;
    char *const table = calloc(rows * columns + 1, size);
    const wif_axis axes[] = {{(int64_t)rows, columns, (ptrdiff_t)size},
                             {(int64_t)columns, 1, (ptrdiff_t)(rows * size)}};
    int same = table != 0;
    if (table && columns)
        draw(plan, table, axes, 2);
    for (size_t i = 0; same && i < rows * columns; i++)
        same = !memcmp(range + i * size, table + (i % columns * rows + i / columns) * size, size);
    free(table);
    return same;
}

/* Whether the range, drawn again in three other ways, is the same. */
static int same_again(wif_plan *plan, const char *range, const wif_axis *whole) {
    const size_t size = plan->itemsize, count = (size_t)whole->n;
    int same = same_in_columns(plan, range, count, 67); /* by tile */
    plan->nontemporal = 1;
    same = same && same_in_columns(plan, range, count, 1031); /* by strips, if it is that long */
    char *const again = calloc(count + 1, size);
    if (again)
        draw(plan, again + 1, whole, 1);
    same = same && again && !memcmp(range, again + 1, count * size);
    free(again);
    return same;
}

/* Whether wif_fill draws the same. */
static int same_by_request(const wif_plan *plan, const char *range, int transform, int type,
                           int64_t count, const double *parameters, const wif_kernels *kernels) {
    char *const again = calloc((size_t)count + 1, plan->itemsize);
    wif_request request =
        wif_request_new(again, transform == WIF_words ? WIF_UINT32 : WIF_FLOAT32 + type, count);
    request.transform = WIF_WORDS + transform;
    memcpy(request.parameters, parameters, sizeof request.parameters);
    request.key.low = plan->draw.key_low;
    request.key.high = plan->draw.key_high;
    request.stream = plan->draw.stream;
    request.first = plan->first;
    wif_use_kernels(kernels);
    const int same = again && wif_fill(&request) == WIF_OK &&
                     !memcmp(range, again, (size_t)count * plan->itemsize);
    free(again);
    return same;
}

/* Write the elements of a plan to standard output; return 1 if that fails. */
static int write_out(char *data, size_t count, size_t bytes) {
    to_little_endian(data, count, bytes);
    const int short_write = fwrite(data, bytes, count, stdout) != count;
    free(data);
    return short_write;
}

/* Write an orthogonal matrix, whose normals have the key and the stream of `keyed`. */
static int write_orthogonal(const wif_kernels *set, enum wif_type type, const wif_draw *keyed,
                            int64_t rows, int64_t columns, double gain) {
    const double standard[WIF_MOST_PARAMETERS] = {0, 1};
    const int wide = rows < columns;
    const int64_t m = wide ? columns : rows, n = wide ? rows : columns;
    wif_plan plan = {0};
    wif_plan_choose_reading(&plan, set, type);
    const ptrdiff_t size = (ptrdiff_t)plan.itemsize;
    const wif_axis axes[] = {{m, (uint64_t)n, wide ? size : n * size, NULL},
                             {n, 1, wide ? m * size : size, NULL}};
    plan.direct_items = wif_plan_direct_items(plan.itemsize, m * n, 1, 0);
    wif_plan_cut(&plan, axes, 2);
    wif_orthogonal_request request = {.set = set,
                                      .type = type == WIF_f64 ? WIF_f64 : WIF_f32,
                                      .rows = m,
                                      .columns = n,
                                      .transposed = wide,
                                      .gain = gain,
                                      .out = &plan,
                                      .threads = 3};
    wif_prepare(WIF_normal, request.type, standard, &request.normals);
    request.normals.key_low = keyed->key_low;
    request.normals.key_high = keyed->key_high;
    request.normals.stream = keyed->stream;
    request.scratch = malloc(wif_orthogonal_scratch(&request));
    plan.dst = malloc((size_t)(m * n) * plan.itemsize);
    if (!request.scratch || !plan.dst)
        return fprintf(stderr, "golden_dump: no memory for %" PRId64 " elements\n", m * n), 2;
    wif_pool_prepare();
    wif_orthogonal(&request, NULL, NULL, wif_pool_run, NULL);
    free(request.scratch);
    return write_out(plan.dst, (size_t)(m * n), plan.itemsize);
}

int main(int argc, char **argv) {
    wif_isa isas[WIF_ISAS];
    binary_output();
    wif_list_isas(isas);
    if (argc == 1) {
        for (int k = 0; k < WIF_ISAS; k++)
            printf("%s %s\n", isas[k].name,
                   !isas[k].kernels ? "not built"
                   : isas[k].lacks  ? isas[k].lacks
                                    : "runnable");
        return 0;
    }
    if (argc < 9 || argc > 9 + WIF_MOST_PARAMETERS)
        return fprintf(stderr, "golden_dump: 8 to %d arguments, or none\n",
                       8 + WIF_MOST_PARAMETERS),
               2;
    int isa = 0, transform = 0, type = 0;
    while (isa < WIF_ISAS && strcmp(argv[1], isas[isa].name))
        isa++;
    while (transform < WIF_PUBLIC_TRANSFORMS && strcmp(argv[2], wif_transform_name(transform)))
        transform++;
    while (type < WIF_TYPES && strcmp(argv[3], types[type].name))
        type++;
    const int orthogonal = argc == 10 && !strcmp(argv[2], "orthogonal");
    if (isa == WIF_ISAS || !isas[isa].kernels || isas[isa].lacks || type == WIF_TYPES ||
        (!orthogonal && transform == WIF_PUBLIC_TRANSFORMS))
        return fprintf(stderr, "golden_dump: no %s_%s for %s here\n", argv[2], argv[3], argv[1]), 2;
    double parameters[WIF_MOST_PARAMETERS] = {0};
    for (int k = 9; k < argc; k++)
        parameters[k - 9] = strtod(argv[k], 0);
    wif_plan plan = {0};
    if (!orthogonal && wif_prepare(transform, type, parameters, &plan.draw))
        return fprintf(stderr, "golden_dump: bad parameters\n"), 2;
    plan.draw.key_low = number(argv[4]);
    plan.draw.key_high = number(argv[5]);
    plan.draw.stream = number(argv[6]);
    if (orthogonal)
        return write_orthogonal(isas[isa].kernels, type, &plan.draw, (int64_t)number(argv[7]),
                                (int64_t)number(argv[8]), strtod(argv[9], 0));
    plan.first = number(argv[7]);
    const size_t count = (size_t)number(argv[8]);
    wif_plan_choose_kernels(&plan, isas[isa].kernels, type, (int64_t)count);
    char *const range = malloc(count * plan.itemsize + 1);
    if (!range)
        return fprintf(stderr, "golden_dump: no memory for %zu elements\n", count), 2;
    const wif_axis whole = {(int64_t)count, 1, (ptrdiff_t)plan.itemsize};
    plan.direct_items = wif_plan_direct_items(plan.itemsize, (int64_t)count, 1, 0);
    draw(&plan, range, &whole, 1);
    if (count <= 1 << 22 && !same_again(&plan, range, &whole))
        return fprintf(stderr, "golden_dump: drawn again, it differs\n"), 3;
    if (count <= 1 << 22 && !same_by_request(&plan, range, transform, type, (int64_t)count,
                                             parameters, isas[isa].kernels))
        return fprintf(stderr, "golden_dump: drawn by wif_fill, it differs\n"), 3;
    return write_out(range, count, plan.itemsize);
}
