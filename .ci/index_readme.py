"""Rewrite README.md for the page of a package index, where relative links lead nowhere.

``python .ci/index_readme.py v0.9.0`` makes links and pictures absolute, at a tag or commit of the
repository whose address pyproject.toml has. The workflow that makes the sdist does so. It is not
done in the repository, where the links have to work in a clone and on every branch.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = (".svg", ".png")


def absolute(text: str, source: str, version: str) -> str:
    """Return the text with absolute links; links within the page stay as they are."""
    raw = source.replace("https://github.com/", "https://raw.githubusercontent.com/")

    def replaced(found: re.Match[str]) -> str:
        path = found[1]
        if re.match(r"https?://|#", path):
            return found[0]
        if not (ROOT / path.partition("#")[0]).exists():
            raise SystemExit(f"README.md links to {path}, which is not there")
        base = f"{raw}/{version}" if path.endswith(PICTURE) else f"{source}/blob/{version}"
        return f"]({base}/{path})"

    return re.sub(r"\]\(([^)\s]+)\)", replaced, text)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    readme = ROOT / "README.md"
    readme.write_text(
        absolute(readme.read_text("utf-8"), project["urls"]["Source"], sys.argv[1]), "utf-8"
    )
