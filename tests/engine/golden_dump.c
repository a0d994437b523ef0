/* golden_dump: list instruction sets, or draw with one of them.
 *
 *   golden_dump                          one line a set: name, and "runnable" or why not
 *   golden_dump ISA KIND FIRST_PARAMETER SECOND_PARAMETER KEY_LOW KEY_HIGH STREAM FIRST COUNT
 *                                        COUNT elements, little-endian, to standard output
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "params.h"
#include "plan.h"

#define NAME(name, bytes) {#name, bytes},
static const struct {
    const char *name;
    size_t bytes;
} kinds[] = {WIF_FOR_EACH_KERNEL(NAME)};

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

int main(int argc, char **argv) {
    wif_isa isas[WIF_ISAS];
    wif_list_isas(isas);
    if (argc == 1) {
        for (int k = 0; k < WIF_ISAS; k++)
            printf("%s %s\n", isas[k].name,
                   !isas[k].kernels ? "not built"
                   : isas[k].lacks  ? isas[k].lacks
                                    : "runnable");
        return 0;
    }
    if (argc != 10)
        return fprintf(stderr, "golden_dump: 9 arguments or none\n"), 2;
    wif_plan plan = {0};
    for (int k = 0; k < WIF_ISAS; k++)
        if (!strcmp(argv[1], isas[k].name) && isas[k].kernels && !isas[k].lacks)
            for (int kind = 0; kind < WIF_KINDS; kind++)
                if (!strcmp(argv[2], kinds[kind].name)) {
                    plan.fill = isas[k].kernels->fill[kind];
                    plan.itemsize = kinds[kind].bytes;
                    if (wif_prepare(kind, strtod(argv[3], 0), strtod(argv[4], 0), &plan.draw))
                        return fprintf(stderr, "golden_dump: bad parameters\n"), 2;
                }
    if (!plan.fill)
        return fprintf(stderr, "golden_dump: no %s for %s here\n", argv[2], argv[1]), 2;
    plan.draw.key_low = number(argv[5]);
    plan.draw.key_high = number(argv[6]);
    plan.draw.stream = number(argv[7]);
    plan.first = number(argv[8]);
    const size_t count = (size_t)number(argv[9]);
    plan.dst = malloc(count * plan.itemsize + 1);
    if (!plan.dst)
        return fprintf(stderr, "golden_dump: no memory for %zu elements\n", count), 2;
    const wif_axis whole = {(int64_t)count, 1, (ptrdiff_t)plan.itemsize};
    wif_plan_axes(&plan, &whole, 1);
    for (int64_t task = 0; task < plan.tasks; task++)
        wif_run_task(&plan, task);
    to_little_endian(plan.dst, count, plan.itemsize);
    const int short_write = fwrite(plan.dst, plan.itemsize, count, stdout) != count;
    free(plan.dst);
    return short_write;
}
