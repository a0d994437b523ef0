"""The functions of jax.nn.initializers and ours: names, arguments, laws, dtypes, errors, values."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest
from adapted import CASES, DTYPES, SAME, SHAPE, adapter, bits, expected, jax, needs_jax

import weightinit_fast as wi

NAMES = sorted({*SAME, "constant", "ones", "zeros"})


def key(number=42):
    return jax.random.key(number)


# ---- names and arguments ----------------------------------------------------------------------


def test_every_name_of_jax_is_here():
    theirs = {name for name in dir(jax.nn.initializers) if name[0] != "_"} - {"absolute_import"}
    assert set(adapter.initializers.__all__) == {*NAMES, "Initializer"}
    assert theirs == {*NAMES, "Initializer"}
    assert adapter.initializers.Initializer is jax.nn.initializers.Initializer


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_jax(name):
    needs_jax(0, 10)
    ours = inspect.signature(getattr(adapter.initializers, name)).parameters
    theirs = inspect.signature(getattr(jax.nn.initializers, name)).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ones", "zeros")])
def test_what_is_made_is_called_as_that_of_jax(name):
    needs_jax(0, 10)
    needed = {"constant": (3,), "variance_scaling": (1.0, "fan_in", "normal")}.get(name, ())
    ours = getattr(adapter.initializers, name)(*needed)
    theirs = getattr(jax.nn.initializers, name)(*needed)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert isinstance(ours, jax.nn.initializers.Initializer)


# ---- values: those of NumPy's functions with the same key ---------------------------------------


@pytest.mark.parametrize(("name", "arguments", "keywords", "text"), CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_those_of_the_same_call_in_numpy(name, arguments, keywords, text, dtype):
    init = getattr(adapter.initializers, name)(*arguments, **keywords)
    wanted = expected(text, SHAPE, dtype, key())
    for dtyped in (dtype, getattr(jax.numpy, dtype), np.dtype(dtype)):
        made = init(key(), SHAPE, dtyped)
        assert isinstance(made, jax.Array)
        assert (made.shape, made.dtype) == (SHAPE, wanted.dtype)
        assert bits(made) == bits(wanted)
    made = getattr(adapter.initializers, name)(*arguments, **keywords, dtype=dtype)(key(), SHAPE)
    assert bits(made) == bits(wanted)


@pytest.mark.parametrize(("name", "arguments", "keywords", "text"), CASES)
def test_values_are_the_same_under_jit(name, arguments, keywords, text):
    init = getattr(adapter.initializers, name)(*arguments, **keywords)
    made = jax.jit(lambda key: init(key, SHAPE))(key())
    assert bits(made) == bits(expected(text, SHAPE, "float32", key()))


def test_another_key_makes_other_values():
    init = adapter.initializers.normal()
    first, second = jax.random.split(key())
    assert not (init(first, (1000,)) == init(second, (1000,))).any()


# ---- laws: those of jax's own function --------------------------------------------------------

LARGE = (3, 3, 96, 160)


@pytest.mark.parametrize(("name", "arguments", "keywords", "text"), CASES)
def test_the_law_is_that_of_jax(name, arguments, keywords, text):
    """The moments and the range of 138,240 values of each; 8 standard errors apart at most."""
    ours, theirs = (
        np.asarray(getattr(module, name)(*arguments, **keywords)(key(), LARGE), np.float64)
        for module in (adapter.initializers, jax.nn.initializers)
    )
    law = wi.initializer(text).law(LARGE)
    scale = max(abs(theirs).max(), 1e-30)
    for values in (ours, theirs):
        assert abs(values.mean() - law.mean) < 8 * law.std / math.sqrt(values.size)
        assert values.std() == pytest.approx(law.std, rel=8 * math.sqrt(2 / values.size))
        assert law.low - 1e-6 * scale <= values.min() <= values.max() <= law.high + 1e-6 * scale
    if law.kind in ("uniform", "truncated_normal"):  # the range is finite, and nearly reached
        assert ours.max() == pytest.approx(theirs.max(), rel=0.02)
        assert ours.min() == pytest.approx(theirs.min(), rel=0.02, abs=1e-3 * scale)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (7, 6), (5,), (4, 3, 2)])
@pytest.mark.parametrize(
    "axes", [(-2, -1, ()), (0, -1, ()), ((0,), (), ()), ([], [0], ()), (0, 0, ()), (0, (), 0)]
)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_fans_are_those_of_jax(shape, axes, mode):
    """Compared by normals that have the same words."""
    if len(shape) == 1:
        needs_jax(0, 10)  # some earlier versions refuse such a shape for every in_axis
    from jax._src.nn.initializers import _compute_fans  # noqa: PLC0415

    init = adapter.initializers.variance_scaling(1.0, mode, "normal", *axes)
    if len(shape) == 1 and axes[0] == -2:
        messages = []
        for call in (lambda: _compute_fans(shape, *axes), lambda: init(key(), shape)):
            with pytest.raises(ValueError, match="Can't compute input and output sizes") as caught:
                call()
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
        return
    fan_in, fan_out = _compute_fans(shape, *axes)
    if not (float(fan_in).is_integer() and float(fan_out).is_integer()):
        with pytest.raises(ValueError, match="twice"):
            init(key(), shape)
        return
    means = (fan_in, fan_out, (fan_in + fan_out) / 2, math.sqrt(fan_in * fan_out))
    fan = means[("fan_in", "fan_out", "fan_avg", "fan_geo_avg").index(mode)]
    std = wi.normal(shape, std=1 / math.sqrt(fan), rng=adapter.key(key()))
    np.testing.assert_allclose(init(key(), shape), std, rtol=1e-6)


def test_a_shape_may_be_an_array_of_jax():
    init = adapter.initializers.he_normal()
    assert bits(init(key(), jax.numpy.array([3, 4]))) == bits(init(key(), (3, 4)))
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda shape: init(key(), shape))(jax.numpy.array([3, 4]))


def test_a_weight_without_elements():
    for init in (adapter.initializers.he_normal(), adapter.initializers.orthogonal()):
        assert init(key(), (0, 4)).shape == (0, 4)


# ---- dtypes -----------------------------------------------------------------------------------


def test_the_default_dtype():
    init = adapter.initializers.normal
    assert init()(key(), (2,)).dtype == "float32"
    assert init(dtype="bfloat16")(key(), (2,)).dtype == "bfloat16"
    assert init(dtype="bfloat16")(key(), (2,), "float16").dtype == "float16"
    for module in (adapter.initializers, jax.nn.initializers):  # None is no absence in JAX
        assert module.normal(dtype="bfloat16")(key(), (2,), None).dtype == "float32"
    assert init(dtype=float)(key(), (2,)).dtype == "float32"


def test_types_of_64_bits_are_those_that_jax_has():
    needs_jax(0, 10)
    init = adapter.initializers.normal()
    with pytest.warns(UserWarning, match="float64 is not available"):
        made = init(key(), (9,), "float64")
    assert bits(made) == bits(wi.normal(9, std=0.01, rng=adapter.key(key())))
    with jax.enable_x64(True):
        for dtype in ("float64", None, float):
            made = init(key(), (9,), dtype)
            same = wi.normal(9, std=0.01, dtype="float64", rng=adapter.key(key()))
            assert made.dtype == "float64"
            assert bits(made) == bits(same)
        assert init(key(), (9,), "float32").dtype == "float32"


DRAWS = ["uniform", "normal", "truncated_normal", "he_normal", "orthogonal", "delta_orthogonal"]


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8", "int4"])
def test_other_types_raise_what_jax_raises(name, dtype):
    messages = []
    for module in (jax.nn.initializers, adapter.initializers):
        with pytest.raises((TypeError, ValueError)) as caught:
            getattr(module, name)()(key(), (3, 3, 4, 4), dtype)
        messages.append((type(caught.value), str(caught.value)))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("name", ["normal", "he_normal", "he_uniform", "orthogonal"])
def test_complex_types_are_left_to_jax(name):
    ours = getattr(adapter.initializers, name)()(key(), (3, 4), "complex64")
    theirs = getattr(jax.nn.initializers, name)()(key(), (3, 4), "complex64")
    assert ours.dtype == "complex64"
    assert bits(ours) == bits(theirs)


# ---- constants --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "int32", "complex64", "bool", None])
def test_constants_are_those_of_jax(dtype):
    for ours, theirs in (
        (adapter.initializers.zeros, jax.nn.initializers.zeros),
        (adapter.initializers.ones, jax.nn.initializers.ones),
        (adapter.initializers.constant(-1.5), jax.nn.initializers.constant(-1.5)),
        (adapter.initializers.constant(np.arange(3)), jax.nn.initializers.constant(np.arange(3))),
    ):
        made, wanted = ours(key(), (2, 3), dtype), theirs(key(), (2, 3), dtype)
        assert (made.shape, made.dtype) == (wanted.shape, wanted.dtype)
        assert bits(made) == bits(wanted)


def test_a_constant_is_rounded_once():
    value = 1 + 2**-8 + 2**-30  # just above the middle of two numbers of bfloat16
    made = adapter.initializers.constant(value)(key(), (2,), "bfloat16")
    assert bits(made) == bits(wi.constant(2, value=value, dtype="bfloat16"))
    assert float(made[0]) == 1 + 2**-7


def test_a_constant_that_overflows_is_that_of_jax():
    needs_jax(0, 10)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert adapter.initializers.constant(1e300)(key(), (1,), "float16")[0] == math.inf


def test_a_constant_may_be_a_bool():
    for value in (True, False, np.True_):
        made = adapter.initializers.constant(value)(key(), (2,))
        assert bits(made) == bits(jax.nn.initializers.constant(value)(key(), (2,)))


def test_a_constant_may_be_traced():
    made = jax.jit(lambda x: adapter.initializers.constant(x)(key(), (2,)))(3.0)
    assert made.tolist() == [3, 3]


# ---- errors -----------------------------------------------------------------------------------


def test_errors_are_of_the_kinds_of_jax():
    scaling = ("variance_scaling", (1.0, "fan_avg", "normal"))
    for name, arguments, shape, kind in (
        (*scaling, (5,), ValueError),
        (*scaling, (), ValueError),
        ("variance_scaling", (1.0, "fan", "normal"), (3, 3), ValueError),
        ("variance_scaling", (1.0, "fan_in", "cauchy"), (3, 3), ValueError),
        ("he_normal", (5,), (3, 3), IndexError),
        ("orthogonal", (), (5,), ValueError),
        ("delta_orthogonal", (), (5, 5), ValueError),
        ("delta_orthogonal", (), (3, 3, 6, 5), ValueError),
    ):
        for module in (jax.nn.initializers, adapter.initializers):
            init = getattr(module, name)(*arguments)
            with pytest.raises(kind):
                init(key(), shape)


def test_a_scale_must_be_a_known_number_that_is_not_negative():
    def traced(scale):
        return adapter.initializers.normal(scale)(key(), (2,))

    with pytest.raises(TypeError, match=r"stddev is traced .* stddev=1 and multiply"):
        jax.jit(traced)(1.0)
    with pytest.raises(TypeError, match=r"(?m)lower is traced .* traced: pass a number$"):
        jax.jit(lambda x: adapter.initializers.truncated_normal(1.0, lower=x)(key(), (2,)))(-1.0)
    with pytest.raises(TypeError, match="scale must be a number, not 'a'"):
        adapter.initializers.uniform("a")
    with pytest.raises(TypeError, match="stddev must be a number"):
        adapter.initializers.normal(np.ones(3))
    with pytest.raises(TypeError, match="in_axis must be an int or a sequence of ints"):
        adapter.initializers.he_normal(in_axis="I")
    with pytest.raises(ValueError, match="std must not be negative"):
        adapter.initializers.normal(-1.0)
    with pytest.raises(ValueError, match="scale must not be negative"):
        adapter.initializers.variance_scaling(-1.0, "fan_in", "normal")(key(), (2, 2))
    scale = jax.numpy.array(2.0, "bfloat16")
    made = adapter.initializers.normal(scale)(key(), (9,))
    assert bits(made) == bits(wi.normal(9, std=2.0, rng=adapter.key(key())))


def test_a_wrong_shape_is_refused_when_a_function_is_traced():
    for call in (
        lambda key: adapter.initializers.orthogonal()(key, (5,)),
        lambda key: adapter.initializers.normal(1e6)(key, (5,), "float16"),
        lambda key: adapter.initializers.normal()(key, (2.5,)),
    ):
        with pytest.raises((TypeError, ValueError)):
            jax.eval_shape(call, key())


# ---- objects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments", "keywords", "text"), CASES)
def test_what_is_made_can_be_compared_and_pickled(name, arguments, keywords, text):
    make = getattr(adapter.initializers, name)
    init = make(*arguments, **keywords)
    again = make(*arguments, **keywords)
    assert init == again
    assert hash(init) == hash(again)
    assert init != make(*arguments, **keywords, dtype="bfloat16")
    assert init != jax.nn.initializers.normal()
    for other in (copy.deepcopy(init), pickle.loads(pickle.dumps(init))):
        assert other == init
        assert bits(other(key(), SHAPE)) == bits(init(key(), SHAPE))
    assert eval(repr(init), vars(adapter.initializers)) == init


def test_constants_can_be_compared():
    constant = adapter.initializers.constant
    assert constant(0.5) == constant(0.5) != constant(0.25)
    assert constant(1) != constant(1.0)
    # They are static arguments of jax.jit, which takes one for the other.
    assert constant(0.0) != constant(-0.0)
    assert constant(np.float32(0)) != constant(np.float32(-0.0))
    assert constant(math.nan) == constant(math.nan)
    array = np.arange(3)
    assert constant(array) == constant(array)
    assert hash(constant(array)) == hash(constant(array))
    made = pickle.loads(pickle.dumps(constant(0.5, "float16")))
    assert made == constant(0.5, "float16")


def test_two_functions_with_one_law_make_equal_initialisers():
    scaling = adapter.initializers.variance_scaling
    assert adapter.initializers.he_normal() == scaling(2, "fan_in", "truncated_normal")
    assert adapter.initializers.he_normal() != adapter.initializers.lecun_normal()
    assert adapter.initializers.he_normal([0], [1]) == adapter.initializers.he_normal((0,), (1,))


def test_functions_are_named_by_the_public_module():
    for name in NAMES:
        assert getattr(adapter.initializers, name).__module__ == "weightinit_fast.jax.initializers"


# ---- initializer ------------------------------------------------------------------------------

OURS = [
    "he_normal(a=0.25, layout='HWIO', groups=8)",
    "fan_in_uniform(layout='HWOI')",
    "dirac(layout='HWIO')",
    "xavier_normal(gain='tanh', fans=(3, 5))",
]


@pytest.mark.parametrize("text", OURS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_any_initialiser_of_the_package_can_be_passed(text, dtype):
    init = adapter.initializer(text)
    assert isinstance(init, jax.nn.initializers.Initializer)
    wanted = expected(text, SHAPE, dtype, key())
    assert bits(init(key(), SHAPE, dtype)) == bits(wanted)
    assert bits(adapter.initializer(wi.initializer(text), dtype)(key(), SHAPE)) == bits(wanted)
    assert bits(jax.jit(lambda key: init(key, SHAPE, dtype))(key())) == bits(wanted)
    for other in (copy.deepcopy(init), pickle.loads(pickle.dumps(init)), adapter.initializer(text)):
        assert other == init
        assert hash(other) == hash(init)
    assert init != adapter.initializer(text, "float16")
    for made in (init, adapter.initializer(text, "float16")):
        assert eval(repr(made), {"initializer": adapter.initializer}) == made


def test_sparse_and_what_initializer_refuses():
    made = adapter.initializer("sparse", sparsity=0.5)(key(), (8, 8))
    assert int((made == 0).sum()) == 32
    with pytest.raises(TypeError, match="dtype must be one of float32"):
        adapter.initializer("normal")(key(), (2,), "complex64")
    with pytest.raises(TypeError, match="initializer takes a function of weightinit_fast"):
        adapter.initializer(adapter.initializers.normal())
    with pytest.raises((TypeError, ValueError), match="axis"):
        adapter.initializer("he_normal", in_axis=0)
    assert adapter.initializer("normal") != adapter.initializers.normal(1.0)
