"""Built-in models: parameter counts as published, digests, formulas of the papers, refused sizes.

``tests/peers/test_builtin_models.py`` compares them with the frameworks that define them.
"""

from __future__ import annotations

import hashlib
import math
import re
import runpy
from typing import Any

import pytest
from support import DOCS
from support.internals import models

import weightinit_fast as wi

model = models.model

#: The parameters of each model as its authors or its framework state them.
PUBLISHED = {
    "gpt2": 124_439_808,
    "llama3": 8_030_261_248,
    "mixtral": 46_702_792_704,
    "bert": 110_106_428,
    "vit": 86_567_656,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "dlrm": 16 * 33_762_577 + 155_984 + 320_001,
    "embedding": 128_000_000,
}
#: Other published models of these families.
LARGER: list[tuple[str, dict[str, Any], int]] = [
    ("gpt2", {"layers": 24, "width": 1024, "heads": 16}, 354_823_168),
    ("gpt2", {"layers": 36, "width": 1280, "heads": 20}, 774_030_080),
    ("gpt2", {"layers": 48, "width": 1600, "heads": 25}, 1_557_611_200),
    ("llama3", {"layers": 80, "width": 8192, "heads": 64}, 70_553_706_496),
    ("llama3", {"layers": 16, "width": 2048, "hidden": 8192, "tied": 1}, 1_235_814_400),
    (
        "mixtral",
        {"layers": 56, "width": 6144, "heads": 48, "hidden": 16384, "vocabulary": 32768},
        140_630_071_296,
    ),
    ("vit", {"layers": 24, "width": 1024, "heads": 16}, 304_326_632),
]
# The encoder of BERT, without the heads of its pre-training.
BERT_MODELS = [
    ({}, 109_482_240),
    ({"layers": 24, "width": 1024, "heads": 16}, 335_141_888),
]


@pytest.mark.parametrize("name", models.MODELS)
def test_the_published_size(name: str) -> None:
    made = model(name)
    assert made.parameters == PUBLISHED[name]
    assert made.title == models.MODELS[name].published
    assert str(made).startswith(f"{made.title}: {PUBLISHED[name]:,} parameters in ")


@pytest.mark.parametrize(("name", "sizes", "parameters"), LARGER)
def test_larger_models(name: str, sizes: dict[str, Any], parameters: int) -> None:
    made = model(name, **sizes)
    assert made.parameters == parameters
    assert made.sizes | sizes == made.sizes
    assert made.title.startswith(f"{models.MODELS[name].title} (layers={sizes['layers']}, ")


@pytest.mark.parametrize(("sizes", "parameters"), BERT_MODELS)
def test_the_encoder_of_bert(sizes: dict[str, Any], parameters: int) -> None:
    shapes = model("bert", **sizes).shapes
    encoder = [spec.shape for name, spec in shapes.items() if name.startswith("bert.")]
    assert sum(map(math.prod, encoder)) == parameters


