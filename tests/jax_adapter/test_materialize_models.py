"""materialize() of the trees of Linen, NNX, Equinox, Haiku and optax: names, boxes, ties, use."""

import numpy as np
import pytest
from jax_trees import KEY
from jax_trees import jax as jax  # noqa: PLC0414  the fixture imports it
from support.frameworks import Framework

import weightinit_fast as wi

adapter = Framework("weightinit_fast.jax")
linen = Framework("flax.linen")
nnx = Framework("flax.nnx")
equinox = Framework("equinox")
haiku = Framework("haiku")
optax = Framework("optax")

#: Some models have no layers of some kinds.
pytestmark = pytest.mark.filterwarnings("ignore:.* of the recipe take:UserWarning")

RECIPE = {
    "*kernel": "he_normal(layout='IO')",
    "*.embedding": "normal(std=0.02)",
    "*.scale": "ones",
    "*.var": "ones",
    "*": "zeros",
}


@pytest.fixture
def mesh():
    found = jax.devices()
    if len(found) != 8:
        pytest.skip("the devices of JAX were made before XLA_FLAGS could ask for 8")
    return jax.make_mesh((2, 4), ("data", "model"), devices=found)


def same(array, init, shape, stream):
    wanted = wi.initializer(init)(shape, rng=KEY, stream=stream)
    return np.asarray(array).tobytes() == wanted.tobytes()


# Linen --------------------------------------------------------------------------------------------


def linen_model():
    init = linen.initializers.lecun_normal()

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            x = linen.Dense(16, kernel_init=linen.with_partitioning(init, (None, "model")))(x)
            x = linen.BatchNorm(use_running_average=True)(x)
            boxed = linen.with_logical_partitioning(init, ("embed", "mlp"))
            return linen.Dense(8, kernel_init=boxed, use_bias=False, name="out")(x)

    return Net()


def linen_tree():
    return jax.eval_shape(linen_model().init, jax.random.key(0), jax.numpy.ones((1, 4)))


NAMES = {
    "batch_stats.BatchNorm_0.mean",
    "batch_stats.BatchNorm_0.var",
    "params.BatchNorm_0.bias",
    "params.BatchNorm_0.scale",
    "params.Dense_0.bias",
    "params.Dense_0.kernel",
    "params.out.kernel",
}


def test_linen(mesh):
    abstract = linen_tree()
    assert set(adapter.shapes(abstract)) == NAMES == set(adapter.shapes(linen.unbox(abstract)))
    tree = adapter.materialize(abstract, RECIPE, rng=KEY)
    assert jax.tree.structure(tree) == jax.tree.structure(abstract)
    kernel = tree["params"]["Dense_0"]["kernel"]
    assert isinstance(kernel, linen.Partitioned)
    assert kernel.names == (None, "model")
    assert same(kernel.value, RECIPE["*kernel"], (4, 16), "params.Dense_0.kernel")
    assert linen_model().apply(tree, jax.numpy.ones((3, 4))).shape == (3, 8)
    # The shardings that Flax reads from the boxes, for the tree with boxes and without.
    rules = [("embed", "data"), ("mlp", "model")]
    places = linen.logical_to_mesh_sharding(linen.get_partition_spec(abstract), mesh, rules)
    for given in (abstract, linen.unbox(abstract)):
        cut = linen.unbox(adapter.materialize(given, RECIPE, rng=KEY, shardings=places))
        assert jax.tree.map(lambda leaf: leaf.sharding, cut) == places
        plain = linen.unbox(tree)
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), cut, plain))
    assert places["params"]["out"]["kernel"].spec == jax.sharding.PartitionSpec("data", "model")


def test_a_part_of_the_collections_has_shorter_names():
    params = linen_tree()["params"]
    tree = adapter.materialize(params, RECIPE, rng=KEY)
    assert same(tree["out"]["kernel"].value, RECIPE["*kernel"], (16, 8), "out.kernel")


