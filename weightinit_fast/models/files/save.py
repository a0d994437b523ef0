"""save and finish: write a model's weights into files, whole or in parts."""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ..._core import STREAM_VERSION
from ..._resolve.dtypes import DType
from ..._resolve.keys import RNGLike, key
from ..._resolve.messages import shown
from ..._resolve.threads import thread_count
from ..recipe_like import RecipeLike, recipe_and_shapes
from ..shapes import Shapes, as_shapes
from .contents import Contents
from .layout import layout_of
from .markers import mark, what_is_missing
from .progress import Progress, reporting
from .publishing import Publisher
from .shares import Part, part_of, share
from .staging import Staging
from .targets import refuse_existing
from .writer import Range, write_ranges

__all__ = ["Saved", "finish", "save"]

StrPath: TypeAlias = str | os.PathLike[str]


class Saved(NamedTuple):
    """What `save` and `finish` return.

    Attributes
    ----------
    path : Path
        The file or the folder.
    files : tuple of Path
        All files of the model, an index included.
    nbytes : int
        The bytes of all these files.
    written : int
        The bytes that this call has written: those of its part.
    finished : bool
        Whether the files have their names. False says that other parts are missing still.
    seconds : float
        How long the call took.
    """

    path: Path
    files: tuple[Path, ...]
    nbytes: int
    written: int
    finished: bool
    seconds: float