def test_dlrm_by_formula() -> None:
    made = model("dlrm", rows=(5, 1000, 7), width=8, dense=4, bottom=(32, 16), top=64)
    bottom = (4 + 1) * 32 + (32 + 1) * 16 + (16 + 1) * 8
    pairs = 3 + 2 + 1  # of three tables and the bottom's output
    top = (8 + pairs + 1) * 64 + (64 + 1)
    assert made.parameters == 8 * 1012 + bottom + top
    assert made.sizes["tables"] == 3
    equal = model("dlrm", rows=10**6, tables=500)
    assert equal.shapes["emb_l.499.weight"].shape == (10**6, 16)
    assert equal.shapes["top_l.0.weight"].shape == (512, 16 + 501 * 500 // 2)


def test_rows_as_published() -> None:
    """Compare some rows with the checkpoints of Hugging Face and torchvision."""
    gpt2 = model("gpt2")
    assert len(gpt2.shapes) == 148
    assert gpt2.shapes["h.11.attn.c_attn.weight"].shape == (768, 2304)
    assert gpt2.shapes["h.0.mlp.c_proj.weight"].shape == (3072, 768)

    resnet = model("resnet50")
    assert len(resnet.shapes) == 161
    assert resnet.shapes["conv1.weight"].shape == (64, 3, 7, 7)
    assert resnet.shapes["layer2.0.downsample.0.weight"].shape == (512, 256, 1, 1)
    assert resnet.shapes["layer3.5.conv2.weight"].shape == (256, 256, 3, 3)
    assert resnet.shapes["layer4.2.bn3.bias"].shape == (2048,)
    assert resnet.shapes["fc.weight"].shape == (1000, 2048)


@pytest.mark.parametrize(
    ("name", "sizes", "parameter", "std"),
    # Standard deviations from the formulas of the papers and of the frameworks, written down here.
    [
        ("gpt2", {}, "h.7.attn.c_proj.weight", 0.02 / math.sqrt(24)),
        ("gpt2", {"layers": 48}, "h.47.mlp.c_proj.weight", 0.02 / math.sqrt(96)),
        ("gpt2", {}, "h.7.mlp.c_fc.weight", 0.02),
        ("resnet50", {}, "layer4.0.conv2.weight", math.sqrt(2 / (512 * 3 * 3))),
        ("resnet50", {}, "conv1.weight", math.sqrt(2 / (64 * 7 * 7))),
        ("resnet50", {}, "fc.weight", 1 / math.sqrt(3 * 2048)),
        ("resnet50", {}, "fc.bias", 1 / math.sqrt(3 * 2048)),
        ("resnet34", {}, "fc.bias", 1 / math.sqrt(3 * 512)),
        ("vit", {"patch": 14}, "patch_embed.proj.weight", 1 / math.sqrt(3 * 3 * 14 * 14)),
        ("vit", {"patch": 14}, "patch_embed.proj.bias", 1 / math.sqrt(3 * 3 * 14 * 14)),
        ("dlrm", {}, "emb_l.0.weight", 1 / math.sqrt(3 * 1460)),
        ("dlrm", {}, "bot_l.0.weight", math.sqrt(2 / (13 + 512))),
        ("dlrm", {}, "bot_l.0.bias", math.sqrt(1 / 512)),
        ("embedding", {}, "embedding.weight", math.sqrt(2 / 1_000_128)),
    ],
)
def test_formulas(name: str, sizes: dict[str, Any], parameter: str, std: float) -> None:
    made = model(name, **sizes)
    law = made.recipe.initializer_for(parameter).law(made.shapes[parameter].shape)
    assert law.std == pytest.approx(std, rel=1e-14)
    assert law.mean == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize("name", models.MODELS)
def test_the_recipe_fits_the_shapes(name: str) -> None:
    made = model(name)
    recipe = made.recipe
    assert recipe.explain(made.shapes).unused == ()
    assert type(recipe).from_toml_text(recipe.to_toml()) == recipe
    # Tied names are no tensors of the table, and share one that is.
    assert not recipe.same_as.keys() & made.shapes.keys()
    assert set(recipe.same_as.values()) <= made.shapes.keys()
    assert made.groups.keys() == made.shapes.keys()
    assert re.search(r"\b(19|20)\d\d\b", made.source), "a source names its year"


def test_a_formula_follows_its_numbers() -> None:
    """The recipe in TOML keeps the formula, so that another number of layers can be put in."""
    text = model("gpt2").recipe.to_toml()
    assert "layers = 12" in text
    assert "normal(std=0.02 / sqrt(2 * layers))" in text
    other = type(model("gpt2").recipe).from_toml_text(text, let={"layers": 48})
    assert other == model("gpt2", layers=48).recipe


def test_recipes_take_the_names_in_memory() -> None:
    """GPT-2 within its language model has a prefix; transformers 5 joins the experts of a layer."""
    recipe = model("gpt2").recipe
    for name in model("gpt2").shapes:
        assert recipe.initializer_for(f"transformer.{name}") == recipe.initializer_for(name)
    recipe = model("mixtral").recipe
    for name in ("experts.gate_up_proj", "experts.down_proj", "gate.weight"):
        init = recipe.initializer_for(f"model.layers.0.mlp.{name}")
        assert init == wi.initializer("normal", std=0.02)


def test_tied_names() -> None:
    assert model("llama3").recipe.same_as == {}
    assert model("llama3").shapes["lm_head.weight"].shape == (128256, 4096)
    tied = model("llama3", tied=1)
    assert tied.recipe.same_as == {"lm_head.weight": "model.embed_tokens.weight"}
    assert "lm_head.weight" not in tied.shapes


@pytest.mark.parametrize(
    "made",
    [
        model("gpt2"),
        model("gpt2", layers=2, width=96, heads=4),
        model("dlrm", rows=(3, 4), bottom=(), top=7),
        model("mixtral", experts=16, tied=1),
    ],
)
def test_a_model_as_an_object(made: Any) -> None:
    same = eval(repr(made), {"model": model})
    assert same == made
    assert hash(same) == hash(made)
    assert made != model("gpt2", context=128)
    with pytest.raises(AttributeError):
        made.title = "another"


def test_repr_has_the_changed_sizes_alone() -> None:
    assert repr(model("gpt2", layers=12)) == "model('gpt2')"
    assert repr(model("gpt2", width=96)) == "model('gpt2', width=96)"
    assert repr(model("gpt2", width=96, hidden=3072)) == "model('gpt2', width=96, hidden=3072)"
    assert model("gpt2", hidden=3072) == model("gpt2")
    assert model("gpt2", hidden=3072).title == "GPT-2 124M"


def test_groups() -> None:
    """The benchmark's table counts tensors by these words."""
    groups = model("gpt2").groups
    assert groups["wpe.weight"] == "embeddings"
    assert groups["h.3.ln_1.bias"] == groups["ln_f.weight"] == "norms"
    assert groups["h.3.attn.c_attn.bias"] == "biases"
    assert groups["h.3.mlp.c_fc.weight"] == "linear weights"
    assert list(groups.values()).count("residual projections") == 24
    groups = model("resnet50").groups
    assert groups["layer1.0.downsample.1.bias"] == groups["bn1.weight"] == "norms"
    assert groups["layer1.0.downsample.0.weight"] == "convolutions"
    assert groups["fc.bias"] == "fc"
    assert model("dlrm").groups["top_l.4.bias"] == "biases"


@pytest.mark.parametrize(
    "name",
    ["resnet50", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "embedding"))],
)
def test_published_digests(name: str) -> None:
    """The bytes of all tensors in table order; the contract of the stream version."""
    assert models.SHA256_STREAM_VERSION == wi.STREAM_VERSION
    made = model(name)
    digest = hashlib.sha256()
    for parameter, init in made.recipe.plan(made.shapes).items():
        values = init(made.shapes[parameter].shape, rng=0, stream=parameter)
        digest.update(values.astype("<f4", copy=False).data)
    assert digest.hexdigest() == models.SHA256[name]


