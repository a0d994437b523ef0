"""Targets that exist: what a model may replace, and which files of a folder belong to a model."""

import errno
import os
import re
from pathlib import Path

from ..._resolve.messages import shown
from ..formats import NPY_INDEX
from .layout import SHARD_INDEX

__all__ = ["OWN_NAMES", "refuse_existing"]

#: Format -> the names that files of a model have in its folder.
OWN_NAMES = {
    "safetensors": re.compile(
        r"model(-\d{5,}-of-\d{5,})?\.safetensors|" + re.escape(SHARD_INDEX),
    ),
    "npy": re.compile(r".*\.npy|" + re.escape(NPY_INDEX), re.DOTALL),
    "zarr": re.compile(".*", re.DOTALL),  # a group has nothing beside its arrays
}


def refuse_existing(target: Path, format_: str, folder: bool, force: bool) -> None:
    """Raise the error of a target that exists, unless it may be replaced.

    A folder that holds no files of the format may exist: the files are put beside what is there,
    such as a configuration and a tokenizer.
    """
    if not os.path.lexists(target):
        return
    if folder:
        if not target.is_dir():
            raise FileExistsError(f"{str(target)!r} exists, and is no folder as the model would be")
        if target.stat().st_dev != target.parent.stat().st_dev:
            raise OSError(
                errno.EXDEV,
                f"{str(target)!r} leads to another disk than the folder that it is in, and files "
                "cannot be moved there: name a new folder on that disk",
            )
        own = sorted(p.name for p in target.iterdir() if OWN_NAMES[format_].fullmatch(p.name))
        if own and not force:
            raise FileExistsError(
                f"{str(target)!r} holds {shown(own[0])} already; force=True replaces the weights"
            )
        if own and format_ == "zarr" and "zarr.json" not in own:
            raise FileExistsError(
                f"{str(target)!r} is no group of Zarr, so that it is not replaced: delete it first"
            )
    elif target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder, and the model would be a file")
    elif not force:
        raise FileExistsError(f"{str(target)!r} exists; force=True replaces it")
