"""The initialisers beside Keras's: arguments, laws, bits, dtypes, seeds and copies."""

import copy
import inspect
import json
import pickle
import warnings

import numpy as np
import pytest
from keras_cases import CASES, IDS, adapter, array, backend_is, bits, keras, ours

import weightinit_fast as wi

NAMES = sorted({name for name, *_ in CASES})
CONSTANTS = ["Zeros", "Ones", "Constant", "Identity"]


def made(name, **arguments):
    return getattr(adapter.initializers, name)(**arguments)


# Names and arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, *CONSTANTS])
def test_arguments_are_those_of_keras(name):
    theirs, mine = getattr(keras.initializers, name), getattr(adapter.initializers, name)
    wanted = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
    found = [(p.name, p.default) for p in inspect.signature(mine).parameters.values()]
    assert found == wanted + [("stream", 0)] * (name in NAMES)
    assert issubclass(mine, theirs)


def test_every_name_of_keras_is_there():
    for name in dir(keras.initializers):
        if not name.startswith("_"):
            kept = getattr(adapter.initializers, name)
            theirs = getattr(keras.initializers, name)
            assert kept is theirs or name == "get" or issubclass(kept, theirs)
    known = adapter.initializers.names()
    for name, kind in known.items():
        if kind is adapter.initializers.Constant:  # Keras's own get finds no value for it
            continue
        assert type(keras.initializers.get(name)) in kind.__mro__


def test_get():
    get = adapter.initializers.get
    assert type(get("he_normal")) is adapter.initializers.HeNormal
    assert type(get("HeNormal")) is adapter.initializers.HeNormal
    assert type(get(keras.initializers.HeNormal)) is keras.initializers.HeNormal
    assert get(None) is None
    with pytest.raises(ValueError, match="typo"):
        get("typo")


def test_a_scope_replaces_the_defaults_of_layers():
    with keras.saving.custom_object_scope(adapter.initializers.names()):
        layers = [keras.layers.Dense(8), keras.layers.Embedding(9, 4), keras.layers.LSTM(3)]
    assert type(layers[0].kernel_initializer) is adapter.initializers.GlorotUniform
    assert type(layers[0].bias_initializer) is adapter.initializers.Zeros
    assert type(layers[1].embeddings_initializer) is adapter.initializers.RandomUniform
    assert type(layers[2].recurrent_initializer) is adapter.initializers.Orthogonal
    assert type(keras.layers.Dense(8).kernel_initializer) is keras.initializers.GlorotUniform


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("name", "arguments", "shape", "text"), CASES, ids=IDS)
def test_bits_are_those_of_the_package(name, arguments, shape, text, dtype):
    found = made(name, **arguments, seed=7, stream="a")(shape, dtype=dtype)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert bits(array(found)) == bits(ours(text, shape, dtype, rng=7, stream="a"))


@pytest.mark.parametrize(("name", "arguments", "shape", "text"), CASES, ids=IDS)
def test_law_is_that_of_keras(name, arguments, shape, text):
    """Mean, standard deviation and bounds agree with Keras's draws, within five standard errors."""
    theirs = array(getattr(keras.initializers, name)(**arguments, seed=1)(shape)).ravel()
    rule = made(name, **arguments).rule_for(shape)
    law = rule.law(shape)
    assert law.low <= theirs.min()
    assert theirs.max() <= law.high
    error = 5 * law.std / theirs.size**0.5
    assert abs(theirs.mean() - law.mean) < error
    assert abs(theirs.std() - law.std) < error
    if np.isfinite(law.high) and law.kind != "orthogonal":  # Keras's bounds are these
        width = law.high - law.low
        assert law.high - theirs.max() < width / 50
        assert theirs.min() - law.low < width / 50


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (3, 3, 4, 50), (3, 2, 8)])
def test_orthogonal_is_orthogonal_where_keras_is(shape):
    for initializers in (keras.initializers, adapter.initializers):
        matrix = array(initializers.Orthogonal(seed=1)(shape)).reshape(-1, shape[-1])
        if matrix.shape[0] < matrix.shape[1]:
            matrix = matrix.T
        assert np.allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5)


@pytest.mark.parametrize(
    "shape", [(), (7,), (1,), (3, 4), (5, 3, 4), (2, 5, 3, 4), (2, 3, 4, 5, 6), (0, 4), (4, 0)]
)
def test_fans_are_those_of_keras(shape):
    from keras.src.initializers.random_initializers import compute_fans  # noqa: PLC0415

    from weightinit_fast.keras.rules import fans_of  # noqa: PLC0415

    assert fans_of(shape) == compute_fans(shape)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0, 3), 4])
