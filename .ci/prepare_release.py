"""Write the address of the repository into a checkout of which a release is made.

No file of the repository holds its address, so that a copy of the repository is never wrong about
it. The workflow that makes the sdist knows the address, and runs

    python .ci/prepare_release.py https://github.com/OWNER/NAME v0.9.0

with the tag or commit of the release. The command makes the links and pictures of README.md
absolute, since relative links lead nowhere on the page of a package index, and gives pyproject.toml
the addresses that this page shows. In the repository the links stay relative, since they have to
work in a clone and on every branch.

    python .ci/prepare_release.py --check https://github.com/OWNER/NAME dist/*

looks into the metadata of sdists and wheels, and fails for a file that lacks the addresses or has a
relative link. The workflow runs it before it publishes anything.
"""

import email.message
import email.parser
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = (".svg", ".png")
LINK = r"\]\(([^)\s]+)\)"
ADDRESS = r"https://[\w.-]+(/[\w.-]+){2}"


def is_absolute(link: str) -> bool:
    """Whether the link works on any page; links within the page do."""
    return bool(re.match(r"https?://|#", link))


def with_absolute_links(text: str, address: str, version: str) -> str:
    """Return the text with absolute links; links within the page stay as they are."""
    raw = address.replace("https://github.com/", "https://raw.githubusercontent.com/")
    if raw == address:
        raw += "/raw"

    def replaced(found: re.Match[str]) -> str:
        path = found[1]
        if is_absolute(path):
            return found[0]
        if not (ROOT / path.partition("#")[0]).exists():
            raise SystemExit(f"README.md links to {path}, which is not there")
        base = f"{raw}/{version}" if path.endswith(PICTURE) else f"{address}/blob/{version}"
        return f"]({base}/{path})"

    return re.sub(LINK, replaced, text)


def urls(address: str, version: str) -> dict[str, str]:
    """Return the addresses that the page of the index shows, by their names there."""
    return {
        "Source": address,
        "Documentation": f"{address}/tree/{version}/docs",
        "Changelog": f"{address}/blob/{version}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def prepare(address: str, version: str) -> None:
    """Rewrite README.md and pyproject.toml."""
    if not re.fullmatch(ADDRESS, address):
        raise SystemExit(f"{address} is not the address of a repository, https://SERVER/OWNER/NAME")
    pyproject, readme = ROOT / "pyproject.toml", ROOT / "README.md"
    text = pyproject.read_text("utf-8")
    if "urls" in tomllib.loads(text)["project"]:
        raise SystemExit("pyproject.toml has addresses already")
    lines = [f'{name} = "{url}"\n' for name, url in urls(address, version).items()]
    pyproject.write_text(f"{text}\n[project.urls]\n{''.join(lines)}", "utf-8")
    page = with_absolute_links(readme.read_text("utf-8"), address, version)
    readme.write_text(page, "utf-8")


def metadata(path: Path) -> email.message.Message:
    """Return the metadata of an sdist or a wheel."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            (name,) = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
            data = wheel.read(name)
    else:
        with tarfile.open(path) as sdist:
            (name,) = [n for n in sdist.getnames() if re.fullmatch(r"[^/]*/PKG-INFO", n)]
            member = sdist.extractfile(name)
            assert member is not None
            data = member.read()
    return email.parser.BytesParser().parsebytes(data)


def check(address: str, paths: list[Path]) -> None:
    """Fail if a file lacks an address, or if its page has a relative link."""
    for path in paths:
        found = metadata(path)
        given = dict(url.split(", ", 1) for url in found.get_all("Project-URL", []))
        if set(given) != set(urls(address, "")) or given["Source"] != address:
            raise SystemExit(f"{path} has not the addresses of {address}, but {given}")
        page = found.get_payload()
        assert isinstance(page, str)
        relative = [link for link in re.findall(LINK, page) if not is_absolute(link)]
        if relative:
            raise SystemExit(f"the page of {path} has relative links: {relative}")
    if not paths:
        raise SystemExit("there is no file to look into")
    print(f"{len(paths)} files have the addresses of {address}, and no relative links")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2], [Path(name) for name in sys.argv[3:]])
    else:
        prepare(*sys.argv[1:])
