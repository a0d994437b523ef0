"""Recipes: which rule takes which tensor, ties, fills, explanations, and what is refused."""

import copy
import math
import pickle

import numpy as np
import pytest
from support.internals import initialisers, recipe, shapes

import weightinit_fast as wi

Recipe, TensorSpec = recipe.Recipe, shapes.TensorSpec

GPT2 = Recipe(
    [
        ("*.bias", "zeros"),
        ("re:(h\\.\\d+\\.ln_[12]|ln_f)\\.weight", "ones"),
        ("*.c_proj.weight", "normal(std=0.02 / sqrt(2 * layers))"),
        ("*", wi.initializer(wi.normal, std=0.02)),
    ],
    let={"layers": 12},
    same_as={"lm_head.weight": "wte.weight"},
)
SHAPES = {
    "wte.weight": (50, 8),
    "h.0.ln_1.weight": 8,
    "h.0.ln_1.bias": 8,
    "h.0.attn.c_proj.weight": (8, 8),
    "ln_f.weight": 8,
    "lm_head.weight": (50, 8),
}


def arrays(shape_of=SHAPES, dtype=np.float32):
    return {name: np.full(shape, 77, dtype) for name, shape in shape_of.items()}


# Rules -------------------------------------------------------------------------------------------


def test_the_first_match_wins():
    plan = GPT2.plan(SHAPES)
    assert {name: str(init) for name, init in plan.items()} == {
        "wte.weight": "normal(std=0.02)",
        "h.0.ln_1.weight": "ones",
        "h.0.ln_1.bias": "zeros",
        "h.0.attn.c_proj.weight": f"normal(std={0.02 / math.sqrt(24)!r})",
        "ln_f.weight": "ones",
    }
    assert list(plan) == [name for name in SHAPES if name != "lm_head.weight"]
    assert Recipe({"*": "zeros", "a": "ones"}).initializer_for("a") == wi.initializer("zeros")


PATTERNS = {
    ("*.bias", "a.bias"): True,
    ("*.bias", "a.Bias"): False,
    ("*.BIAS", "a.bias"): False,
    ("*.bias", "bias"): False,
    ("*.bias", "a.bias.b"): False,
    ("h.?.w", "h.1.w"): True,
    ("h.?.w", "h.10.w"): False,
    ("h.[0-3].w", "h.3.w"): True,
    ("h.[!0-3].w", "h.3.w"): False,
    ("*", "a\nb"): True,
    ("a", "a\n"): False,
    ("[*]", "*"): True,
    ("a.b", "acb"): False,
    ("re:a.b", "acb"): True,
    ("re:a", "ab"): False,
    ("re:a$", "a\n"): False,
    ("re:(?i)A", "a"): True,
    ("re:", "a"): False,
    ("RE:a", "a"): False,
    ("*:a", "re:a"): True,
}


@pytest.mark.parametrize(("pattern", "name"), PATTERNS)
def test_patterns(pattern, name):
    made = Recipe([(pattern, "zeros")])
    if PATTERNS[pattern, name]:
        assert made.initializer_for(name) == wi.initializer("zeros")
    else:
        with pytest.raises(ValueError, match="no rule of the recipe matches this tensor"):
            made.initializer_for(name)


@pytest.mark.parametrize(
    "written",
    [
        "he_normal(a=0.25)",
        " he_normal( a = 1/4 ) ",
        "he_normal(a=quarter)",
        "kaiming_normal(a=sqrt(quarter**2))",
        wi.initializer(wi.he_normal, a=0.25),
    ],
)
def test_ways_to_write_an_initialiser(written):
    made = Recipe([("*", written)], let={"quarter": 0.25})
    assert made.rules == (("*", wi.initializer("he_normal(a=0.25)")),)
    assert made == Recipe({"*": "he_normal(a=0.25)"})


def test_a_function_is_an_initialiser():
    assert Recipe([("*", wi.zeros)]).rules == (("*", wi.initializer("zeros")),)


