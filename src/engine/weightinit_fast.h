/* weightinit_fast: weight initialisation at the speed of memory, with the same bits everywhere.
 *
 * This is the public interface for C (C11) and C++ (C++11 and later).  It contains no Python.
 * docs/c-api.md explains it with examples, and docs/stream-contract.md says what every value is.
 *
 * One function draws: wif_fill().  A wif_request says what to draw, and where it goes:
 *
 *     float weights[1000];
 *     wif_request request = wif_request_new(weights, WIF_FLOAT32, 1000);
 *     wif_set_normal(&request, 0.0, 0.02);
 *     request.key = wif_key_from_seed(0);
 *     request.stream = wif_stream_from_name("fc1.weight", 10);
 *     wif_status status = wif_fill(&request);
 *     if (status != WIF_OK)
 *         fprintf(stderr, "%s\n", wif_status_text(status));
 *
 * Element i of a stream depends on the key, the stream, the transform, its parameters and the type
 * alone, so that the values are those of the Python function normal(1000, std=0.02, rng=0,
 * stream="fc1.weight"), whatever the machine and the number of threads.
 *
 * How the functions are reached:
 *
 *   linked     A program or library links libweightinit_fast, static or shared.
 *   Cython     `cimport weightinit_fast` finds the functions in the installed Python package.
 *   capsule    weightinit_fast_python.h gets a wif_api, a table of the functions, from the
 *              installed Python package; an extension module then links nothing.
 *
 * Every function may be called from any thread at any time, also by several threads at once, and
 * without the GIL.  Two fills may run at the same time if they write to different memory.  No
 * function ends the program, raises an exception, prints, or allocates memory from the heap, except
 * that the first fill on several threads starts threads, whose stacks the system allocates.  A call
 * that returns an error has written nothing.  The exceptions are WIF_CANCELLED and
 * WIF_ERROR_PARALLEL_FOR, after which a part of the memory has been written.
 *
 * What may change in later versions.  A function, a code of an error, a type, a transform, a field
 * at the end of wif_request and a function at the end of wif_api may be added.  Nothing that is
 * declared here is ever removed, renumbered or given another meaning, and no drawn bit changes
 * while WIF_STREAM_VERSION is the same.
 */
#ifndef WEIGHTINIT_FAST_H
#define WEIGHTINIT_FAST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* WIF_API stands before the declaration of each function.  Define WIF_SHARED where a program for
 * Windows uses the DLL.  The build of the shared library defines WIF_EXPORTING. */
#if defined(_WIN32) && defined(WIF_EXPORTING)
#define WIF_API __declspec(dllexport)
#elif defined(_WIN32) && defined(WIF_SHARED)
#define WIF_API __declspec(dllimport)
#elif defined(__GNUC__) && defined(WIF_EXPORTING)
#define WIF_API __attribute__((visibility("default")))
#else
#define WIF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of the interface: grows when something is added.  Of the bits: see docs/stream-contract.md. */
#define WIF_API_VERSION 1
#define WIF_STREAM_VERSION 1

/* ---- errors ---------------------------------------------------------------------------------- */

/* What a function returns: WIF_OK, or why it did not do what was asked.  It is an int and not an
 * enum, because a later version may return a code that this header does not know. */
typedef int wif_status;

enum {
    WIF_OK = 0,
    WIF_CANCELLED = 1,             /* progress() asked to end the fill */
    WIF_ERROR_NULL = 2,            /* a pointer that is needed is NULL */
    WIF_ERROR_SIZE = 3,            /* request.size is no size of a wif_request */
    WIF_ERROR_UNKNOWN = 4,         /* a field that this version does not know is not zero */
    WIF_ERROR_DTYPE = 5,           /* no such type, or not for this transform */
    WIF_ERROR_TRANSFORM = 6,       /* no such transform, or not for this function */
    WIF_ERROR_PARAMETER = 7,       /* a parameter is NaN, infinite, negative or out of order */
    WIF_ERROR_OVERFLOW = 8,        /* a parameter is beyond the largest value of the type */
    WIF_ERROR_NO_VALUE = 9,        /* the type has no value in the interval */
    WIF_ERROR_FAR_INTERVAL = 10,   /* an interval so far out that no normal is drawn there */
    WIF_ERROR_INTERVAL = 11,       /* request.interval was not prepared for these parameters */
    WIF_ERROR_SHAPE = 12,          /* a bad number of axes or of elements, or a bad length */
    WIF_ERROR_REGION = 13,         /* start and step leave the whole tensor */
    WIF_ERROR_STRIDE = 14,         /* elements overlap by their strides */
    WIF_ERROR_STREAM_END = 15,     /* an element is beyond the end of the stream */
    WIF_ERROR_ROW = 16,            /* a row id is negative, or its row is beyond the stream */
    WIF_ERROR_MEMORY = 17,         /* the region leaves the buffer, or the address space */
    WIF_ERROR_THREADS = 18,        /* more than WIF_THREADS_MOST threads */
    WIF_ERROR_FLAGS = 19,          /* an unknown flag */
    WIF_ERROR_PARALLEL_FOR = 20,   /* the caller's parallel_for() reported a failure */
    WIF_ERROR_LAYOUT = 21,         /* a layout is no capital letters with an O and an I */
    WIF_ERROR_GROUPS = 22,         /* groups is below 1, or does not divide its axis */
    WIF_ERROR_FAN = 23,            /* a fan is negative or not finite, or no such mode */
    WIF_ERROR_NAME = 24,           /* no such nonlinearity */
    WIF_ERROR_INSTRUCTION_SET = 25 /* WEIGHTINIT_FAST_ISA names a set that cannot run here */
};

