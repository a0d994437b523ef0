"""Write weightinit_fast/__init__.pyi: the types of the public surface, from its own signatures.

Every initialiser gets two overloads: without ``out`` it returns a new array, and with ``out`` it
returns out itself. ``python src/derive/stubs.py`` writes the file, and ``--check`` compares the
file with what the script would write. Both import the installed package.
"""

import argparse
import ast
import inspect
import sys
import textwrap
from pathlib import Path

import weightinit_fast as wi
from weightinit_fast.initialisers.public import INITIALISERS

TARGET = Path(__file__).resolve().parents[2] / "weightinit_fast" / "__init__.pyi"

HEAD = """\
# Made by src/derive/stubs.py from the functions' own signatures: change those, and run the script.

from typing import Any, Final, TypeVar, overload

from numpy.typing import NDArray

from . import dask as dask
from . import jax as jax
from . import keras as keras
from . import torch as torch
from ._info import info as info
from ._installed import get_cmake_dir as get_cmake_dir
from ._installed import get_include as get_include
from ._resolve.dtypes import DType
from ._resolve.fans import Fans, Mode
from ._resolve.fans import fans as fans
from ._resolve.index import BasicIndex
from ._resolve.keys import Key as Key
from ._resolve.keys import RNGLike
from ._resolve.keys import key as key
from ._resolve.rows import RowIds
from ._resolve.shape import Shape
from .initialisers.gains import Gain
from .initialisers.gains import gain as gain
from .initialisers.initializer import Initializer as Initializer
from .initialisers.initializer import initializer as initializer
from .initialisers.law import Law as Law
from .initialisers.rules import Distribution
from .models.builtin import Model as Model
from .models.builtin import model as model
from .models.files.save import finish as finish
from .models.files.save import save as save
from .models.files.verify import verify as verify
from .models.inspect import inspect as inspect
from .models.readers import FormatError as FormatError
from .models.recipe import Recipe as Recipe
from .models.shapes import TensorSpec as TensorSpec
from .models.shapes import as_shapes as as_shapes

__all__ = [
{names}
]

STREAM_VERSION: Final[int]
__version__: Final[str]

_T = TypeVar("_T")

def __dir__() -> list[str]: ...
"""

OVERLOADS = """\
@overload
def {name}(
    shape: Shape,
    *,
{new}
) -> NDArray[Any]: ...
@overload
def {name}(
    shape: Shape | None = None,
    *,
{given}
) -> _T: ...
"""


def keywords(function):
    """Return (name, annotation, default or None) of each keyword, as the source writes them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    pairs = zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True)
    return [
        (a.arg, ast.unparse(a.annotation), None if default is None else ast.unparse(default))
        for a, default in pairs
    ]


def parameters(function, out):
    """Return the lines of an overload's keywords, with `out` as the declaration of out."""
    lines = []
    for name, annotation, default in keywords(function):
        text = f"{name}: {annotation}" + ("" if default is None else f" = {default}")
        text = text.replace("'", '"')  # the formatter prefers double quotes
        lines.append(f"    {out if name == 'out' else text},")
    return "\n".join(lines)


def stub():
    """Return the text of the file."""
    parts = [HEAD.format(names="\n".join(f'    "{name}",' for name in wi.__all__))]
    for name, function in INITIALISERS.items():
        new, given = parameters(function, "out: None = None"), parameters(function, "out: _T")
        parts.append(OVERLOADS.format(name=name, new=new, given=given))
    aliases = []
    for alias in wi.__all__:
        target = getattr(wi, alias)
        if inspect.isfunction(target) and target.__name__ != alias:
            aliases.append(f"{alias} = {target.__name__}\n")
    return "".join([*parts, "\n", *aliases])


def main():
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if not parser.parse_args().check:
        TARGET.write_text(stub(), encoding="utf-8")
        return 0
    same = TARGET.read_text(encoding="utf-8") == stub()
    print(f"{TARGET.name} is {'as' if same else 'NOT as'} src/derive/stubs.py writes it")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
