# What the binding uses of the C engine.  The headers say what each declaration means.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "kernels/kernels.h" nogil:
    enum wif_transform:
        WIF_constant, WIF_uniform, WIF_normal, WIF_truncated
    enum: WIF_PUBLIC_TRANSFORMS, WIF_TRANSFORMS, WIF_MOST_PARAMETERS
    const char *wif_transform_name(int transform)
    int wif_parameter_count(int transform)
    const char *wif_parameter_names(int transform)
    enum wif_type:
        WIF_f32, WIF_f64
    enum: WIF_TYPES
    const char *wif_type_name(int type)
    size_t wif_type_bytes(int type)
    ctypedef struct wif_draw:
        uint64_t key_low, key_high, stream
    ctypedef void wif_draw_rows  # a function type, whose pointers are only compared with NULL here
    ctypedef void (*wif_narrow)(void *dst, const float *src, size_t count) noexcept nogil
    ctypedef struct wif_kernels:
        const char *isa
        wif_draw_rows *draw_rows[WIF_TRANSFORMS][WIF_TYPES]
        wif_draw_rows *read_rows[WIF_TYPES]
        wif_narrow narrow[WIF_TYPES]
        void (*block)(uint32_t *out, uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                      uint64_t counter_high)


cdef extern from "host/params.h" nogil:
    enum: WIF_PARAMS_OK, WIF_PARAMS_OVERFLOW
    int wif_prepare(wif_transform transform, wif_type type, const double *parameters,
                    wif_draw *draw)


cdef extern from "host/scale.h" nogil:
    double wif_spread(wif_transform transform, double scale, double gain, double slope, double fan)
    double wif_geometric_mean(double a, double b)


cdef extern from "host/seed.h" nogil:
    void wif_seed_words(uint64_t seed, uint32_t *words)


cdef extern from "isa/dispatch.h" nogil:
    enum: WIF_ISAS
    ctypedef struct wif_isa:
        const char *name
        const wif_kernels *kernels
        const char *lacks
    void wif_list_isas(wif_isa *list)


cdef extern from "api/machine.h" nogil:
    const wif_kernels *wif_kernels_in_use()
    void wif_use_kernels(const wif_kernels *kernels)
    size_t wif_nontemporal_from()
    void wif_set_nontemporal_from(size_t bytes)


cdef extern from "api/request.h" nogil:
    bint wif_ids_are_within(const int64_t *ids, int64_t count, uint64_t most)


cdef extern from "host/fpenv.h" nogil:
    ctypedef struct wif_fpstate:
        pass
    wif_fpstate wif_fp_enter()
    void wif_fp_leave(wif_fpstate callers)


cdef extern from "host/plan.h" nogil:
    enum: WIF_MAX_AXES
    ctypedef struct wif_axis:
        int64_t n
        uint64_t stream_step
        Py_ssize_t dst_step
        const int64_t *ids
    ctypedef struct wif_plan:
        wif_draw draw
        size_t itemsize
        char *dst
        uint64_t first
        int64_t direct_items
        int nontemporal
        int direct
    void wif_plan_choose_reading(wif_plan *plan, const wif_kernels *set, wif_type type)
    void wif_plan_choose_kernels(wif_plan *plan, const wif_kernels *set, wif_type type,
                                 int64_t total)
    int64_t wif_plan_direct_items(size_t itemsize, int64_t total, int threads, int fresh)
    void wif_plan_cut(wif_plan *plan, const wif_axis *axes, int count)


cdef extern from "host/queue.h" nogil:
    enum: WIF_CHUNK_WORK
    ctypedef struct wif_queue:
        int64_t chunks
    wif_queue wif_queue_of(wif_plan *plans, int64_t count, int64_t chunk_work)
    int64_t wif_queue_run(const wif_queue *queue, int64_t chunk)


cdef extern from "host/pool.h" nogil:
    int wif_chunks_per_wake
    void wif_pool_prepare()
    bint wif_pool_worth(int64_t chunks)
    # _core.pxd declares the types wif_chunk and wif_parallel_for under their own names.
    ctypedef int chunk_function "wif_chunk"(void *fill, int64_t k)
    ctypedef int parallel_for_function "wif_parallel_for"(
        void *owner, int64_t chunks, int threads, chunk_function *run, void *fill)
    parallel_for_function wif_pool_run


cdef extern from "host/run.h" nogil:
    ctypedef int wif_poll(void *caller) noexcept
    bint wif_run(const wif_queue *queue, int threads, wif_poll *poll, void *caller,
                 parallel_for_function *parallel_for, void *owner)


cdef extern from "linalg/orthogonal.h" nogil:
    ctypedef struct wif_orthogonal_request:
        const wif_kernels *set
        wif_draw normals
        wif_type type
        int64_t rows, columns
        int transposed
        double gain
        const wif_axis *batch
        int batch_axes
        uint64_t first
        const wif_plan *out
        int threads
        void *scratch
    size_t wif_orthogonal_scratch(const wif_orthogonal_request *request)
    bint wif_orthogonal(const wif_orthogonal_request *request, wif_poll *poll, void *caller,
                        parallel_for_function *parallel_for, void *owner)


cdef extern from "system/system.h" nogil:
    int32_t wif_cgroup_threads(const char *root, const char *own)
    enum: WIF_HUGE_PAGES_BYTES
    void wif_advise_huge_pages(const void *start, size_t nbytes)


cdef extern from "system/threads.h" nogil:
    const char *wif_threads_wait_by()


cdef extern from "compiler.h" nogil:
    const char *WIF_COMPILER
