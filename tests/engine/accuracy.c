/* accuracy: sends every input of the single family's transforms, and many inputs of the double
 * family's, through the kernels of every instruction set.  The sets must agree to the bit, and one
 * of them is compared with the stream contract.
 *
 *   accuracy STEP uniform LOW HIGH             every word, by both kernels; wrong bits are counted
 *   accuracy STEP truncated LOWER UPPER INTERVAL...   every word
 *                                              INTERVAL is parameters[4] to [9] of host/params.h
 *   accuracy STEP radius                       every A
 *   accuracy STEP tail                         every A with U < 256 and every low byte of B
 *   accuracy STEP angle STD                    every B
 *   accuracy STEP stds                         16 values of B with every std in [1, 2)
 *   accuracy STEP pairs MEAN STD COUNT         COUNT pairs of the sets' own words, each chunk with
 *                                              another std in [STD, 2 STD)
 *   accuracy STEP narrow TYPE                  every float32, rounded to a narrower type
 *   accuracy STEP normal64 MEAN STD COUNT      COUNT pairs of double words, random and special
 *   accuracy STEP truncated64 COUNT LOWER UPPER INTERVAL...
 *   accuracy STEP values TRANSFORM TYPE PARAMETER...  reads words from standard input, and writes
 *                                              what the fastest set makes of them
 *
 * STEP 1 visits every chunk of 2^16 words, STEP n one chunk in n.  Errors are printed as shares of
 * the contract's bound.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "isa/dispatch.h"
#include "host/fpenv.h"
#include "host/params.h"
#include "sweep.h"

/* ---- the words of a chunk -----------------------------------------------------------------------
 *
 * In the single family word j of a group is A and word j + 16 is B. */

/* Every word, in ascending order. */
static void ascending(const sweep *s, uint64_t chunk, uint32_t *words) {
    (void)s;
    for (uint32_t i = 0; i < CHUNK; i++)
        words[i] = (uint32_t)(chunk * CHUNK + i);
}
/* Every A, beside one fixed B. */
static void each_a(const sweep *s, uint64_t chunk, uint32_t *words) {
    for (uint32_t i = 0; i < CHUNK; i++)
        words[i] = i & 16 ? s->fixed : (uint32_t)(chunk * (CHUNK / 2) + (i >> 5) * 16 + (i & 15));
}
/* Every B, beside one fixed A. */
static void each_b(const sweep *s, uint64_t chunk, uint32_t *words) {
    for (uint32_t i = 0; i < CHUNK; i++)
        words[i] = i & 16 ? (uint32_t)(chunk * (CHUNK / 2) + (i >> 5) * 16 + (i & 15)) : s->fixed;
}
/* The words of the stream whose number is the chunk's, by the fastest set. */
static void own_words(const sweep *s, uint64_t chunk, uint32_t *words) {
    wif_draw draw = s->draw;
    draw.stream = chunk;
    s->sets[s->count - 1].own->draw_rows[WIF_words][WIF_f32](words, 0, 0, 0, NULL, 1, CHUNK, &draw,
                                                             0);
}
/* Random Bs, beside one fixed A. */
static void any_b(const sweep *s, uint64_t chunk, uint32_t *words) {
    own_words(s, chunk, words);
    for (uint32_t i = 0; i < CHUNK; i++)
        words[i] = i & 16 ? words[i] : s->fixed;
}
/* Every A with U < 256, beside every low byte of B. */
static void each_tail(const sweep *s, uint64_t chunk, uint32_t *words) {
    (void)s;
    for (uint32_t i = 0; i < CHUNK; i++) {
        const uint32_t k = (uint32_t)(chunk * (CHUNK / 2) + (i >> 5) * 16 + (i & 15));
        words[i] = i & 16 ? k & 255 : k >> 8;
    }
}
/* Double words.  Of every four, two are random, one has few ones or few zeros, and one is near the
 * word at which 2 Phi - 1 changes its sign. */
static void special_words(const sweep *s, uint64_t chunk, uint32_t *words) {
    own_words(s, chunk, words);
    for (uint32_t i = 0; i < CHUNK / 2; i++) {
        const uint64_t random = double_word(words, i);
        uint64_t word = random;
        if (i % 4 == 2)
            word = (UINT64_C(1) << (random & 63)) + (random >> 6 & 15) - 8;
        else if (i % 4 == 3)
            word = s->median_word + (random >> 11 & ((UINT64_C(2) << (random & 31)) - 1)) -
                   (UINT64_C(1) << (random & 31));
        if (i % 4 >= 2 && random >> 63)
            word = ~word;
        words[2 * i] = (uint32_t)word;
        words[2 * i + 1] = (uint32_t)(word >> 32);
    }
}

