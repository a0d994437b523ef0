"""docs/jax.md: the sessions print what they say."""

import doctest
import re
from importlib.util import find_spec

import pytest
from adapted import adapter, needs_jax
from support import DOCS

import weightinit_fast as wi

if not DOCS.is_dir():
    pytest.skip("no docs/ beside these tests", allow_module_level=True)

TEXT = (DOCS / "jax.md").read_text(encoding="utf-8")
#: The sections whose sessions need a package besides JAX.
NEEDED = {
    "Flax Linen": ["flax"],
    "Flax NNX": ["flax"],
    "Equinox": ["equinox"],
    "Haiku": ["haiku"],
    "A whole model, drawn where it is to be": ["flax", "equinox"],
}


@pytest.mark.filterwarnings("ignore")  # of the frameworks, when they are imported
def test_sessions(tmp_path, monkeypatch):
    """All sessions are one program."""
    assert adapter.key  # skips where jax is not installed
    needs_jax(0, 10)
    monkeypatch.chdir(tmp_path)
    variables = {}
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        title = section.partition("\n")[0]
        if not all(map(find_spec, NEEDED.get(title, []))):
            continue
        source = re.sub(r"^```.*$", "", section, flags=re.MULTILINE)
        test = doctest.DocTestParser().get_doctest(source, variables, title, "jax.md", 0)
        runner = doctest.DocTestRunner()
        assert runner.run(test, clear_globs=False).failed == 0
        variables = test.globs


def test_the_sections_that_need_a_package_are_there():
    for title in NEEDED:
        assert f"\n## {title}\n" in TEXT


def test_the_snippet_of_the_front_page():
    assert adapter.key  # skips where jax is not installed
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    (snippet,) = (b for b in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M) if "jax" in b)
    names = {}
    exec(snippet, names)
    same = "variance_scaling(scale=2, distribution='truncated_normal', layout='IO')"
    key = adapter.key(names["jax"].random.key(0))
    assert (names["w"] == wi.initializer(same)((784, 512), rng=key)).all()