@pytest.mark.meta
def test_the_guide() -> None:
    """The tables of the guide are those that its script writes; the sizes of other models hold."""
    if not DOCS.is_dir():
        pytest.skip("no docs/ beside these tests")
    script = runpy.run_path(str(DOCS / "builtin_table.py"))
    text = script["PAGE"].read_text(encoding="utf-8")
    assert script["with_tables"](text) == text, "run docs/builtin_table.py"
    calls = re.findall(r"\| `(model\(.*?\))` \| ([\d,]+) \|", text)
    assert len(calls) >= 8
    for call, parameters in calls:
        assert f"{eval(call, {'model': model}).parameters:,}" == parameters, call


@pytest.mark.parametrize(
    ("name", "sizes", "error", "text"),
    [
        ("gpt3", {}, ValueError, "no built-in model called 'gpt3'; the names are gpt2, llama3, "),
        (2, {}, ValueError, "no built-in model called 2; "),
        (["gpt2"], {}, ValueError, "no built-in model called ['gpt2']"),
        (
            "gpt2",
            {"depth": 3},
            TypeError,
            "gpt2 has no size called 'depth'; its sizes are layers, width, heads, hidden, "
            "vocabulary, context",
        ),
        ("resnet50", {"depth": 3}, TypeError, "its sizes are classes, channels"),
        ("gpt2", {"layers": 0}, ValueError, "gpt2: layers must be at least 1, not 0"),
        ("gpt2", {"layers": 1.5}, TypeError, "gpt2: layers must be an integer, not 1.5"),
        ("gpt2", {"layers": (1, 2)}, TypeError, "gpt2: layers must be an integer, not (1, 2)"),
        ("gpt2", {"layers": None}, TypeError, "gpt2: layers must be an integer, not None"),
        ("gpt2", {"hidden": 0}, ValueError, "gpt2: hidden must be at least 1, not 0"),
        ("gpt2", {"layers": True}, TypeError, "must be an integer, not the bool True"),
        ("gpt2", {"layers": 10**12}, ValueError, "12,000,000,000,000 tensors or more, above"),
        (
            "gpt2",
            {"width": 1000},
            ValueError,
            "gpt2: width must be a multiple of heads, which is 12: 996 or 1008, for example, "
            "not 1000",
        ),
        ("bert", {"width": 5}, ValueError, "which is 12: 12, for example, not 5"),
        ("llama3", {"heads": 4}, ValueError, "heads must be a multiple of kv_heads, which is 8"),
        ("llama3", {"tied": 2}, ValueError, "llama3: tied must be 0 or 1, not 2"),
        (
            "llama3",
            {"width": 33, "heads": 1, "kv_heads": 1},
            ValueError,
            "hidden is 7/2 of width if it is not given, which is no whole number for width 33",
        ),
        ("mixtral", {"experts": 10**9}, ValueError, "tensors or more, above 1,000,000"),
        ("vit", {"patch": 15}, ValueError, "image must be a multiple of patch, which is 15: "),
        ("dlrm", {"tables": 3}, ValueError, "rows has the rows of 26 tables, but tables is 3"),
        ("dlrm", {"tables": 10**7, "rows": 9}, ValueError, "10,000,000 tensors or more"),
        ("dlrm", {"rows": (3, 0)}, ValueError, "each number of dlrm: rows must be at least 1"),
        ("dlrm", {"rows": ()}, ValueError, "dlrm: rows must have the rows of one table or more"),
        ("dlrm", {"rows": "34"}, TypeError, "dlrm: rows must be an integer, not '34'"),
        ("embedding", {"rows": 2**62}, ValueError, "embedding: embedding.weight: shape ("),
    ],
)
def test_refused(name: Any, sizes: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        model(name, **sizes)