/* ---- what the results are compared with ------------------------------------------------------ */

static void judge_uniform(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    (void)chunk;
    const float *y = w->out;
    for (uint32_t i = 0; i < CHUNK; i++) {
        const float exact = uniform_f32(&s->uniform, w->words[i]);
        judge(t, w->words[i], memcmp(y + i, &exact, sizeof exact) ? NAN : exact, exact, 0);
    }
}
static void judge_truncated(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    (void)chunk;
    const float *y = w->out;
    quantile_anchor at = {0};
    for (uint32_t i = 0; i < CHUNK; i++) {
        const double z = quantile_near(&s->quantile, &at, w->words[i], y[i]);
        const double bound = 0x1p-20 * fmax(1, fabs(z)) + 0x1p-23 * fabs((double)y[i]);
        judge(t, w->words[i], y[i], z, bound);
    }
}
/* At x = 0 the element is 2r times the first coefficient of the cosine, (1 - 2^-24) / 2.  The
 * element is the next float below r, so r is the next float above the element. */
static void judge_radius(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    const float *y = w->out;
    (void)s, (void)chunk;
    for (uint32_t i = 0; i < CHUNK; i++)
        if (!(i & 16)) {
            const double r = radius_f32(w->words[i], w->words[i + 16]);
            judge(t, w->words[i], nextafterf(y[i], copysignf(INFINITY, y[i])), r,
                  0x1p-21 * fabs(r));
        }
}
/* With r = 1 the elements are std times the cosine and std times the sine. */
static void judge_angle(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    const float *y = w->out;
    angle_anchor at = {.x = 9};
    for (uint32_t i = 0; i < CHUNK; i++)
        if (!(i & 16)) {
            const uint32_t b = w->words[i + 16];
            const double std = std_of(s, chunk, i);
            double sine, cosine;
            sine_cosine(&at, angle_x_f32(b), &sine, &cosine);
            judge(t, b, y[i], std * cosine, 0x1p-21 * std);
            judge(t + 1, b, y[i + 16], std * sine, 0x1p-21 * std);
        }
}
static void judge_pairs(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    const float *y = w->out;
    const double mean = s->draw.mean;
    for (uint32_t i = 0; i < CHUNK; i++)
        if (!(i & 16)) {
            const uint32_t a = w->words[i], b = w->words[i + 16];
            const double r = std_of(s, chunk, i) * radius_f32(a, b),
                         angle = (double)HALF_PI * angle_x_f32(b);
            for (int k = 0; k < 2; k++) {
                const double exact = mean + r * (k ? sin(angle) : cos(angle)), got = y[i + 16 * k];
                const double bound = 0x1p-21 * fabs(r) + 0x1p-23 * fmax(fabs(mean), fabs(got));
                judge(t + k, (uint64_t)a << 32 | b, got, exact, bound);
            }
        }
}
static void judge_normal64(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    (void)chunk;
    const double *y = w->out, mean = s->draw.mean;
    for (uint32_t i = 0; i < CHUNK / 2; i++)
        if (!(i & 8)) {
            const uint64_t a = double_word(w->words, i), b = double_word(w->words, i + 8);
            const long double r = s->draw.std * radius_f64(a), angle = HALF_PI * angle_x_f64(b);
            for (int k = 0; k < 2; k++) {
                const long double exact = mean + r * (k ? sinl(angle) : cosl(angle));
                const double got = y[i + 8 * k];
                const double size = fmax(fabs(mean), fabs(got));
                judge(t + k, k ? b : a, got, exact, 0x1p-50 * fabs((double)r) + 0x1p-52 * size);
            }
        }
}
static void judge_truncated64(const sweep *s, uint64_t chunk, const work *w, tally *t) {
    (void)chunk;
    const double *y = w->out;
    for (uint32_t i = 0; i < CHUNK / 2; i++) {
        const uint64_t word = double_word(w->words, i);
        const long double z = quantile(&s->quantile, word, y[i]);
        const double bound = 0x1p-48 * fmax(1, fabs((double)z)) + 0x1p-52 * fabs(y[i]);
        judge(t, word, y[i], z, bound);
    }
}

/* ---- the commands ---------------------------------------------------------------------------- */

typedef struct {
    const sweep *sweep;
    const char *type;
    int code;
    uint64_t wrong, count;
} narrowing;