def save(
    path: StrPath,
    recipe: RecipeLike,
    shapes: Shapes | None = None,
    *,
    rng: RNGLike = None,
    dtype: DType | None = None,
    part: Part | None = None,
    max_shard_bytes: int | None = None,
    force: bool = False,
    metadata: Mapping[str, str] | None = None,
    threads: int | None = None,
    progress: Progress = False,
) -> Saved:
    """Draw the weights of a model and write them into files, without holding them in memory.

    Parameters
    ----------
    path : str or path
        ``name.safetensors`` becomes one file; a name without a suffix, or with ``/`` at its end, a
        folder of Hugging Face shards with their index; ``name.npy`` a NumPy file, or a folder of
        them if there are several tensors; ``name.zarr`` a Zarr group, which the zarr library reads.
    recipe : Recipe, Model, dict, list, str or path
        It says which initialiser draws which tensor: a `Recipe`, a built-in `Model`, the rules of a
        recipe, a path to a recipe in a ``.toml`` file, or one initialiser for all tensors, such as
        ``"he_normal"``. The name of a tensor is its stream. Tied tensors (``same_as``) are left
        out.
    shapes : dict, str or path
        What `as_shapes` takes: ``{name: shape}``, ``{name: (shape, dtype)}``, or a file. A `Model`
        has shapes of its own, so that they need not be given.
    rng : None, int, Generator or Key, optional
        What `key` takes. All tensors have one key. None, the default, takes a fresh key; it cannot
        go with ``part``, since every part needs the same one.
    dtype : str or dtype, optional
        The dtype of the tensors for which ``shapes`` says none. The default is float32.
    part : (int, int) or "auto", optional
        ``(k, n)`` writes part k of n, counted from 0. The processes that write the other parts may
        run at any time, in any order and on any host that reaches the folder. The one that ends
        last gives the file its name. ``"auto"`` is the number that torchrun, SLURM or Open MPI gave
        to this process.
    max_shard_bytes : int, optional
        The most bytes of tensors that a shard of a folder holds; the default is 5 GB (5 · 10^9). In
        Zarr, the most bytes of a chunk; the default is 128 MiB.
    force : bool, optional
        Whether a file that exists is replaced. The old one stays until the new one is complete.
    metadata : dict of str, optional
        What the header of a safetensors file says; ``{"format": "pt"}`` unless given. In Zarr, the
        attributes of the group, of which there are none by default.
    threads : int, optional
        How many threads draw at a time. The default is as in `normal`.
    progress : bool or callable, optional
        True shows the progress where standard error is a terminal. A function is called with the
        bytes that are done and the bytes that this call writes in all.

    Returns
    -------
    Saved
        (path, files, nbytes, written, finished, seconds).

    Raises
    ------
    FileExistsError
        If the target exists, or if beside it are parts of another model.
    OSError
        If the disk is full, which is found before anything is drawn, or cannot be written.
    ValueError, TypeError
        If an argument is wrong, or a tensor cannot be drawn; before anything is written.

    Warns
    -----
    UserWarning
        If a pattern of the recipe takes no tensor, or a tied name is like that of an untied tensor,
        since they may be misspelt. Of several parts, part 0 warns.

    See Also
    --------
    finish : gives the file its name if no part has done so.
    verify : draws again and compares.

    Notes
    -----
    The bytes of the files depend on the recipe, the shapes, the dtypes and the key alone: not on
    the parts, the threads or the machine. Until all bytes are on the disk they are in a hidden
    folder beside the target, ``.name.saving``, so that a file of that name is always whole. After a
    crash the same call goes on: parts that were ended are kept, and the others are written again.

    The memory that this takes is at most 64 MiB, whatever the size of the model, and that of the
    largest tensor that must be made whole (`orthogonal`, `delta_orthogonal`).

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> recipe = {"*.bias": "zeros", "*": "he_normal"}
    >>> model = {"fc.weight": (1000, 784), "fc.bias": 1000}
    >>> saved = save(f"{folder}/model.safetensors", recipe, model, rng=0)
    >>> saved.path.name, saved.nbytes, saved.finished
    ('model.safetensors', 3140184, True)

    Three processes write one file, in any order:

    >>> for k in (2, 0, 1):
    ...     saved = save(f"{folder}/b.safetensors", recipe, model, rng=0, part=(k, 3))
    ...     print(saved.written, saved.finished)
    1047128 False
    1044480 False
    1048576 True
    """
    begun = time.perf_counter()
    target = _target_of(path)
    own_part = part_of(part)
    if own_part is not None and rng is None:
        raise ValueError("part= needs rng=, since every part needs the same key: pass rng=0")
    recipe, shapes = recipe_and_shapes(recipe, shapes)
    if shapes is None:
        raise TypeError(
            "save needs shapes=, the names and shapes of the tensors, unless recipe is a built-in "
            "model such as weightinit_fast.model('gpt2')"
        )
    specs = as_shapes(shapes)
    explanations = recipe.explain(specs)
    plan = {e.name: e.initializer for e in explanations if e.same_as is None}
    if own_part is None or own_part[0] == 0:
        for doubt in explanations.doubts():
            warnings.warn(doubt, stacklevel=2)
    drawn = {name: specs[name] for name in specs if name in plan}
    layout = layout_of(path, drawn, dtype, max_shard_bytes, metadata)
    count = thread_count(threads, sum(prod(spec.shape) for spec in drawn.values()))
    staging = Staging(target)
    publisher = Publisher(staging)
    try:
        staging.clean()
        refuse_existing(target, layout.format, layout.folder, force)
        contents = Contents(layout, plan, key(rng))
        contents.check()
        k, n = own_part or (0, 1)
        ranges = share(layout, k, n)
        wanted = sum(r.end - r.begin for r in ranges)
        with reporting(progress, f"saving {target.name}") as report:
            staging.join(layout, _digests(contents), own_part is not None, force)
            # Another process may have ended meanwhile.
            refuse_existing(target, layout.format, layout.folder, force)
            finished = _write(
                staging, publisher, contents, (k, n), ranges, count, lambda d: report(d, wanted)
            )
        staging.leave()  # here too, where Ctrl-C lets it be done again
    except BaseException as error:
        if not isinstance(error, Exception):
            publisher.end_publishing()
        staging.give_up()
        raise
    finally:
        staging.leave()
    files = tuple(staging.final(file.name) for file in layout.files)
    return Saved(target, files, layout.nbytes, wanted, finished, time.perf_counter() - begun)


