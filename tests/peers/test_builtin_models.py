"""Built-in models beside the frameworks that define them: names, shapes, tied names, distributions.

Where a framework differs, `EXPLAINED` says why, and docs/builtin-models.md has the same text. Any
other difference fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import DOCS
from support.internals import models
from support.reference_models import REFERENCES, parameters_of, quietly, tied_names
from support.reference_models import timm as timm  # noqa: PLC0414  the fixture of conftest.py imports them
from support.reference_models import torch as torch  # noqa: PLC0414
from support.reference_models import torchvision as torchvision  # noqa: PLC0414
from support.reference_models import transformers as transformers  # noqa: PLC0414

#: A mean, a variance or a fourth moment may be this many standard errors from that of the Law.
#: About 1500 are compared, and a normal is beyond that once in 1.7 million.
STANDARD_ERRORS = 5
#: The moments of one tensor are compared if it has so many elements. With fewer they are not
#: nearly normal. All elements that one rule draws are compared together in any case.
ENOUGH = 1000
#: E((x - mean)**4) / std**4, and the same of the eighth power.
FOURTH = {"normal": 3, "uniform": 9 / 5}
EIGHTH = {"normal": 105, "uniform": 9}
#: No normal number is so many standard deviations from the mean, in float64 either.
FARTHEST = 40


class Explanation(NamedTuple):
    """A difference from a framework that is known, and why it is there."""

    model: str
    tensor: str  # a pattern
    what: str  # as `differences` says it
    why: str


EXPLAINED = [
    Explanation(
        "bert",
        "bert.embeddings.word_embeddings.weight",
        "row 0 is constant",
        "transformers writes zeros into the row of the padding token, [PAD]. A recipe draws a "
        "tensor from one distribution, and so does Google's code.",
    ),
    Explanation(
        "vit",
        "*",
        "some elements are -2",
        "timm's trunc_normal_ inverts float32 uniforms on [-1, 1). One of 2^24 is -1; its inverse, "
        "-inf, is clamped to -2, which is 100 standard deviations away.",
    ),
]


def test_names_and_shapes_are_those_of_the_published_model(name: str) -> None:
    ours = models.model(name)
    with quietly(), torch.device("meta"):
        reference = REFERENCES[name].published(ours.sizes)
        theirs = {n: tuple(tensor.shape) for n, tensor in parameters_of(reference).items()}
    assert {n: spec.shape for n, spec in ours.shapes.items()} == theirs
    if name != "mixtral":  # whose file transformers writes in another order
        assert list(ours.shapes) == list(theirs)


def test_names_and_shapes_follow_the_sizes(name: str) -> None:
    ours = models.model(name, **REFERENCES[name].small)
    with quietly(), torch.device("meta"):
        theirs = parameters_of(REFERENCES[name].build(ours.sizes))
    assert {n: spec.shape for n, spec in ours.shapes.items()} == {
        n: tuple(tensor.shape) for n, tensor in theirs.items()
    }


def test_distributions(name: str) -> None:
    reference = REFERENCES[name]
    ours = models.model(name, **reference.small)
    torch.manual_seed(1)
    drawn: dict[str, list[Any]] = {}
    with quietly():
        for _ in range(reference.repeats):
            for n, tensor in parameters_of(reference.build(ours.sizes)).items():
                drawn.setdefault(n, []).append(tensor.flatten(1 if tensor.ndim > 1 else 0))
    assert drawn.keys() == ours.shapes.keys()
    unexplained = [
        (where, what)
        for where, what in differences(ours, drawn)
        if not any(
            e.model == name and fnmatch(where, e.tensor) and e.what == what for e in EXPLAINED
        )
    ]
    assert unexplained == []


def differences(ours: Any, drawn: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    """Yield (tensor or rule, what differs) for the tensors that a framework has drawn."""
    by_rule: dict[tuple[str, str], Any] = {}
    for row in ours.recipe.explain(ours.shapes):
        law, tensors = row.law, drawn[row.name]
        if law.kind == "constant":
            if not all(bool((tensor == law.mean).all()) for tensor in tensors):
                yield row.name, f"not all elements are {law.mean}"
            continue
        if law.kind == "uniform" and not all(within(tensor, law) for tensor in tensors):
            yield row.name, f"values are outside [{law.low}, {law.high}]"
        tensors, constant = without_constant_rows(tensors)
        if constant:
            yield row.name, constant
        scaled = torch.cat([t.flatten() for t in tensors]).double().sub_(law.mean).div_(law.std)
        far = scaled.abs() > FARTHEST
        if far.any():
            values = sorted({round(v * law.std + law.mean, 6) for v in scaled[far].tolist()})
            yield row.name, f"some elements are {', '.join(f'{v:g}' for v in values)}"
            scaled = scaled[~far]
        squares = scaled * scaled
        sums = np.array([len(scaled), scaled.sum(), squares.sum(), squares @ squares])
        if len(scaled) >= ENOUGH:
            yield from moments(row.name, law.kind, sums)
        rule = (row.pattern, law.kind)
        by_rule[rule] = by_rule.get(rule, 0) + sums
    for (pattern, kind), sums in by_rule.items():
        yield from moments(f"rule {pattern}", kind, sums)


def within(tensor: Any, law: Any) -> bool:
    """Whether the elements are in the bounds of a Law, up to the rounding of float32."""
    slack = 1e-6 * (law.high - law.low)
    return bool((tensor.min() >= law.low - slack) & (tensor.max() <= law.high + slack))


def without_constant_rows(tensors: list[Any]) -> tuple[list[Any], str]:
    """Return matrices without the rows whose elements are all equal, and which rows these are."""
    if tensors[0].ndim == 1 or tensors[0].shape[1] == 1:
        return tensors, ""
    constant = torch.stack([(t == t[:, :1]).all(dim=1) for t in tensors]).any(dim=0)
    if not constant.any():
        return tensors, ""
    rows = ", ".join(map(str, constant.nonzero().flatten().tolist()))
    return [t[~constant] for t in tensors], f"row {rows} is constant"


def moments(what: str, kind: str, sums: Any) -> Iterator[tuple[str, str]]:
    """Yield the moments of (x - mean) / std that are not those of the Law.

    `sums` are the number of elements, and the sums of their first, second and fourth powers.
    """
    n, fourth = sums[0], FOURTH[kind]
    for moment, total, wanted, variance in (
        ("mean", sums[1], 0, 1),
        ("variance", sums[2], 1, fourth - 1),
        ("fourth moment", sums[3], fourth, EIGHTH[kind] - fourth**2),
    ):
        error = (total / n - wanted) / math.sqrt(variance / n)
        if abs(error) > STANDARD_ERRORS:
            yield what, f"{moment} {total / n:.5g}, not {wanted}: {error:.1f} standard errors"


def test_the_row_of_padding_in_bert() -> None:
    """The first explanation: the difference is there, so that it does not outlive its reason."""
    with quietly():
        bert = REFERENCES["bert"].build(models.model("bert", **REFERENCES["bert"].small).sizes)
    weight = bert.bert.embeddings.word_embeddings.weight.detach()
    assert not weight[0].any()
    assert weight[1:].any(dim=1).all()


def test_the_outliers_of_trunc_normal() -> None:
    """The second explanation: of 2**26 elements about 4 are -2, and no other is beyond 6 std."""
    torch.manual_seed(1)
    far = []
    for _ in range(2**6):
        values = timm.layers.trunc_normal_(torch.empty(2**20), std=0.02)
        far += values[values.abs() > 6 * 0.02].tolist()
    assert 1 <= len(far) <= 20
    assert set(far) == {-2.0}


@pytest.mark.parametrize("name", ["gpt2", "llama3", "bert"])
def test_tied_names(name: str) -> None:
    """The names that share another tensor in the framework are those of same_as."""
    sizes = dict(REFERENCES[name].small) | ({"tied": 1} if name == "llama3" else {})
    ours = models.model(name, **sizes)
    with quietly():
        reference = REFERENCES[name].build(ours.sizes)
        if name == "gpt2":  # GPT2Model, whose names the checkpoint has, lacks the output layer
            reference = transformers.GPT2LMHeadModel(reference.config)
    state, prefix = reference.state_dict(), "transformer." if name == "gpt2" else ""
    same_as = {tied: f"{prefix}{target}" for tied, target in ours.recipe.same_as.items()}
    assert same_as.keys() == tied_names(reference)
    for tied, target in same_as.items():
        assert state[tied].data_ptr() == state[target].data_ptr()
    # A recipe fills such a state, of which two names are one memory.
    recipe = type(ours.recipe)(ours.recipe.rules, same_as=same_as)
    buffers = {n for n, _ in reference.named_buffers()}
    recipe.fill({n: tensor for n, tensor in state.items() if n not in buffers}, rng=0)
    for tied, target in same_as.items():
        wanted = recipe.initializer_for(target)(tuple(state[target].shape), rng=0, stream=target)
        assert np.array_equal(state[tied].numpy(), wanted)


def test_the_guide_has_the_explanations() -> None:
    if not DOCS.is_dir():
        pytest.skip("no docs/ beside these tests")
    text = " ".join((DOCS / "builtin-models.md").read_text(encoding="utf-8").split())
    for explanation in EXPLAINED:
        assert f"| {explanation.what} | {explanation.why} |" in text


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the comparisons for each model that a framework defines."""
    if metafunc.definition.originalname != "test_tied_names" and "name" in metafunc.fixturenames:
        metafunc.parametrize("name", REFERENCES)
