"""Configure Sphinx. Each build makes the pictures and tables from the installed package."""

import os
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent
# The scripts beside this file are importable, and the package is the installed one, not the source.
sys.path[:] = [str(HERE), *(path for path in sys.path if Path(path).resolve() != HERE.parent)]

os.environ.setdefault("KERAS_BACKEND", "jax")  # the reference imports the adapter of Keras

import dtype_table  # noqa: E402
import histograms  # noqa: E402
import layer_table  # noqa: E402

import weightinit_fast  # noqa: E402

project = "weightinit_fast"
author = "the weightinit_fast authors"
version = release = weightinit_fast.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "_generated/*.md", "depth_study"]
default_role = "py:obj"  # so that `normal` in a docstring is a link
smartquotes = False
nitpicky = True  # a reference that leads nowhere is a warning
# numpydoc refers to the attributes in a list of them, which have no entries of their own.
nitpick_ignore = [("py:obj", "function"), ("py:obj", "own")]
language = "en_GB"

autodoc_typehints = "none"  # numpydoc's sections say the types in words
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"weightinit_fast {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
templates_path = ["_templates"]
# furo's own, and the list of versions. .ci/docs_site.py passes the versions to the template.
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_math_renderer = "mathml"  # it needs no script and no network


def _generate(app: Sphinx) -> None:
    folder = HERE / "_generated"
    histograms.write(folder)
    texts = {"dtypes.md": dtype_table.page(), **layer_table.page()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _inline_math(writer: nodes.NodeVisitor, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block_math(writer: nodes.NodeVisitor, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def _name_of_the_package(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Look a name up in weightinit_fast that the module of a docstring does not have."""
    if node["refdomain"] != "py":
        return None
    name = f"weightinit_fast.{node['reftarget']}"
    py = env.get_domain("py")
    return py.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


def _signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, _: str
) -> tuple[str, None] | None:
    """Leave out the arguments of a class that only functions of the package make.

    An exception has no signature of its own.
    """
    made = what == "class" and any(part in (signature or "") for part in (", _", "<factory>"))
    return ("", None) if made else None


def setup(app: Sphinx) -> None:
    """Register the renderer of formulas, and the functions that sphinx calls."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_block_math, None))
    app.connect("builder-inited", _generate)
    app.connect("missing-reference", _name_of_the_package)
    app.connect("autodoc-process-signature", _signature)
