"""Recipes in TOML: the text, other numbers, and every recipe comes back equal."""

import io
import json
import math
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.internals import recipe

import weightinit_fast as wi

Recipe = recipe.Recipe

TEXT = """\
# GPT-2
[let]
layers = 12
std = "0.04 / 2"

[[rule]]
match = "*.bias"
init = "zeros"

[[rule]]
match = 're:.*\\.ln_[12]\\.weight'
init = "ones"

[[rule]]
match = "*.c_proj.weight"
init = "normal(std=std / sqrt(2 * layers))"

[[rule]]
match = "*"
init = "normal(std=std)"

[same_as]
"lm_head.weight" = "wte.weight"
"""


def test_the_text():
    made = Recipe.from_toml_text(TEXT)
    assert [pattern for pattern, _ in made.rules] == [
        "*.bias", "re:.*\\.ln_[12]\\.weight", "*.c_proj.weight", "*",
    ]  # fmt: skip
    assert made.rules[2][1] == wi.initializer("normal", std=0.02 / math.sqrt(24))
    assert made.same_as == {"lm_head.weight": "wte.weight"}
    assert made.let == {"layers": 12, "std": 0.02}
    written = made.to_toml()
    assert Recipe.from_toml_text(written) == made
    assert Recipe.from_toml_text(written).to_toml() == written
    assert tomllib.loads(written) == tomllib.loads(TEXT) == made.to_dict()
    assert json.loads(json.dumps(made.to_dict())) == made.to_dict()


def test_files(tmp_path):
    path = tmp_path / "gpt2.toml"
    path.write_text(TEXT, "utf-8")
    made = Recipe.from_toml_text(TEXT)
    assert Recipe.from_toml(path) == Recipe.from_toml(str(path)) == made
    assert (
        Recipe.from_toml(io.StringIO(TEXT)) == Recipe.from_toml(io.BytesIO(TEXT.encode())) == made
    )
    with open(path, "rb") as file:
        assert Recipe.from_toml(file) == made
    with pytest.raises(FileNotFoundError):
        Recipe.from_toml(tmp_path / "other.toml")
    with pytest.raises(TypeError, match="from_toml takes a path or an open file, not 3"):
        Recipe.from_toml(3)
    with pytest.raises(TypeError, match="must be a str"):
        Recipe.from_toml_text(TEXT.encode())
    path.write_text('rule = [{match = "*", init = "nrmal"}]')
    with pytest.raises(ValueError, match=r"gpt2\.toml: rule 1 \('\*'\): no initialiser"):
        Recipe.from_toml(path)


def test_other_numbers():
    wide = Recipe.from_toml_text(TEXT, let={"layers": 48, "std": "2 * 0.03"})
    assert wide.rules[2][1] == wi.initializer("normal", std=0.06 / math.sqrt(96))
    assert wide.rules[3][1] == wi.initializer("normal", std=0.06)
    assert Recipe.from_toml_text(TEXT, let={}) == Recipe.from_toml_text(TEXT)
    assert Recipe.from_toml_text(wide.to_toml()).let == {"layers": 48, "std": 0.06}
    with pytest.raises(ValueError, match="no number called 'depth': its numbers are layers, std"):
        Recipe.from_toml_text(TEXT, let={"depth": 3})
    with pytest.raises(TypeError, match="let must be a dict"):
        Recipe.from_toml_text(TEXT, let=["layers=3"])


REFUSED = {
    "": "a recipe needs the key 'rule'",
    "rule = 3": "rule must be a list of tables",
    "rule = [3]": "rule 1 must be a table",
    "[[rule]]\nmatch = '*'": "rule 1 needs the key 'init'",
    "[[rule]]\ninit = 'zeros'": "rule 1 needs the key 'match'",
    "[[rule]]\nmatch = '*'\ninit = 'zeros'\nstd = 3": "rule 1 has no key 'std'; its keys are match",
    "[[rule]]\nmatch = '*'\ninit = 3": "rule 1: init must be a text",
    "[[rule]]\nmatch = 3\ninit = 'zeros'": "rule 1: a pattern must be a str",
    "[[rules]]\nmatch = '*'\ninit = 'zeros'": "no key 'rules'; did you mean 'rule'?",
    "rule = []\n[lets]\na = 3": "a recipe has no key 'lets'; did you mean 'let'?",
    "rule = []\n[numbers]\na = 3": "no key 'numbers'; its keys are rule, let, same_as",
    "rule = []\nlet = 3": "let must be a dict",
    "rule = []\n[let]\na = true": "let: a must be a number",
    "rule = []\n[let]\na = inf": "let: a must be finite",
    "rule = []\n[let]\na = 2024-01-01": "let: a must be a number",
    "rule = []\n[let]\na = 1\na = 2": "not valid TOML",
    "rule = []\n[let]\n'a b' = 2": "let: 'a b' is no name",
    "rule = []\nsame_as = 3": "same_as must be a dict",
    "rule = []\n[same_as]\na = 'b'\na = 'c'": "not valid TOML",
    "rule = []\n[same_as]\na.b = 'c'": "same_as: a name must be a str",
    "rule = [": "not valid TOML",
    "rule = " + "[" * 10_000: "not valid TOML",
    "[[rule]\n": "not valid TOML",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_refused(text):
    with pytest.raises((ValueError, TypeError), match=re.escape(REFUSED[text])):
        Recipe.from_toml_text(text)


def test_no_dict():
    with pytest.raises(TypeError, match="a recipe must be a dict"):
        Recipe.from_dict([("*", "zeros")])


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
patterns = st.one_of(names, st.just("*"), names.map(lambda name: f"*{name}?"))
variables = st.from_regex(r"[a-z]{1,3}_[0-9]?", fullmatch=True)
floats = st.floats(0, allow_nan=False, allow_infinity=False)
LET = st.dictionaries(variables, st.one_of(st.integers(0, 2**63 - 1), floats), max_size=4)


@st.composite
def recipes(draw):
    let = draw(LET)
    values = st.one_of(floats.map(repr), st.sampled_from(sorted(let) or ["1"]))
    texts = st.one_of(
        st.sampled_from(["zeros", "he_normal(layout='HWIO')", "constant(value=-inf)", "ones()"]),
        values.map("constant(value={})".format),
        values.map("constant(value=-{} / 3)".format),
        floats.map(lambda value: wi.initializer(wi.constant, value=-value)),
    )
    rules = draw(st.lists(st.tuples(patterns.filter(lambda p: p[:3] != "re:"), texts), max_size=5))
    targets = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    aliases = draw(st.lists(names.filter(lambda n: n not in targets), max_size=3))
    ties = {alias: draw(st.sampled_from(targets)) for alias in aliases}
    if let and draw(st.booleans()):
        let["zz"] = f"{draw(st.sampled_from(sorted(let)))} / 4"
    return Recipe(rules, let=let, same_as=ties)


@given(recipes())
@settings(max_examples=60)
def test_every_recipe_comes_back(made):
    text = made.to_toml()
    again = Recipe.from_toml_text(text)
    assert again == made
    assert again.to_dict() == made.to_dict() == tomllib.loads(text)
    assert (again.let, again.to_toml(), repr(again)) == (made.let, text, repr(made))
    assert Recipe.from_toml(io.BytesIO(text.encode())) == made