def test_shapes(shape):
    whole = (shape,) if isinstance(shape, int) else shape
    found = made("GlorotUniform", seed=1)(shape)
    assert tuple(found.shape) == whole
    text = f"xavier_uniform(fans={ ({0: (1, 1), 1: (*whole, *whole)}.get(len(whole), whole)) })"
    assert bits(array(found)) == bits(ours(text, whole, rng=1))


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_keras(name):
    # Keras's Identity gives float32 for int32 with JAX, and fails with TensorFlow.
    for dtype in ("float32", "bfloat16") + ("int32", "bool") * (name != "Identity"):
        theirs = getattr(keras.initializers, name)()((3, 3), dtype=dtype)
        mine = made(name)((3, 3), dtype=dtype)
        assert mine.dtype == theirs.dtype
        assert (array(mine) == array(theirs)).all()


def test_constants_that_are_no_number():
    for value in (np.arange(4.0).reshape(2, 2), float("inf"), float("nan")):
        theirs = keras.initializers.Constant(value)((2, 2))
        mine = adapter.initializers.Constant(value)((2, 2))
        assert np.array_equal(array(mine), array(theirs), equal_nan=True)


def test_default_dtype_is_that_of_keras():
    before = keras.config.floatx()
    try:
        keras.config.set_floatx("float16")
        assert "float16" in str(made("HeNormal")((3, 3)).dtype)
    finally:
        keras.config.set_floatx(before)


# Seeds --------------------------------------------------------------------------------------------


def test_an_int_repeats_and_says_so():
    init = made("HeNormal", seed=3)
    first = array(init((4, 4)))
    with pytest.warns(UserWarning, match=r"HeNormal\(seed=3\) has been called before") as caught:
        again = array(init((4, 4)))
    assert (again == first).all()
    text = str(caught[0].message)
    assert "seed=keras.random.SeedGenerator(3)" in text
    assert "stream=" in text
    assert "weightinit_fast.keras.initialize(model, rng=3)" in text
    assert caught[0].filename == __file__
    init((4, 4))  # it warns once


def test_a_stream_is_other_values():
    values = [array(made("HeNormal", seed=3, stream=s)((4, 4))) for s in (0, 1, "a", "b")]
    assert len({bits(v) for v in values}) == 4
    assert bits(values[1]) == bits(array(made("HeNormal", seed=3, stream=np.int64(1))((4, 4))))


def test_a_generator_advances():
    init = made("RandomNormal", seed=keras.random.SeedGenerator(5), stream="a")
    for call in range(3):
        wanted = ours("normal(std=0.05)", (8,), rng=wi.Key(5 | call << 32, 0), stream="a")
        assert bits(array(init((8,)))) == bits(wanted)


def test_no_seed_follows_keras():
    def drawn():
        keras.utils.set_random_seed(11)
        one, two = made("HeNormal"), made("HeNormal")
        return [array(init((4, 4))) for init in (one, one, two, two)]

    first, second = drawn(), drawn()
    assert [bits(v) for v in first] == [bits(v) for v in second]
    assert len({bits(v) for v in first}) == 4


def test_no_seed_is_a_generator_with_the_default_seed():
    init = made("RandomNormal")
    for call in range(2):
        wanted = ours("normal(std=0.05)", (8,), rng=wi.Key(int(init.seed) | call << 32, 0))
        assert bits(array(init((8,)))) == bits(wanted)


def test_a_seed_that_is_set_later():
    init = made("RandomNormal", seed=1)
    init.seed = 2
    assert bits(array(init((8,)))) == bits(ours("normal(std=0.05)", (8,), rng=2))


def kernels(layer):
    return [array(w.value) for w in layer.weights if w.path.endswith("kernel")]


def attention(init):
    layer = keras.layers.MultiHeadAttention(2, 8, kernel_initializer=init)
    layer.build((None, 5, 16), (None, 5, 16))
    return kernels(layer)[:3]


def einsum(init):
    found = []
    for _ in range(2):
        layer = keras.layers.EinsumDense("abc,cde->abde", (None, 4, 8), kernel_initializer=init)
        layer.build((None, 3, 16))
        found += kernels(layer)
    return found


