/* Chunks of words through every instruction set, in parallel, and what is told of them. */
#ifndef SWEEP_H
#define SWEEP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/dispatch.h"
#include "host/fpenv.h"
#include "host/params.h"
#include "reference.h"

enum { CHUNK = 1 << 16, SHARES = 16, GROUP_WORDS_AHEAD = 32 };

/* Errors, as shares of the bound. */
typedef struct {
    uint64_t count, shares[SHARES + 1]; /* sixteenths of the bound, and beyond it */
    double worst, squares;
    uint64_t word;
    long double got, exact;
} tally;

typedef struct {
    uint32_t words[CHUNK + GROUP_WORDS_AHEAD];
    uint32_t out_words[CHUNK], other_words[CHUNK];
    void *out;       /* out_words, as the type's elements */
    uint64_t differ; /* bytes in which a set differs from the first */
    tally tallies[2];
} work;

typedef struct sweep {
    struct {
        const wif_kernels *own, *given; /* by its own words, by words from memory */
    } sets[WIF_ISAS];
    int count, type;
    int std_words; /* draw so many words with one std, the next ones with another; 0: all */
    int shipped;   /* shipped: own kernels, of stream = chunk */
    uint64_t step, turn;
    uint32_t fixed;
    wif_draw draw;
    uniform_reference uniform;
    quantile_reference quantile;
    void (*make)(const struct sweep *s, uint64_t chunk, uint32_t *words);
} sweep;

typedef void judges(const sweep *s, uint64_t chunk, const work *w, tally *t);

/* A bound of 0 asks for equality. */
static inline void judge(tally *t, uint64_t word, long double got, long double exact,
                         double bound) {
    const double share = got == exact ? 0 : fabs((double)(got - exact)) / bound;
    t->count++;
    t->shares[share < 1 ? (int)(share * SHARES) : SHARES]++; /* NaN goes beyond */
    t->squares += share * share;
    if (!(share <= t->worst)) {
        t->worst = share;
        t->word = word;
        t->got = got;
        t->exact = exact;
    }
}

static inline uint64_t double_word(const uint32_t *words, uint32_t i) {
    return words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
}

/* The word at which the probability passes a half. */
static inline uint64_t turn_of(const quantile_reference *r) {
    const long double at = ldexpl((0.5L - r->below) / r->mass, r->word_bits);
    return at <= 0 ? 0 : at >= ldexpl(1, r->word_bits) ? UINT64_MAX : (uint64_t)at;
}

static inline void list_sets(sweep *s) {
    extern const wif_kernels wif_kernels_given_scalar, wif_kernels_given_neon,
        wif_kernels_given_avx2, wif_kernels_given_avx512, wif_kernels_given_avx512_bf16;
    wif_isa isas[WIF_ISAS];
    wif_list_isas(isas);
    for (int k = 0; k < WIF_ISAS; k++) {
        const wif_kernels *given = 0;
        if (!isas[k].kernels || isas[k].lacks)
            continue;
#define GIVE(isa) given = strcmp(isas[k].name, #isa) ? given : &wif_kernels_given_##isa
        GIVE(scalar);
#ifdef GIVEN_neon
        GIVE(neon);
#endif
#ifdef GIVEN_avx2
        GIVE(avx2);
#endif
#ifdef GIVEN_avx512
        GIVE(avx512);
#endif
#ifdef GIVEN_avx512_bf16
        GIVE(avx512_bf16);
#endif
        s->sets[s->count].own = isas[k].kernels;
        s->sets[s->count++].given = given; /* NULL: the vocabulary of another set */
    }
}

static inline void prepare(sweep *s, enum wif_transform transform, const double *given) {
    if (wif_prepare(transform, (enum wif_type)s->type, given, &s->draw) != WIF_PARAMS_OK)
        exit((fprintf(stderr, "accuracy: bad parameters\n"), 2));
}

static inline work *new_work(void) {
    work *w = calloc(1, sizeof *w);
    if (!w)
        exit((fprintf(stderr, "accuracy: no memory\n"), 2));
    w->out = w->out_words;
    return w;
}