/* What a code means, as an English phrase in static memory; never NULL. */
WIF_API const char *wif_status_text(wif_status status);

/* ---- keys and streams ------------------------------------------------------------------------ */

/* A key of 128 bits.  Any two numbers are a key, such as {1, 2}. */
typedef struct wif_key {
    uint64_t low, high;
} wif_key;

/* The key of a seed: that of NumPy's SeedSequence(seed).generate_state(4), which is the key that
 * the Python functions make of rng=seed.  It takes about 50 ns. */
WIF_API wif_key wif_key_from_seed(uint64_t seed);

/* The number of the stream that has a name, given as `length` bytes of UTF-8 without a final zero:
 * the BLAKE2b hash of 8 bytes, read as a little-endian number.  The Python functions make the same
 * number of stream="...".  A NULL name is taken as the empty one. */
WIF_API uint64_t wif_stream_from_name(const char *name, size_t length);

/* ---- types and transforms -------------------------------------------------------------------- */

/* The types of elements, in the byte order of the machine. */
enum {
    WIF_FLOAT32 = 1,
    WIF_FLOAT64 = 2,
    WIF_FLOAT16 = 3,
    WIF_BFLOAT16 = 4,
    WIF_FLOAT8_E4M3FN = 5,
    WIF_FLOAT8_E5M2 = 6,
    WIF_UINT32 = 7 /* for WIF_WORDS, and for nothing else */
};

/* What is drawn, and what request.parameters[] holds. */
enum {
    WIF_WORDS = 1,           /* 32-bit words as they come; no parameters */
    WIF_CONSTANT = 2,        /* value; any number if the type has it */
    WIF_UNIFORM = 3,         /* low, high: low <= y < high; finite, low <= high */
    WIF_NORMAL = 4,          /* mean, std: finite, std >= 0 */
    WIF_TRUNCATED_NORMAL = 5 /* mean, std, lower, upper: the normal of that mean and std, where it
                                lies between mean + std * lower and mean + std * upper; lower <
                                upper, which may be infinite */
};

/* What a truncated normal needs of its bounds.  wif_prepare_interval() makes it. */
typedef struct wif_interval {
    double lower, upper;
    double numbers[6]; /* of the engine */
    int32_t word_bits; /* 32, or 64 for WIF_FLOAT64 */
    int32_t reserved;  /* 0 */
} wif_interval;

/* Prepare the bounds of a truncated normal, in units of std, for a type.  This takes 10 to 50 us
 * for bounds within 8, and up to 50 ms for bounds far out; the bounds -2 and 2 take nothing.
 * wif_fill() does it by itself where request.interval is NULL.  So prepare the interval once for
 * many fills. */
WIF_API wif_status wif_prepare_interval(double lower, double upper, int32_t dtype,
                                        wif_interval *interval);

/* ---- the request ----------------------------------------------------------------------------- */

enum {
    WIF_AXES_MOST = 64,
    WIF_THREADS_MOST = 1024,
    /* The memory has not been touched yet, so that the system makes its pages during the fill: the
     * work is then divided by huge pages. */
    WIF_FLAG_FRESH_MEMORY = 1
};

/* Run chunk k of a fill.  A result other than 0 asks to end the fill; it counts only on the thread
 * that called wif_fill(). */
typedef int wif_chunk(void *fill, int64_t k);

/* Threads that the caller brings: run run(fill, k) once for each k from 0 to chunks - 1, in any
 * order, on any threads, at most `threads` of them at a time, and return when all calls have
 * returned.  The result is 0, or not 0 if a chunk was left out because a call on the calling thread
 * returned something other than 0, or because the threads failed.  A fill in which a chunk was left
 * out, and another one was run twice, is taken for a complete one. */
typedef int wif_parallel_for(void *context, int64_t chunks, int threads, wif_chunk *run,
                             void *fill);

