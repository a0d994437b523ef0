# A matrix of normals, its orthogonal factor, and where its elements go.
from libc.stdlib cimport free, malloc


def orthogonal(
    object buffer, int dtype, double gain, object rng, object stream, int64_t rows,
    int64_t columns, bint transposed, list axes, Py_ssize_t start, object threads, object cleared,
):
    """Write gain times the orthogonal factor of a matrix of normals into a buffer.

    Parameters
    ----------
    buffer, dtype, rng, stream, axes, start
        As in fill().  The stream of the axes is the tall matrix, row after row.
    gain : float
        The factor on the matrix, which check() has found right for a constant.
    rows, columns : int
        The shape of the tall matrix; both are positive, and rows >= columns.
    transposed : bool
        Whether the normals are those of a wide matrix, which is transposed.
    threads : int or None
        As in Target.draw.
    cleared : ndarray or None
        An array that is set to zero before the matrix is written, after all that may fail.
    """
    cdef Py_buffer view
    cdef object _pinned, _waited  # what pins the buffer has to live until the end
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
    try:
        _pinned = pin(buffer)
        write_orthogonal(
            &view, buffer, dtype, gain, rng, stream, rows, columns, transposed, axes, start,
            thread_count(threads, 32 * rows * columns), cleared,
        )
    finally:
        PyBuffer_Release(&view)


cdef int write_orthogonal(
    const Py_buffer *view, object buffer, int dtype, double gain, object rng, object stream,
    int64_t rows, int64_t columns, bint transposed, list axes, Py_ssize_t start, int threads,
    object cleared,
) except -1:
    cdef wif_orthogonal_request request
    cdef wif_plan plan
    cdef wif_queue queue
    cdef wif_axis axis[WIF_MAX_AXES]
    cdef int64_t total = rows * columns
    cdef bint stopped
    cdef PyThreadState *caller
    cdef wif_poll *poll = NULL
    cdef size_t nbytes
    if not 0 <= dtype < WIF_TYPES or not 0 < columns <= rows or total > view.len // view.itemsize:
        raise ValueError(f"no orthogonal matrix of {rows} rows and {columns} columns")
    request.type = WIF_f64 if dtype == WIF_f64 else WIF_f32
    prepare(WIF_normal, request.type, (0.0, 1.0), &request.normals)
    wif_plan_choose_reading(&plan, kernels, <wif_type>dtype, &request.matrix)
    if view.itemsize != <Py_ssize_t>plan.itemsize:
        raise ValueError(f"items of {view.itemsize} bytes for {DTYPES[dtype]}")
    count = read_axes(axes, view, start, 0, total - 1, axis, NULL, 0)
    plan.dst = <char *>view.buf + start
    plan.first = 0
    cut_plan(&plan, axis, count, total, view.len, threads, False)
    queue = wif_queue_of(&plan, 1, WIF_CHUNK_WORK)
    request.set = kernels
    request.first = 0
    request.rows = rows
    request.columns = columns
    request.transposed = transposed
    request.threads = threads
    nbytes = wif_orthogonal_bytes(request.type, rows, columns)
    request.scratch = malloc(nbytes)
    if request.scratch == NULL:
        raise MemoryError(f"{nbytes} bytes for an orthogonal matrix")
    try:
        _waited = read_key_and_stream(rng, stream, buffer, &request.normals)
        if nbytes >= WIF_HUGE_PAGES_BYTES:
            wif_advise_huge_pages(request.scratch, nbytes)
        caller = PyThreadState_Get()
        if <unsigned long>PyThread_get_thread_ident() == main_thread:
            poll = check_signals
        with nogil:
            stopped = wif_orthogonal(&request, poll, caller, wif_pool_run, NULL)
        if stopped:
            raise_pending()
        request.matrix.gain = gain
        if cleared is not None:
            cleared.fill(0)
        if run(&queue, total, threads):
            raise_pending()
    finally:
        free(request.scratch)
    return 0
