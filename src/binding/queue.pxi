# Many fills that run as one: all tensors of a model.
from cpython.mem cimport PyMem_Free, PyMem_Realloc


cdef struct waiting_plan:  # what a plan of a queue still needs to be cut
    int axes  # how many; the axes of all plans lie one after the other
    bint fresh
    int64_t total  # elements


cdef void *grown(void *memory, int64_t *room, int64_t needed, size_t size) except NULL:
    """Return memory for more items than there were, with its contents; store for how many."""
    cdef int64_t items = max(needed, 2 * room[0], 16)
    memory = PyMem_Realloc(memory, <size_t>items * size)
    if memory == NULL:
        raise MemoryError()
    room[0] = items
    return memory


cdef class Queue:
    """Fills that wait until all are known, and then run as one, by one key.

    Nothing is written before run(), so that whatever is refused leaves every array as it was.  The
    order in which elements are written is not defined: arrays that overlap get some of the values
    of each.
    """

    cdef wif_plan *plans
    cdef waiting_plan *waiting  # as many as plans
    cdef wif_axis *axes
    cdef int64_t count, axes_count, plans_room, waiting_room, axes_room
    cdef int64_t total  # elements
    cdef Py_ssize_t nbytes
    cdef list held  # the arrays, and what keeps their memory in place
    cdef list swapped  # the targets that need finish()

    def __cinit__(self):
        self.held, self.swapped = [], []

    def __dealloc__(self):
        PyMem_Free(self.plans)
        PyMem_Free(self.waiting)
        PyMem_Free(self.axes)

    def add(self, Target target not None, int transform, tuple params, object stream):
        """Let an array wait for a transform of a stream; refuse what Target.draw would refuse.

        The memory of the array stays in place until run() has ended.
        """
        cdef Py_buffer view
        cdef wif_plan plan
        cdef wif_axis axis[WIF_MAX_AXES]
        cdef const int64_t *id_list = NULL
        cdef Py_ssize_t id_count = 0
        cdef int count = 0
        cdef int64_t total
        cdef object array = target.array, pinned = pin(array)
        if transform == WIF_truncated:
            params += interval(params[2], params[3], target.kind.word_bits)
        axes, first, start = target.region
        if target.ids is not None:
            id_count = read_ids(target.ids, &id_list)
        PyObject_GetBuffer(array, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
        try:
            total = read_plan(
                &view, transform, target.code, params, first, axes, start, id_list, id_count,
                &plan, axis, &count,
            )
            nbytes = view.len
        finally:
            PyBuffer_Release(&view)
        plan.draw.key_low = plan.draw.key_high = plan.draw.stream = 0
        if transform != WIF_constant and not below_2_64(stream, &plan.draw.stream):
            plan.draw.stream = stream_number(stream)
        if total == 0:
            return
        if target.fresh and axes is None and nbytes >= WIF_HUGE_PAGES_BYTES:
            wif_advise_huge_pages(plan.dst, nbytes)
        held = (array, pinned, target.ids)
        # From here on no other code runs, which could add to this queue or run it.
        self.held.append(held)
        if target.swapped:
            self.swapped.append(target)
        if self.count == self.plans_room:
            self.plans = <wif_plan *>grown(
                self.plans, &self.plans_room, self.count + 1, sizeof(wif_plan)
            )
        if self.count == self.waiting_room:
            self.waiting = <waiting_plan *>grown(
                self.waiting, &self.waiting_room, self.count + 1, sizeof(waiting_plan)
            )
        if self.axes_count + count > self.axes_room:
            self.axes = <wif_axis *>grown(
                self.axes, &self.axes_room, self.axes_count + count, sizeof(wif_axis)
            )
        self.plans[self.count] = plan
        self.waiting[self.count].axes = count
        self.waiting[self.count].fresh = target.fresh
        self.waiting[self.count].total = total
        for k in range(count):
            self.axes[self.axes_count + k] = axis[k]
        self.count += 1
        self.axes_count += count
        self.total += total
        self.nbytes += nbytes

    def run(self, object rng, object threads):
        """Fill all arrays that wait, by the key of rng; no array waits afterwards.

        A Generator in rng advances only after everything else has been found right.
        """
        # A signal handler could add to this queue, or run it: so it is emptied before.
        cdef Queue taken = Queue.__new__(Queue)
        taken.take(self)
        return taken.run_all(rng, threads)

    cdef take(self, Queue other):
        """Take all that waits in another queue."""
        self.plans, self.waiting, self.axes = other.plans, other.waiting, other.axes
        self.count, self.axes_count = other.count, other.axes_count
        self.total, self.nbytes = other.total, other.nbytes
        self.held, self.swapped = other.held, other.swapped
        other.plans = NULL
        other.waiting = NULL
        other.axes = NULL
        other.count = other.axes_count = other.total = other.nbytes = 0
        other.plans_room = other.waiting_room = other.axes_room = 0
        other.held, other.swapped = [], []

    cdef run_all(self, object rng, object threads):
        cdef int64_t k, left = self.total
        cdef wif_axis *axes = self.axes
        cdef wif_plan *plan
        cdef wif_queue queue
        cdef uint64_t key_low = 0, key_high = 0
        cdef int most = thread_count(threads, self.total)
        read_key(rng, None, &key_low, &key_high)
        for k in range(self.count):
            plan = &self.plans[k]
            plan.draw.key_low = key_low
            plan.draw.key_high = key_high
            # Tasks get smaller towards the end, so that threads end at about the same time.
            cut_plan(
                plan, axes, self.waiting[k].axes, left, self.nbytes, most, self.waiting[k].fresh
            )
            axes += self.waiting[k].axes
            left -= self.waiting[k].total
        queue = wif_queue_of(self.plans, self.count, WIF_CHUNK_WORK)
        if run(&queue, self.total, most):
            raise_pending()
        for target in self.swapped:
            target.finish()