/* Hear how far a fill is: about `done` of `total` elements.  A result other than 0 ends the fill,
 * except for the last call, which has done == total.  It is called on the thread that called
 * wif_fill(), about every 20 ms, between two chunks that this thread runs, and once at the end.
 *
 * Both callbacks may call the functions of this library.  They must not raise exceptions or jump
 * out. */
typedef int wif_progress(void *context, int64_t done, int64_t total);

/* What to draw, and where it goes.  Make it with wif_request_new(), which sets every field to 0
 * that is not an argument; 0 is the default wherever a default is stated.
 *
 * ndim == 0: `count` successive elements of the stream, from `first` on, go to successive places
 * from `data` on.
 *
 * ndim > 0: a region of a tensor.  `shape` is that of the region, `strides` are those of the memory
 * that takes it, and `data` is the place of its first element.  `whole` is the shape of the whole
 * tensor: element (i, j, ...) of the whole tensor has the number that it has in C order, plus
 * `first`.  Position k of an axis of the region is position start + k * step of the same axis of
 * the whole tensor.  count must be 0.
 *
 * rows: position k of axis 0 of the region is row rows[k] of the whole tensor, which may also be
 * beyond whole[0].  start[0], step[0] and whole[0] are not read.
 *
 * The strides must be nested: each is at least as large as all that the axes with smaller strides
 * cover, so that no two elements share memory.  Neither the order of the axes nor the signs matter.
 *
 * Nothing that the request points to may change during the call. */
typedef struct wif_request {
    size_t size; /* sizeof(wif_request) where the caller was compiled */
    void *data;  /* any alignment */
    int32_t dtype;
    int32_t transform;
    wif_key key;     /* not read by WIF_CONSTANT; nor is stream */
    uint64_t stream; /* the number of the stream */
    double parameters[4];
    uint64_t first; /* in elements.  The last element of a stream has the number 2**64 - 1, or
                       2**63 - 1 for WIF_FLOAT64 */
    int64_t count;  /* in elements; >= 0 */

    /* Fields from here on may be missing in a shorter request. */
    const wif_interval *interval; /* WIF_TRUNCATED_NORMAL; NULL: wif_fill() prepares it */
    int32_t ndim;                 /* 0 to WIF_AXES_MOST */
    int32_t threads;              /* at most so many.  1: the calling thread, and no others are
                                     touched.  0 or less: wif_default_threads().  A fill of less
                                     than 2**17 elements runs on the calling thread */
    const int64_t *shape;         /* ndim lengths >= 0 */
    const ptrdiff_t *strides;     /* ndim steps in bytes, which may be negative; NULL: C order */
    const int64_t *whole;         /* ndim lengths; NULL: shape */
    const int64_t *start;         /* ndim positions; NULL: zeros */
    const int64_t *step;          /* ndim steps, other than 0, which may be negative; NULL: ones */
    const int64_t *rows;          /* shape[0] ids >= 0, in any order, which may repeat; or NULL */
    const void *buffer;           /* every byte must lie within buffer_bytes from here on.  NULL: */
    size_t buffer_bytes;          /* this is not checked */
    uint32_t flags;               /* WIF_FLAG_...; 0 */
    uint32_t reserved;            /* 0 */
    wif_parallel_for *parallel_for; /* NULL: the threads of this library */
    void *parallel_context;
    wif_progress *progress; /* or NULL */
    void *progress_context;
} wif_request;

/* Draw.  A fill of 16 normals takes some 20 ns more than the drawing itself. */
WIF_API wif_status wif_fill(const wif_request *request);

/* What wif_fill() would return, without drawing: everything that it checks is checked. */
WIF_API wif_status wif_check(const wif_request *request);

static inline wif_request wif_request_new(void *data, int32_t dtype, int64_t count) {
    wif_request request;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.data = data;
    request.dtype = dtype;
    request.count = count;
    return request;
}

static inline void wif_set_constant(wif_request *request, double value) {
    request->transform = WIF_CONSTANT;
    request->parameters[0] = value;
}

static inline void wif_set_uniform(wif_request *request, double low, double high) {
    request->transform = WIF_UNIFORM;
    request->parameters[0] = low;
    request->parameters[1] = high;
}

static inline void wif_set_normal(wif_request *request, double mean, double std) {
    request->transform = WIF_NORMAL;
    request->parameters[0] = mean;
    request->parameters[1] = std;
}

static inline void wif_set_truncated_normal(wif_request *request, double mean, double std,
                                            double lower, double upper) {
    request->transform = WIF_TRUNCATED_NORMAL;
    request->parameters[0] = mean;
    request->parameters[1] = std;
    request->parameters[2] = lower;
    request->parameters[3] = upper;
}

/* ---- scales of weights ----------------------------------------------------------------------- */