def bidirectional(init):
    layer = keras.layers.Bidirectional(keras.layers.SimpleRNN(8, kernel_initializer=init))
    layer.build((None, 3, 16))
    return [k for k in kernels(layer) if k.shape == (16, 8)]


def dense(init):
    found = []
    for _ in range(2):
        layer = keras.layers.Dense(8, kernel_initializer=init)
        layer.build((None, 16))
        found += kernels(layer)
    return found


@pytest.mark.parametrize("build", [attention, einsum, bidirectional, dense])
def test_layers_that_share_an_initialiser_never_begin_equal_silently(build):
    """This is what keras-hub's issue 352 is about."""
    for seed in (None, keras.random.SeedGenerator(3), keras.random.SeedGenerator()):
        found = build(made("GlorotUniform", seed=seed))
        assert len(found) == len({bits(k) for k in found}) > 1
    with pytest.warns(UserWarning, match="has been called before") as caught:
        found = build(made("GlorotUniform", seed=3))
    assert sum("called before" in str(one.message) for one in caught) == 1
    assert len({bits(k) for k in found}) == 1


def test_calls_for_shapes_do_not_count():
    init = made("HeNormal", seed=3)
    with keras.StatelessScope():
        init((4, 4))
        init((4, 4))
    first = init((4, 4))
    with pytest.warns(UserWarning, match="called before"):
        assert (array(init((4, 4))) == array(first)).all()


# Configs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments", "shape", "text"), CASES, ids=IDS)
def test_configs(name, arguments, shape, text):
    init = made(name, **arguments, seed=7, stream="a")
    serialized = json.loads(json.dumps(keras.initializers.serialize(init)))
    assert serialized["registered_name"] == f"weightinit_fast>{name}"
    copies = [
        keras.initializers.deserialize(serialized),
        type(init).from_config(json.loads(json.dumps(init.get_config()))),
        pickle.loads(pickle.dumps(init)),
    ]
    first = array(init(shape))
    for one in copies:
        assert one.get_config() == init.get_config()
        assert bits(array(one(shape))) == bits(first)
    for one in (copy.deepcopy(init), init.clone()):
        with pytest.warns(UserWarning, match="called before"):
            assert bits(array(one(shape))) == bits(first)
        init = made(name, **arguments, seed=7, stream="a")  # its copies warn once
        init(shape)
        break


def test_configs_hold_what_keras_holds():
    for seed in (None, 3):
        theirs = keras.initializers.HeNormal(seed=seed).get_config()
        assert made("HeNormal", seed=seed).get_config() == theirs
    generator = keras.random.SeedGenerator(3)
    theirs = keras.initializers.HeNormal(seed=generator).get_config()
    mine = made("HeNormal", seed=generator).get_config()
    assert json.dumps(mine) == json.dumps(theirs)
    revived = adapter.initializers.HeNormal.from_config(json.loads(json.dumps(mine)))
    wanted = ours(
        "variance_scaling(scale=2, distribution='truncated_normal', fans=(4, 4))",
        (4, 4),
        rng=wi.Key(3, 0),
    )
    assert bits(array(revived((4, 4)))) == bits(wanted)


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda i: i.RandomNormal(stddev=-1), ValueError, "std"),
        (lambda i: i.RandomNormal(mean="a"), TypeError, "mean must be a number"),
        (lambda i: i.RandomUniform(1, 0), ValueError, "low"),
        (lambda i: i.VarianceScaling(scale=-1), ValueError, "`scale` must be positive"),
        (lambda i: i.VarianceScaling(mode="fan"), ValueError, "Invalid `mode`"),
        (lambda i: i.HeNormal(seed="a"), ValueError, "`seed` argument should be"),
        (lambda i: i.HeNormal(seed=1.5), ValueError, "`seed` argument should be"),
        (lambda i: i.HeNormal(seed=-1)((2, 2)), ValueError, "must not be negative"),
        (lambda i: i.HeNormal(stream=-1), ValueError, "stream"),
        (lambda i: i.HeNormal(stream=["a"]), TypeError, "stream must be an int or a name"),
        (lambda i: i.HeNormal()((2, -2)), ValueError, "shape"),
        (lambda i: i.HeNormal()((2, 2), dtype="int32"), TypeError, "dtype must be one of"),
        (lambda i: i.HeNormal()((2, 2), dtype="complex64"), TypeError, "dtype must be one of"),
        (lambda i: i.Orthogonal()((2,)), ValueError, "^orthogonal needs a shape of two axes"),
        (lambda i: i.RandomNormal(stddev=1e6)((2,), "float16"), ValueError, "^mean=0.0, std=1000"),
        (lambda i: i.Identity()((2, 2, 2)), ValueError, "2D"),
    ],
)
def test_refusals(make, error, text):
    with pytest.raises(error, match=text):
        make(adapter.initializers)


