"""Initialisers for Keras 3 and for its models. It needs keras, and is imported on demand.

An element depends on (key, stream, index) alone. So a variable has the same values whatever backend
Keras runs on, and whatever devices share it.

>>> import keras
>>> import weightinit_fast as wi
>>> import weightinit_fast.keras  # `wi.keras` is imported when it is first used
>>> kernel = wi.keras.initializers.RandomNormal(stddev=0.02, seed=0, stream="fc")((256, 128))
>>> same = wi.normal((256, 128), std=0.02, rng=0, stream="fc")
>>> bool((keras.ops.convert_to_numpy(kernel) == same).all())
True
"""

from __future__ import annotations

from ..models.report import Report, ReportRow
from . import initializers
from .defaults import default_rules
from .initialize import initialize

__all__ = ["Report", "ReportRow", "default_rules", "initialize", "initializers"]
