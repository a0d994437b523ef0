"""JSON from a stranger: objects without repeated keys, integers of bounded length, no other number.

Headers of safetensors files and Hugging Face indexes need no fractions, so a fraction is a fault in
them, except in the index's metadata, of which nothing is read.
"""

import json
from pathlib import Path
from typing import Any, NoReturn

from ..._resolve.messages import shown
from .stored import refuse

__all__ = ["parse_object"]

#: The most characters of an integer: those of -2**63 and of 2**64 - 1.
_LONGEST_INTEGER = 20


def parse_object(path: Path, text: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object that a text holds; ``what`` names the text in messages."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    refuse(path, f"{what} has the key {shown(key)} twice")
                seen.add(key)
        return made

    def integer(digits: str) -> int:
        if len(digits) > _LONGEST_INTEGER:
            refuse(path, f"{what} has an integer of {len(digits)} digits")
        return int(digits)

    def fraction(digits: str) -> float | None:
        # Kept as a value that no check of a size or an offset accepts.
        return None if len(digits) > _LONGEST_INTEGER else float(digits)

    def constant(name: str) -> NoReturn:
        refuse(path, f"{what} has the value {name}, which is not JSON")

    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(path, f"{what} is not UTF-8 at its byte {error.start}")
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=fraction,
            parse_constant=constant,
        )
    except json.JSONDecodeError as error:
        refuse(path, f"{what} is not JSON: {error.msg} at character {error.pos}")
    except RecursionError:
        refuse(path, f"{what} is nested too deeply")
    if not isinstance(value, dict):
        refuse(path, f"{what} is not a JSON object")
    return value
