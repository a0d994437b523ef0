"""The documentation is true: a page for each function, examples that print what they say, fans."""

import doctest
import importlib.util
import re
import subprocess
import sys

import pytest
from support import DOCS, ROOT

import weightinit_fast as wi

pytestmark = pytest.mark.meta
if not DOCS.is_dir():
    pytest.skip("no docs/ beside these tests", allow_module_level=True)

ALIASES = {
    "eye": "identity",
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
}
PUBLIC = [name for name in wi.__all__ if callable(getattr(wi, name))]
#: What has no page of its own -> its page.
ON_PAGE = {
    "FormatError": "inspect",
    "Initializer": "initializer",
    "Key": "key",
    "Law": "initializer",
    "Model": "model",
    "Recipe": "recipe",
    "TensorSpec": "as_shapes",
    "finish": "save",
    "verify": "save",
}
#: The pages of adapters.
ADAPTERS = {"dask", "jax", "keras", "torch"}
PAGES = ["index.md", "guide.md", "initializer.md", "layers.md", "parts.md", "dtypes.md"]
PAGES += ["dynamic-embeddings.md", "models.md", "builtin-models.md", "files.md", "inspect.md"]
#: A script of parts.md, which begins with a docstring, and what it prints.
SCRIPT = re.compile(r'```python\n(""".*?)```\n\n```text\n(.*?)```', re.DOTALL)
SCRIPTS = SCRIPT.findall((DOCS / "parts.md").read_text(encoding="utf-8"))


def load(name):
    """Import a module of docs/ by its path."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


table = load("layer_table")
CASES = [
    pytest.param(peer, row, id=f"{peer}-{row.layer}")
    for peer, rows in table.GROUPS.items()
    for row in rows
]


@pytest.mark.parametrize("name", PUBLIC)
def test_reference_page(name):
    page = ON_PAGE.get(name) or ALIASES.get(name, name)
    text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    if name in ALIASES:
        assert getattr(wi, name) is getattr(wi, page)
        assert f".. function:: {name}(...)\n" in text
    else:
        assert re.search(rf"\.\. auto(function|class):: {name}\n", text)
    index = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    assert re.search(rf"^{page}$", index, re.MULTILINE), "not in the table of contents"


def test_no_page_without_a_function():
    pages = {path.stem for path in (DOCS / "reference").glob("*.md")} - {"index"}
    assert pages == {ON_PAGE.get(name) or ALIASES.get(name, name) for name in PUBLIC} | ADAPTERS


@pytest.mark.parametrize("name", PAGES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some examples write files
    text = (DOCS / name).read_text(encoding="utf-8")
    source = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)  # a fence is not part of the output
    test = doctest.DocTestParser().get_doctest(source, {}, name, name, 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_front_page_has_commands_of_the_readme():
    """Continuous integration runs those of the README."""
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    commands = re.findall(r"python .*", "".join(blocks).replace("\\\n    ", ""))
    assert len(commands) == 3
    for command in commands:
        assert command in readme.replace("install -e .", "install . && cd .."), command


def test_the_gallery_has_every_picture():
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    shown = [p for p in (DOCS / "reference").glob("*.md") if "_generated/" in p.read_text("utf-8")]
    assert len(shown) > 15
    for page in shown:
        assert f"](_generated/{page.stem}.svg)" in gallery
        assert f"](reference/{page.name})" in gallery
    for picture in (DOCS / "_static").glob("*/*.*"):
        assert f"]({picture.relative_to(DOCS)})" in gallery


@pytest.mark.process
@pytest.mark.parametrize(("script", "printed"), SCRIPTS, ids=lambda text: text.split("\n")[0][:40])
def test_scripts(script, printed, tmp_path):
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "script.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, printed), run.stderr


def test_every_script_is_run():
    text = (DOCS / "parts.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == text.count('```python\n"""') > 0


@pytest.mark.parametrize(("peer", "row"), CASES)
def test_fans_are_those_of_the_layer_table(peer, row):
    shape = row.view or row.shape
    size = 1
    for n in shape:
        size *= n
    experts = 1
    for letter, n in zip(row.pass_.get("layout", ""), shape, strict=False):
        experts *= n if letter == "B" else 1
    assert size == experts * row.inputs * row.outputs * row.kernel // row.groups
    assert wi.fans(shape, **row.pass_) == table.wanted(row)


def test_where_the_peers_differ():
    """The table shows the defects that layers.md describes, and no others."""
    differ = {
        (peer, row.layer.split("(")[0], row.groups > 1)
        for peer, rows in table.GROUPS.items()
        for row in rows
        if table.PEERS[peer](row.shape, **row.axes) != table.wanted(row)
    }
    assert differ == {
        ("torch", "Conv2d", True),
        ("torch", "ConvTranspose2d", False),
        ("torch", "ConvTranspose2d", True),
        ("torch", "Embedding", False),
        ("torch", "MultiheadAttention", False),
        ("torch", "8 experts, ", False),
        ("Keras", "Conv2D", True),
        ("Keras", "DepthwiseConv2D", True),
        ("Keras", "Conv2DTranspose", False),
        ("Keras", "8 experts, ", False),
        ("JAX / Flax", "Conv", True),
        ("JAX / Flax", "ConvTranspose", False),
        ("JAX / Flax", "Embed", False),
        ("JAX / Flax", "8 experts, ", False),
        ("JAX / Flax", "nn.Einsum", False),
        ("JAX / Flax", "eqx.nn.Linear", False),
        ("JAX / Flax", "eqx.nn.Conv2d", False),
        ("JAX / Flax", "hk.Conv2DTranspose", False),
        ("MLX", "Conv2d", True),
    }


@pytest.mark.parametrize("row", table.GROUPS["JAX / Flax"], ids=lambda row: row.layer)
def test_axes_of_jax_make_the_fans_right(row):
    axes = table.jax_axes(row)
    if axes is None:
        assert row.groups > 1
    else:
        assert table.PEERS["JAX / Flax"](row.shape, **axes) == table.wanted(row)


def test_tables_mark_what_differs():
    pages = table.page()
    assert set(pages) == {"layers_torch.md", "layers_keras.md", "layers_jax.md", "layers_mlx.md"}
    for text in pages.values():
        for line in text.splitlines()[2:]:
            ours, theirs = [cell.strip() for cell in line.split("|")[-3:-1]]
            assert (theirs == ours) != (theirs == f"**{theirs.strip('*')}**")
    included = (DOCS / "layers.md").read_text(encoding="utf-8")
    assert all(f"_generated/{name}" in included for name in pages)
