"""The dict of a recipe, and its TOML. The standard library reads TOML; the writer is ours."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._resolve.messages import did_you_mean, shown
from .arithmetic import Number
from .messages import concerning
from .shapes import StrPath, parsed_toml, text_of

__all__ = ["arguments_of", "document", "text_and_name", "toml_text"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
#: Characters that a string of TOML must not hold as they are.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def text_and_name(path: Any) -> tuple[str, str | None]:
    """Return the text of a path or an open file, and the path for messages, if there is one.

    `Recipe.from_toml` says what is taken.
    """
    if hasattr(path, "read"):
        text = path.read()
        return text.decode() if isinstance(text, (bytes, bytearray)) else text, None
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"from_toml takes a path or an open file, not {shown(path)}")
    where: StrPath = path
    with concerning(str(where)):
        return text_of(Path(where)), str(where)


def document(text: str) -> dict[str, Any]:
    """Return the dict of a recipe that a text in TOML holds."""
    if not isinstance(text, str):
        raise TypeError(f"a recipe in TOML must be a str, not {shown(text)}")
    return parsed_toml(text)


def arguments_of(content: Any, let: Mapping[str, Number | str] | None) -> dict[str, Any]:
    """Return the arguments of `Recipe` from its dict; ``let`` has other values for its numbers."""
    if not isinstance(content, Mapping):
        raise TypeError(f"a recipe must be a dict, not {shown(content)}")
    _check_keys(content, "a recipe", needed=("rule",), others=("let", "same_as"))
    rules = content["rule"]
    if not isinstance(rules, (list, tuple)):
        raise TypeError(f"rule must be a list of tables, each begun by [[rule]]: {shown(rules)}")
    pairs = []
    for number, rule in enumerate(rules, start=1):
        if not isinstance(rule, Mapping):
            raise TypeError(f"rule {number} must be a table, not {shown(rule)}")
        _check_keys(rule, f"rule {number}", needed=("match", "init"))
        if not isinstance(rule["init"], str):
            raise TypeError(
                f'rule {number}: init must be a text such as "normal(std=0.02)", not '
                f"{shown(rule['init'])}"
            )
        pairs.append((rule["match"], rule["init"]))
    numbers = content.get("let", {})
    if let:
        numbers = _overridden(numbers, let)
    return {"rules": pairs, "let": numbers, "same_as": content.get("same_as")}


def _overridden(
    numbers: Mapping[str, Number | str], let: Mapping[str, Number | str]
) -> Mapping[str, Number | str]:
    """Return the named numbers of a recipe with other values for some of them."""
    if not isinstance(let, Mapping) or not isinstance(numbers, Mapping):
        wrong = numbers if isinstance(let, Mapping) else let
        raise TypeError(f"let must be a dict of numbers by name, not {shown(wrong)}")
    for name in let:
        if name not in numbers:
            there = f"its numbers are {', '.join(numbers)}" if numbers else "it has no numbers"
            raise ValueError(f"the recipe has no number called {shown(name)}: {there}")
    return {**numbers, **let}


def _check_keys(
    table: Mapping[str, Any], what: str, needed: tuple[str, ...], others: tuple[str, ...] = ()
) -> None:
    """Refuse a table that lacks a key, or has one that means nothing."""
    known = needed + others
    for key in table:
        # An unknown key first: it may be a needed one that is misspelt.
        if key not in known:
            hint = did_you_mean(key, known) or f"its keys are {', '.join(known)}"
            raise ValueError(f"{what} has no key {shown(key)}; {hint}")
    for key in needed:
        if key not in table:
            raise ValueError(f"{what} needs the key {key!r}: {shown(dict(table))}")


# Writing ------------------------------------------------------------------------------------------


def toml_text(content: Mapping[str, Any]) -> str:
    """Return the dict of a recipe as a text in TOML."""
    blocks = []
    if "let" in content:
        blocks.append(_table("[let]", content["let"]))
    blocks += [_table("[[rule]]", rule) for rule in content["rule"]] or ["rule = []\n"]
    if "same_as" in content:
        blocks.append(_table("[same_as]", content["same_as"]))
    # Keys without a table come first in TOML.
    blocks.sort(key=lambda block: block.startswith("["))
    return "\n".join(blocks)


def _table(head: str, content: Mapping[str, Any]) -> str:
    """Return a table with its head."""
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in content.items()]
    return f"{head}\n{''.join(lines)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _value(value: str | Number) -> str:
    """Return a text or a number; the repr of a finite float is one of TOML, with all its digits."""
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """Return a basic string of TOML."""

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04X}"

    return f'"{_ESCAPED.sub(escape, text)}"'