typedef struct {
    float from[CHUNK];
    uint16_t exact[CHUNK], to[CHUNK];
} rounded;

static int narrow_batch(void *of, int64_t batch) {
    narrowing *const job = of;
    const sweep *const s = job->sweep;
    const size_t bytes = wif_type_bytes(job->code);
    const uint64_t begin = (uint64_t)batch * BATCH * s->step;
    uint64_t wrong = 0, count = 0;
    rounded *const r = malloc(sizeof *r);
    if (!r)
        exit((fprintf(stderr, "accuracy: no memory\n"), 2));
    uint8_t *const small = (uint8_t *)r->exact;
    for (uint64_t k = 0; k < BATCH; k++) {
        const uint64_t chunk = begin + k * s->step;
        if (chunk >= UINT64_C(1) << 16)
            break;
        size_t n = 0;
        for (uint32_t i = 0; i < CHUNK; i++) {
            const uint32_t bits = (uint32_t)(chunk * CHUNK + i);
            memcpy(r->from + n, &bits, sizeof bits);
            if (r->from[n] != r->from[n])
                continue;
            const uint16_t y = narrow_bits(r->from[n], job->type);
            if (bytes == 2)
                r->exact[n++] = y;
            else
                small[n++] = (uint8_t)y;
        }
        for (int set = 0; set < s->count; set++) {
            s->sets[set].own->narrow[job->code](r->to, r->from, n);
            if (memcmp(r->to, r->exact, n * bytes))
                for (size_t i = 0; i < n; i++)
                    wrong += memcmp((char *)r->to + i * bytes, small + i * bytes, bytes) != 0;
        }
        count += n;
    }
    free(r);
    take_results();
    job->wrong += wrong;
    job->count += count;
    leave_results();
    return 0;
}

/* Round every float32 that is not NaN to a narrower type, with every set. */
static int narrow(const sweep *s, const char *type) {
    narrowing job = {.sweep = s, .type = type};
    while (job.code < WIF_TYPES && strcmp(type, wif_type_name(job.code)))
        job.code++;
    if (job.code == WIF_TYPES || !s->sets[0].own->narrow[job.code])
        return fprintf(stderr, "accuracy: %s is no narrow type\n", type), 2;
    each_batch(UINT64_C(1) << 16, s->step, narrow_batch, &job);
    printf("%s: %" PRIu64 " numbers by %d sets, %" PRIu64 " wrong\n", type, job.count, s->count,
           job.wrong);
    return job.wrong > 0;
}

static const double *arguments(int argc, char **argv, int from) {
    static double parameters[WIF_MOST_PARAMETERS + 1];
    for (int k = from; k < argc && k - from < WIF_MOST_PARAMETERS + 1; k++)
        parameters[k - from] = strtod(argv[k], 0);
    return parameters;
}

/* An A whose radius is 1 in the arithmetic of the kernels. */
static uint32_t unit_radius(sweep *s) {
    work *const w = new_work();
    const float *y = w->out;
    const uint32_t near = (uint32_t)(exp(-0.5) * 0x1p32) / (CHUNK / 2);
    s->make = each_a;
    for (uint32_t chunk = near - 8; chunk < near + 8; chunk++) {
        draw_chunk(s, chunk, w);
        for (uint32_t i = 0; i < CHUNK; i++)
            if (!(i & 16) && nextafterf(y[i], 2) == 1)
                return w->words[i];
    }
    fprintf(stderr, "accuracy: no radius is 1\n");
    exit(2);
}

static int values(const sweep *s, int argc, char **argv) {
    const int type = strcmp(argv[4], "f64") ? WIF_f32 : WIF_f64;
    int transform = 0;
    while (transform < WIF_PUBLIC_TRANSFORMS && strcmp(argv[3], wif_transform_name(transform)))
        transform++;
    wif_draw draw = {0};
    if (transform == WIF_PUBLIC_TRANSFORMS ||
        wif_prepare(transform, type, arguments(argc, argv, 5), &draw) != WIF_PARAMS_OK)
        return fprintf(stderr, "accuracy: no such values\n"), 2;
    static uint32_t words[CHUNK + GROUP_WORDS_AHEAD], out[CHUNK];
    const wif_kernels *kernels = 0;
    for (int k = 0; k < s->count; k++)
        kernels = s->sets[k].from_memory ? s->sets[k].from_memory : kernels;
    draw.key_low = (uintptr_t)words;
    for (size_t n; (n = fread(words, sizeof *words, CHUNK, stdin));) {
        wif_choose_kernel(kernels, type, &draw)(out, 0, 0, 0, NULL, 1, type == WIF_f64 ? n / 2 : n,
                                                &draw, 0);
        fwrite(out, sizeof *out, n, stdout);
    }
    return 0;
}

