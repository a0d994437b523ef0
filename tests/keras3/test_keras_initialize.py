"""initialize: every parameter by its path, by a recipe or by the layers' own initialisers."""

import pickle

import numpy as np
import pytest
from keras_cases import adapter, array, bits, keras, ours

import weightinit_fast as wi


def net(name="net", **dense):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.Flatten(),
            layers.Dense(5, name="fc", **dense),
        ],
        name=name,
    )


def values(model):
    return {w.path: array(w.value) for w in model.weights}


RULES = {"*/bias": "zeros", "*/bn/*": "ones", "*": "normal(std=0.02)"}


def test_streams_are_paths():
    model = net()
    before = values(model)
    report = adapter.initialize(model, RULES, rng=3)
    after = values(model)
    names = ["conv/kernel", "conv/bias", "bn/gamma", "bn/beta", "fc/kernel", "fc/bias"]
    assert [row.name for row in report] == [f"net/{name}" for name in names]
    for row in report:
        wanted = ours(str(row.initializer), row.shape, rng=3, stream=row.name)
        assert bits(after[row.name]) == bits(wanted)
        assert row.dtype == "float32"
    for name in ("net/bn/moving_mean", "net/bn/moving_variance"):
        assert bits(after[name]) == bits(before[name])
    assert "net/conv/kernel  3 x 3 x 3 x 4  float32  *" in str(report)
    assert pickle.loads(pickle.dumps(report)) == report


def test_what_stands_for_a_recipe():
    model = net()
    for recipe in (wi.Recipe(RULES), list(RULES.items()), "normal(std=0.02)", wi.normal):
        adapter.initialize(model, recipe, rng=3)
        name = "net/fc/kernel"
        std = 0.02 if recipe is not wi.normal else 1
        wanted = ours(f"normal(std={std})", (144, 5), rng=3, stream=name)
        assert bits(values(model)[name]) == bits(wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX makes float32 of it by default")
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, name="fc", dtype=dtype)], name="net"
    )
    report = adapter.initialize(model, "normal", rng=1)
    assert report[0].dtype == dtype
    wanted = ours("normal", (8, 4), dtype, rng=1, stream="net/fc/kernel")
    assert bits(array(model.weights[0].value)) == bits(wanted)


def test_only_and_frozen_layers():
    model = net()
    model.get_layer("fc").trainable = False
    before = values(model)
    report = adapter.initialize(model, RULES, rng=3, only="net/fc/*")
    assert [row.name for row in report] == ["net/fc/kernel", "net/fc/bias"]
    after = values(model)
    changed = {name for name in after if bits(after[name]) != bits(before[name])}
    assert changed == {"net/fc/kernel"}
    assert not model.get_layer("fc").trainable_weights
    with pytest.raises(ValueError, match=r"'net/cf/\*' of only= matches no parameter"):
        adapter.initialize(model, RULES, rng=3, only=["net/fc/*", "net/cf/*"])
    with pytest.raises(TypeError, match="only must be a pattern"):
        adapter.initialize(model, RULES, rng=3, only=3)


def test_seeds():
    model = net()
    keras.utils.set_random_seed(5)
    adapter.initialize(model, RULES)
    first = values(model)
    adapter.initialize(model, RULES)
    second = values(model)
    keras.utils.set_random_seed(5)
    adapter.initialize(model, RULES)
    third = values(model)
    name = "net/fc/kernel"
    assert bits(first[name]) == bits(third[name]) != bits(second[name])
    generator = keras.random.SeedGenerator(9)
    for call in range(2):
        adapter.initialize(model, RULES, rng=generator)
        key = wi.Key(9 | call << 32, 0)
        assert bits(values(model)[name]) == bits(
            ours("normal(std=0.02)", (144, 5), rng=key, stream=name)
        )
    with pytest.raises(TypeError, match="rng"):
        adapter.initialize(model, RULES, rng="a")


