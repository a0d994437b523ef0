"""initialize(): every parameter of a model of Keras drawn by its path, as one fill."""

from __future__ import annotations

import importlib
import random
import warnings
from collections.abc import Sequence
from glob import escape
from typing import Any

import numpy as np

from .._resolve.keys import Key, RNGLike
from .._resolve.keys import key as key_of
from .._resolve.target import resolve
from ..initialisers.initializer import Initializer
from ..models.explanation import unused_text
from ..models.filling import fill_all
from ..models.recipe import Recipe
from ..models.recipe_like import RecipeLike, as_recipe
from ..models.report import Report, ReportRow
from .defaults import Planned, default_plan
from .framework import backend, in_stateless_scope, keras
from .seeds import key_of_generator
from .variables import Held, parameters_of, selected, specs_of

__all__ = ["initialize"]


def initialize(
    model: Any,
    recipe: RecipeLike | None = None,
    *,
    rng: RNGLike | Any = None,
    only: str | Sequence[str] | None = None,
    threads: int | None = None,
) -> Report:
    """Draw every parameter of a model anew; the stream of each is its path.

    The values of a parameter are those of ``initializer(rule)(shape, rng=rng, stream=path)``, bit
    for bit, whatever the backend is. If the devices of JAX share the model, each is given its part
    and nothing else is drawn. Everything is checked before anything is written.

    Parameters
    ----------
    model : keras.Model or keras.layers.Layer
        It has to be built. Its parameters are what its layers made to be trained, also where they
        are frozen now. The moving statistics of ``BatchNormalization``, quantised kernels and the
        states of seeds are left as they are.
    recipe : Recipe, Model, dict, list, str, path, Initializer or callable, optional
        Rules by paths, as `weightinit_fast.Recipe` takes them, or whatever else stands for a
        recipe. A path has the names of the layers, as in ``"net/fc/kernel"``. The default is the
        initialiser that each layer holds, without its seed; see Notes.
    rng : None, int, Generator, Key or keras.random.SeedGenerator, optional
        What `weightinit_fast.key` takes, or a SeedGenerator, which advances. By default, the key is
        drawn from Python's ``random``, as the default seeds of Keras are, so that
        ``keras.utils.set_random_seed`` alone makes a run repeatable.
    only : str or list of str, optional
        Patterns of paths, as ``fnmatch`` reads them, of the parameters to draw. The others are left
        as they are.
    threads : int, optional
        As in `normal`.

    Returns
    -------
    Report
        (name, shape, dtype, rule, initializer, law, same_as) for each parameter; it prints as a
        table.

    Raises
    ------
    ValueError
        If parameters have no rule, or a rule cannot draw a parameter of its shape; if the model is
        not built; if two parameters have one path; or if a pattern of ``only`` matches nothing. The
        message lists the paths.
    TypeError
        If model is no layer of Keras, or parameters have a dtype that is never drawn.

    Warns
    -----
    UserWarning
        If a pattern of the recipe takes no parameter, since it may be misspelt. A last rule ``*``
        may, and so may the path of a parameter that an earlier rule takes.

    See Also
    --------
    default_rules : returns the default recipe, to be changed.

    Notes
    -----
    Keras counts the layers without a name in a process: the second ``Dense`` is ``dense_1``. Name
    the layers and the model, so that the paths, and with them the values, do not depend on what was
    built before. A layer that is used twice is drawn once.

    The default recipe reads the attributes of the layers, such as ``kernel_initializer``, and has
    the laws and the fans that Keras has. A layer of your own tells the initialiser of its variable
    ``name`` by an attribute ``name_initializer``. The forget gate of an LSTM has a bias of one if
    the layer has ``unit_forget_bias=True``, and not if a recipe is passed.

    Examples
    --------
    >>> import keras
    >>> import weightinit_fast as wi
    >>> layers = [keras.Input((256,)), keras.layers.Dense(10, name="fc")]
    >>> net = keras.Sequential(layers, name="net")
    >>> wi.keras.initialize(net, {"*/bias": "zeros", "*": "he_normal(layout='IO')"}, rng=0)
    parameter      shape     dtype    rule    initialiser             law
    net/fc/kernel  256 x 10  float32  *       he_normal(layout='IO')  normal, std 0.0883883
    net/fc/bias    10        float32  */bias  zeros                   constant 0
    >>> kernel = keras.ops.convert_to_numpy(net.weights[0].value)
    >>> same = wi.he_normal((256, 10), layout="IO", rng=0, stream="net/fc/kernel")
    >>> bool((kernel == same).all())
    True
    """
    held = parameters_of(model)
    if in_stateless_scope():
        raise ValueError(
            "variables cannot be written in a stateless scope or a traced function: call "
            "initialize outside of it"
        )
    chosen = selected(held, only)
    unused: tuple[str, ...] = ()
    if recipe is None:
        planned = default_plan(chosen)
    else:
        planned, unused = _recipe_plan(held, chosen, as_recipe(recipe))
    if only is None:
        # A rule for a name that is there may be hidden on purpose, by one before default_rules.
        names = {escape(one.name) for one in held}
        misspelt = [pattern for pattern in unused if pattern not in names]
        if misspelt:
            warnings.warn(unused_text(misspelt), stacklevel=2)
    _draw(planned, _key_of(rng), threads)
    return Report((_row(one) for one in planned), None, unused)