def test_values_that_are_no_numbers_stay_literals():
    texts = [
        "he_normal(mode='fan_out', layout='HWIO')",
        "truncated_normal(lower=-inf, upper=3 * s)",
        "dirac(groups=width / 4)",
        "fan_in_uniform(fans=(4 * width, width))",
        "xavier_normal(fans=[2**4, 8])",
        "constant(value=-(1 + s))",
    ]
    made = Recipe([(str(n), text) for n, text in enumerate(texts)], let={"s": 1, "width": 8})
    assert [str(init) for _, init in made.rules] == [
        "he_normal(mode='fan_out', layout='HWIO')",
        "truncated_normal(lower=-inf, upper=3.0)",
        "dirac(groups=2)",
        "fan_in_uniform(fans=(32, 8))",
        "xavier_normal(fans=(16, 8))",
        "constant(value=-2.0)",
    ]


@pytest.mark.parametrize("name", sorted(initialisers()))
def test_every_initialiser_can_be_in_a_recipe(name):
    needed = {"constant": "(value=0.5)", "sparse": "(sparsity=0.5)"}.get(name, "")
    made = Recipe({"*": name + needed})
    assert made.initializer_for("w").function.__name__ == name
    assert Recipe.from_dict(made.to_dict()) == made
    shape = (3, 3, 8, 8) if name == "delta_orthogonal" else (8, 8, 3) if name == "dirac" else (8, 8)
    array = np.full(shape, 77, np.float32)
    made.fill({"w": array}, rng=3)
    assert np.array_equal(array, made.initializer_for("w")(shape, rng=3, stream="w"))


# Equality ----------------------------------------------------------------------------------------


def test_equal_recipes_draw_the_same():
    assert Recipe({"*": "zeros"}) == Recipe([("*", "zeros")]) == Recipe([["*", wi.zeros]])
    assert Recipe({"*": "normal(std=s)"}, let={"s": 2}) == Recipe({"*": "normal(std=2)"})
    different = [
        Recipe({"*": "zeros"}),
        Recipe({"?": "zeros"}),
        Recipe({"*": "ones"}),
        Recipe({"a": "ones", "*": "zeros"}),
        Recipe({"*": "zeros", "a": "ones"}),
        Recipe({"*": "zeros"}, same_as={"a": "b"}),
        Recipe({"*": "zeros"}, same_as={"b": "a"}),
        Recipe({}),
    ]
    assert len(set(different)) == len(different)
    for n, one in enumerate(different):
        assert [one == other for other in different].index(True) == n
    assert Recipe({}) != 3
    ties = {"a": "b", "c": "b"}
    assert hash(Recipe({}, same_as=ties)) == hash(Recipe({}, same_as=dict(reversed(ties.items()))))


def test_copies_and_representations_are_equal():
    for one in (GPT2, Recipe({}), Recipe({"a'\"\\\n": "zeros"})):
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one
        assert eval(repr(one), {"Recipe": Recipe}) == one
        assert Recipe.from_dict(one.to_dict()) == one
        assert Recipe.from_dict(one.to_dict()).to_dict() == one.to_dict()


def test_attributes():
    assert GPT2.let == {"layers": 12}
    assert GPT2.same_as == {"lm_head.weight": "wte.weight"}
    GPT2.let["layers"] = GPT2.same_as["x"] = 3
    assert "x" not in GPT2.same_as
    assert GPT2.let == {"layers": 12}
    assert [pattern for pattern, _ in GPT2.rules][2:] == ["*.c_proj.weight", "*"]
    assert GPT2.initializer_for("lm_head.weight") == wi.initializer("normal(std=0.02)")
    with pytest.raises(AttributeError):
        GPT2.let = {}
    named = Recipe({}, let={"a": 2, "b": " a / 4 "})
    assert named.let == {"a": 2, "b": 0.5}
    assert named.to_dict() == {"let": {"a": 2, "b": "a / 4"}, "rule": []}


def test_other_numbers_are_put_in():
    wide = Recipe.from_dict(GPT2.to_dict(), let={"layers": 48})
    assert str(wide.initializer_for("c.c_proj.weight")) == f"normal(std={0.02 / math.sqrt(96)!r})"
    assert Recipe.from_dict(GPT2.to_dict(), let={"layers": "24 / 2"}) == GPT2
    with pytest.raises(ValueError, match="no number called 'layres': its numbers are layers"):
        Recipe.from_dict(GPT2.to_dict(), let={"layres": 48})
    with pytest.raises(ValueError, match="no number called 'layers': it has no numbers"):
        Recipe.from_dict({"rule": []}, let={"layers": 48})


# Fills -------------------------------------------------------------------------------------------


