"""Initialiser objects: made from a function or a text, called, stored and compared."""

import json
import math
import pickle

import numpy as np
import pytest
from support import internals
from support.surface import ALIASES, same_bits

import weightinit_fast as wi

NAMES = sorted(internals.initialisers())
#: Function -> some of its own parameters, and a shape that it takes.
OWN = {
    "constant": ({"value": 0.25}, (3, 4)),
    "uniform": ({"low": -1, "high": 0.5}, (3, 4)),
    "normal": ({"mean": 1, "std": 0.02}, (3, 4)),
    "truncated_normal": ({"lower": -math.inf, "upper": 1.5}, (3, 4)),
    "variance_scaling": ({"scale": 2, "mode": "fan_avg", "distribution": "uniform"}, (6, 4)),
    "fan_in_uniform": ({"fans": [3, np.int64(4)]}, 12),
    "xavier_uniform": ({"gain": "relu", "layout": "OOI"}, (2, 3, 4)),
    "xavier_normal": ({"gain": np.float32(1.5)}, (3, 4)),
    "he_uniform": ({"a": 0.25, "mode": "fan_out", "layout": "HWIO"}, (3, 3, 4, 6)),
    "he_normal": ({"a": 0.25, "groups": 2}, (6, 4, 3)),
    "lecun_uniform": ({"transposed": True, "groups": 2, "layout": "IOH"}, (6, 4, 3)),
    "lecun_normal": ({"layout": "IO"}, (3, 4)),
    "identity": ({"gain": 2}, (3, 4)),
    "dirac": ({"groups": 2}, (6, 4, 3)),
    "sparse": ({"sparsity": 0.5, "layout": "OI"}, (6, 4)),
    "orthogonal": ({"gain": 2, "column_axis": -1}, (6, 4)),
    "delta_orthogonal": ({"gain": "tanh", "layout": "HIO"}, (3, 4, 6)),
}
SAME = {"rng": 7, "stream": "w", "dtype": "f8"}


def function(name):
    return getattr(wi, name)


@pytest.mark.parametrize("name", NAMES)
def test_every_function_can_be_an_initializer(name):
    own, shape = OWN.get(name, ({}, (3, 4)))
    init = wi.initializer(function(name), **own)
    assert same_bits(init(shape, **SAME), function(name)(shape, **own, **SAME))
    assert init.function is function(name)
    for twin in (
        wi.initializer(name, **own),
        wi.initializer(str(init)),
        wi.initializer(init),
        wi.Initializer.from_dict(init.to_dict()),
        wi.Initializer.from_dict(json.loads(json.dumps(init.to_dict()))),
        pickle.loads(pickle.dumps(init)),
        eval(repr(init), {"initializer": wi.initializer, "inf": math.inf}),
    ):
        assert twin == init
        assert hash(twin) == hash(init)
        assert same_bits(twin(shape, **SAME), init(shape, **SAME))


def test_the_arguments_of_a_call():
    init, whole = wi.initializer("normal(std=0.5)"), wi.normal((30, 40), std=0.5, rng=3, stream="a")
    same = {"rng": 3, "stream": "a"}
    part = np.s_[3:7, ::-2]
    assert same_bits(init((30, 40), **same), whole)
    assert same_bits(
        init((30, 40), index=part, threads=2, **same), np.ascontiguousarray(whole[part])
    )
    out = np.zeros((40, 30), "f4").T
    assert init(out=out, **same) is out
    np.testing.assert_array_equal(out, whole)
    rng = np.random.default_rng(0)
    assert not same_bits(init(9, rng=rng), init(9, rng=rng))


def test_texts():
    for init, text in (
        (wi.initializer(wi.he_normal), "he_normal"),
        (wi.initializer(wi.he_normal, a=0.25, layout="HWIO"), "he_normal(a=0.25, layout='HWIO')"),
        (wi.initializer(wi.he_normal, layout="HWIO", a=0.25), "he_normal(a=0.25, layout='HWIO')"),
        (wi.initializer("kaiming_normal"), "he_normal"),
        (wi.initializer("uniform(high=1)"), "uniform"),
        (wi.initializer("truncated_normal(upper=inf)"), "truncated_normal(upper=inf)"),
        (wi.initializer("  normal ( std = -0.0 ) "), "normal(std=-0.0)"),
        (wi.initializer("constant(value=-inf)"), "constant(value=-inf)"),
        (wi.initializer("constant(value=nan)"), "constant(value=nan)"),
        (wi.initializer("fan_in_uniform(fans=(3, 4))"), "fan_in_uniform(fans=(3, 4))"),
    ):
        assert str(init) == text
        assert repr(init) == f'initializer("{text}")'
        assert wi.initializer(text) == init


def test_equality_and_overriding():
    init = wi.initializer("he_normal(a=0.25)")
    assert init == wi.initializer(wi.kaiming_normal, a=np.float64(0.25))
    assert init != wi.initializer("he_normal")
    assert init != wi.initializer("he_uniform(a=0.25)")
    assert init != "he_normal(a=0.25)"
    assert wi.initializer(init, mode="fan_out") == wi.initializer(
        "he_normal(a=0.25, mode='fan_out')"
    )
    assert wi.initializer("he_normal(a=0.25)", a=0) == wi.initializer("he_normal")
    assert len({init, wi.initializer("he_normal(a=0.25)"), wi.initializer("he_normal")}) == 2


