# Torch tensors whose memory is filled as it lies, without a view of it.
#
# Most tensors of a model are small, and torch fills one of them in a few microseconds.  To make an
# ndarray of a tensor and a Target of that takes 1 to 2 us.  fill_tensor() below reads what it needs
# by attributes of the tensor, which takes 0.3 us.  weightinit_fast/torch/tensors.py reads all other
# tensors, and says what is wrong with those that are not filled.

# What register_tensors sets.
cdef object Tensor = None, Parameter = None  # the classes of plain tensors
cdef dict tensor_codes = {}  # torch's dtypes -> indices into DTYPES
cdef object has_torch_function = None  # whether a class or a mode overrides torch's functions
cdef object dispatch_modes = None  # how many TorchDispatchModes are active
cdef object increment_version = None  # tells autograd that a tensor has been written


def register_tensors(
    object tensor_type, object parameter_type, dict codes, object overrides, object modes,
    object written,
):
    """Set the classes and the functions of torch that this file uses."""
    global Tensor, Parameter, tensor_codes, has_torch_function, dispatch_modes, increment_version
    Tensor, Parameter, tensor_codes = tensor_type, parameter_type, codes
    has_torch_function, dispatch_modes, increment_version = overrides, modes, written


def fill_tensor(
    object tensor, int transform, tuple params, object rng, object stream, object threads
):
    """Fill a torch tensor if that is a plain one; return whether it is.

    A plain tensor lies in CPU memory in C order without gaps, and nothing looks at the operations
    on it: no subclass, no mode, no transform of torch.func.  (Where torch.compile traces the
    caller, it leaves the graph for this call.)  The tensor has elements, and nothing forbids to
    write them.  The other arguments are those of Target.write.  autograd is told that the tensor
    has been written.
    """
    cdef Py_buffer view
    cdef uintptr_t address
    cdef Py_ssize_t n
    kind = type(tensor)
    if kind is not Parameter and kind is not Tensor or has_torch_function(tensor):
        return False
    code = tensor_codes.get(tensor.dtype)
    if code is None or not tensor.is_cpu or dispatch_modes():
        return False
    cdef int dtype = code
    memset(&view, 0, sizeof(view))  # strides of NULL stand for C order
    view.itemsize = view.len = <Py_ssize_t>wif_type_bytes(dtype)
    try:
        # These raise RuntimeError for sparse and opaque tensors and for those that torch.func
        # wraps, which have no storage, and for nested tensors, which have no shape.  The storage is
        # empty where somebody has freed it, as FSDP does.
        if not tensor.is_contiguous() or not tensor.untyped_storage().nbytes():
            return False
        for n in tensor.shape:
            view.len *= n
        # Tensors of InferenceMode have no version, and raise RuntimeError.
        if tensor._version < 0 or tensor.is_neg():
            return False
        address = tensor.data_ptr()
    except RuntimeError:
        return False
    if address == 0 or view.len == 0:
        return False
    view.buf = <void *>address
    if transform == WIF_truncated:
        params += interval(params[2], params[3], 64 if view.itemsize == 8 else 32)
    if threads is not None:
        threads = thread_count(threads, view.len // view.itemsize)
    fill_view(&view, None, transform, dtype, params, rng, stream, 0, None, threads, 0, 0, NULL, 0)
    increment_version(tensor)
    return True