static int truncated(sweep *s, const double *interval, uint64_t chunks) {
    double parameters[WIF_MOST_PARAMETERS] = {0, 1};
    memcpy(parameters + 2, interval, sizeof parameters - 2 * sizeof *parameters);
    s->quantile = of_quantile(parameters[2], parameters[3], s->type == WIF_f64 ? 64 : 32);
    s->median_word = median_word_of(&s->quantile);
    prepare(s, WIF_truncated, parameters);
    const char *const names[2] = {wif_transform_name((int)s->draw.transform)};
    return s->type == WIF_f64 ? run(s, names, special_words, judge_truncated64, chunks)
                              : run(s, names, ascending, judge_truncated, chunks);
}

int main(int argc, char **argv) {
    sweep s = {.type = WIF_f32, .draw = {.key_low = UINT64_C(0x243F6A8885A308D3)}};
    const double *parameters = arguments(argc, argv, 3);
    const char *what = argc > 2 ? argv[2] : "";
    const uint64_t chunks = UINT64_C(1) << 16; /* of ascending words; of A or B, twice as many */
    const double unit[WIF_MOST_PARAMETERS] = {0, 1},
                 scaled[WIF_MOST_PARAMETERS] = {0, parameters[0]};
    list_sets(&s);
    s.step = argc > 1 ? strtoull(argv[1], 0, 0) : 0;
    if (!s.step || argc < 3)
        return fprintf(stderr, "usage: see accuracy.c\n"), 2;
    if (!strcmp(what, "values") && argc > 4)
        return values(&s, argc, argv);
    if (!strcmp(what, "narrow") && argc > 3)
        return narrow(&s, argv[3]);
    if (!strcmp(what, "uniform")) {
        static const char *const names[2] = {"uniform"};
        static const char *const clamped[2] = {"uniform_clamped_words"};
        s.uniform = of_uniform(parameters[0], parameters[1]);
        prepare(&s, WIF_uniform, parameters);
        const int status = run(&s, names, ascending, judge_uniform, chunks);
        return wif_clamp_words(WIF_f32, &s.draw)
                   ? status | run(&s, clamped, ascending, judge_uniform, chunks)
                   : status;
    }
    if (!strcmp(what, "truncated"))
        return truncated(&s, parameters, chunks);
    if (!strcmp(what, "truncated64")) {
        s.type = WIF_f64;
        return truncated(&s, parameters + 1, (uint64_t)parameters[0] / (CHUNK / 2));
    }
    if (!strcmp(what, "pairs")) {
        static const char *const names[2] = {"pairs, first", "pairs, second"};
        s.by_own_words = 1;
        s.std_words = CHUNK;
        prepare(&s, WIF_normal, parameters);
        return run(&s, names, own_words, judge_pairs, (uint64_t)parameters[2] / (CHUNK / 2));
    }
    if (!strcmp(what, "normal64")) {
        static const char *const names[2] = {"double pairs, first", "double pairs, second"};
        s.type = WIF_f64;
        prepare(&s, WIF_normal, parameters);
        return run(&s, names, special_words, judge_normal64, (uint64_t)parameters[2] / (CHUNK / 4));
    }
    prepare(&s, WIF_normal, unit);
    if (!strcmp(what, "radius")) {
        static const char *const names[2] = {"radius"};
        return run(&s, names, each_a, judge_radius, 2 * chunks);
    }
    if (!strcmp(what, "tail")) {
        static const char *const names[2] = {"far tail"};
        s.step = 1;
        return run(&s, names, each_tail, judge_radius, (1 << 17) / (CHUNK / 2));
    }
    if (!strcmp(what, "stds")) {
        static const char *const names[2] = {"cosine", "sine"};
        s.fixed = unit_radius(&s);
        s.std_words = 32;
        return run(&s, names, any_b, judge_angle, (1 << 23) / (CHUNK / 32));
    }
    if (!strcmp(what, "angle")) {
        static const char *const names[2] = {"cosine", "sine"};
        s.fixed = unit_radius(&s);
        prepare(&s, WIF_normal, scaled);
        return run(&s, names, each_b, judge_angle, 2 * chunks);
    }
    return fprintf(stderr, "accuracy: what is %s?\n", what), 2;
}