/* Which fan a scale is read from. */
enum {
    WIF_FAN_IN = 1,
    WIF_FAN_OUT = 2,
    WIF_FAN_AVG = 3,    /* the arithmetic mean */
    WIF_FAN_GEO_AVG = 4 /* the geometric mean */
};

/* The fans of a weight of this shape.  `layout` has a capital letter for each axis: O outputs, I
 * inputs, B or G an axis that does not count, any other letter an axis of the kernel.  NULL is
 * "OI" followed by kernel axes, as torch stores weights.  `groups` is 1, or the number of groups of
 * a grouped convolution, and `transposed` whether a convolution is transposed.  The fans are below
 * 2**63. */
WIF_API wif_status wif_fans(int32_t ndim, const int64_t *shape, const char *layout, int64_t groups,
                            int transposed, int64_t *fan_in, int64_t *fan_out);

/* The fan that a mode names. */
WIF_API wif_status wif_fan(int32_t mode, int64_t fan_in, int64_t fan_out, double *fan);

/* The gain of a nonlinearity, by the names of the Python function gain(); `slope` is that of
 * "leaky_relu" on the negative side, and must be 0 for all others. */
WIF_API wif_status wif_gain(const char *nonlinearity, double slope, double *gain);

/* Set transform and parameters to a distribution of mean 0 and variance gain**2 * scale / ((1 +
 * slope**2) * fan).  `distribution` is WIF_NORMAL, WIF_UNIFORM or WIF_TRUNCATED_NORMAL (at two
 * standard deviations of its parent).  All numbers are finite, scale and gain >= 0, fan >= 0; a fan
 * of 0 counts as 1. */
WIF_API wif_status wif_set_variance_scaling(wif_request *request, int32_t distribution,
                                            double scale, double gain, double slope, double fan);

/* Xavier (Glorot & Bengio 2010): variance gain**2 / ((fan_in + fan_out) / 2). */
WIF_API wif_status wif_set_xavier(wif_request *request, int32_t distribution, double gain,
                                  int64_t fan_in, int64_t fan_out);

/* He (He et al. 2015): variance 2 / ((1 + slope**2) * fan). */
WIF_API wif_status wif_set_he(wif_request *request, int32_t distribution, double slope, double fan);

/* LeCun (LeCun et al. 1998): variance 1 / fan_in. */
WIF_API wif_status wif_set_lecun(wif_request *request, int32_t distribution, double fan_in);

/* ---- this library ---------------------------------------------------------------------------- */

/* How many threads a large fill uses by default, at least 1: WEIGHTINIT_FAST_NUM_THREADS or else
 * OMP_NUM_THREADS, as they were at the first call; but no more than the processors on which the
 * calling thread may run, and than the quota of the process's cgroup.  Only Linux tells these two;
 * on other systems it is the number of processors. */
WIF_API int32_t wif_default_threads(void);

/* Such as "0.9.0". */
WIF_API const char *wif_version(void);

/* The name of the instruction set in use, such as "avx512_vaes"; NULL if there is none, since
 * WEIGHTINIT_FAST_ISA names one that cannot run here. */
WIF_API const char *wif_instruction_set(void);

/* All functions of this library, for programs that do not link it (weightinit_fast_python.h).  A
 * later version adds functions at the end; so a table from an older library is shorter. */
typedef struct wif_api {
    size_t size; /* sizeof(wif_api) where the library was compiled */
    int32_t api_version, stream_version;
    wif_status (*fill)(const wif_request *request);
    wif_status (*check)(const wif_request *request);
    const char *(*status_text)(wif_status status);
    wif_key (*key_from_seed)(uint64_t seed);
    uint64_t (*stream_from_name)(const char *name, size_t length);
    wif_status (*prepare_interval)(double lower, double upper, int32_t dtype,
                                   wif_interval *interval);
    wif_status (*fans)(int32_t ndim, const int64_t *shape, const char *layout, int64_t groups,
                       int transposed, int64_t *fan_in, int64_t *fan_out);
    wif_status (*fan)(int32_t mode, int64_t fan_in, int64_t fan_out, double *fan);
    wif_status (*gain)(const char *nonlinearity, double slope, double *gain);
    wif_status (*set_variance_scaling)(wif_request *request, int32_t distribution, double scale,
                                       double gain, double slope, double fan);
    wif_status (*set_xavier)(wif_request *request, int32_t distribution, double gain,
                             int64_t fan_in, int64_t fan_out);
    wif_status (*set_he)(wif_request *request, int32_t distribution, double slope, double fan);
    wif_status (*set_lecun)(wif_request *request, int32_t distribution, double fan_in);
    int32_t (*default_threads)(void);
    const char *(*version)(void);
    const char *(*instruction_set)(void);
} wif_api;

/* The table of this library. */
WIF_API const wif_api *wif_functions(void);

#ifdef __cplusplus
}
#endif

#endif