def test_each_tensor_is_drawn_by_its_name():
    tensors = arrays()
    assert GPT2.fill(tensors, rng=5) is None
    for name, init in GPT2.plan(SHAPES).items():
        assert np.array_equal(tensors[name], init(SHAPES[name], rng=5, stream=name)), name
    some = arrays({"ln_f.weight": 8, "wte.weight": (50, 8)})
    with pytest.warns(UserWarning, match="2 patterns of the recipe take no tensor"):
        GPT2.fill(some, rng=5, threads=2)
    assert np.array_equal(some["wte.weight"], tensors["wte.weight"])


def test_a_generator_advances_once():
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    a, b = arrays(), arrays()
    GPT2.fill(a, rng=one)
    GPT2.fill(b, rng=wi.key(other))
    assert one.bit_generator.state == other.bit_generator.state
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_any_memory():
    tensors = {
        "wte.weight": np.empty((8, 50), ">f4").T,
        "h.0.ln_1.bias": bytearray(16),
        "lm_head.weight": np.full((50, 16), 77, ">f4")[:, ::2],
    }
    with pytest.raises(TypeError, match=r"h\.0\.ln_1\.bias: the dtype of out"):
        GPT2.fill(tensors, rng=5)
    del tensors["h.0.ln_1.bias"]
    made = Recipe({"*": "normal(std=0.02)"}, same_as=GPT2.same_as)
    made.fill(tensors, rng=5)
    wanted = wi.normal((50, 8), std=0.02, rng=5, stream="wte.weight")
    assert np.array_equal(tensors["wte.weight"], wanted)
    assert np.array_equal(tensors["lm_head.weight"], wanted)
    GPT2.fill({}, rng=5)


def test_tied_tensors_are_drawn_once(monkeypatch):
    table = np.empty((50, 8), np.float32)
    made = Recipe({"*": "normal(std=0.02)"}, same_as=GPT2.same_as)
    made.fill({"lm_head.weight": table, "wte.weight": table}, rng=5)
    wanted = wi.normal((50, 8), std=0.02, rng=5, stream="wte.weight")
    assert np.array_equal(table, wanted)
    apart = {"lm_head.weight": np.empty((50, 8), np.float32), "wte.weight": table}
    made.fill(apart, rng=6)
    assert np.array_equal(apart["lm_head.weight"], table)
    assert not np.array_equal(table, wanted)


def test_shared_memory_is_refused_before_anything_is_written():
    base = np.full((100, 8), 77, np.float32)
    made = Recipe({"*": "normal"}, same_as={"tied": "a"})
    refused = [
        {"a": base, "b": base},
        {"a": base[:60], "b": base[40:]},
        {"a": base[:, :5], "b": base[:, 4:]},
        {"b": base[90:], "c": base[:10], "a": base},
        {"a": base[:50], "tied": base[1:51]},
        {"a": base[:50], "tied": base[49::-1]},
        {"a": base[:8], "tied": base[:8].T},
        {"b": base[49::-1], "c": base[:10]},
        {"b": base.reshape(-1)[:100], "c": base.reshape(-1)[99:]},
        {"b": base[:, :4], "c": base[2:4, 4:], "d": base[90:95, :2]},
    ]
    for tensors in refused:
        with pytest.raises(ValueError, match="share memory: tie one to the other"):
            made.fill(tensors, rng=0)
    assert (base == 77).all()
    apart = {"a": base[:, :4], "b": base[:, 4:], "c": base[:0], "tied": base[:, :4]}
    made.fill(apart, rng=0)
    for name in "abc":
        wanted = wi.normal(apart[name].shape, rng=0, stream=name)
        assert np.array_equal(apart[name], wanted)