def test_layout_is_for_jax():
    if keras.backend.backend() == "jax":
        pytest.skip("it is about other backends")
    with pytest.raises(ValueError, match="layout= is for Keras's backend jax"):
        made("HeNormal")((2, 2), layout="somewhere")


def test_a_class_of_the_user_may_call_ours():
    class Halved(adapter.initializers.HeNormal):
        def __call__(self, shape, dtype=None):
            return super().__call__(shape, dtype) / 2

    text = "variance_scaling(scale=2, distribution='truncated_normal', layout='IO')"
    assert bits(array(Halved(seed=1)((8, 4)))) == bits(ours(text, (8, 4), rng=1) / 2)
    layer = keras.layers.Dense(4, kernel_initializer=Halved(), name="fc")
    layer.build((None, 8))
    with pytest.raises(ValueError, match="Halved of Dense is no initialiser of Keras"):
        adapter.initialize(layer, rng=1)


# JAX ----------------------------------------------------------------------------------------------


def literals(jaxpr):
    """Return the sizes of all constants of a traced function, and of the functions in it."""
    closed = getattr(jaxpr, "consts", [])
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    sizes = [np.size(c) for c in closed]
    for equation in inner.eqns:
        for value in equation.params.values():
            if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                sizes += literals(value)
    return sizes


@pytest.mark.parametrize("name", NAMES)
def test_under_jit_there_are_no_constants(name):
    backend_is("jax")
    import jax  # noqa: PLC0415

    for seed in (7, None):
        init = made(name, seed=seed, stream=5)
        traced = jax.make_jaxpr(lambda init=init: init((40, 60), dtype="float32"))()
        assert max(literals(traced), default=0) <= 4
    seven = made(name, seed=7, stream=5)
    eager = made(name, seed=7, stream=5)((40, 60))
    assert bits(array(jax.jit(lambda: seven((40, 60)))())) == bits(array(eager))
    shape = jax.eval_shape(lambda: made(name)((40, 60), dtype="bfloat16"))
    assert (shape.shape, str(shape.dtype)) == ((40, 60), "bfloat16")


def test_a_generator_under_jit():
    backend_is("jax")
    import jax  # noqa: PLC0415

    generator = keras.random.SeedGenerator(5)
    init = made("RandomNormal", seed=generator, stream="a")

    @jax.jit
    def drawn(state):
        with keras.StatelessScope(state_mapping=[(generator.state, state)]) as scope:
            values = init((8,))
        return values, scope.get_current_value(generator.state)

    state = generator.state.value
    for call in range(3):
        values, state = drawn(state)
        wanted = ours("normal(std=0.05)", (8,), rng=wi.Key(5 | call << 32, 0), stream="a")
        assert bits(array(values)) == bits(wanted)


def test_a_graph_of_tensorflow_draws_when_it_runs():
    backend_is("tensorflow")
    import tensorflow as tf  # noqa: PLC0415

    text = "variance_scaling(scale=2, distribution='truncated_normal', layout='IO')"
    for dtype in ("float32", "bfloat16"):
        init = made("HeNormal", seed=1, stream="a")
        function = tf.function(lambda init=init, dtype=dtype: init((40, 40), dtype))
        assert bits(array(function())) == bits(ours(text, (40, 40), dtype, rng=1, stream="a"))
        nodes = function.get_concrete_function().graph.as_graph_def().node
        constants = [tf.make_ndarray(n.attr["value"].tensor) for n in nodes if n.op == "Const"]
        assert [values.size for values in constants] == [4]  # the words of the key
    generator = keras.random.SeedGenerator(4)
    function = tf.function(lambda: made("HeNormal", seed=generator)((4, 4)))
    for call in range(2):
        wanted = ours(text, (4, 4), rng=wi.Key(4 | call << 32, 0))
        assert bits(array(function())) == bits(wanted)


def test_torch_has_no_second_copy():
    backend_is("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = made("HeNormal", seed=1)((256, 256))
    assert tensor.data_ptr() % 64 == 0  # as the arrays of the package
