"""recipe=: a recipe, a model, rules, a file or an initialiser, in every function that takes one."""

import numpy as np
import pytest
from support.internals import recipe, recipe_like

import weightinit_fast as wi

as_recipe, Recipe = recipe_like.as_recipe, recipe.Recipe
PLAIN = Recipe({"*": "he_normal"})


def test_everything_that_is_a_recipe(tmp_path):
    path = tmp_path / "recipe.TOML"
    path.write_text(PLAIN.to_toml())
    given = [
        PLAIN,
        {"*": "he_normal"},
        [("*", "he_normal")],
        (("*", wi.he_normal),),
        PLAIN.to_dict(),
        path,
        str(path),
        "he_normal",
        " he_normal() ",
        wi.he_normal,
        wi.initializer("he_normal"),
    ]
    for one in given:
        assert as_recipe(one) == PLAIN, one
    tiny = wi.model("embedding", rows=3)
    assert as_recipe(tiny) is tiny.recipe
    assert as_recipe({"rule": "zeros"}) == Recipe({"rule": "zeros"})  # a tensor of that name


REFUSED = {
    "model": ("gpt2", ValueError, r"built-in model: pass weightinit_fast.model\('gpt2'\)"),
    "misspelt": ("he_nromal", ValueError, "no path to a .toml file, .* did you mean 'he_normal'?"),
    "long": ("x" * 10**6, ValueError, "no path to a .toml file, and as an initialiser"),
    "None": (None, TypeError, "recipe must be a Recipe, a built-in model, rules such as "),
    "number": (3, TypeError, "recipe must be a Recipe"),
    "rule": ([("*", "zeros"), 3], TypeError, "rule 2 must be a pair"),
    "function": (len, TypeError, "initializer takes a function of weightinit_fast"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    given, error, message = REFUSED[what]
    with pytest.raises(error, match=message) as caught:
        as_recipe(given)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        as_recipe(tmp_path / "none.toml")


def test_functions_that_take_a_recipe(tmp_path):
    path = tmp_path / "x.safetensors"
    shapes = {"fc.weight": (40, 30)}
    wi.save(path, "he_normal", shapes, rng=0)
    for one in (PLAIN, {"*": "he_normal"}, [("*", "he_normal")], "he_normal"):
        assert wi.verify(path, one, rng=0)
        assert wi.inspect(path, recipe=one).tensors[0].initializer == "he_normal"
    for call in (
        lambda: wi.save(tmp_path / "y.npy", "gpt2", shapes, rng=0),
        lambda: wi.verify(path, "gpt2", rng=0),
        lambda: wi.inspect(path, recipe="gpt2"),
    ):
        with pytest.raises(ValueError, match="built-in model"):
            call()
    assert not (tmp_path / "y.npy").exists()


def test_a_model_has_its_own_shapes(tmp_path):
    tiny = wi.model("gpt2", layers=1, width=8, heads=2, vocabulary=11, context=5)
    path = tmp_path / "x.safetensors"
    wi.save(path, tiny, rng=0)
    assert wi.verify(path, tiny, rng=0)
    assert wi.verify(path, tiny, rng=0).tensors == len(tiny.shapes)
    assert wi.inspect(path, recipe=tiny).findings == ()
    wi.save(tmp_path / "b.safetensors", tiny, rng=0, dtype="bfloat16")
    assert wi.verify(tmp_path / "b.safetensors", tiny, rng=0)
    found = wi.verify(tmp_path / "b.safetensors", tiny, rng=0, dtype="float32")
    assert "has dtype bfloat16, not float32" in found.faults[0]
    other = tmp_path / "y.npy"
    np.save(other, np.ones(3, np.float32))
    assert "Missing: " in wi.verify(other, tiny, rng=0).faults[0]
    with pytest.raises(TypeError, match="save needs shapes="):
        wi.save(other, PLAIN, rng=0)