def finish(path: StrPath, *, force: bool = False) -> Saved:
    """Give a file its name after all parts of it were written.

    The part that ends last does this by itself. Call `finish` if that process was stopped between
    its last byte and the new name, or if the parts were written on hosts that share no disk, and
    their folders ``.name.saving`` were copied into one.

    Parameters
    ----------
    path : str or path
        The path that was given to `save` for each part.
    force : bool, optional
        Whether a file that exists is replaced.

    Returns
    -------
    Saved
        As `save` returns. It has written nothing.

    Raises
    ------
    FileNotFoundError
        If no part was written.
    FileExistsError
        If the target exists.
    ValueError
        If parts are missing, which are named; or if they do not belong together.

    See Also
    --------
    save : writes a part.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> shapes = {"w": (1000, 50)}
    >>> saved = save(f"{folder}/x.safetensors", "he_normal", shapes, rng=0, part=(1, 3))
    >>> finish(f"{folder}/x.safetensors")
    Traceback (most recent call last):
    ...
    ValueError: 'x.safetensors' is not complete: of 3 parts, counted from 0, these are missing: 0, 2
    """
    begun = time.perf_counter()
    target = _target_of(path)
    staging = Staging(target)
    publisher = Publisher(staging)
    try:
        staging.read()
    except FileNotFoundError:
        there = " (the file itself exists)" if os.path.lexists(target) else ""
        raise FileNotFoundError(
            f"there are no parts of {str(target)!r}: {str(staging.folder)!r} does not exist{there}"
        ) from None
    if not staging.is_finished():
        missing = what_is_missing(staging)
        if missing:
            raise ValueError(f"{target.name!r} is not complete: {missing}")
    staging.plan["force"] = staging.plan["force"] or force
    try:
        publisher.publish(staging.plan["force"])
    except BaseException as error:
        if not isinstance(error, Exception):
            publisher.end_publishing()
        staging.give_up()
        raise
    named = staging.plan["files"]
    files = tuple(staging.final(name) for name, _ in named)
    seconds = time.perf_counter() - begun
    return Saved(target, files, sum(nbytes for _, nbytes in named), 0, True, seconds)


def _write(
    staging: Staging,
    publisher: Publisher,
    contents: Contents,
    part: tuple[int, int],
    ranges: list[Range],
    threads: int,
    report: Callable[[int], object],
) -> bool:
    """Write a part and its marker; return whether the files have their names."""
    try:
        paths = [str(staging.file(file.name)) for file in contents.layout.files]
        write_ranges(contents, ranges, paths, threads, report)
        mark(staging, *part, ranges)
        if what_is_missing(staging):
            return staging.is_finished()
        publisher.publish(staging.plan["force"])
    except FileNotFoundError:
        if not staging.is_finished():
            raise
    return True


def _digests(contents: Contents) -> dict[str, str]:
    """Return a digest of each thing that the bytes of the files depend on.

    The names are for people. A thing is left out where another one that differs makes it differ.
    """
    names = sorted(contents.plan)
    tensors = {e.name: [e.dtype, e.shape] for file in contents.layout.files for e in file.entries}
    known = {
        "stream version": STREAM_VERSION,
        "key": [contents.key.low, contents.key.high],
        "recipe": [[name, str(contents.plan[name])] for name in names],
        "set of names, shapes and dtypes": [[name, *tensors.get(name, ())] for name in names],
        "max_shard_bytes, metadata or order of tensors": contents.layout.digest(),
    }
    return {
        what: hashlib.sha256(json.dumps(content).encode()).hexdigest()
        for what, content in known.items()
    }


def _target_of(path: StrPath) -> Path:
    """Return the path of the target, after checks of its name and of the folder it lies in."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or a path, not {shown(path)}")
    target = Path(path)
    if target.name in ("", ".", ".."):
        raise ValueError(f"{shown(str(path))} names neither a file nor a folder that can be made")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(target.parent)!r} does not exist")
    return target
