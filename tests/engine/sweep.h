/* Sends chunks of words through the kernels of every instruction set, in parallel, and prints how
 * far the results are off. */
#ifndef SWEEP_H
#define SWEEP_H

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isa/dispatch.h"
#include "host/fpenv.h"
#include "host/params.h"
#include "host/pool.h"
#include "reference.h"

enum { CHUNK = 1 << 16, SHARES = 16, GROUP_WORDS_AHEAD = 32 };

/* Errors, as shares of the bound that they must stay below. */
typedef struct {
    uint64_t count,
        shares[SHARES + 1]; /* how many lie in each sixteenth of the bound, and beyond it */
    double worst, squares;
    uint64_t word;
    long double got, exact;
} tally;

typedef struct {
    uint32_t words[CHUNK + GROUP_WORDS_AHEAD];
    uint32_t out_words[CHUNK], other_words[CHUNK];
    void *out;       /* out_words as elements of the type */
    uint64_t differ; /* in how many words a set differs from the first set */
    tally tallies[2];
} work;

typedef struct sweep {
    struct {
        const wif_kernels *own, *from_memory; /* on the set's own words, on words from memory */
    } sets[WIF_ISAS];
    int count, type;
    int std_words;        /* how many words are drawn with one std before the next std; 0: all */
    int by_own_words;     /* whether the words are those of stream number `chunk`, by the set's own
                             kernels */
    uint64_t step;        /* visit one chunk in this many */
    uint64_t median_word; /* the word at which the probability passes a half */
    uint32_t fixed;       /* the partner of every word that a sweep visits */
    wif_draw draw;
    uniform_reference uniform;
    quantile_reference quantile;
    void (*make)(const struct sweep *s, uint64_t chunk, uint32_t *words);
} sweep;

typedef void judges(const sweep *s, uint64_t chunk, const work *w, tally *t);