@pytest.mark.filterwarnings("ignore:the pattern")
def test_nothing_is_written_if_anything_is_wrong():
    wrong = {
        "no rule": ("other", np.empty(3, np.float32), ValueError, "no rule"),
        "int": ("a.bias", np.empty(3, np.int32), TypeError, r"such as a\.bias \(int32\)"),
        "list": ("a.bias", [1.0], TypeError, r"a\.bias: out must be an ndarray"),
        "read-only": ("a.bias", np.broadcast_to(np.float32(1), 3), ValueError, r"a\.bias: out is"),
        "shape": ("a.weight", np.empty(3, np.float32), ValueError, r"a\.weight: shape \(3,\)"),
        "tie": ("tied", np.empty((50, 7), np.float32), ValueError, "tied has shape"),
        "tied dtype": ("tied", np.empty((50, 8)), ValueError, "tied has dtype 'float64', but"),
        "threads": ("a.bias", np.empty(3, np.float32), ValueError, "threads must be"),
        "name": (3, np.empty(3, np.float32), TypeError, "name of a tensor"),
    }
    rules = [("*.bias", "zeros"), ("*.weight", "he_normal")]
    made = Recipe(rules, same_as={"tied": "z.weight"})
    for what, (name, tensor, error, message) in wrong.items():
        first = np.full((50, 8), 77, np.float32)
        with pytest.raises(error, match=message):
            made.fill(
                {"z.weight": first, name: tensor}, rng=0, threads=0 if what == "threads" else 1
            )
        assert (first == 77).all(), what
    with pytest.raises(TypeError, match="rng must not be a bool"):
        made.fill({"z.weight": first}, rng=True)
    assert (first == 77).all()


def test_a_pattern_that_takes_nothing_is_warned_about_before_anything_is_written():
    made = Recipe({"*.bais": "zeros", "*": "ones"})
    bias = np.full(3, 77, np.float32)
    with pytest.raises(UserWarning, match=r"the pattern \*\.bais of the recipe takes no tensor"):
        made.fill({"a.bias": bias}, rng=0)
    assert (bias == 77).all()
    with pytest.warns(UserWarning, match="takes no tensor") as warned:
        made.fill({"a.bias": bias}, rng=0)
    assert warned[0].filename == __file__
    assert (bias == 1).all()
    made.fill({}, rng=0)


class Module:
    """What fill sees of a model of torch."""

    def named_parameters(self):
        return []


def test_what_is_no_dict_of_weights_is_refused_with_advice():
    """The state of a model with batch norms holds counters, and the model itself is no dict."""
    made = Recipe({"*": "ones"})
    weight = np.full(3, 77, np.float32)
    state = {"bn.weight": weight, "bn.seen": np.zeros((), np.int64), "c.seen": np.zeros(2, bool)}
    advice = r"pass {name: p.detach\(\) for name, p in model.named_parameters\(\)}"
    with pytest.raises(TypeError, match=rf"2 tensors .* such as bn.seen \(int64\): .*{advice}"):
        made.fill(state, rng=0)
    with pytest.raises(TypeError, match=f"tensors must be a dict .*{advice}"):
        made.fill(Module(), rng=0)
    with pytest.raises(TypeError, match=r"tensors must be a dict .*, not \['a'\]$"):
        made.fill(["a"], rng=0)
    assert (weight == 77).all()


# Explanations ------------------------------------------------------------------------------------


def test_explanations():
    found = GPT2.explain(SHAPES)
    assert [e.name for e in found] == list(SHAPES)
    by_name = {e.name: e for e in found}
    assert by_name["h.0.attn.c_proj.weight"].pattern == "*.c_proj.weight"
    assert by_name["h.0.attn.c_proj.weight"].law.std == pytest.approx(0.02 / math.sqrt(24))
    assert by_name["h.0.ln_1.bias"].law.kind == "constant"
    assert by_name["wte.weight"].same_as is None
    head = by_name["lm_head.weight"]
    assert (head.pattern, head.same_as, head.law.std) == ("*", "wte.weight", 0.02)
    assert found.unused == ()
    lines = str(found).splitlines()
    assert repr(found) == str(found)
    assert len(lines) == 1 + len(SHAPES)
    assert lines[0].split() == ["tensor", "shape", "rule", "initialiser", "law"]
    columns = [lines[0].index(word) for word in lines[0].split()]
    for line in lines[1:]:
        assert all(line[c - 1] == " " != line[c] for c in columns[1:])
    assert "same as wte.weight" in lines[-1]


def test_rules_that_take_nothing_are_told():
    found = GPT2.explain({"h.0.ln_1.bias": 8})
    assert len(found.unused) == 2  # the last rule is for all others
    unused = "Rules that take no tensor: " + ", ".join(found.unused)
    assert unused in str(found)
    assert found.absent == {"lm_head.weight": "wte.weight"}
    ties = "Tied names that are not among the tensors: lm_head.weight (same as wte.weight)"
    assert str(found).endswith(f"{unused}\n{ties}")
    assert str(Recipe({}).explain({})) == "tensor  shape  rule  initialiser  law"


