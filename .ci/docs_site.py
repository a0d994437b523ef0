"""Build the pages of docs/ for every release side by side, with links from each to the others.

``python .ci/docs_site.py OUT`` makes OUT/dev from the files of this clone, with the package that is
installed, and OUT/0.9.0 and so on from the tags: the newest patch of each minor version.
OUT/index.html leads to the newest release, or to dev while there is none. ``--releases none``
leaves the tags out.

The pages of a release are drawn by the package of that release, which is compiled for it. Sphinx
and its theme are those of this environment, so that old and new pages look alike. A warning is an
error in dev alone, since nobody can change a release. Two projects do similar things, and were not
taken: sphinx-multiversion is not maintained any more, and sphinx-polyversion makes an environment
for each release, with all frameworks.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INDEX = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>weightinit_fast</title>
<meta http-equiv="refresh" content="0; url={first}/index.html">
</head>
<body><p>The documentation of weightinit_fast: {links}</p></body>
</html>
"""


def releases(tags: list[str]) -> list[str]:
    """Return the newest patch of each minor version, newest version first."""
    newest: dict[tuple[int, int], int] = {}
    for tag in tags:
        if found := re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)", tag):
            major, minor, patch = map(int, found.groups())
            newest[major, minor] = max(patch, newest.get((major, minor), 0))
    return [f"{a}.{b}.{newest[a, b]}" for a, b in sorted(newest, reverse=True)]


def announcement(shown: str, versions: list[str]) -> str:
    """Return what the head of each page of a version says; nothing in the newest release."""
    newest = next((version for version in versions if version != "dev"), shown)
    if shown == newest:
        return ""
    kind = "the development version" if shown == "dev" else f"version {shown}"
    return f"These pages describe {kind}. The newest release is {newest}."


def index(versions: list[str]) -> str:
    """Return the page that leads to the newest release, or to dev if there is none."""
    first = next((version for version in versions if version != "dev"), "dev")
    links = ", ".join(f'<a href="{name}/index.html">{name}</a>' for name in versions)
    return INDEX.format(first=first, links=links)


def build(docs: Path, out: Path, shown: str, versions: list[str], site: Path | None = None) -> None:
    """Run Sphinx with the installed package, or with the one in the folder ``site``."""
    command = [sys.executable, "-P", "-m", "sphinx", "-q", "-b", "html"]
    command += ["-A", f"versions={','.join(versions)}", "-A", f"shown={shown}"]
    if text := announcement(shown, versions):
        command += ["-D", f"html_theme_options.announcement={text}"]
    if shown == "dev":
        command += ["-W", "--keep-going"]
    environment = dict(os.environ)
    if site is not None:
        environment["PYTHONPATH"] = str(site)
        version = [
            sys.executable,
            "-P",
            "-c",
            "import weightinit_fast as wi; print(wi.__version__)",
        ]
        found = subprocess.run(version, env=environment, check=True, capture_output=True, text=True)
        if found.stdout.strip() != shown:
            raise SystemExit(
                f"Python imports weightinit_fast {found.stdout.strip()} and not {shown}, which was "
                f"installed in {site}. An editable installation goes before it: use a wheel."
            )
    with tempfile.TemporaryDirectory() as doctrees:
        command += ["-d", doctrees, str(docs), str(out / shown)]
        subprocess.run(command, env=environment, check=True)


def build_release(version: str, out: Path, versions: list[str]) -> None:
    """Compile a release from its tag, and build its pages."""
    with tempfile.TemporaryDirectory() as scratch:
        tree, site = Path(scratch, "tree"), Path(scratch, "site")
        tree.mkdir()
        files = subprocess.run(
            ["git", "-C", str(ROOT), "archive", f"v{version}"], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", str(tree)], input=files.stdout, check=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, str(site), str(tree)], check=True)
        build(tree / "docs", out, version, versions, site)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="the folder of the site")
    parser.add_argument("--releases", choices=("all", "none"), default="all")
    args = parser.parse_args()
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "tag"], check=True, capture_output=True, text=True
    )
    found = releases(listed.stdout.split()) if args.releases == "all" else []
    versions = ["dev", *found]
    out = args.out.resolve()
    build(ROOT / "docs", out, "dev", versions)
    for version in found:
        build_release(version, out, versions)
    (out / "index.html").write_text(index(versions), encoding="utf-8")
    print(f"{out / 'index.html'}: {', '.join(versions)}")


if __name__ == "__main__":
    main()