def test_layers_that_are_scanned(mesh):
    """Linen stacks their kernels along one more axis, which counts for no fan."""
    init = linen.with_partitioning(linen.initializers.lecun_normal(), (None, "model"))

    class Layer(linen.Module):
        @linen.compact
        def __call__(self, x, _):
            return linen.Dense(8, kernel_init=init, use_bias=False)(x), None

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.scan(
                Layer,
                length=6,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                metadata_params={linen.PARTITION_NAME: None},
            )(name="layers")(x, None)[0]

    abstract = jax.eval_shape(Net().init, jax.random.key(0), jax.numpy.ones((1, 8)))
    places = linen.get_sharding(abstract, mesh)
    tree = adapter.materialize(abstract, "he_normal(layout='BIO')", rng=KEY, shardings=places)
    kernel = tree["params"]["layers"]["Dense_0"]["kernel"]
    assert kernel.names == (None, None, "model")
    assert kernel.value.sharding.spec == jax.sharding.PartitionSpec(None, None, "model")
    name = "params.layers.Dense_0.kernel"
    assert same(kernel.value, "he_normal(layout='BIO')", (6, 8, 8), name)
    assert adapter.explain(abstract, "he_normal(layout='BIO')")[0].law.std == 0.5
    assert Net().apply(tree, jax.numpy.ones((3, 8))).shape == (3, 8)


# NNX ----------------------------------------------------------------------------------------------


