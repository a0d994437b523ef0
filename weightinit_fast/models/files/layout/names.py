"""Names of files and folders for tensors, whatever the tensors are called."""

import hashlib
import re
from collections.abc import Iterable

__all__ = ["escaped_names", "npy_names"]

#: File systems take names of 255 bytes. The digest and ".npy" have to fit as well.
_LONGEST_STEM = 200


def npy_names(names: Iterable[str]) -> list[str]:
    """Return the file name of each tensor in a .npy folder.

    A name of ASCII letters, digits, ".", "_" and "-" stays as it is. Every other character becomes
    the "%" escapes of its UTF-8 bytes, and so does a dot at the beginning: no file is hidden, none
    is called "..", and none can lie outside the folder. A name that is too long, or that differs
    from another one only in the case of its letters (which some file systems ignore), ends with a
    digest of the whole name.

    Examples
    --------
    >>> npy_names(["fc.weight", "../x", "é"])
    ['fc.weight.npy', '%2E.%2Fx.npy', '%C3%A9.npy']
    >>> [name for name in npy_names(["A", "a", "b"])]
    ['A~559aead08264d579.npy', 'a~ca978112ca1bbdca.npy', 'b.npy']
    """
    return [f"{stem}.npy" for stem in escaped_names(names)]


def escaped_names(names: Iterable[str]) -> list[str]:
    """Return a name for the file or folder of each tensor, as `npy_names` says."""
    given = list(names)
    stems = [_escaped(name) for name in given]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
    found = []
    for name, stem in zip(given, stems, strict=True):
        ending = ""
        if len(stem) > _LONGEST_STEM or seen[stem.lower()] > 1:
            ending = "~" + hashlib.sha256(name.encode()).hexdigest()[:16]
        found.append(stem[:_LONGEST_STEM] + ending)
    return found


def _escaped(name: str) -> str:
    """Return a name of safe characters; two names never have one escaped name."""
    text = re.sub(
        rb"[^A-Za-z0-9._-]", lambda found: b"%%%02X" % found[0][0], name.encode()
    ).decode()
    return f"%2E{text[1:]}" if text.startswith(".") else text
