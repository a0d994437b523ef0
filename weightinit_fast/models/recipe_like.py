"""Recipe-like: whatever a parameter ``recipe=`` takes, read as a Recipe."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from .._resolve.messages import shown
from ..initialisers.initializer import Initializer
from .recipe import Recipe
from .rule import Rules
from .shapes import Shapes, TensorSpec

__all__ = ["ModelLike", "RecipeLike", "as_recipe", "recipe_and_shapes"]


@runtime_checkable
class ModelLike(Protocol):
    """What has a recipe and shapes, as a built-in `Model` has.

    The class itself is not named here, since its module reads the tables of all built-in models.
    """

    @property
    def recipe(self) -> Recipe:
        """The recipe."""

    @property
    def shapes(self) -> dict[str, TensorSpec]:
        """The names, shapes and dtypes of the tensors."""


#: What a parameter ``recipe=`` takes.
RecipeLike: TypeAlias = (
    Recipe | ModelLike | Rules | str | os.PathLike[str] | Initializer | Callable[..., Any]
)


def as_recipe(given: RecipeLike) -> Recipe:  # noqa: PLR0911  one return for each kind
    """Return the recipe that an argument means.

    Parameters
    ----------
    given : Recipe, Model, dict, list, str, path, Initializer or callable
        A `Recipe`. A built-in `Model`, which has one. Rules, as `Recipe` takes them, or the dict of
        `Recipe.to_dict`. A path to a ``.toml`` file. One initialiser for all tensors: a text such
        as ``"he_normal"``, an `Initializer`, or a function of this package.

    Raises
    ------
    ValueError, TypeError
        If it is none of these, or is wrong.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> as_recipe({"*.bias": "zeros", "*": "he_normal"})
    Recipe([('*.bias', 'zeros'), ('*', 'he_normal')])
    >>> as_recipe("normal(std=0.02)")
    Recipe([('*', 'normal(std=0.02)')])
    """
    if isinstance(given, Recipe):
        return given
    if isinstance(given, ModelLike):
        return as_recipe(given.recipe)
    if isinstance(given, os.PathLike) or (
        isinstance(given, str) and given.lower().endswith(".toml")
    ):
        return Recipe.from_toml(given)
    if isinstance(given, str):
        return _recipe_of_text(given)
    if isinstance(given, Mapping) and isinstance(given.get("rule"), (list, tuple)):
        return Recipe.from_dict(given)
    if isinstance(given, (Mapping, list, tuple)):
        return Recipe(given)
    if callable(given):
        return Recipe([("*", given)])
    raise TypeError(
        "recipe must be a Recipe, a built-in model, rules such as {'*.bias': 'zeros', '*': "
        f"'he_normal'}}, a path to a .toml file or an initialiser, not {shown(given)}"
    )


def recipe_and_shapes(recipe: RecipeLike, shapes: Shapes | None) -> tuple[Recipe, Shapes | None]:
    """Return the recipe that an argument means, and the shapes; those of a Model if none are given.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> recipe, shapes = recipe_and_shapes(wi.model("embedding", rows=10), None)
    >>> shapes
    {'embedding.weight': TensorSpec(shape=(10, 128), dtype=None)}
    """
    if shapes is None and isinstance(recipe, ModelLike):
        shapes = recipe.shapes
    return as_recipe(recipe), shapes


def _recipe_of_text(text: str) -> Recipe:
    from .builtin import MODELS  # noqa: PLC0415  its tables take time to import

    if text in MODELS:
        raise ValueError(
            f"recipe={text!r} is the name of a built-in model: pass weightinit_fast.model({text!r})"
        )
    try:
        return Recipe([("*", text)])
    except (ValueError, TypeError) as error:
        said = str(error).removeprefix("rule 1 ('*'): ")
        raise ValueError(
            f"recipe={shown(text)} is no path to a .toml file, and as an initialiser it is wrong: "
            f"{said}"
        ) from None