def test_a_rule_that_others_hide_is_unused():
    assert Recipe([("*", "ones"), ("*.bias", "zeros")]).explain({"a.bias": 3}).unused == ("*.bias",)
    assert Recipe([("a*", "ones"), ("*", "zeros")]).explain({"a.bias": 3}).unused == ()
    assert Recipe([("a*", "ones"), ("re:.*", "zeros")]).explain({"a": 3}).unused == ()


DOUBTS = {
    "no doubt": ({"head.weight": "emb.weight"}, ["emb.weight", "a.weight"], None),
    "other layer": ({"t.1.weight": "t.0.weight"}, ["t.0.weight", "t.2.weight"], None),
    "misspelt": ({"head.weigth": "emb.weight"}, ["emb.weight", "head.weight"], "'head.weight'?"),
    "target": ({"head": "enb.weight"}, ["emb.weight"], "did you mean 'emb.weight'?"),
    "neither": ({"x": "y"}, ["emb.weight"], "neither x nor y, which it is tied to, is among"),
}


@pytest.mark.parametrize("what", DOUBTS)
def test_ties_that_look_misspelt(what):
    same_as, names, text = DOUBTS[what]
    found = Recipe({"*": "ones"}, same_as=same_as).explain(dict.fromkeys(names, (2, 2)))
    assert found.absent == same_as
    doubts = found.doubts()
    assert len(doubts) == (text is not None)
    assert all(text in doubt for doubt in doubts)


def test_many_unused_patterns_are_shortened():
    rules = [(f"{n}{'x' * 90}*", "zeros") for n in range(100)]
    (doubt,) = Recipe([*rules, ("a", "ones")]).explain({"a": 3}).doubts()
    assert doubt.startswith("100 patterns of the recipe take no tensor: 0xx")
    assert doubt.endswith(" and 95 more")
    assert len(doubt) < 400


def test_laws_in_words():
    made = Recipe({"u": "uniform(high=3)", "t": "truncated_normal", "o": "orthogonal"})
    lines = str(made.explain({"u": (), "t": (2,), "o": (4, 4)})).splitlines()
    assert lines[1].endswith(
        "scalar  u     uniform(high=3.0)  uniform, mean 1.5, std 0.866025, in [0, 3]"
    )
    assert lines[2].endswith("truncated normal, std 0.879626, in [-2, 2]")
    assert lines[3].endswith("orthogonal, std 0.5")


# Refusals ----------------------------------------------------------------------------------------


def test_unmatched_names_are_all_listed():
    made = Recipe({"*.bias": "zeros", "re:h.*": "ones"}, same_as={"tied": "x.weight"})
    for call in (made.plan, made.explain):
        with pytest.raises(ValueError, match="no rule") as caught:
            call({"x.weight": 3, "a.bias": 3, "y.weight": 3, "tied": 3})
        assert str(caught.value) == (
            "no rule of the recipe matches 3 tensors: x.weight, y.weight, tied; the patterns are "
            "*.bias, re:h.*. A last rule with the pattern '*' would take every tensor"
        )
    many = {f"layer{n}.weight": 3 for n in range(1000)}
    with pytest.raises(ValueError, match=r"1000 tensors: layer0.* and 980 more;") as caught:
        made.plan(many)
    assert len(str(caught.value)) < 1000


