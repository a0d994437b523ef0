"""Write the tables of builtin-models.md: the built-in models, their sizes, recipes and sources."""

import re
from pathlib import Path

from weightinit_fast.models.builtin import MODELS, model
from weightinit_fast.models.builtin.family import Family

__all__ = ["PAGE", "with_tables"]

PAGE = Path(__file__).parent / "builtin-models.md"


def models_table() -> str:
    """Return a line for each model: its parameters, tensors and sizes."""
    lines = ["| name | model | parameters | tensors | sizes |", "|---|---|---|---|---|"]
    for name in MODELS:
        made = model(name)
        sizes = ", ".join(f"{size} {_size(n)}" for size, n in made.sizes.items())
        lines.append(
            f"| `{name}` | {made.title} | {made.parameters:,} | {len(made.shapes):,} | {sizes} |"
        )
    return "\n".join(lines)


def recipes_table() -> str:
    """Return a line for each rule of each recipe; models that differ in depth share one."""
    lines = ["| name | tensors | initialiser | kind |", "|---|---|---|---|"]
    for names, family in _families():
        shown = names
        for rule in (*family.table().rules, *family.rules):
            text = rule.initialiser.replace("|", "\\|")
            lines.append(f"| {shown} | `{rule.pattern}` | `{text}` | {rule.group} |")
            shown = ""
    return "\n".join(lines)


def sources_list() -> str:
    """Return the source of each family."""
    lines = []
    for names, family in _families():
        lines.append(f"- {names}: {family.source}.")
    return "\n".join(lines)


def _families() -> list[tuple[str, Family]]:
    """Return the names of the models and the family; those with the same rules are one."""
    families: dict[object, list[tuple[str, Family]]] = {}
    for name, family in MODELS.items():
        families.setdefault((family.source, family.rules), []).append((name, family))
    found = []
    for same in families.values():
        names = [name for name, _ in same]
        shown = f"`{names[0]}` to `{names[-1]}`" if names[1:] else f"`{names[0]}`"
        found.append((shown, same[0][1]))
    return found


def _size(n: object) -> str:
    if not isinstance(n, tuple):
        return f"{n}"
    if len(n) <= 3:
        return ",".join(map(str, n))
    return f"{n[0]},{n[1]},…,{n[-1]}"


TABLES = {"models": models_table, "recipes": recipes_table, "sources": sources_list}


def with_tables(text: str) -> str:
    """Return the text of the page with its tables written again, each between two comments."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        new = f"{begin}\n{table()}\n\n{end}"
        text, count = re.subn(pattern, lambda _, new=new: new, text, flags=re.DOTALL)
        assert count == 1, f"the page has no place for the table of {name}"
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
