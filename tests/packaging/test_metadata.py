"""What the package says of itself agrees in all places: version, address, requirements, links."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

import pytest
from support import ROOT

import weightinit_fast as wi

CI, RECIPE = ROOT / ".ci", ROOT / ".conda" / "recipe.yaml"
pytestmark = [
    pytest.mark.meta,
    pytest.mark.skipif(not CI.is_dir(), reason="the repository is not beside the tests"),
]


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_place_has_the_version():
    version = re.escape(wi.__version__)
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(rf"^version: {version}$", citation, re.MULTILINE)
    assert re.search(rf'^  version: "{version}"$', RECIPE.read_text("utf-8"), re.MULTILINE)


def test_the_extra_all_has_every_extra_of_users(pyproject):
    extras = pyproject["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    wanted = set(extras) - {"all", "docs", "test"}
    assert everything == f"weightinit_fast[{','.join(sorted(wanted))}]"


def test_the_recipe_needs_what_the_package_needs(pyproject):
    recipe = RECIPE.read_text("utf-8")
    needed = pyproject["build-system"]["requires"] + pyproject["project"]["dependencies"]
    for requirement in needed:
        name, bound = re.fullmatch(r"([\w-]+)(>=[\d.]+)", requirement).groups()
        assert f"- {name} {bound}\n" in recipe, requirement
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    assert f'python_min: "{oldest}"' in recipe


def test_the_recipe_is_one():
    rattler_build = pytest.importorskip("rattler_build")
    recipe = rattler_build.Stage0Recipe.from_file(str(RECIPE))
    compilers = "c_compiler: [gcc]\nc_stdlib: [sysroot]\n"
    assert recipe.render(rattler_build.VariantConfig.from_yaml(compilers))


def test_every_wheel_requires_all_its_parts(pyproject):
    built = pyproject["tool"]["cibuildwheel"]
    assert built["config-settings"]["cmake.define.WIF_REQUIRE"] == "all,xla"
    folder = built["config-settings"]["cmake.define.WIF_XLA_INCLUDE_DIR"]
    assert built["before-all"].endswith(f"fetch_xla_header.py {folder}")
    for override in built["overrides"]:
        if "config-settings" in override:
            assert override["inherit"]["config-settings"] == "append"


# What a release says of its address ---------------------------------------------------------------

ADDRESS = "https://github.com/someone/weights"


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of what a page of a package index is made from."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in (".ci", "docs", "bench"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_build"))
    (tmp_path / "weightinit_fast").mkdir()
    shutil.copy(ROOT / "weightinit_fast" / "__init__.py", tmp_path / "weightinit_fast")
    return tmp_path


def python(folder, *command):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def prepare(folder, *arguments):
    return python(folder, ".ci/prepare_release.py", *arguments)


def sdist(folder):
    """Build an sdist of the folder; return its path."""
    pytest.importorskip("scikit_build_core")
    done = python(folder, "-c", "import scikit_build_core.build as b; b.build_sdist('dist')")
    assert done.returncode == 0, done.stdout
    (path,) = (folder / "dist").glob("*.tar.gz")
    return path


def test_no_file_has_an_address_of_the_repository(pyproject):
    """A clone cannot know where its repository is: only the workflow of a release does."""
    assert "urls" not in pyproject["project"]
    files = [ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "CONTRIBUTING.md", RECIPE]
    files += [path for path in (ROOT / ".github").rglob("*") if path.is_file()]
    for path in files:
        text = path.read_text("utf-8")
        assert not re.search(r"https://git(hub|lab)\.com/[^/\s]+/weightinit", text), path


@pytest.mark.process
def test_a_release_has_addresses_and_absolute_links(checkout):
    done = prepare(checkout, ADDRESS, "v1.2.3")
    assert done.returncode == 0, done.stdout
    links = re.findall(r"\]\(([^)\s]+)\)", (checkout / "README.md").read_text("utf-8"))
    assert len(links) >= 2
    assert all(re.match(r"https://|#", link) for link in links)
    pictures = [link for link in links if link.endswith((".svg", ".png"))]
    assert pictures
    raw = "https://raw.githubusercontent.com/someone/weights/v1.2.3/"
    assert all(link.startswith(raw) for link in pictures)
    built = sdist(checkout)
    with tarfile.open(built) as files:
        name = next(n for n in files.getnames() if n.endswith("/PKG-INFO"))
        lines = files.extractfile(name).read().decode("utf-8").splitlines()
    assert f"Project-URL: Source, {ADDRESS}" in lines
    assert f"Project-URL: Documentation, {ADDRESS}/tree/v1.2.3/docs" in lines
    assert f"Project-URL: Changelog, {ADDRESS}/blob/v1.2.3/CHANGELOG.md" in lines
    assert f"Project-URL: Issues, {ADDRESS}/issues" in lines
    done = prepare(checkout, "--check", ADDRESS, str(built))
    assert done.returncode == 0, done.stdout
    done = prepare(checkout, "--check", ADDRESS + "2", str(built))
    assert done.returncode != 0


@pytest.mark.process
def test_a_release_without_addresses_is_not_published(checkout):
    done = prepare(checkout, "--check", ADDRESS, str(sdist(checkout)))
    assert done.returncode != 0
    assert "has not the addresses" in done.stdout
    assert prepare(checkout, "--check", ADDRESS).returncode != 0


@pytest.mark.process
def test_what_cannot_be_prepared_is_refused(checkout):
    done = prepare(checkout, "/", "v1.2.3")  # what the workflow would pass without its variables
    assert done.returncode != 0
    assert "is not the address" in done.stdout
    (checkout / "README.md").write_text("[x](docs/nowhere.md)", encoding="utf-8")
    done = prepare(checkout, ADDRESS, "v1.2.3")
    assert done.returncode != 0
    assert "nowhere.md" in done.stdout


def test_the_workflows_prepare_and_check_a_release():
    workflows = ROOT / ".github" / "workflows"
    command = '"$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"'
    wheels = (workflows / "wheels.yml").read_text("utf-8")
    assert f"prepare_release.py {command}" in wheels
    release = (workflows / "release.yml").read_text("utf-8")
    assert f"prepare_release.py --check {command}" in release
    assert re.search(r"publish:\n    needs: bill-of-materials\n", release)  # the job that checks
