"""One row of the table: a peer's initialiser and ours on one layer's weight."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from layers import Fans, Layer, Stored, empty, layers, note, plain, stored
from pairs import Pair, Peer

import weightinit_fast as wi

ITEMS = 10**6  # the least number of measured elements; small weights are pooled over streams
MATRICES = 4  # orthogonal matrices that are measured: their root mean square is fixed
TOLERANCE = 0.005
EXACT = 1e-12  # relative: how far the std of a Law may be from the formula
ORTHOGONAL = 1e-5  # the largest element of QᵀQ - 1 that float32 may leave
REFUSALS = (ValueError, ZeroDivisionError, TypeError, IndexError, RuntimeError)


class Row(NamedTuple):
    """One initialiser on one layer; `formula` is the std by the peer's source and its own fans."""

    peer: str
    initialiser: str
    kind: str
    shape: str
    formula: float | None
    measured: float | None  # the std of what the peer draws
    ours: float | None  # the std of what we draw
    ratio: float | None  # ours to the peer's formula
    items: int
    status: str  # ok, explained or WRONG
    remark: str  # where explained, the key of a note


def rows(peer: Peer) -> Iterator[Row]:
    """Yield every initialiser of a peer on every layer that it applies to."""
    number = 0
    samples: dict[Any, Sample] = {}
    for pair in peer.pairs:
        for layer in layers(peer.name):
            if not pair.kinds or layer.kind in pair.kinds:
                number += 1
                if layer.kind == "empty":
                    yield _empty_row(peer, pair)
                else:
                    yield _row(peer, pair, layer, number << 32, samples)


def options(peer: str, pair: Pair, layer: Layer, weight: Stored) -> dict[str, Any]:
    """Return what our initialiser is told about the weight."""
    if pair.takes == "fans":
        return weight.options
    if pair.takes == "column":
        return {"column_axis": 0 if peer == "torch" else -1}
    if pair.takes == "dirac":
        return {"groups": layer.groups}
    if pair.takes == "delta":
        return plain(peer, weight.shape)
    return {}


def _row(peer: Peer, pair: Pair, layer: Layer, stream: int, samples: dict[Any, "Sample"]) -> Row:
    weight = stored(peer.name, layer)
    told = options(peer.name, pair, layer, weight)

    def theirs(number: int) -> np.ndarray:
        return pair.draw(layer, weight, number)

    def init() -> wi.Initializer:
        return wi.initializer(pair.ours, **told)

    def ours(number: int) -> np.ndarray:
        found: np.ndarray = init()(weight.shape, rng=0, stream=stream + number)
        return found

    head = (peer.name, pair.name, layer.kind, "×".join(map(str, weight.shape)))
    refused, not_ours = _refusal(theirs), _refusal(ours)
    if refused or not_ours:
        if refused and not_ours:
            return Row(*head, None, None, None, None, 0, "ok", "both refuse")
        key = note(peer.name, layer) if refused and pair.takes == "fans" else ""
        if not key:
            return Row(*head, None, None, None, None, 0, "WRONG", refused or not_ours)
        sample = _sample(ours, pair)
        right = abs(sample.std / pair.formula(layer.fans) - 1) <= TOLERANCE
        status = "explained" if right else "WRONG"
        return Row(*head, None, None, sample.std, None, sample.items, status, key)
    if pair.judged == "equal":
        a, b = theirs(0), ours(0)
        same = a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all())
        level = float(b.std(dtype=np.float64))
        return Row(
            *head, level, level, level, 1.0, b.size, "ok" if same else "WRONG", "equal" * same
        )
    sample = _sample(ours, pair)
    place = (pair.draw, layer)  # one draw of the peer may be compared with two of ours
    measured = samples.get(place) or _sample(theirs, pair)
    samples[place] = measured
    right = _matrix_std(pair, peer, weight) or pair.formula(layer.fans)
    formula = right
    if pair.takes == "fans":
        formula = pair.formula(peer.fans(layer, weight))
    status, remark = _judge(peer, pair, layer, sample, right, formula)
    if "fans" in told:
        remark += " fans= stated"
    if abs(measured.std / formula - 1) > TOLERANCE:
        remark += f" peer {measured.std / formula:.4f} of its formula"
    if pair.judged != "std" and sample.zeros != measured.zeros:
        status, remark = "WRONG", f"{sample.zeros} zeros, the peer {measured.zeros}"
    if pair.judged in ("matrix", "centre"):
        error = _orthogonality_error(ours(0), pair, peer)
        status, remark = (status, remark) if error < ORTHOGONAL else ("WRONG", f"QᵀQ {error:.0e}")
    if pair.judged in ("std", "matrix"):
        law = init().law(weight.shape)
        if abs(law.std / right - 1) > EXACT:
            status, remark = "WRONG", f"the std of its Law is {law.std}, not {right}"
    ratio = sample.std / formula
    return Row(
        *head, formula, measured.std, sample.std, ratio, sample.items, status, remark.strip()
    )


