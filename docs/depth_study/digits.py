"""The digits data of scikit-learn (1797 images of 8x8 pixels), split and centred."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

import weightinit_fast as wi

TRAIN, VALID = 1088, 309  # the other 400 are for the test; 1088 is 17 minibatches of 64


class Part(NamedTuple):
    """A part of the data: images of shape (n, 64) and labels of shape (n,)."""

    x: np.ndarray
    y: np.ndarray


def order(n: int, rng: int, stream: str) -> np.ndarray:
    """Return a permutation of n numbers that depends on (rng, stream) alone."""
    return np.argsort(wi.uniform(n, dtype="f8", rng=rng, stream=stream), kind="stable")


def load() -> tuple[Part, Part, Part]:
    """Return the training, validation and test parts, each pixel centred, of unit variance."""
    x, y = load_digits(return_X_y=True)
    shuffled = order(len(x), rng=0, stream="digits.split")
    x, y = x[shuffled], y[shuffled]
    x = x - x[:TRAIN].mean(axis=0)
    x = (x / x[:TRAIN].std()).astype(np.float32)
    cuts = (slice(0, TRAIN), slice(TRAIN, TRAIN + VALID), slice(TRAIN + VALID, None))
    train, valid, test = (Part(x[cut], y[cut]) for cut in cuts)
    return train, valid, test


def as_maps(x: np.ndarray) -> np.ndarray:
    """Fold (..., 64) into maps (..., 4, 4, 4), where each 2x2 block of pixels has four channels."""
    blocks = x.reshape(*x.shape[:-1], 4, 2, 4, 2)
    return np.ascontiguousarray(blocks.swapaxes(-3, -2)).reshape(*x.shape[:-1], 4, 4, 4)
