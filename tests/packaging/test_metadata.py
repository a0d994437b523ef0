"""What the package says of itself agrees in all places: version, address, requirements, links."""

import importlib.util
import re
import sys
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


def test_every_place_has_the_address(pyproject):
    address = pyproject["project"]["urls"]["Source"]
    assert all(url.startswith(address) for url in pyproject["project"]["urls"].values())
    assert set(re.findall(r"https://github.com/[^/\s]*/weightinit\w*", RECIPE.read_text())) == {
        address
    }


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
    assert built["config-settings"] == {"cmake.define.WIF_REQUIRE": "all"}
    for override in built["overrides"]:
        if "config-settings" in override:
            assert override["inherit"]["config-settings"] == "append"


def test_the_page_of_the_index_has_absolute_links(pyproject):
    module = importlib.util.spec_from_file_location("index_readme", CI / "index_readme.py")
    index_readme = importlib.util.module_from_spec(module)
    sys.modules["index_readme"] = index_readme
    module.loader.exec_module(index_readme)
    text = (ROOT / "README.md").read_text("utf-8")
    address = pyproject["project"]["urls"]["Source"]
    page = index_readme.absolute(text, address, "v1.2.3")
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert len(links) >= 2
    assert all(re.match(r"https://|#", link) for link in links)
    pictures = [link for link in links if link.endswith((".svg", ".png"))]
    assert all("raw.githubusercontent.com" in link and "/v1.2.3/" in link for link in pictures)
    with pytest.raises(SystemExit, match=r"nowhere\.md"):
        index_readme.absolute("[x](docs/nowhere.md)", address, "v1.2.3")