def test_ties():
    inputs = keras.Input((4,))
    tied = keras.Model(
        inputs,
        keras.layers.Dense(4, name="b")(keras.layers.Dense(4, name="a")(inputs)),
        name="net",
    )
    recipe = wi.Recipe({"*": "normal"}, same_as={"b/kernel": "a/kernel"})
    report = adapter.initialize(tied, recipe, rng=1, only=["b/kernel"])
    assert report[0].same_as == "a/kernel"
    found = values(tied)
    assert bits(found["b/kernel"]) == bits(ours("normal", (4, 4), rng=1, stream="a/kernel"))
    assert bits(found["a/kernel"]) != bits(found["b/kernel"])


def test_a_layer_that_is_used_twice_is_drawn_once():
    layer = keras.layers.Dense(4, name="fc")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layer(layer(inputs)), name="net")
    assert [row.name for row in adapter.initialize(model, "normal", rng=1)] == [
        "fc/kernel",
        "fc/bias",
    ]


def test_unused_patterns_warn():
    model = net()
    with pytest.warns(UserWarning, match=r"the pattern \*/wight of the recipe takes no tensor"):
        report = adapter.initialize(model, {"*/wight": "zeros"} | RULES, rng=3)
    assert report.unused == ("*/wight",)
    rules = {"net/fc/*": "zeros"} | adapter.default_rules(model)
    adapter.initialize(model, rules, rng=3)  # what it hides is no mistake


class Odd:
    """Layers that initialize refuses; they are made here, since Keras is imported late."""

    def __init__(self):
        class Plain(keras.layers.Layer):
            def build(self, shape):
                self.w = self.add_weight(shape=(3, 3), initializer="ones", name="w")

        class Pair(keras.layers.Layer):
            def build(self, shape):
                self.one = keras.layers.Dense(3, name="fc")
                self.two = keras.layers.Dense(3, name="fc")
                self.one.build(shape)
                self.two.build(shape)

        class Own(keras.initializers.RandomNormal):
            def __call__(self, shape, dtype=None):
                return super().__call__(shape, dtype)

        self.Plain, self.Pair, self.Own = Plain, Pair, Own


def test_refusals():
    odd = Odd()
    with pytest.raises(TypeError, match=r"model must be a keras.Model or a keras.layers.Layer"):
        adapter.initialize([net()], RULES)
    unbuilt = keras.Sequential([keras.layers.Dense(3, name="fc")], name="net")
    with pytest.raises(ValueError, match=r"these layers are not built: .*fc.*model.build"):
        adapter.initialize(unbuilt, RULES)
    plain = odd.Plain(name="mine")
    plain.build((None, 3))
    with pytest.raises(ValueError, match=r"mine/w \(Plain has no w_initializer\)\. Pass a recipe"):
        adapter.initialize(plain, rng=1)
    pair = odd.Pair(name="pair")
    pair.build((None, 3))
    with pytest.raises(ValueError, match=r"one path.*fc/kernel"):
        adapter.initialize(pair, RULES, rng=1)
    own = keras.layers.Dense(3, kernel_initializer=odd.Own(), name="fc")
    own.build((None, 3))
    with pytest.raises(ValueError, match="Own of Dense is no initialiser of Keras"):
        adapter.initialize(own, rng=1)
    model = net()
    before = values(model)
    with pytest.raises(ValueError, match=r"net/bn/gamma, net/bn/beta"):
        adapter.initialize(model, {"*/bias": "zeros", "*/kernel": "normal"}, rng=1)
    with pytest.raises(ValueError, match="net/bn/gamma: shape"):
        adapter.initialize(model, {"*/bias": "zeros", "*": "he_normal"}, rng=1)
    with keras.StatelessScope(), pytest.raises(ValueError, match="stateless scope"):
        adapter.initialize(model, RULES, rng=1)
    assert all(bits(before[name]) == bits(kept) for name, kept in values(model).items())


# The default recipe -------------------------------------------------------------------------------


