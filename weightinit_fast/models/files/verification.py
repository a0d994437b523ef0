"""Verification: what `verify` has found, as an object and in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..messages import counted, listed

__all__ = ["Difference", "Verification"]

#: The most faults that a text lists.
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Difference:
    """An element of a file that differs from what is drawn.

    Attributes
    ----------
    name : str
        The name of the tensor.
    index : tuple of int
        The position of the element in the tensor.
    found, expected : float
        The value in the file, and the value that is drawn.
    found_bits, expected_bits : int
        Their bits. Two values may print alike and have other bits, such as NaNs.
    file : Path
        The file that holds the element.
    offset : int
        The offset of the element in that file, in bytes.
    """

    name: str
    index: tuple[int, ...]
    found: float
    expected: float
    found_bits: int
    expected_bits: int
    file: Path
    offset: int

    def __str__(self) -> str:
        place = f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name
        found, expected = f"{self.found!r}", f"{self.expected!r}"
        if found == expected:
            found, expected = f"bits {self.found_bits:#x}", f"bits {self.expected_bits:#x}"
        return f"{place} is {found}, not {expected} ({self.file}, byte {self.offset:,})"


@dataclass(frozen=True)
class Verification:
    """What `verify` has found. It is true if nothing was wrong.

    Attributes
    ----------
    path : Path
    tensors : int
        The number of tensors that were compared.
    nbytes : int
        The bytes that were compared.
    faults : tuple of str
        What is wrong with the names, shapes, dtypes and sizes in the headers. If there is
        any fault, no element was read.
    first : Difference or None
        The first element that differs, in the order of the files.
    elements : int
        The number of elements that differ.
    blocks : int
        The number of blocks, of up to 64 KiB, in which they are.
    damaged : dict
        The name of each tensor with such elements, with their number.
    rewritten : int
        The bytes that the repair has written.
    repaired : bool
        Whether all elements that differed were rewritten.
    mostly_different : bool
        Whether more than half of the elements that are drawn at random differ. Then the file holds
        another model than the one that is asked for, and is not repaired.
    left_out : tuple of str
        The tensors that were not compared, because their dtype is never drawn.
    repair_asked : bool
        Whether `verify` was called with ``repair=True``.
    """

    path: Path
    tensors: int = 0
    nbytes: int = 0
    faults: tuple[str, ...] = ()
    first: Difference | None = None
    elements: int = 0
    blocks: int = 0
    damaged: Mapping[str, int] = field(default_factory=dict)
    rewritten: int = 0
    repaired: bool = False
    mostly_different: bool = False
    left_out: tuple[str, ...] = ()
    repair_asked: bool = False

    @property
    def ok(self) -> bool:
        """Whether the files had all the elements that are drawn, before any repair."""
        return not self.faults and not self.elements

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.faults:
            lines = [f"{self.path} is not as expected:", *self.faults[:_MOST_FAULTS]]
            if len(self.faults) > _MOST_FAULTS:
                more = len(self.faults) - _MOST_FAULTS
                lines.append(f"and {counted(more, 'more fault')}")
            if self.repair_asked:
                lines.append(
                    "Only elements are repaired. If the file should be as you ask, write it again: "
                    "save with force=True, or init --force"
                )
            return "\n".join(lines)
        compared = f"{counted(self.tensors, 'tensor')}, {counted(self.nbytes, 'byte')}"
        left_out = []
        if self.left_out:
            tensors = counted(len(self.left_out), "tensor")
            have = "has" if len(self.left_out) == 1 else "have"
            left_out = [
                f"{tensors} left out, which {have} a dtype that is never drawn: "
                f"{listed(self.left_out)}"
            ]
        if self.ok:
            return "\n".join([f"{self.path} is as drawn: {compared}", *left_out])
        differ = "differs" if self.elements == 1 else "differ"
        lines = [
            f"{self.path} is not as drawn: {counted(self.elements, 'element')} {differ}, in "
            f"{counted(self.blocks, 'block')} of 64 KiB (compared: {compared})",
            f"The first one: {self.first}",
            "Tensors that differ: "
            + listed(
                f"{name} ({counted(count, 'element')})" for name, count in self.damaged.items()
            ),
            *left_out,
        ]
        if self.mostly_different:
            lines.append(
                "Most elements differ: another seed, another recipe, or weights that were trained. "
                "Such a file is never repaired"
            )
        if self.repaired:
            lines.append(f"Repaired: {counted(self.rewritten, 'byte')} written again")
        return "\n".join(lines)
