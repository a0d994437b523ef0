"""The forms in_axis= of the table of layers.md draw what layout= draws."""

import importlib.util

import pytest
from adapted import adapter, bits, jax
from support import DOCS

import weightinit_fast as wi

if not DOCS.is_dir():
    pytest.skip("no docs/ beside these tests", allow_module_level=True)

spec = importlib.util.spec_from_file_location("layer_table", DOCS / "layer_table.py")
table = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table)
ROWS = [row for row in table.GROUPS["JAX / Flax"] if row.groups == 1 and row.shape[0] < 50000]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_axes_draw_what_the_layout_draws(row):
    key = jax.random.key(1)
    made = adapter.initializers.glorot_uniform(**table.jax_axes(row))(key, row.shape)
    assert bits(made) == bits(wi.xavier_uniform(row.shape, **row.pass_, rng=adapter.key(key)))
    axes = table.jax_axes(row) | row.axes  # what JAX itself computes for the table's last column
    theirs = jax.nn.initializers.variance_scaling(1, "fan_in", "uniform", **axes)(key, row.shape)
    fan_in, _ = table.jax_fans(row.shape, **axes)
    assert float(abs(theirs).max()) == pytest.approx((3 / fan_in) ** 0.5, rel=1e-3)
