# Matrices of normals, their orthogonal factors, and where the elements of these go.
from libc.stdlib cimport free, malloc


def orthogonal(
    object buffer, int dtype, double gain, object rng, object stream, int64_t rows,
    int64_t columns, bint transposed, list batch, uint64_t first, list axes, Py_ssize_t start,
    object threads, object clear,
):
    """Write gain times the orthogonal factors of matrices of normals into a buffer.

    Parameters
    ----------
    buffer, dtype, rng, stream
        As in fill().
    gain : float
        The factor on the matrices, which check() has found right for a constant.
    rows, columns : int
        The shape of the tall matrices; both are positive, and rows >= columns.
    transposed : bool
        Whether the normals are those of wide matrices, which are transposed.
    batch : list of (n, step, dst_step)
        Which matrices are made, outermost axis first: a step counts matrices, and dst_step the
        bytes from the place of one to that of another.
    first : int
        The number of the first matrix.
    axes : list of (n, stream_step, dst_step)
        Where the elements of a matrix go; the stream is the tall matrix, row after row.
    start : int
        Byte offset from the buffer's first element to that of the first matrix.
    threads : int or None
        As in Target.draw.
    clear : callable or None
        What sets the buffer to zero before the matrices are written.  It is called when nothing
        else can be refused.
    """
    cdef Py_buffer view
    cdef object _pinned = pin(buffer), _waited  # they live until the end
    cdef const wif_kernels *kernels = wif_kernels_in_use()
    cdef wif_orthogonal_request request
    cdef wif_plan plan
    cdef wif_axis axis[2 * WIF_MAX_AXES]
    cdef int batch_axes = len(batch), count = len(axes)
    cdef object matrices = 1
    cdef size_t nbytes
    cdef bint stopped
    cdef PyThreadState *caller
    cdef wif_poll *poll = NULL
    for n, _, _ in batch:
        matrices *= n
    threads = thread_count(threads, min(32 * matrices * rows * columns, INT64_MAX))
    if (
        not 0 <= dtype < WIF_TYPES
        or not 0 < columns <= rows <= INT64_MAX // columns
    ):
        raise ValueError(f"no orthogonal matrices of {rows} rows and {columns} columns")
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
    try:
        request.type = WIF_f64 if dtype == WIF_f64 else WIF_f32
        prepare(kernels, WIF_normal, request.type, (0.0, 1.0), &request.normals)
        memset(&plan, 0, sizeof(plan))
        wif_plan_choose_reading(&plan, kernels, <wif_type>dtype)
        if view.itemsize != <Py_ssize_t>plan.itemsize:
            raise ValueError(f"items of {view.itemsize} bytes for {DTYPES[dtype]}")
        # All axes together stay within the buffer; the steps through the stream are checked apart.
        unordered = [(n, 1, dst_step) for n, _, dst_step in batch + axes]
        read_axes(unordered, &view, start, 0, UINT64_MAX, axis, NULL, 0)
        last = INT64_MAX if dtype == WIF_f64 else UINT64_MAX
        read_axes(
            batch, &view, start, first, (last + 1) // (rows * columns) - 1, axis, NULL, 0
        )
        read_axes(axes, &view, start, 0, rows * columns - 1, axis + batch_axes, NULL, 0)
        plan.dst = <char *>view.buf + start
        cut_plan(
            &plan, axis + batch_axes, count, rows * columns, view.len, threads, False
        )
        request.set = kernels
        request.rows = rows
        request.columns = columns
        request.transposed = transposed
        request.gain = gain
        request.batch = axis
        request.batch_axes = batch_axes
        request.first = first
        request.out = &plan
        request.threads = threads
        nbytes = wif_orthogonal_scratch(&request)
        request.scratch = malloc(nbytes)
        if request.scratch == NULL:
            raise MemoryError(f"{nbytes} bytes for orthogonal matrices")
        try:
            _waited = read_key_and_stream(rng, stream, buffer, &request.normals)
            if nbytes >= WIF_HUGE_PAGES_BYTES:
                wif_advise_huge_pages(request.scratch, nbytes)
            if clear is not None:
                clear()
            caller = PyThreadState_Get()
            if <unsigned long>PyThread_get_thread_ident() == main_thread:
                poll = check_signals
            with nogil:
                stopped = wif_orthogonal(&request, poll, caller, wif_pool_run, NULL)
            if stopped:
                raise_pending()
        finally:
            free(request.scratch)
    finally:
        PyBuffer_Release(&view)


def orthogonal_scratch(int dtype, int64_t rows, int64_t columns, int64_t matrices, int threads):
    """Return the bytes that orthogonal() takes beyond the buffer for so many tall matrices.

    On a system of 32 bits it is 2^32 - 1 if there are not so many.
    """
    cdef wif_orthogonal_request request
    cdef wif_axis batch
    memset(&request, 0, sizeof(request))
    memset(&batch, 0, sizeof(batch))
    request.type = WIF_f64 if dtype == WIF_f64 else WIF_f32
    request.rows, request.columns, request.threads = rows, columns, threads
    batch.n = matrices
    request.batch, request.batch_axes = &batch, 1
    return wif_orthogonal_scratch(&request)