/* The std of word i of a chunk: one of the 2^23 in [1, 2) of the draw's, each as often. */
static inline double std_of(const sweep *s, uint64_t chunk, uint32_t i) {
    if (!s->std_words)
        return s->draw.std;
    const uint64_t place = chunk * (CHUNK / (uint32_t)s->std_words) + i / (uint32_t)s->std_words;
    return (float)(s->draw.std * (1 + (double)(place * 5186489 % (1 << 23)) * 0x1p-23));
}

/* The chunk's elements by every set; those of the first are kept. */
static inline void draw_chunk(const sweep *s, uint64_t chunk, work *w) {
    const uint32_t words = s->std_words ? (uint32_t)s->std_words : CHUNK;
    s->make(s, chunk, w->words);
    const wif_fpstate host = wif_fp_enter();
    for (int k = 0; k < s->count; k++) {
        const wif_kernels *kernels = s->shipped ? s->sets[k].own : s->sets[k].given;
        uint32_t *out = k ? w->other_words : w->out_words;
        if (!kernels)
            continue;
        for (uint32_t i = 0; i < CHUNK; i += words) {
            wif_draw draw = s->draw;
            draw.stream = chunk;
            draw.std = std_of(s, chunk, i);
            if (!s->shipped)
                draw.key_low = (uintptr_t)(w->words + i);
            wif_kernel(kernels, (enum wif_type)s->type,
                       &draw)(out + i, 0, s->shipped ? i : 0, 0, 1,
                              s->type == WIF_f64 ? words / 2 : words, &draw, 0);
        }
        if (k && memcmp(out, w->out_words, sizeof w->out_words))
            for (int i = 0; i < CHUNK; i++)
                w->differ += out[i] != w->out_words[i];
    }
    wif_fp_leave(host);
}

static inline void merge(tally *into, const tally *t) {
    into->count += t->count;
    into->squares += t->squares;
    for (int k = 0; k <= SHARES; k++)
        into->shares[k] += t->shares[k];
    if (!(t->worst <= into->worst)) {
        const tally sums = *into;
        *into = *t;
        into->count = sums.count;
        into->squares = sums.squares;
        memcpy(into->shares, sums.shares, sizeof sums.shares);
    }
}

static inline void tell(const char *name, const tally *t) {
    uint64_t beyond = 0;
    printf("%s: %" PRIu64 " elements, worst %.4f of the bound at word %#" PRIx64
           " (%.21Lg for %.21Lg), root mean square %.4f; beyond",
           name, t->count, t->worst, t->word, t->got, t->exact,
           sqrt(t->squares / (double)t->count));
    for (int k = SHARES; k > 0; k--) {
        beyond += t->shares[k];
        if (k % 4 == 0 || k == 2)
            printf(" %d/16: %.3g", k, (double)beyond / (double)t->count);
    }
    printf("\n");
}

/* Every step-th chunk, on all cores; returns the exit code. */
static inline int run(sweep *s, const char *const names[2],
                      void make(const sweep *, uint64_t, uint32_t *), judges *judged,
                      uint64_t chunks) {
    tally tallies[2] = {{0}};
    uint64_t differ = 0;
    int sets = 0;
    s->make = make;
#pragma omp parallel
    {
        work *w = new_work();
#pragma omp for schedule(dynamic, 8)
        for (uint64_t chunk = 0; chunk < chunks; chunk += s->step) {
            draw_chunk(s, chunk, w);
            judged(s, chunk, w, w->tallies);
        }
#pragma omp critical
        {
            differ += w->differ;
            merge(tallies, w->tallies);
            merge(tallies + 1, w->tallies + 1);
        }
        free(w);
    }
    for (int k = 0; k < s->count; k++)
        sets += (s->shipped ? s->sets[k].own : s->sets[k].given) != 0;
    tell(names[0], tallies);
    if (names[1])
        tell(names[1], tallies + 1);
    printf("  %d kernels, %" PRIu64 " words in which two of them differ\n", sets, differ);
    return differ || !(tallies[0].worst < 1 && tallies[1].worst < 1);
}

#endif