/* Count one result.  A bound of 0 asks for equality. */
static inline void judge(tally *t, uint64_t word, long double got, long double exact,
                         double bound) {
    const double share = got == exact ? 0 : fabs((double)(got - exact)) / bound;
    t->count++;
    t->shares[share < 1 ? (int)(share * SHARES) : SHARES]++; /* NaN: beyond the bound */
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
static inline uint64_t median_word_of(const quantile_reference *r) {
    const long double at = ldexpl((0.5L - r->below) / r->mass, r->word_bits);
    return at <= 0 ? 0 : at >= ldexpl(1, r->word_bits) ? UINT64_MAX : (uint64_t)at;
}

/* The kernels on words from memory.  The build defines FROM_MEMORY_<set>: 1 if they are compiled
 * for the set, 0 if the set is not built or has the vocabulary of another one. */
#define WIF_ISA(name, ...) extern const wif_kernels wif_kernels_from_memory_##name;
#include "isa/isas.def"
#define FROM_MEMORY(is_built, name) FROM_MEMORY_(is_built, name)
#define FROM_MEMORY_(is_built, name) FROM_MEMORY_IF_##is_built(name)
#define FROM_MEMORY_IF_0(name) NULL
#define FROM_MEMORY_IF_1(name) &wif_kernels_from_memory_##name

static inline void list_sets(sweep *s) {
    static const wif_kernels *const from_memory[WIF_ISAS] = {
#define WIF_ISA(name, ...) FROM_MEMORY(FROM_MEMORY_##name, name),
#include "isa/isas.def"
    };
    wif_isa isas[WIF_ISAS];
    wif_list_isas(isas);
    for (int k = 0; k < WIF_ISAS; k++)
        if (isas[k].kernels && !isas[k].lacks) {
            s->sets[s->count].own = isas[k].kernels;
            s->sets[s->count++].from_memory = from_memory[k];
        }
}

static inline void prepare(sweep *s, enum wif_transform transform, const double *parameters) {
    if (wif_prepare(transform, (enum wif_type)s->type, parameters, &s->draw) != WIF_PARAMS_OK)
        exit((fprintf(stderr, "accuracy: bad parameters\n"), 2));
}

static inline work *new_work(void) {
    work *w = calloc(1, sizeof *w);
    if (!w)
        exit((fprintf(stderr, "accuracy: no memory\n"), 2));
    w->out = w->out_words;
    return w;
}

/* The std of word i of a chunk: the draw's std times one of the 2^23 floats in [1, 2), each of
 * which comes equally often. */
static inline double std_of(const sweep *s, uint64_t chunk, uint32_t i) {
    if (!s->std_words)
        return s->draw.std;
    const uint64_t place = chunk * (CHUNK / (uint32_t)s->std_words) + i / (uint32_t)s->std_words;
    return (float)(s->draw.std * (1 + (double)(place * 5186489 % (1 << 23)) * 0x1p-23));
}

/* Draw the elements of a chunk with every set.  Keep those of the first set, and count the words in
 * which another set differs from it. */
static inline void draw_chunk(const sweep *s, uint64_t chunk, work *w) {
    const uint32_t words = s->std_words ? (uint32_t)s->std_words : CHUNK;
    s->make(s, chunk, w->words);
    const wif_fpstate host = wif_fp_enter();
    for (int k = 0; k < s->count; k++) {
        const wif_kernels *kernels = s->by_own_words ? s->sets[k].own : s->sets[k].from_memory;
        uint32_t *out = k ? w->other_words : w->out_words;
        if (!kernels)
            continue;
        for (uint32_t i = 0; i < CHUNK; i += words) {
            wif_draw draw = s->draw;
            draw.stream = chunk;
            draw.std = std_of(s, chunk, i);
            if (!s->by_own_words)
                draw.key_low = (uintptr_t)(w->words + i);
            wif_choose_kernel(kernels, (enum wif_type)s->type,
                              &draw)(out + i, 0, s->by_own_words ? i : 0, 0, NULL, 1,
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

/* ---- on all processors ------------------------------------------------------------------------
 */

enum { BATCH = 8 }; /* chunks that a thread takes at a time */

/* Results that the threads of a sweep share. */
static atomic_flag results_are_in_use = ATOMIC_FLAG_INIT;
static inline void take_results(void) {
    while (atomic_flag_test_and_set(&results_are_in_use))
        continue;
}
static inline void leave_results(void) { atomic_flag_clear(&results_are_in_use); }

/* Call run(sweep, k) for each batch of every step-th chunk, on all processors. */
static inline void each_batch(uint64_t chunks, uint64_t step, wif_chunk *run, void *sweep) {
    const uint64_t visited = (chunks + step - 1) / step;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    wif_pool_prepare();
    wif_pool_run(NULL, (int64_t)((visited + BATCH - 1) / BATCH), (int)processors, run, sweep);
}

typedef struct {
    const sweep *sweep;
    judges *judged;
    uint64_t chunks, differ;
    tally tallies[2];
} judged_sweep;

static inline int judge_batch(void *of, int64_t batch) {
    judged_sweep *const j = of;
    const uint64_t step = j->sweep->step, begin = (uint64_t)batch * BATCH * step;
    work *w = new_work();
    for (uint64_t k = 0; k < BATCH && begin + k * step < j->chunks; k++) {
        draw_chunk(j->sweep, begin + k * step, w);
        j->judged(j->sweep, begin + k * step, w, w->tallies);
    }
    take_results();
    j->differ += w->differ;
    merge(j->tallies, w->tallies);
    merge(j->tallies + 1, w->tallies + 1);
    leave_results();
    free(w);
    return 0;
}

/* Visit every step-th chunk; return the exit code. */
static inline int run(sweep *s, const char *const names[2],
                      void make(const sweep *, uint64_t, uint32_t *), judges *judged,
                      uint64_t chunks) {
    judged_sweep j = {.sweep = s, .judged = judged, .chunks = chunks};
    const tally *const tallies = j.tallies;
    int sets = 0;
    s->make = make;
    each_batch(chunks, s->step, judge_batch, &j);
    for (int k = 0; k < s->count; k++)
        sets += (s->by_own_words ? s->sets[k].own : s->sets[k].from_memory) != 0;
    tell(names[0], tallies);
    if (names[1])
        tell(names[1], tallies + 1);
    printf("  %d kernels, %" PRIu64 " words in which two of them differ\n", sets, j.differ);
    return j.differ || !(tallies[0].worst < 1 && tallies[1].worst < 1);
}

#endif