def nnx_model(rngs):
    class Net(nnx.Module):
        def __init__(self, rngs):
            init = nnx.with_partitioning(nnx.initializers.lecun_normal(), (None, "model"))
            self.emb = nnx.Embed(24, 8, rngs=rngs)
            self.layers = nnx.List(
                [nnx.Linear(8, 8, rngs=rngs, kernel_init=init) for _ in range(2)]
            )
            self.again = self.layers[1]
            self.norm = nnx.BatchNorm(8, rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.head = self.emb.embedding

        def __call__(self, ids):
            x = self.emb(ids)
            for layer in self.layers:
                x = layer(x)
            return self.norm(self.again(x), use_running_average=True) @ self.head[...].T

    return Net(rngs)


@pytest.fixture
def nnx_tree(mesh):
    if not hasattr(jax, "set_mesh"):
        pytest.skip("this JAX has no jax.set_mesh")
    with jax.set_mesh(mesh):
        return nnx.eval_shape(lambda: nnx_model(nnx.Rngs(0)))


NNX_NAMES = {
    "again.bias",
    "again.kernel",
    "emb.embedding",
    "layers.0.bias",
    "layers.0.kernel",
    "norm.bias",
    "norm.mean",
    "norm.scale",
    "norm.var",
}


def test_a_module_of_nnx(mesh, nnx_tree):
    assert set(adapter.shapes(nnx_tree)) == NNX_NAMES
    with jax.set_mesh(mesh):
        net = adapter.materialize(nnx_tree, RECIPE, rng=KEY)
    assert type(net) is type(nnx_tree)
    assert net.head is net.emb.embedding
    assert net.again is net.layers[1]
    assert isinstance(net.emb.embedding, nnx.Param)
    assert same(net.emb.embedding[...], "normal(std=0.02)", (24, 8), "emb.embedding")
    assert same(net.again.kernel[...], RECIPE["*kernel"], (8, 8), "again.kernel")
    spec = jax.sharding.PartitionSpec(None, "model")
    assert net.layers[0].kernel[...].sharding == jax.sharding.NamedSharding(mesh, spec)
    # The states of random numbers are no weights.
    assert isinstance(net.drop.rngs.key.get_value(), jax.ShapeDtypeStruct)
    nnx.reseed(net, default=3)
    assert net(jax.numpy.zeros((2, 3), int)).shape == (2, 3, 24)
    with pytest.raises(ValueError, match=r"b.*: P\(.*\) names axes of a mesh, but no devices"):
        adapter.materialize(nnx_tree, RECIPE, rng=KEY)


def test_a_state_of_nnx_has_the_values_of_the_module(mesh, nnx_tree):
    graphdef, params, stats, rest = nnx.split(nnx_tree, nnx.Param, nnx.BatchStat, ...)
    places = nnx.get_named_sharding(params, mesh)
    params = adapter.materialize(params, RECIPE, rng=KEY, shardings=places)
    stats = adapter.materialize(stats, RECIPE, rng=KEY, shardings=jax.devices()[0])
    net = nnx.merge(graphdef, params, stats, rest)
    with jax.set_mesh(mesh):
        other = adapter.materialize(nnx_tree, RECIPE, rng=KEY)
    for kind in (nnx.Param, nnx.BatchStat):
        first, second = (jax.tree.leaves(nnx.state(model, kind)) for model in (net, other))
        pairs = zip(first, second, strict=True)
        assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    kernel = params["layers"][0]["kernel"]
    assert kernel[...].sharding == places["layers"][0]["kernel"].get_value()
    pure = nnx.to_pure_dict(nnx.state(nnx_tree, nnx.Param))
    pure = adapter.materialize(pure, RECIPE, rng=KEY, shardings=jax.devices()[0])
    assert bool((pure["emb"]["embedding"] == np.asarray(net.emb.embedding[...])).all())


def test_modules_of_nnx_in_a_tree():
    nets = nnx.eval_shape(lambda: nnx.Linear(8, 4, rngs=nnx.Rngs(0)))
    tree = adapter.materialize({"first": nets, "more": [nets]}, RECIPE, rng=KEY)
    assert same(tree["more"][0].kernel[...], RECIPE["*kernel"], (8, 4), "more.0.kernel")
    assert tree["first"](jax.numpy.ones((2, 8))).shape == (2, 4)


def test_a_module_of_nnx_in_a_tree_keeps_what_it_shares(nnx_tree):
    tree = {"nets": [nnx_tree]}
    assert set(adapter.shapes(tree)) == {f"nets.0.{name}" for name in NNX_NAMES}
    (net,) = adapter.materialize(tree, RECIPE, rng=KEY, shardings=jax.devices()[0])["nets"]
    assert net.head is net.emb.embedding
    assert net.again is net.layers[1]


def test_a_model_of_nnx_that_is_real_is_drawn_anew():
    net = nnx.Linear(8, 4, rngs=nnx.Rngs(0))
    found = adapter.materialize(net, RECIPE, rng=KEY)
    assert same(found.kernel[...], RECIPE["*kernel"], (8, 4), "kernel")
    assert not same(net.kernel[...], RECIPE["*kernel"], (8, 4), "kernel")


# Others -------------------------------------------------------------------------------------------


def test_equinox():
    net = equinox.filter_eval_shape(equinox.nn.MLP, 3, 4, 5, 1, key=jax.random.key(0))
    recipe = {"*.weight": "he_normal", "*.bias": "zeros"}
    assert list(adapter.shapes(net)) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    made = adapter.materialize(net, recipe, rng=KEY)
    assert same(made.layers[0].weight, "he_normal", (5, 3), "layers.0.weight")
    assert made.activation is net.activation
    assert made(jax.numpy.ones(3)).shape == (4,)
    # Partitioned: the other half has None in the place of the arrays.
    params, static = equinox.partition(net, lambda leaf: hasattr(leaf, "shape"))
    combined = equinox.combine(adapter.materialize(params, recipe, rng=KEY), static)
    assert equinox.tree_equal(made, combined)


def test_a_shared_layer_of_equinox():
    class Net(equinox.Module):
        shared: object

        def __init__(self, key):
            emb, head = equinox.nn.Embedding(8, 4, key=key), equinox.nn.Linear(4, 8, key=key)
            self.shared = equinox.nn.Shared(
                (emb, head), lambda pair: pair[1].weight, lambda pair: pair[0].weight
            )

    net = equinox.filter_eval_shape(Net, jax.random.key(0))
    emb, head = adapter.materialize(net, "normal", rng=KEY).shared()
    assert (emb.weight == head.weight).all()


def test_haiku():
    net = haiku.without_apply_rng(haiku.transform(lambda x: 1 * haiku.nets.MLP([5, 2])(x)))
    abstract = jax.eval_shape(net.init, jax.random.key(0), jax.numpy.ones((1, 3)))
    params = adapter.materialize(
        abstract, {"*.w": "he_normal(layout='IO')", "*.b": "zeros"}, rng=KEY
    )
    weight = params["mlp/~/linear_0"]["w"]
    assert same(weight, "he_normal(layout='IO')", (3, 5), "mlp/~/linear_0.w")
    assert net.apply(params, jax.numpy.ones((1, 3))).shape == (1, 2)


def test_the_state_of_an_optimiser():
    params = {"w": jax.ShapeDtypeStruct((4, 2), "float32")}
    state = jax.eval_shape(optax.adam(1e-3).init, params)
    assert list(adapter.shapes(state)) == ["0.mu.w", "0.nu.w"]
    made = adapter.materialize(state, "zeros")
    assert not np.asarray(made[0].mu["w"]).any()
    assert isinstance(made[0].count, jax.ShapeDtypeStruct)