def test_it_never_changes():
    init = wi.initializer("he_normal(a=0.25)")
    with pytest.raises(AttributeError):
        init.a = 3
    with pytest.raises(AttributeError):
        init.own = {}
    init.own["a"] = 9
    init.to_dict()["a"] = 9
    assert init.own == {"a": 0.25}


def test_a_zero_of_the_other_sign_is_kept():
    init = wi.initializer("normal(mean=-0.0, std=0)")
    assert init != wi.initializer("normal(std=0)")
    twin = pickle.loads(pickle.dumps(init))
    assert same_bits(twin(9, rng=0), init(9, rng=0))


@pytest.mark.parametrize(
    ("text", "shape"), [("orthogonal", (4, 4)), ("delta_orthogonal", (4, 4, 3))]
)
def test_matrices_take_an_index_of_the_whole(text, shape):
    init = wi.initializer(text)
    whole = init(shape, rng=0)
    for out in (None, np.zeros(shape, "f4"), np.zeros(shape, "f4", "F")):
        for index in (np.s_[::-1], np.s_[:], ...):
            assert np.array_equal(init(shape, out=out, index=index, rng=0), whole[index])
        with pytest.raises(ValueError, match="takes whole matrices"):
            init(shape, out=None if out is None else out[1:], index=np.s_[1:], rng=0)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(alias):
    assert wi.initializer(alias) == wi.initializer(ALIASES[alias])


class Evil(Exception):  # noqa: N818
    """Raised by code that must not run."""


CODE = [
    "normal(std=__import__('os').getpid())",
    "normal(std=print(3))",
    "normal(**{'std': 3})",
    "normal(std=[x for x in (1,)][0])",
    "normal(std=2 if 1 else 3)",
    "normal(std=(lambda: 3)())",
    "normal(std=1).__class__",
    "normal.__globals__",
    "wi.normal(std=1)",
    "(normal)(std=1)(3)",
    "normal(1)",
    "normal(*[1])",
    "normal(std=np.inf)",
    "normal(std=2*3)",
    "normal(std=f'{3}')",
    "normal; normal",
    "normal(std=",
    "",
    "\0",
    "(" * 5000,
    "-" * 9000 + "1",
    "normal(std=" + "-" * 5000 + "1)",
    "x" * 20_000,
]


@pytest.mark.parametrize("text", CODE, ids=range(len(CODE)))
def test_a_text_runs_no_code(text):
    with pytest.raises(ValueError, match="initialiser") as caught:
        wi.initializer(text)
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: wi.initializer("he_norml"), ValueError, "'he_norml'"),
        (lambda: wi.initializer(wi.he_normal, b=1), TypeError, "'b'"),
        (lambda: wi.initializer("he_normal(b=1)"), TypeError, "'b'"),
        (lambda: wi.initializer(wi.he_normal, rng=1), TypeError, "rng= belongs to the call"),
        (lambda: wi.initializer(wi.he_normal, shape=1), TypeError, "shape= belongs to the call"),
        (lambda: wi.initializer("he_normal(a='x')"), TypeError, "'x'"),
        (lambda: wi.initializer("he_normal(a=nan)"), ValueError, "nan"),
        (lambda: wi.initializer("he_normal(layout='HW')"), ValueError, "'HW'"),
        (lambda: wi.initializer("he_normal(layout='hwio')"), ValueError, "'HWIO'"),
        (lambda: wi.initializer("he_normal(mode='fan')"), ValueError, "'fan'"),
        (lambda: wi.initializer("he_normal(groups=0)"), ValueError, "0"),
        (lambda: wi.initializer("he_normal(fans=(3,))"), TypeError, "(3,)"),
        (lambda: wi.initializer("uniform(low=2, high=1)"), ValueError, "low=2.0"),
        (lambda: wi.initializer("truncated_normal(lower=2)"), ValueError, "lower=2.0"),
        (lambda: wi.initializer("sparse"), TypeError, "sparsity"),
        (lambda: wi.initializer("sparse(sparsity=2)"), ValueError, "2.0"),
        (lambda: wi.initializer("variance_scaling(distribution='x')"), ValueError, "'x'"),
        (lambda: wi.initializer("xavier_normal(gain='x')"), ValueError, "'x'"),
        (lambda: wi.initializer("dirac(layout='OOI')"), ValueError, "'OOI'"),
        (lambda: wi.initializer("orthogonal(column_axis=0.5)"), TypeError, "0.5"),
        (lambda: wi.initializer(print), TypeError, "print"),
        (lambda: wi.initializer(wi.fans), TypeError, "fans"),
        (lambda: wi.initializer(3), TypeError, "3"),
        (lambda: wi.initializer([]), TypeError, "[]"),
        (lambda: wi.Initializer(print, {}), TypeError, "print"),
        (lambda: wi.Initializer("he_normal", {}), TypeError, "'he_normal'"),
        (lambda: wi.initializer("he_normal", std=1), TypeError, "transposed, fans"),
        (lambda: wi.initializer("zeros", value=1), TypeError, "it has none"),
        (lambda: wi.Initializer.from_dict({"a": 1}), ValueError, "name"),
        (lambda: wi.Initializer.from_dict({"name": 3}), ValueError, "3"),
        (lambda: wi.initializer("normal")((3, 4), std=1), TypeError, "std"),
    ],
)
def test_a_wrong_argument_raises(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)
    assert len(str(caught.value)) <= 400