def _recipe_plan(
    held: Sequence[Held], chosen: Sequence[Held], recipe: Recipe
) -> tuple[list[Planned], tuple[str, ...]]:
    """Return what a recipe does with the chosen ones, and its patterns that take nothing."""
    needed = list(chosen)
    here = {one.name for one in chosen}
    targets = {recipe.same_as[name] for name in here if name in recipe.same_as} - here
    needed += [one for one in held if one.name in targets]
    explanations = recipe.explain(specs_of(needed))
    planned = [Planned(*pair) for pair in zip(chosen, explanations, strict=False)]
    return planned, explanations.unused


def _row(one: Planned) -> ReportRow:
    name, shape, rule, init, law, same_as = one.explanation
    return ReportRow(name, shape, one.held.dtype, rule, init, law, same_as)


def _key_of(rng: Any) -> Key:
    """Return the key of all streams."""
    if rng is None:
        return Key(random.getrandbits(64), random.getrandbits(64))
    if isinstance(rng, keras.random.SeedGenerator):
        key: Key = key_of_generator(rng)
        return key
    return key_of(rng)


# The fill -----------------------------------------------------------------------------------------


def _draw(planned: Sequence[Planned], key: Key, threads: int | None) -> None:
    """Draw what has been planned, as one fill."""
    if backend() == "torch":
        _draw_in_place(planned, key, threads)
    elif backend() == "jax":
        _draw_shards(planned, key, threads)
    else:
        _draw_arrays(planned, key, threads)
    for one in planned:
        if one.ones is not None:
            values = np.array(keras.ops.convert_to_numpy(one.held.variable.value))
            values[one.ones] = 1
            one.held.variable.assign(values)


def _draw_in_place(planned: Sequence[Planned], key: Key, threads: int | None) -> None:
    """Draw into the memory of torch's parameters, on whatever device it is."""
    fill = importlib.import_module("weightinit_fast.torch.tensors").fill
    tensors = [one.held.variable.value.detach() for one in planned]
    fill(_draws(planned, tensors), key, threads)


def _draw_shards(planned: Sequence[Planned], key: Key, threads: int | None) -> None:
    """Draw what the devices of this process hold, each piece once, and give it to the variables."""
    pieces_of = importlib.import_module("weightinit_fast.jax.buffers").Pieces
    made = []
    for one in planned:
        value = one.held.variable.value
        init = one.explanation.initializer
        # An array that is not committed to its device may be used with those of other devices.
        sharding = value.sharding if value.committed else None
        made.append(pieces_of(init, one.held.shape, np.dtype(value.dtype), sharding))
    draws = [
        (one.explanation.initializer, target, one.stream)
        for one, pieces in zip(planned, made, strict=True)
        for target in pieces.targets
    ]
    fill_all(draws, key, threads)
    for one, pieces in zip(planned, made, strict=True):
        one.held.variable.assign(pieces.assemble())


def _draw_arrays(planned: Sequence[Planned], key: Key, threads: int | None) -> None:
    """Draw NumPy's arrays, which the variables of other backends copy."""
    targets = [resolve(one.held.shape, one.held.dtype, None, None) for one in planned]
    fill_all(_draws(planned, targets), key, threads)
    for one, target in zip(planned, targets, strict=True):
        one.held.variable.assign(target.result)


def _draws(planned: Sequence[Planned], memory: Sequence[Any]) -> list[tuple[Initializer, Any, str]]:
    pairs = zip(planned, memory, strict=True)
    return [(one.explanation.initializer, place, one.stream) for one, place in pairs]