def built():
    """Return layers with the shapes that they are built for; each has another initialiser."""
    layers, normal = keras.layers, keras.initializers.RandomNormal
    image, sequence = (None, 8, 8, 6), (None, 7, 6)
    return [
        (layers.Dense(5, bias_initializer=normal(stddev=0.3)), (None, 6)),
        (layers.Dense(5, kernel_initializer=adapter.initializers.HeNormal(seed=1)), (None, 6)),
        (layers.EinsumDense("abc,cde->abde", (None, 2, 8), bias_axes="de"), sequence),
        (layers.EinsumDense("...x,xy->...y", 4, kernel_initializer="he_uniform"), sequence),
        (layers.Embedding(9, 4), (None,)),
        (layers.Conv1D(4, 3, kernel_initializer="lecun_normal"), sequence),
        (layers.Conv2D(4, 3, groups=2, kernel_initializer="he_normal"), image),
        (layers.Conv3D(2, 2), (None, 4, 4, 4, 3)),
        (layers.Conv2DTranspose(4, 3), image),
        (layers.DepthwiseConv2D(3, depthwise_initializer="he_normal"), image),
        (layers.SeparableConv2D(4, 3, pointwise_initializer="he_normal"), image),
        (layers.BatchNormalization(gamma_initializer=normal(mean=1.0)), image),
        (layers.LayerNormalization(), image),
        (layers.GroupNormalization(2), image),
        (layers.RMSNormalization(), image),
        (layers.UnitNormalization(), image),
        (layers.PReLU(alpha_initializer=normal()), image),
        (layers.SimpleRNN(4), sequence),
        (layers.GRU(4, bias_initializer=normal()), sequence),
        (layers.LSTM(4, unit_forget_bias=False, bias_initializer=normal()), sequence),
        (layers.LSTM(4), sequence),
        (layers.ConvLSTM2D(4, 3), (None, 3, 8, 8, 2)),
        (layers.Bidirectional(layers.GRU(4)), sequence),
        (layers.TimeDistributed(layers.Dense(3)), sequence),
        (layers.MultiHeadAttention(2, 4, kernel_initializer="he_normal"), (sequence, sequence)),
        (layers.GroupQueryAttention(4, 4, 2), (sequence, sequence)),
        (layers.Attention(use_scale=True, score_mode="concat"), [sequence, sequence]),
        (layers.AdditiveAttention(), [sequence, sequence]),
        (layers.ReversibleEmbedding(9, 4, tie_weights=False), (None,)),
        (layers.SpectralNormalization(layers.Dense(3)), (None, 6)),
    ]


def test_default_recipe_is_what_the_layers_pass(monkeypatch):
    """For each parameter the rule is that of the initialiser which the layer hands to Keras."""
    from weightinit_fast.keras.rules import initializer_of  # noqa: PLC0415

    passed = {}
    add_weight = keras.layers.Layer.add_weight

    def recorded(self, *arguments, **named):
        variable = add_weight(self, *arguments, **named)
        initializer = named.get("initializer", arguments[1] if len(arguments) > 1 else None)
        passed[variable.path] = keras.initializers.get(initializer or "glorot_uniform")
        return variable

    monkeypatch.setattr(keras.layers.Layer, "add_weight", recorded)
    seen = 0
    for layer, shape in built():
        passed.clear()
        layer.build(*shape) if isinstance(shape, tuple) and isinstance(shape[0], tuple) else (
            layer.build(shape)
        )
        if not layer.weights:
            continue
        report = adapter.initialize(layer, rng=1)
        for row in report:
            seen += 1
            wanted = initializer_of(passed[row.name], row.shape)
            if wanted is None:  # the function by which an LSTM sets the bias of its forget gate
                assert row.rule.endswith("LSTMCell, forget gate ones") or "ConvLSTM" in row.rule
                assert str(row.initializer) == "zeros"
                (bias,) = (w for w in layer.weights if w.path == row.name)
                gate = row.shape[0] // 4
                assert array(bias.value).tolist() == [0] * gate + [1] * gate + [0] * 2 * gate
                continue
            assert row.initializer == wanted, row.name
            assert row.rule in (type(one).__name__ for one in layer._flatten_layers())
    assert seen > 60


def test_default_rules_are_the_default_recipe():
    model = net(kernel_initializer="he_normal")
    adapter.initialize(model, rng=1)
    first = values(model)
    adapter.initialize(model, adapter.default_rules(model), rng=1)
    assert all(bits(first[name]) == bits(kept) for name, kept in values(model).items())
    assert np.isclose(first["net/fc/kernel"].std(), (2 / 144) ** 0.5, rtol=0.1)
