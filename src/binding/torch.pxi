# Torch tensors whose memory is filled as it lies, without a view of it.
#
# Most tensors of a model are small, and torch fills one of them in a few microseconds.  To make an
# ndarray of a tensor and a Target of that takes 1 to 2 us.  fill_tensor() below takes 0.6 us for
# all that it has to know about a tensor.  weightinit_fast/torch/tensors.py reads all other tensors,
# and says what is wrong with those that are not filled.

# What register_tensors sets.
cdef object Tensor = None, Parameter = None  # the classes of plain tensors
cdef object has_torch_function = None  # whether a class or a mode overrides torch's functions
cdef object dispatch_modes = None  # how many TorchDispatchModes are active
cdef object increment_version = None  # tells autograd that a tensor has been written


def register_tensors(
    object tensor_type, object parameter_type, object overrides, object modes, object written
):
    """Set the classes and the functions of torch that this file uses."""
    global Tensor, Parameter, has_torch_function, dispatch_modes, increment_version
    Tensor, Parameter = tensor_type, parameter_type
    has_torch_function, dispatch_modes, increment_version = overrides, modes, written


def fill_tensor(
    object tensor, int transform, tuple params, object rng, object stream, object threads,
    bint in_kernel=False,
):
    """Fill a torch tensor if that is a plain one; return whether it is.

    A plain tensor lies in CPU memory in C order without gaps, and nothing looks at the operations
    on it: no subclass, no mode, no transform of torch.func.  (Where torch.compile traces the
    caller, it leaves the graph for this call.)  The tensor has elements, and nothing forbids to
    write them.  The other arguments are those of Target.write.  autograd is told that the tensor
    has been written.

    With ``in_kernel`` the caller is a kernel of torch.  torch has then already shown the operation
    to every subclass and mode that looks at operations, and tells autograd itself.  So this
    function asks none of them, and tells autograd nothing.

    Versions of torch whose tensors do not lend their memory (see read_lent) have no plain tensors.
    """
    cdef dl_tensor lent
    cdef Py_buffer view
    cdef int64_t items = 0, itemsize
    kind = type(tensor)
    if not in_kernel and (
        kind is not Parameter and kind is not Tensor or has_torch_function(tensor)
        or dispatch_modes()
    ):
        return False
    if not tensor.is_cpu:
        return False
    try:
        # These raise RuntimeError for sparse and opaque tensors and for those that torch.func
        # wraps, which have no storage, for nested tensors, which have no shape, and for tensors of
        # InferenceMode, which have no version.  The storage is empty where somebody has freed it,
        # as FSDP does.  It is held until the end: another thread may give the tensor another one.
        kind = read_lent(tensor, &lent, &items)
        if kind is None or tensor.is_neg():
            return False
        storage = tensor.untyped_storage()
        itemsize = lent.dtype.bits // 8
        if storage.nbytes() < (<int64_t>tensor.storage_offset() + items) * itemsize:
            return False
        # A tensor whose memory nobody has written yet has the version 0.
        fresh = tensor._version == 0
    except RuntimeError:
        return False
    if items == 0 or lent.data == NULL:
        return False
    memset(&view, 0, sizeof(view))  # strides of NULL stand for C order
    view.itemsize = itemsize
    view.buf, view.len = <char *>lent.data + lent.byte_offset, items * itemsize
    if transform == WIF_truncated:
        params += interval(params[2], params[3], kind.word_bits)
    if threads is not None:
        threads = thread_count(threads, items)
    try:
        fill_view(
            &view, None, transform, kind.code, params, rng, stream, 0, None, threads, fresh, 0,
            NULL, 0,
        )
    except (TypeError, ValueError, OverflowError):
        raise  # nothing has been written
    except BaseException:  # a signal handler has raised it
        if not in_kernel:
            increment_version(tensor)
        raise
    if not in_kernel:
        increment_version(tensor)
    return True
