/* draws: writes float32 elements, or raw words, without end to standard output, for batteries of
 * statistical tests.
 *
 *   draws ISA VALUES LAYOUT KEY_LOW KEY_HIGH STREAM [COUNT]
 *
 *   VALUES   words, uniform (from [0, 1)) or normal (from N(0, 1))
 *   LAYOUT   sequential  elements 0, 1, 2, ... of the stream
 *            reversed    the same, with the bits of each word in reverse order (words only)
 *            streams     element 0 of STREAM, of STREAM + 1, ...
 *            keys        element 0 of KEY_LOW, of KEY_LOW + 1, ...
 *            shards      64 ranges, 2^40 elements apart: the first element of each range, then the
 *                        second element of each range, ...
 *   COUNT    how many elements; without it, as many as the reader takes
 *
 * The byte order is that of the machine.  At the end the number of bytes is printed to standard
 * error.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/dispatch.h"
#include "host/fpenv.h"
#include "host/params.h"

enum { CHUNK = 1 << 16, SHARDS = 64, RUN = CHUNK / SHARDS };

static uint64_t number(const char *text) { return strtoull(text, 0, 0); }

static uint32_t reverse_bits(uint32_t w) {
    w = (w >> 1 & 0x55555555) | (w & 0x55555555) << 1;
    w = (w >> 2 & 0x33333333) | (w & 0x33333333) << 2;
    w = (w >> 4 & 0x0f0f0f0f) | (w & 0x0f0f0f0f) << 4;
    w = (w >> 8 & 0x00ff00ff) | (w & 0x00ff00ff) << 8;
    return w >> 16 | w << 16;
}

/* Draw the first element of each of CHUNK streams or keys.  *moving, a field of the draw, is the
 * number of the stream or the key, and goes up by one for each element. */
static void of_each(wif_draw_rows *draw_rows, uint32_t *out, uint64_t *moving,
                    const wif_draw *draw) {
    for (int k = 0; k < CHUNK; k++, ++*moving)
        draw_rows(out + k, 0, 0, 0, NULL, 1, 1, draw, 0);
}

static void of_shards(wif_draw_rows *draw_rows, uint32_t *out, uint64_t first,
                      const wif_draw *draw) {
    static uint32_t runs[SHARDS][RUN];
    draw_rows(runs, sizeof *runs, first, UINT64_C(1) << 40, NULL, SHARDS, RUN, draw, 0);
    for (int i = 0; i < RUN; i++)
        for (int k = 0; k < SHARDS; k++)
            *out++ = runs[k][i];
}

int main(int argc, char **argv) {
    static uint32_t out[CHUNK];
    static const char *const layouts[] = {"sequential", "reversed", "streams", "keys", "shards"};
    enum { SEQUENTIAL, REVERSED, STREAMS, KEYS, SHARDED, LAYOUTS };
    static const struct {
        const char *name;
        enum wif_transform transform;
        double parameters[WIF_MOST_PARAMETERS];
    } values[] = {{"words", WIF_words, {0}},
                  {"uniform", WIF_uniform, {0, 1}},
                  {"normal", WIF_normal, {0, 1}}};
    wif_isa isas[WIF_ISAS];
    wif_list_isas(isas);
    int isa = 0, value = 0, layout = 0;
    if (argc == 7 || argc == 8) {
        while (isa < WIF_ISAS && strcmp(argv[1], isas[isa].name))
            isa++;
        while (value < 3 && strcmp(argv[2], values[value].name))
            value++;
        while (layout < LAYOUTS && strcmp(argv[3], layouts[layout]))
            layout++;
    }
    if ((argc != 7 && argc != 8) || isa == WIF_ISAS || !isas[isa].kernels || isas[isa].lacks ||
        value == 3 || layout == LAYOUTS || (layout == REVERSED && value))
        return fprintf(stderr, "usage: draws ISA VALUES LAYOUT KEY_LOW KEY_HIGH STREAM [COUNT]\n"),
               2;

    wif_draw draw = {0};
    wif_prepare(values[value].transform, WIF_f32, values[value].parameters, &draw);
    draw.key_low = number(argv[4]);
    draw.key_high = number(argv[5]);
    draw.stream = number(argv[6]);
    const uint64_t count = argc == 8 ? number(argv[7]) : UINT64_MAX;
    wif_draw_rows *const draw_rows = wif_choose_kernel(isas[isa].kernels, WIF_f32, &draw);
    signal(SIGPIPE, SIG_IGN);
    uint64_t done = 0;
    while (done < count) {
        const wif_fpstate host = wif_fp_enter();
        if (layout == STREAMS)
            of_each(draw_rows, out, &draw.stream, &draw);
        else if (layout == KEYS)
            of_each(draw_rows, out, &draw.key_low, &draw);
        else if (layout == SHARDED)
            of_shards(draw_rows, out, done / SHARDS, &draw);
        else
            draw_rows(out, 0, done, 0, NULL, 1, CHUNK, &draw, 0);
        wif_fp_leave(host);
        for (int i = 0; layout == REVERSED && i < CHUNK; i++)
            out[i] = reverse_bits(out[i]);
        const uint64_t left = count - done;
        const size_t now = left < CHUNK ? (size_t)left : CHUNK;
        const size_t written = fwrite(out, sizeof *out, now, stdout);
        done += written;
        if (written < now)
            break;
    }
    fprintf(stderr, "%" PRIu64 " bytes\n", done * sizeof *out);
    return 0;
}
