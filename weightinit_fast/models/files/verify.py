"""Verify: draw a model again by pieces, and compare it with its files; repair what differs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..._resolve.dtypes import NAMES, DType, Kind, kind_named, requested
from ..._resolve.keys import RNGLike, key
from ..._resolve.threads import thread_count
from ..messages import listed
from ..readers import FormatError, StoredTensor, read_tensors
from ..recipe import Recipe
from ..recipe_like import RecipeLike, recipe_and_shapes
from ..shapes import Shapes, StrPath, TensorSpec, as_shapes
from .compare import Job, compare
from .progress import Progress, reporting
from .verification import Difference, Verification

__all__ = ["Difference", "Verification", "verify"]

#: The types as which .npy files hold bfloat16 and the float8 types.
_BITS = ("uint8", "uint16", "void8", "void16")


def verify(
    path: StrPath,
    recipe: RecipeLike,
    *,
    shapes: Shapes | None = None,
    rng: RNGLike,
    dtype: DType | None = None,
    repair: bool = False,
    threads: int | None = None,
    progress: Progress = False,
) -> Verification:
    """Draw a model again and compare it with the files that `save` has written.

    Parameters
    ----------
    path : str or path
        A safetensors file, a folder of shards or its index, a ``.npy`` file, or a folder of them.
        A ``.npy`` file does not tell the name of its tensor: without ``shapes``, which has it, the
        name is that of the file without the suffix.
    recipe : Recipe, Model, dict, list, str or path
        What the model was drawn by, as `save` takes it. A `Model` also says the shapes, unless
        ``shapes`` does.
    shapes : dict, str or path, optional
        What `as_shapes` takes: the tensors that should be there. Tied tensors may be left out, as
        `save` does. Without ``shapes``, the tensors that are there are compared, whatever they are.
        Those of a dtype that is never drawn, such as counters of int64, are left out then.
    rng : int, Generator or Key
        What the model was drawn with.
    dtype : dtype, optional
        The dtype of the tensors for which ``shapes`` has none, which is float32 if neither is
        given. Without ``shapes`` the dtypes are those of the files, and ``dtype`` says which type
        the integers of a ``.npy`` file are the bits of.
    repair : bool
        Whether to write blocks that differ again, in place.
    threads : int, optional
        As in `normal`.
    progress : bool or callable
        Whether to show on standard error how far it is, or a function that is called with the
        bytes that are done and the bytes in all.

    Returns
    -------
    Verification
        It is true if nothing was wrong.

    Raises
    ------
    ValueError, TypeError
        If the recipe does not fit the tensors, as `Recipe.plan` says.
    OSError
        If a file is not there, or cannot be read or written.

    Notes
    -----
    Headers are compared first: a file that is too short, or that has other tensors than ``shapes``
    says, is reported without reading an element. Then each thread holds 3 MiB at a time, and all of
    them 32 MiB at most, whatever the size of the model. Only the initialisers whose elements depend
    on each other, such as `orthogonal`, make a tensor whole.

    A repair writes blocks of 64 KiB, and ends when the system has stored them (fsync).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> recipe = wi.Recipe({"*": "he_normal"})
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fc.npy"
    >>> np.save(path, wi.he_normal((10, 512), rng=0, stream="fc"))
    >>> wi.verify(path, recipe, rng=0).ok
    True
    >>> array = np.load(path, mmap_mode="r+")
    >>> array[3, 5] = 0
    >>> array.flush()
    >>> found = wi.verify(path, recipe, rng=0, repair=True)
    >>> found.elements, found.first.index, found.first.found, found.rewritten
    (1, (3, 5), 0.0, 20480)
    >>> wi.verify(path, recipe, rng=0).ok
    True
    """
    path = Path(path)
    if rng is None:
        raise TypeError("verify needs rng=, the seed or the key that the model was drawn with")
    words = key(rng)
    own_shapes = shapes is None  # those of a Model, if it is one
    recipe, shapes = recipe_and_shapes(recipe, shapes)
    thread_count(threads, 0)  # refuses wrong values
    if path.suffix == ".npz":
        raise ValueError(f"{path} is a .npz file, which save never writes")
    if path.suffix == ".zarr":
        raise ValueError(
            f"{path} is a group of Zarr, which verify does not read: compare its arrays with those "
            "of wi.dask.array"
        )
    try:
        stored = read_tensors(path)
    except FormatError as error:
        return Verification(path, faults=(str(error),), repair_asked=repair)
    if own_shapes and shapes is not None and dtype is None:
        shapes = _with_types_of(stored, as_shapes(shapes))
    left_out: tuple[str, ...] = ()
    if shapes is None:
        left_out = tuple(name for name, tensor in stored.items() if _is_other(tensor))
        if len(left_out) < len(stored):
            stored = {name: t for name, t in stored.items() if name not in left_out}
        else:  # with nothing to compare, nothing would be wrong
            left_out = ()
    jobs, faults = _jobs(stored, recipe, shapes, dtype)
    if faults:
        return Verification(path, faults=tuple(faults), repair_asked=repair)
    with reporting(progress, f"verifying {path.name}") as report:
        found = compare(path, jobs, words, threads, report, repair)
    return replace(found, left_out=left_out, repair_asked=repair)


def _jobs(
    stored: Mapping[str, StoredTensor],
    recipe: Recipe,
    shapes: Shapes | None,
    dtype: DType | None,
) -> tuple[list[Job], list[str]]:
    """Return what is to be drawn for each stored tensor, and what the headers have wrong."""
    default = None if dtype is None else requested(dtype)[0].name
    if shapes is None:
        wanted = {name: (tensor.shape, default) for name, tensor in stored.items()}
        there = list(stored.values())
    else:
        specs = as_shapes(shapes)
        wanted = {name: (s.shape, s.dtype or default or "float32") for name, s in specs.items()}
        stored = _named(stored, list(wanted))
        there = [stored[name] for name in wanted if name in stored]
    faults = []
    for names, where in (
        ([n for n in wanted if n not in stored and n not in recipe.same_as], "Missing"),
        ([n for n in stored if n not in wanted], "Not expected"),
    ):
        if names:
            faults.append(f"{where}: {listed(names)}")
    kinds = {}
    for tensor in there:
        shape, name = wanted[tensor.name]
        if tensor.shape != shape:
            faults.append(f"{tensor.name} has shape {tensor.shape}, not {shape}")
        fault, kind = _kind_of(tensor, name)
        if fault:
            faults.append(f"{tensor.name} {fault}")
        elif kind is not None:
            kinds[tensor.name] = kind
    if faults:
        return [], faults
    explained = {e.name: e for e in recipe.explain({name: s for name, (s, _) in wanted.items()})}
    jobs = []
    for name, tensor in stored.items():
        e = explained[name]
        stream = e.same_as or name
        jobs.append(Job(tensor, kinds[name], e.initializer, stream, e.law.std > 0))
    return jobs, []


def _named(stored: Mapping[str, StoredTensor], names: list[str]) -> Mapping[str, StoredTensor]:
    """Return the tensors by their names: a .npy file does not tell the name of its one tensor."""
    if len(stored) == len(names) == 1:
        (tensor,) = stored.values()
        if tensor.file.suffix == ".npy" and tensor.name == tensor.file.stem:
            return {names[0]: tensor._replace(name=names[0])}
    return stored


def _with_types_of(
    stored: Mapping[str, StoredTensor], shapes: dict[str, TensorSpec]
) -> dict[str, TensorSpec]:
    """Return the shapes with the dtypes of the file where they have none."""
    types = {name: tensor.dtype for name, tensor in stored.items() if tensor.dtype in NAMES}
    return {
        name: spec._replace(dtype=spec.dtype or types.get(name)) for name, spec in shapes.items()
    }


def _is_other(tensor: StoredTensor) -> bool:
    """Whether a tensor is of a type that is never drawn.

    Integers in a .npy file may be the bits of a type that NumPy lacks.
    """
    if tensor.file.suffix == ".npy" and tensor.dtype in _BITS:
        return False
    return tensor.dtype not in NAMES


def _kind_of(tensor: StoredTensor, wanted: str | None) -> tuple[str, Kind | None]:
    """Return what is wrong with a tensor's type and order, or else the type to draw."""
    if tensor.fortran_order:
        return "is stored in Fortran order, in which save never writes", None
    name = tensor.dtype if wanted is None else wanted
    try:
        kind = kind_named(name)
    except KeyError:
        return f"has dtype {tensor.dtype}, which is never drawn", None
    # A .npy file holds the types that NumPy lacks as integers, or as the bytes of a void type.
    bits = 8 * kind.storage.itemsize
    if tensor.dtype == name or (kind.extended and tensor.dtype in (f"uint{bits}", f"void{bits}")):
        return "", kind
    return f"has dtype {tensor.dtype}, not {name}", None