REFUSED = {
    "unknown": ([("a", "zeros"), ("*", "nrmal")], ValueError, "rule 2 .* did you mean 'normal'?"),
    "nobody's": ([("*", "gaussian")], ValueError, "no initialiser .* the names are xavier_uniform"),
    "parameter": (
        [("*", "normal(stdd=1)")],
        TypeError,
        r"rule 1 \('\*'\): normal has no parameter",
    ),
    "value": ([("*", "normal(std=-1)")], ValueError, r"rule 1 \('\*'\): std"),
    "computed value": ([("*", "normal(std=1-2)")], ValueError, r"rule 1 \('\*'\): std"),
    "name": (
        [("*", "normal(std=s)")],
        ValueError,
        r"rule 1 \('\*'\): the expression 's' has the unk",
    ),
    "text": ([("*", "normal(std=")], ValueError, "rule 1 .* is no initialiser"),
    "positional": ([("*", "normal(0.02)")], ValueError, "rule 1 .* is no initialiser"),
    "code": ([("*", "normal(std=open('x'))")], ValueError, "rule 1 .* is no arithmetic"),
    "attribute": ([("*", "wi.normal()")], ValueError, "rule 1 .* is no initialiser"),
    "dict": ([("*", "normal(std={s: 1})")], ValueError, "rule 1 .* is no initialiser"),
    "starred": ([("*", "he_normal(fans=(*s, 1))")], ValueError, "rule 1 .* is no initialiser"),
    "groups": ([("*", "dirac(groups=3 / 2)")], TypeError, "rule 1 .*: groups"),
    "common": ([("*", "normal(dtype='f4')")], TypeError, "rule 1 .*: dtype= belongs to the call"),
    "function": ([("*", len)], TypeError, "rule 1 .*: initializer takes a function"),
    "None": ([("*", None)], TypeError, "rule 1 .*: initializer takes a function"),
    "no pair": ([("*", "zeros", 3)], TypeError, "rule 1 must be a pair"),
    "str": (["zz"], TypeError, "rule 1 must be a pair"),
    "one text": ("zeros", TypeError, "rules must be pairs"),
    "no rules": (None, TypeError, "rules must be pairs"),
    "pattern": ([(3, "zeros")], TypeError, "rule 1: a pattern must be a str"),
    "empty": ([("", "zeros")], TypeError, "rule 1: a pattern must be a str"),
    "regex": ([("re:(", "zeros")], ValueError, r"rule 1: 're:\(' is no regular expression"),
    "regex count": ([("re:a{99999999999999}", "zeros")], ValueError, "no regular expression"),
    "long": ([("a" * 1001, "zeros")], ValueError, "rule 1: a pattern has 1001 characters"),
    "surrogate": ([("\ud800", "zeros")], ValueError, "rule 1: a pattern has half of a surrogate"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_rules_that_are_refused(what):
    rules, error, message = REFUSED[what]
    with pytest.raises(error, match=message) as caught:
        Recipe(rules)
    assert len(str(caught.value)) < 400


TIES = {
    "itself": ({"a": "a"}, ValueError, "'a' is tied to itself"),
    "chain": ({"a": "b", "b": "c"}, ValueError, "'a' is tied to 'b', which .*: tie both to 'c'"),
    "long chain": ({"a": "b", "b": "c", "c": "d"}, ValueError, "tie both to 'd'"),
    "circle": ({"a": "b", "b": "a"}, ValueError, "in a circle: 'a', 'b', 'a'"),
    "chain into a circle": ({"x": "a", "a": "b", "b": "a"}, ValueError, "in a circle"),
    "no name": ({"a": 3}, TypeError, "same_as: a name must be a str"),
    "no alias": ({3: "a"}, TypeError, "same_as: a name must be a str"),
    "empty": ({"": "a"}, TypeError, "same_as: a name must be a str"),
    "list": ([("a", "b")], TypeError, "same_as must be a dict"),
}


@pytest.mark.parametrize("what", TIES)
def test_ties_that_are_refused(what):
    ties, error, message = TIES[what]
    with pytest.raises(error, match=message):
        Recipe({"*": "zeros"}, same_as=ties)


def test_ties_that_do_not_fit_the_shapes():
    made = Recipe({"*": "zeros"}, same_as={"a": "b"})
    assert list(made.plan({"b": 3})) == ["b"]
    with pytest.raises(ValueError, match="a is tied to 'b', which is not among the tensors"):
        made.plan({"a": 3})
    with pytest.raises(ValueError, match=r"a has shape \(3,\), but 'b', which it is tied to, has"):
        made.plan({"a": 3, "b": 4})
    with pytest.raises(ValueError, match="a has dtype 'float32', but 'b'"):
        made.plan({"a": (3, "float32"), "b": (3, "bfloat16")})


def test_let_that_is_refused():
    with pytest.raises(TypeError, match="let must be a dict"):
        Recipe({}, let=[("a", 1)])
    with pytest.raises(ValueError, match="let: b: the expression 'a' has the unknown name 'a'"):
        Recipe({}, let={"b": "a"})


def test_an_initialiser_that_does_not_fit_names_the_tensor():
    made = Recipe({"*": "he_normal"})
    with pytest.raises(ValueError, match=r"fc\.bias: shape \(3,\) has no fans"):
        made.plan({"fc.weight": (3, 3), "fc.bias": 3})
