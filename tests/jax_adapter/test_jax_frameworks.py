"""The initialisers in layers of Flax, Equinox and Haiku. (docs/jax.md has the plain uses.)"""

import numpy as np
import pytest
from adapted import adapter, bits, jax
from support.frameworks import Framework

import weightinit_fast as wi

linen = Framework("flax.linen")
nnx = Framework("flax.nnx")
equinox = Framework("equinox")
haiku = Framework("haiku")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def key(number=0):
    return jax.random.key(number)


def kernels(tree):
    """Return the arrays of two axes or more."""
    return [leaf for leaf in jax.tree.leaves(tree) if leaf.ndim > 1]


def test_linen_passes_the_key_that_it_passes_to_initialisers_of_jax():
    """The values are those of NumPy's functions for the keys that the layers are given."""
    keys = {}

    def spy(key, shape, dtype=None):
        keys[shape] = key
        return jax.numpy.zeros(shape, dtype)

    x = jax.numpy.ones((1, 6))
    made = {}
    for init in (spy, adapter.initializers.he_uniform()):
        model = linen.Sequential([linen.Dense(8, kernel_init=init), linen.Dense(4)])
        made = model.init(key(), x)
    kernel = made["params"]["layers_0"]["kernel"]
    same = wi.he_uniform((6, 8), layout="IO", rng=adapter.key(keys[6, 8]))
    assert bits(kernel) == bits(same)


def test_linen_modules_that_hold_equal_initialisers_are_equal():
    def model(std):
        return linen.Dense(4, kernel_init=adapter.initializers.normal(std))

    assert model(0.02) == model(0.02)
    assert hash(model(0.02)) == hash(model(0.02))
    assert model(0.02) != model(0.03)
    traces = []

    @jax.jit
    def init(key):
        traces.append(key)
        return model(0.02).init(key, jax.numpy.ones((1, 3)))

    for _ in range(3):
        init(key())
    assert len(traces) == 1
    apply = jax.jit(lambda module, key: module.init(key, jax.numpy.ones((1, 3))), static_argnums=0)
    for _ in range(3):
        apply(model(0.02), key())
    assert apply._cache_size() == 1


def test_linen_attention_scan_and_remat():
    init = adapter.initializers.glorot_uniform()
    x = jax.numpy.ones((1, 4, 16))
    attention = linen.MultiHeadDotProductAttention(2, kernel_init=init)
    made = attention.init(key(), x)["params"]["query"]["kernel"]
    assert made.shape == (16, 2, 8)
    assert float(abs(made).max()) <= (6 / 32) ** 0.5  # Flax flattens the heads: 16 to 16

    class Layer(linen.Module):
        @linen.compact
        def __call__(self, carry, _):
            dense = linen.remat(linen.Dense)
            return dense(16, use_bias=False, kernel_init=init)(carry), None

    layers = linen.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
    (stacked,) = kernels(layers().init(key(), x, None))
    assert stacked.shape == (3, 16, 16)
    assert len({bits(layer) for layer in stacked}) == 3
    (traced,) = kernels(jax.jit(layers().init)(key(), x, None))
    assert bits(traced) == bits(stacked)


def test_linen_einsum_takes_axes():
    init = adapter.initializers.lecun_uniform(in_axis=0, out_axis=(1, 2))
    layer = linen.Einsum((300, 4, 25), "bi,iho->bho", kernel_init=init)
    made = layer.init(key(), jax.numpy.ones((1, 300)))["params"]["kernel"]
    assert float(abs(made).max()) == pytest.approx(0.1, rel=1e-3)  # sqrt(3/300)


def test_nnx_keeps_equal_graphs_for_equal_initialisers():
    def model(seed):
        init = adapter.initializers.truncated_normal(0.02)
        return nnx.Linear(8, 8, kernel_init=init, rngs=nnx.Rngs(seed))

    assert nnx.graphdef(model(0)) == nnx.graphdef(model(1))
    assert bits(model(0).kernel[...]) != bits(model(1).kernel[...])
    assert bits(nnx.jit(model, static_argnums=0)(0).kernel[...]) == bits(model(0).kernel[...])
    shaped = nnx.eval_shape(lambda: model(0))
    assert isinstance(shaped.kernel.get_value(), jax.ShapeDtypeStruct)


def test_nnx_vmap_makes_other_layers_of_other_keys():
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=0, out_axes=0)
    def stacked(rngs):
        return nnx.Linear(8, 8, kernel_init=adapter.initializers.he_normal(), rngs=rngs)

    kernel = stacked(nnx.Rngs(0)).kernel[...]
    assert kernel.shape == (3, 8, 8)
    assert len({bits(layer) for layer in kernel}) == 3


def test_equinox_and_haiku_under_jit():
    init = adapter.initializers.he_normal(in_axis=1, out_axis=0)

    def layer(key):
        first, second = jax.random.split(key)
        made = equinox.nn.Linear(6, 8, key=first)
        weight = init(second, made.weight.shape, made.weight.dtype)
        return equinox.tree_at(lambda layer: layer.weight, made, weight)

    assert bits(equinox.filter_jit(layer)(key()).weight) == bits(layer(key()).weight)

    def w_init(shape, dtype):
        return adapter.initializers.normal(0.5)(haiku.next_rng_key(), shape, dtype)

    model = haiku.transform(lambda x: haiku.Linear(8, w_init=w_init)(x))  # noqa: PLW0108  it has to be made within
    x = jax.numpy.ones((1, 6))
    weight = model.init(key(), x)["linear"]["w"]
    assert bits(jax.jit(model.init)(key(), x)["linear"]["w"]) == bits(weight)
    assert np.std(weight) > 0.2
