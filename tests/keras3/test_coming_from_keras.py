"""docs/coming-from.md, Keras: both columns of every row are run, and each difference is shown."""

import warnings

import numpy as np
import pytest
from keras_cases import adapter, keras
from support.coming_from import assert_same_law, draw_here, shape_of, tables

import weightinit_fast as wi

CALLS, SUBJECTS = tables("Keras")
#: Normals that Keras scales by the fans -> the function here whose name is alike, and its std.
NORMALS = {
    "GlorotNormal": (wi.glorot_normal, 400**-0.5),
    "HeNormal": (wi.he_normal, 200**-0.5),
    "LecunNormal": (wi.lecun_normal, 400**-0.5),
}


#: On torch, Keras takes the first of four normals within the bounds, and the first of all if none
#: is: that leaves one element of 230,000 beyond them. So many of a tensor may be there.
STRAY = 8


def stray():
    return STRAY if keras.backend.backend() == "torch" else 0


def array(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def both():
    return keras.initializers, adapter.initializers


@pytest.mark.parametrize(("call", "here"), CALLS)
def test_both_columns(call, here):
    drawn, names = draw_here(here), {"shape": shape_of(here)}
    assert_same_law(array(eval(call, names | {"init": keras.initializers})), drawn, here, stray())
    adapted = eval(call, names | {"init": adapter.initializers})
    np.testing.assert_array_equal(array(adapted), drawn)


def int_seed():
    for init in both():
        one = init.RandomNormal(seed=0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert (array(one((99,))) == array(one((99,)))).all()
        assert len([w for w in caught if "has been called before" in str(w.message)]) == (
            init is adapter.initializers
        )


def no_seed():
    for init in both():
        one = init.RandomNormal()
        equal = (array(one((99,))) == array(one((99,)))).all()
        assert equal == (init is keras.initializers)


def seed_generator():
    for init in both():
        one = init.RandomNormal(seed=keras.random.SeedGenerator(0))
        assert not (array(one((99,))) == array(one((99,)))).all()


def set_random_seed():
    for init in both():
        drawn = []
        for _ in range(2):
            keras.utils.set_random_seed(0)
            drawn.append(array(init.RandomNormal()((99,))))
        assert (drawn[0] == drawn[1]).all()


def bits():
    theirs, ours = (array(init.RandomNormal(0, 1, seed=3)((10**5,))) for init in both())
    assert (theirs == ours).mean() < 1e-3
    assert (ours == wi.normal(10**5, rng=3)).all()
    constants = [array(init.Constant(0.1)((9,))) for init in both()]
    assert (constants[0] == constants[1]).all()
    assert (constants[0] == wi.constant(9, value=0.1)).all()


def normals():
    for name, (plain, std) in NORMALS.items():
        cut = 2 * std / 0.8796256610342398
        for init in both():
            drawn = array(getattr(init, name)(seed=0)((400, 400)))
            beyond = np.count_nonzero(abs(drawn) > cut * (1 + 1e-6))
            assert beyond <= (stray() if init is keras.initializers else 0)
        assert abs(plain((400, 400), rng=0)).max() > 1.5 * cut


def compute_fans(shape):
    return keras.src.initializers.random_initializers.compute_fans(shape)


def layout():
    assert compute_fans((5, 7)) == wi.fans((5, 7), layout="IO") == (5, 7)
    assert compute_fans((2, 3, 5, 7)) == wi.fans((2, 3, 5, 7), layout="HWIO") == (30, 42)
    assert wi.fans((5, 7)) == (7, 5)


def vectors():
    assert compute_fans((50,)) == (50, 50)
    drawn = array(adapter.initializers.GlorotUniform(seed=0)((50,)))
    assert (drawn == wi.xavier_uniform(50, fans=(50, 50), rng=0)).all()
    with pytest.raises(ValueError, match="fewer than two axes"):
        wi.xavier_uniform(50)


def stft():
    assert hasattr(keras.initializers, "STFT")
    assert not any("stft" in name.lower() for name in adapter.initializers.names())


CHECKS = {
    "int as seed": int_seed,
    "no seed": no_seed,
    "SeedGenerator": seed_generator,
    "set_random_seed": set_random_seed,
    "bits": bits,
    "normals": normals,
    "layout": layout,
    "vectors": vectors,
    "STFT": stft,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_different(subject):
    CHECKS[subject]()


def test_the_page_tells_everything_that_is_checked():
    assert list(CHECKS) == SUBJECTS