def _judge(
    peer: Peer, pair: Pair, layer: Layer, sample: "Sample", right: float, formula: float
) -> tuple[str, str]:
    if abs(sample.std / right - 1) > TOLERANCE:
        return "WRONG", f"{sample.std / right:.4f} of the layer's formula"
    if pair.bound and not 0.999 * pair.bound < sample.most / right < pair.bound * (1 + 2**-22):
        return "WRONG", f"reaches {sample.most / right:.5f} std, not {pair.bound:.5f}"
    if abs(sample.std / formula - 1) > TOLERANCE:
        key = note(peer.name, layer)
        return ("explained", key) if key else ("WRONG", "the peer's fans differ")
    return "ok", ""


def _matrix_std(pair: Pair, peer: Peer, weight: Stored) -> float | None:
    """Return the root mean square of an orthogonal matrix's elements, times its gain."""
    shape = weight.shape
    if pair.judged == "matrix":
        rows = shape[0 if peer.name == "torch" else -1]
        return pair.formula((1, 1)) / math.sqrt(max(rows, math.prod(shape) // rows))
    if pair.judged == "centre":
        return pair.formula((1, 1)) / math.sqrt(max(shape[-2:]))
    return None


def _orthogonality_error(found: np.ndarray, pair: Pair, peer: Peer) -> float:
    """Return how far a matrix, alone or in the centre of a kernel, is from orthogonal."""
    if pair.judged == "centre":
        found = found[tuple((k - 1) // 2 for k in found.shape[:-2])]
    axis = 0 if peer.name == "torch" else -1
    q = np.moveaxis(found.astype(np.float64), axis, 0).reshape(found.shape[axis], -1)
    q /= pair.formula((1, 1))
    gram = q @ q.T if q.shape[0] < q.shape[1] else q.T @ q
    return float(np.abs(gram - np.eye(len(gram))).max())


def _empty_row(peer: Peer, pair: Pair) -> Row:
    """Judge weights that are empty: ours must keep the shape and raise nothing."""
    shapes, refused, kept = [], "", True
    for layer in empty(conv=pair.takes in ("dirac", "delta")):
        weight = stored(peer.name, layer)
        told = options(peer.name, pair, layer, weight)
        shapes.append("×".join(map(str, weight.shape)))
        try:
            kept &= wi.initializer(pair.ours, **told)(weight.shape, rng=0).shape == weight.shape
        except REFUSALS as error:
            if not _refusal(lambda n, at=(layer, weight): pair.draw(*at, n)):
                kept, refused = False, type(error).__name__
            continue
        refused = refused or _refusal(lambda n, at=(layer, weight): pair.draw(*at, n))
    head = (peer.name, pair.name, "empty", " ".join(shapes), None, None, None, None, 0)
    if not kept:
        return Row(*head, "WRONG", refused)
    return Row(*head, "explained", "empty") if refused else Row(*head, "ok", "shape kept")


def _refusal(draw: Callable[[int], np.ndarray]) -> str:
    try:
        draw(0)
    except REFUSALS as error:
        return f"{type(error).__name__}: {error}"[:60]
    return ""


class Sample(NamedTuple):
    """The deviation of what an initialiser gives, pooled over streams or seeds."""

    std: float
    most: float  # the largest magnitude
    items: int
    zeros: int  # in one weight


def _sample(draw: Callable[[int], np.ndarray], pair: Pair) -> Sample:
    total, squares, items, most, zeros, number = 0.0, 0.0, 0, 0.0, 0, 0
    matrices = pair.judged in ("matrix", "centre")
    while number < MATRICES if matrices else items < ITEMS:
        found = draw(number)
        number += 1
        if pair.judged in ("nonzero", "centre"):
            zeros = int(found.size - np.count_nonzero(found))
            found = found[found != 0]
        values = found.astype(np.float64).ravel()
        total += float(values.sum())
        squares += float(values @ values)
        items += values.size
        most = max(most, float(np.abs(values).max()))
    if pair.judged == "matrix":  # the root mean square is fixed, so the mean is not subtracted
        total = 0.0
    mean = total / items
    return Sample(math.sqrt(squares / items - mean * mean), most, items, zeros)


def fan_rows(peer: Peer) -> Iterator[tuple[str, str, str, Fans | str, Fans | str, Fans, str]]:
    """Yield the fans of every layer: the peer's, ours, and the layer's own, and a note.

    Where a shape is refused, the name of the exception stands for the fans.
    """
    weights = [layer for layer in layers(peer.name) if layer.kind != "empty"] + empty(False)
    for layer in weights:
        weight = stored(peer.name, layer)
        theirs = _fans(lambda at=(layer, weight): peer.fans(*at))
        stated = "fans" in weight.options
        options = {} if stated else weight.options
        ours = _fans(lambda at=weight.shape, told=options: wi.fans(at, **told))
        shape = "×".join(map(str, weight.shape))
        key = "" if theirs == ours else note(peer.name, layer) or "WRONG"
        # Where ours is told no more than the peer is, it takes the same fans as the peer.
        told = plain(peer.name, weight.shape)
        alike = _fans(lambda at=weight.shape, told=told: wi.fans(at, **told)) == theirs
        right = "ValueError" if layer.kind == "1-D" else layer.fans
        if ours != right or not (alike or isinstance(theirs, str) or layer.experts or stated):
            key = "WRONG"
        yield peer.name, layer.kind, shape, theirs, ours, layer.fans, key


def _fans(read: Callable[[], Any]) -> Fans | str:
    try:
        fan_in, fan_out = read()
    except REFUSALS as error:
        return type(error).__name__
    return fan_in, fan_out
