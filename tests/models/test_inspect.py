"""inspect: its numbers beside NumPy's, what it finds, and that it finds no more than that."""

import json
import math
import os
import random
import tracemalloc

import fuzz_headers
import ml_dtypes
import numpy as np
import pytest
from support.internals import inspect as module
from support.internals import inspect_rows, reader_elements, readers, recipe
from weight_files import safetensors_of

import weightinit_fast as wi

inspect, Recipe = module.inspect, recipe.Recipe

#: NumPy's name of a type -> that of safetensors.
FORMAT = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"},
    **{"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "int64": "I64", "int8": "I8"},
    **{"uint8": "U8", "bool": "BOOL"},
}
FLOATS = [name for name in FORMAT if "float" in name]


def looked_at(path, tensors, **options):
    """Write arrays into a safetensors file, and inspect it."""
    path = path / "model.safetensors"
    path.write_bytes(safetensors_of({n: (FORMAT[a.dtype.name], a) for n, a in tensors.items()}))
    return inspect(path, **options)


def kinds(inspection):
    return [(finding.kind, finding.tensor) for finding in inspection.findings]


def normal(shape, name="w", **options):
    return wi.normal(shape, std=0.02, rng=0, stream=name, **options)


@pytest.fixture
def small_pieces(monkeypatch):
    """Read 1000 elements at a time, so that rows and pieces end at different places."""
    monkeypatch.setattr(module, "PIECE", 1000)


# The numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMAT)
@pytest.mark.usefixtures("small_pieces")
def test_numbers_are_those_of_numpy(tmp_path, dtype):
    values = np.random.default_rng(3).normal(0.3, 2.0, (70, 60))
    values[:7] = 0
    array = values.astype(getattr(ml_dtypes, dtype, dtype))
    (report,) = looked_at(tmp_path, {"w": array}).tensors
    exact, s = array.astype(np.float64), report.summary
    assert (report.name, report.dtype, report.shape) == ("w", dtype, (70, 60))
    assert (s.size, s.nan, s.inf) == (4200, 0, 0)
    assert s.zeros == np.count_nonzero(exact == 0)
    assert s.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert s.std == pytest.approx(exact.std(), rel=1e-12)
    assert (s.low, s.high) == (exact.min(), exact.max())
    if "float" in dtype:
        info = ml_dtypes.finfo(dtype)
        tiny = float(info.smallest_normal)
        assert s.subnormal == np.count_nonzero((np.abs(exact) < tiny) & (exact != 0))
        for rule, std in {"He": (2 / 60) ** 0.5, "LeCun": (1 / 60) ** 0.5, "0.02": 0.02}.items():
            assert report.ratio(rule) == pytest.approx(s.std / std)
        assert report.ratio("Xavier") == pytest.approx(s.std / (2 / 130) ** 0.5)
    histogram = report.histogram
    held = sum(histogram.counts) + histogram.below + histogram.above
    assert held == pytest.approx(4200)
    if dtype in ("float64", "float32", "float16"):
        expected = np.histogram(exact, len(histogram.counts), (histogram.low, histogram.high))[0]
        assert np.abs(np.subtract(histogram.counts, expected)).max() < 5


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f8", ">f2"])
@pytest.mark.usefixtures("small_pieces")
def test_npy_of_either_order(tmp_path, dtype, order):
    array = np.random.default_rng(3).normal(0.3, 2.0, (70, 20, 3)).astype(dtype)
    array[33] = array[60]
    array[:, 2, 1] = 0
    array[11] = 0
    np.save(tmp_path / "w.npy", np.asarray(array, order=order))
    (report,) = inspect(tmp_path / "w.npy").tensors
    assert report.summary.std == pytest.approx(array.astype(float).std(), rel=1e-12)
    assert (report.rows.equal, report.rows.first) == (1, (33, 60))
    assert (report.rows.zero_rows, report.rows.zero_columns) == (1, 1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.usefixtures("small_pieces")
def test_nan_and_infinity_are_counted_and_left_out(tmp_path, dtype):
    array = np.random.default_rng(3).normal(size=(70, 60)).astype(getattr(ml_dtypes, dtype, dtype))
    exact = array.astype(float)
    array[5, 5] = array[60, 3] = np.nan
    array[7, 7] = np.inf
    exact[5, 5] = exact[60, 3] = exact[7, 7] = np.nan
    s = looked_at(tmp_path, {"w": array}).tensors[0].summary
    infinite = dtype != "float8_e4m3fn"  # which has no infinity
    assert (s.nan, s.inf) == ((2, 1) if infinite else (3, 0))
    assert s.mean == pytest.approx(np.nanmean(exact), rel=1e-12)
    assert s.std == pytest.approx(np.nanstd(exact), rel=1e-12)


@pytest.mark.usefixtures("small_pieces")
def test_moments_far_from_zero_keep_their_digits(tmp_path):
    array = 1e8 + np.random.default_rng(0).normal(size=10_000)
    s = looked_at(tmp_path, {"w": array}).tensors[0].summary
    assert s.std == pytest.approx(array.std(), rel=1e-9)


def test_huge_and_odd_values(tmp_path):
    tensors = {
        "huge": np.array([1e300, -1e300, 0.0, 1e-310]),
        "nan": np.full(3, np.nan),
        "scalar": np.array(2.5, "f4"),
        "none": np.zeros((0, 4), "f4"),
        "one": np.ones((1, 1), "f2"),
    }
    found = looked_at(tmp_path, tensors)
    assert ("NaN", "nan") in kinds(found)
    assert {report.name: report.summary.size for report in found.tensors} == {
        name: array.size for name, array in tensors.items()
    }
    for text in (str(found), found.to_html(), json.dumps(found.to_dict(), allow_nan=False)):
        assert "huge" in text


def test_types_that_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", c=np.zeros(3, "c8"), v=np.zeros(4, "V2"), b=np.zeros(5, "u2"))
    found = inspect(tmp_path / "a.npz")
    assert [report.summary is None for report in found.tensors] == [True, True, False]
    assert "complex64" in str(found)
    found.to_html()
    codes = normal((40, 30), dtype="bfloat16").view(np.uint16)
    np.savez(tmp_path / "a.npz", w=codes, v=codes.view("V2"))
    found = inspect(tmp_path / "a.npz", shapes=dict.fromkeys("wv", ((40, 30), "bfloat16")))
    for report in found.tensors:
        assert report.dtype == "bfloat16"
        assert report.summary.std == pytest.approx(0.02, rel=0.1)
    assert [kind for kind, _ in kinds(found)] == ["equal tensors"]


# Equal rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(300, 40), (9, 2500), (40, 5, 1, 3)])
@pytest.mark.usefixtures("small_pieces")
def test_equal_rows(tmp_path, dtype, shape):
    array = normal(shape, dtype=dtype)
    assert kinds(looked_at(tmp_path, {"w": array}, recipe=Recipe({"*": "normal(std=0.02)"}))) in (
        [],
        [("subnormal", "w")],
    )
    array[7] = array[2]
    array[8] = array[2]
    found = looked_at(tmp_path, {"w": array})
    assert kinds(found)[0] == ("equal rows", "w")
    assert found.tensors[0].rows[:3] == (1.0, 2, (2, 7))
    assert "Rows 2 and 7 are equal (2 rows equal an earlier one)" in found.findings[0].text


def test_rows_that_differ_in_one_bit_are_not_equal(tmp_path):
    array = normal((500, 64))
    array[7] = array[2]
    array.view(np.uint32)[7, 63] ^= 1
    assert not looked_at(tmp_path, {"w": array}).findings


def test_a_beginning_of_zeros_does_not_hide_equal_rows(tmp_path):
    values = normal((1500, 100))
    values[:700] = 0  # more than a piece
    values[1400] = values[1200]
    found = looked_at(tmp_path, {"w": values})
    assert ("equal rows", "w") in kinds(found)


def test_equal_rows_of_a_compressed_file_are_read_forwards(tmp_path, monkeypatch):
    values = normal((3, 1 << 18))
    values[2] = values[1]
    np.savez_compressed(tmp_path / "m.npz", w=values)
    opened = []
    open_member = reader_elements.open_member
    monkeypatch.setattr(
        reader_elements, "open_member", lambda t: opened.append(t) or open_member(t)
    )
    assert kinds(inspect(tmp_path / "m.npz")) == [("equal rows", "w")]
    assert len(opened) == 3  # the statistics, and each of the two rows


def test_rows_that_chance_makes_equal_are_not_told(tmp_path):
    array = np.random.default_rng(0).integers(0, 4, (4000, 5)).astype("f4")
    found = looked_at(tmp_path, {"w": array})
    assert found.tensors[0].rows.equal > 2000
    assert not found.findings


@pytest.mark.usefixtures("small_pieces")
def test_a_table_of_more_rows_than_hashes_are_kept_for(tmp_path, monkeypatch):
    monkeypatch.setattr(inspect_rows, "MOST_ROWS", 512)
    array = normal((4000, 20))
    array[2000:] = array[:2000]
    array[9] = 0
    (report,) = looked_at(tmp_path, {"w": array}).tensors
    share, equal, (one, other), zero_rows, _ = report.rows[:5]
    assert share == 1 / 16
    assert 60 < equal < 200
    assert other == one + 2000
    assert zero_rows == 1
    assert "among 1/16 of the rows" in looked_at(tmp_path, {"w": array}).findings[0].text


def test_hashes_that_collide_are_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(inspect_rows, "_mixed", np.zeros_like)
    array = normal((50, 20))
    assert looked_at(tmp_path, {"w": array}).tensors[0].rows.equal == 0
    array[7] = array[2]
    array[30] = 0
    assert looked_at(tmp_path, {"w": array}).tensors[0].rows.first in (None, (2, 7))


# What looks wrong --------------------------------------------------------------------------------

SHAPES = {
    "wte.weight": (500, 64),
    **{f"h.{n}.attn.weight": (64, 192) for n in range(4)},
    **{f"h.{n}.attn.bias": (192,) for n in range(4)},
    **{f"h.{n}.ln.weight": (64,) for n in range(4)},
}
RECIPE = Recipe([("*.bias", "zeros"), ("*.ln.weight", "ones"), ("*", "normal(std=0.02)")])


def fine_model():
    return {n: RECIPE.initializer_for(n)(s, rng=1, stream=n) for n, s in SHAPES.items()}


@pytest.mark.parametrize("recipe", [RECIPE, None])
def test_a_fine_model_has_no_findings(tmp_path, recipe):
    tensors = fine_model()
    tensors["embedding"] = normal((100, 30))
    tensors["embedding"][0] = 0  # the row of the padding id
    assert looked_at(tmp_path, tensors, recipe=recipe).findings == ()


def test_buffers_of_integers_have_no_findings(tmp_path):
    tensors = {"mask": np.tril(np.ones((8, 8), bool)), "ids": np.zeros((9, 9), int)}
    assert looked_at(tmp_path, tensors).findings == ()


def test_the_four_planted_faults(tmp_path):
    tensors = fine_model()
    tensors["h.0.attn.weight"][:] = 0
    tensors["h.1.attn.weight"][5] = tensors["h.1.attn.weight"][3]
    tensors["h.2.attn.weight"][1, 1] = np.nan
    tensors["h.3.attn.weight"] *= np.float32(math.sqrt(2))
    planted = [
        ("NaN", "h.2.attn.weight"),
        ("zero", "h.0.attn.weight"),
        ("equal rows", "h.1.attn.weight"),
        ("std", "h.3.attn.weight"),
    ]
    found = looked_at(tmp_path, tensors, recipe=RECIPE, shapes=SHAPES)
    assert kinds(found) == planted
    assert "is √2 times the wanted 0.02 (ratio 1.4" in found.findings[3].text
    # Without a recipe nobody can say that a std is wrong.
    assert kinds(looked_at(tmp_path, tensors)) == planted[:3]


def test_other_findings(tmp_path):
    tensors = fine_model()
    tensors["h.0.attn.weight"][:, 17] = 0
    tensors["h.1.attn.weight"][20:22] = 0
    tensors["h.2.attn.weight"] += np.float32(0.01)
    tensors["h.3.attn.weight"][1, 1] = 0.3
    tensors["h.0.attn.bias"][3] = 1e-3
    tensors["wte.weight"][1, 1] = np.inf
    found = looked_at(tmp_path, tensors, recipe=RECIPE)
    assert kinds(found) == [
        ("infinite", "wte.weight"),
        ("mean", "h.2.attn.weight"),
        ("value", "h.0.attn.bias"),
        ("outlier", "h.3.attn.weight"),
        ("zero rows", "h.1.attn.weight"),
        ("zero columns", "h.0.attn.weight"),
    ]
    tensors = {"w": np.full((30, 20), 0.5, "f4"), "head": np.full((30, 20), 0.25, "f4")}
    assert kinds(looked_at(tmp_path, tensors)) == [("constant", "w"), ("constant", "head")]
    narrow = Recipe({"*": "uniform(low=-0.1, high=0.1)"})
    wide = {"w": wi.uniform((40, 40), low=-0.1, high=0.101, rng=0)}
    assert kinds(looked_at(tmp_path, wide, recipe=narrow)) == [("outside", "w")]


def test_what_is_not_drawn_is_not_called_wrong(tmp_path):
    tensors = {f"h.{n}.A_log": np.tile(np.arange(9, dtype="f4"), (6, 1)) for n in range(2)}
    tensors["position_bias_table"] = np.zeros((30, 20), "f4")
    found = looked_at(tmp_path, tensors)
    assert kinds(found) == [("repeated row", "h.0.A_log"), ("repeated row", "h.1.A_log")]
    assert found.wrong == ()
    # With a recipe that draws them, they are not what it wants.
    found = looked_at(tmp_path, tensors, recipe=Recipe({"*": "normal(std=0.02)"}))
    assert {name for kind, name in kinds(found) if kind in ("std", "zero")} == tensors.keys()


def test_tensors_of_the_same_elements(tmp_path):
    tensors = {"a": normal((30, 20)), "b": normal((30, 20)), "c": normal((30, 20), "c")}
    assert kinds(looked_at(tmp_path, tensors)) == [("equal tensors", "b")]
    tied = Recipe({"*": "normal(std=0.02)"}, same_as={"b": "a"})
    assert kinds(looked_at(tmp_path, tensors, recipe=tied)) == []
    two_ties = Recipe({"*": "normal(std=0.02)"}, same_as={"a": "z", "b": "z"})
    assert kinds(looked_at(tmp_path, tensors, recipe=two_ties)) == []
    tensors["b"] = tensors["b"][::-1].copy()  # the same moments but for rounding
    assert kinds(looked_at(tmp_path, tensors)) == []


def test_a_table_of_shapes(tmp_path):
    tensors = {"a": normal(5), "b": normal(5), "more": normal(5)}
    shapes = {"gone": 3, "a": (5, "float16"), "b": (5, 1)}
    found = looked_at(tmp_path, tensors, shapes=shapes)
    assert kinds(found) == [
        ("missing", "gone"),
        ("shape", "b"),
        ("dtype", "a"),
        ("unexpected", "more"),
    ]
    assert [finding.is_note for finding in found.findings] == [False, False, False, True]
    assert len(found.wrong) == 3


@pytest.mark.parametrize("wanted", ["float16", "bfloat16"])
def test_a_table_of_shapes_says_what_bits_mean_only_where_numpy_lacks_the_type(tmp_path, wanted):
    np.save(tmp_path / "w.npy", normal((40, 30), dtype="bfloat16").view(np.uint16))
    found = inspect(tmp_path / "w.npy", shapes={"w": ((40, 30), wanted)})
    meant = wanted == "bfloat16"
    assert found.tensors[0].dtype == (wanted if meant else "uint16")
    assert kinds(found) == ([] if meant else [("dtype", "w")])


def test_a_recipe_that_has_no_rule_or_no_law(tmp_path):
    recipe = Recipe({"*.weight": "he_normal"})
    tensors = {"fc.weight": wi.he_normal((30, 20), rng=0), "b.weight": normal(5), "x": normal(5)}
    found = looked_at(tmp_path, tensors, recipe=recipe)
    assert kinds(found) == [("no rule", "x"), ("no law", "b.weight")]
    assert found.wrong == ()
    assert found.notes == found.findings
    assert "he_normal" in found.notes[1].text


def test_notes_of_a_kind_are_one_line(tmp_path):
    tensors = {f"layer.{n}": normal((4, 4), str(n)) for n in range(30)}
    tensors["bad"] = np.full((4, 4), np.nan, "f4")
    tensors["counter"] = np.zeros(3, int)  # which no recipe ever draws
    found = looked_at(tmp_path, tensors, recipe=Recipe({"bad": "normal"}))
    assert len(found.notes) == 30
    assert all(finding.text == "The recipe has no rule for it." for finding in found.notes)
    lines = str(found).splitlines()[-5:]
    assert lines[0] == "What looks wrong (1):"
    assert lines[2:4] == ["", "Notes (30):"]
    assert lines[4].startswith("  The recipe has no rule for 30 tensors: layer.0, layer.1, ")
    assert lines[4].endswith("layer.19 and 10 more")
    listed = found.to_dict()["findings"]
    assert [finding["note"] for finding in listed] == [False] + [True] * 30
    # A tensor that should not be there is a note once.
    found = looked_at(tmp_path, tensors, recipe=Recipe({"bad": "normal"}), shapes={"bad": (4, 4)})
    assert {finding.kind for finding in found.notes} == {"unexpected"}
    assert "Beside what it should hold, the file holds 30 tensors: layer.0, " in str(found)
    fine = looked_at(tmp_path, {"x": normal((4, 4))}, recipe=Recipe({"y": "zeros"}))
    assert "Nothing looks wrong.\n\nNotes (1):" in str(fine)
    assert repr(fine).endswith("1 tensor, 0 findings, 1 note>")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f2", "f8"])
@pytest.mark.usefixtures("small_pieces")
def test_findings_say_where(tmp_path, dtype, order):
    array = np.random.default_rng(0).normal(size=(70, 30, 2)).astype(dtype)
    array[41, 3, 1] = array[60, 7, 0] = np.nan
    array[55, 29, 0] = -np.inf
    array[:, 20, 1] = 0
    array[[33, 50]] = 0
    np.save(tmp_path / "w.npy", np.asarray(array, order=order))
    found = inspect(tmp_path / "w.npy")
    first = (41, 3, 1) if order == "C" else (60, 7, 0)  # in the order of the file
    assert [finding.text for finding in found.findings] == [
        f"2 elements of 4,200 are NaN, the first at {list(first)}.",
        "1 element of 4,200 is infinite, at [55, 29, 0].",
        "2 rows of 70 hold only zeros: 33, 50.",
        "Column 41 of 60 holds only zeros.",
    ]
    report = found.to_dict()["tensors"][0]
    assert (report["first_nan"], report["first_inf"]) == (list(first), [55, 29, 0])
    assert (report["first_zero_rows"], report["first_zero_columns"]) == ([33, 50], [41])


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e5m2"])
@pytest.mark.usefixtures("small_pieces")
def test_where_narrow_elements_are_odd(tmp_path, dtype):
    array = np.ones((70, 60), getattr(ml_dtypes, dtype))
    array[50, 7], array[60, 3] = np.nan, -np.inf
    (report,) = looked_at(tmp_path, {"w": array}).tensors
    assert (report.first_nan, report.first_inf) == ((50, 7), (60, 3))


def test_the_first_of_many_rows_of_zeros_are_named(tmp_path, monkeypatch):
    array = normal((4000, 20))
    array[100:2000:7] = 0
    said = "272 rows of 4,000 hold only zeros: 100, 107, 114, 121, 128, 135, 142, 149, ..."
    assert said in str(looked_at(tmp_path, {"w": array}))
    monkeypatch.setattr(inspect_rows, "MOST_ROWS", 512)
    assert said in str(looked_at(tmp_path, {"w": array}))


def test_the_name_of_the_one_tensor_is_not_in_a_npy_file(tmp_path):
    np.save(tmp_path / "e.npy", normal((10, 4)))
    assert kinds(inspect(tmp_path / "e.npy", shapes={"embedding.weight": (10, 4)})) == []
    (report,) = inspect(tmp_path / "e.npy", shapes={"embedding.weight": (10, 4)}).tensors
    assert report.name == "embedding.weight"
    assert len(inspect(tmp_path / "e.npy", shapes={"a": (10, 4), "b": 3}).findings) == 3


def test_integers_that_may_be_bfloat16_are_a_note(tmp_path):
    np.save(tmp_path / "e.npy", normal((100, 40), dtype="bfloat16").view(np.uint16))
    found = inspect(tmp_path / "e.npy")
    assert kinds(found) == [("bits", "e")]
    assert found.wrong == ()
    assert "bfloat16" in found.findings[0].text
    for integers in (np.arange(5000), np.random.default_rng(0).integers(0, 1 << 16, 5000)):
        np.save(tmp_path / "e.npy", integers.astype(np.uint16))
        assert kinds(inspect(tmp_path / "e.npy")) == []


@pytest.mark.parametrize("recipe", [RECIPE, None])
def test_a_table_of_80_columns(tmp_path, recipe):
    tensors = fine_model()
    tensors["h.0.a_name_that_is_much_too_long.for_the_table.weight"] = normal((3, 4, 5))
    tensors["h.0.attn.weight"][5] = np.nan
    found = looked_at(tmp_path, tensors, recipe=recipe)
    text = str(found)
    table = text[: text.index("\n\n")].splitlines()
    assert max(map(len, table)) <= 80
    head = table[0].split("  ")
    assert ("std off" in table[0]) == (recipe is not None)
    assert {"NaN", "std"} <= {column.strip() for column in head}
    assert "..." in text
    assert "(width=None shows more columns: " in text
    wide = found.to_text(None).splitlines()
    assert all(column in wide[0] for column in ("/Xavier", "/LeCun", "Inf", "max/std", "like"))
    assert len(wide[0]) > 80
    assert "a_name_that_is_much_too_long.for_the_table" in found.to_text(None)


def test_a_short_name_keeps_the_number_of_the_layer(tmp_path):
    parts = ("self_attn.q_proj", "post_attention_layernorm", "input_layernorm")
    names = [f"model.language.layers.{n}.{part}.weight" for n in (3, 31) for part in parts]
    tensors = {name: normal((2000, 2), name) for name in names}
    first = [line.split()[0] for line in str(looked_at(tmp_path, tensors)).splitlines()[1:7]]
    assert len(set(first)) == 6
    assert "...31.self_attn.q_proj.weight" in first


def test_numbers_of_one_thing(tmp_path):
    text = str(looked_at(tmp_path, {"w": np.array([0.5], "f4")}))
    assert "\n1 tensor, 1 element\n" in text
    page = looked_at(tmp_path, {"w": np.array([1], "f4")}).to_html()
    assert "1 tensor, 1 element, 0 findings<" in page


# Where the page may be written -------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True])
def test_the_page_never_replaces_the_weights(tmp_path, force):
    found = looked_at(tmp_path, {"w": normal((4, 4))})
    weights = tmp_path / "model.safetensors"
    before = weights.read_bytes()
    (tmp_path / "link.html").symlink_to(weights)
    os.link(weights, tmp_path / "same.html")
    for place in (weights, tmp_path / "link.html", tmp_path / "same.html"):
        with pytest.raises(FileExistsError, match="is the file that was inspected"):
            found.write_html(place, force=force)
    folder = inspect(tmp_path)
    with pytest.raises(FileExistsError, match="is the file that was inspected"):
        folder.write_html(weights, force=force)
    assert weights.read_bytes() == before


def test_the_page_replaces_a_foreign_file_only_by_force(tmp_path):
    found = looked_at(tmp_path, {"w": normal((4, 4))})
    place = tmp_path / "report.html"
    place.write_text("<p>mine</p>")
    with pytest.raises(FileExistsError, match="force=True"):
        found.write_html(place)
    assert place.read_text() == "<p>mine</p>"
    found.write_html(place, force=True)
    found.write_html(place)  # a page of ours is replaced
    assert "Made by weightinit_fast" in place.read_text(encoding="utf-8")


# The law -----------------------------------------------------------------------------------------

LAWS = {
    "normal(std=0.02)": (64, 50),
    "normal(mean=1, std=0.1)": (500,),
    "uniform(low=-1, high=1)": (64, 50),
    "truncated_normal(std=0.5)": (64, 50),
    "truncated_normal(std=0.5, lower=-0.5, upper=0.5)": (64, 50),
    "truncated_normal(std=0.5, lower=1, upper=4)": (64, 50),
    "he_uniform": (64, 50),
    "xavier_normal": (8, 4, 3, 3),
    "sparse(sparsity=0.75)": (80, 60),
    "orthogonal": (64, 48),
    "orthogonal(gain=2)": (48, 64),
    "delta_orthogonal": (32, 16, 3, 3),
    "identity": (40, 30),
    "dirac": (16, 16, 3, 3),
    "zeros": (30, 30),
    "constant(value=0.1)": (30, 30),
}


@pytest.mark.parametrize("text", LAWS)
def test_what_is_drawn_by_a_law_fits_it(tmp_path, text):
    recipe = Recipe({"*": text})
    init = recipe.initializer_for("w")
    tensors = {
        f"{dtype}.{n}": init(LAWS[text], rng=n, stream=dtype, dtype=dtype)
        for dtype in FLOATS
        for n in range(3)
    }
    found = looked_at(tmp_path, tensors, recipe=recipe)
    repeated = ("equal tensors", "subnormal")
    assert [finding for finding in found.findings if finding.kind not in repeated] == []
    for report in found.tensors:
        assert not report.comparison.mean_off
        assert not report.comparison.std_off


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("scale", [0.01, 0.036, 1.2])
@pytest.mark.parametrize("text", ["uniform", "normal", "truncated_normal"])
def test_rounding_of_many_elements_is_not_called_wrong(tmp_path, text, scale, dtype):
    options = {"low": -scale, "high": scale} if text == "uniform" else {"std": scale}
    init = wi.initializer(text, **options)
    tensors = {"w": init((600, 1000), rng=0, dtype=dtype)}
    found = looked_at(tmp_path, tensors, recipe=Recipe({"*": init}))
    assert found.wrong == ()


def test_a_std_that_a_type_rounds_away_is_a_note(tmp_path):
    recipe = Recipe({"*": "normal(std=1e-6)"})
    zeros = np.zeros((30, 20), "f4")
    found = looked_at(tmp_path, {"w": zeros.astype(ml_dtypes.float8_e4m3fn)}, recipe=recipe)
    assert kinds(found) == [("subnormal", "w")]
    assert found.wrong == ()
    assert kinds(looked_at(tmp_path, {"w": zeros}, recipe=recipe)) == [("zero", "w")]


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("law", ["mean=1, std=0.02", "mean=1e-4, std=1e-5", "mean=1e-4, std=1e-6"])
@pytest.mark.parametrize("shape", [(3, 5), (16, 16, 9), (400, 300)])
def test_a_mean_among_few_numbers_of_a_type(tmp_path, law, dtype, shape):
    recipe = Recipe({"*": f"normal({law})"})
    tensors = {
        f"w{seed}": recipe.initializer_for("w")(shape, rng=seed, dtype=dtype) for seed in range(5)
    }
    found = looked_at(tmp_path, tensors, recipe=recipe)
    assert [finding for finding in found.wrong if finding.kind != "equal tensors"] == []
    if "0.02" in law:
        tensors = {"w": np.full(shape, 2, tensors["w0"].dtype)}
        assert len(looked_at(tmp_path, tensors, recipe=recipe).wrong) == 1


@pytest.mark.parametrize("text", ["normal", "uniform", "truncated_normal", "sparse(sparsity=0.5)"])
def test_standard_errors_are_standard(tmp_path, text):
    recipe = Recipe({"*": text})
    init = recipe.initializer_for("w")
    tensors = {str(n): init((40, 30), rng=n) for n in range(250)}
    found = looked_at(tmp_path, tensors, recipe=recipe)
    errors = np.array([report.comparison[:2] for report in found.tensors])
    # The std of 250 numbers of std 1 has a standard error of 0.045.
    np.testing.assert_allclose(errors.std(axis=0), 1, atol=0.18)
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=0.25)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 2), (3, 40), (64, 64)])
def test_orthogonal_matrices_of_any_size_fit_their_law(tmp_path, shape):
    # The mean of a small one is far from 0, so that its std is less than the law's.
    arrays = {f"w{seed}": wi.orthogonal(shape, rng=seed) for seed in range(9)}
    found = looked_at(tmp_path, arrays, recipe=Recipe({"*": "orthogonal"}))
    assert "std" not in dict(kinds(found))


@pytest.mark.parametrize(
    "text",
    ["normal(std=5e-324)", "normal(std=1e-310)", "normal(std=1e308)", "constant(value=1e308)"],
)
def test_laws_at_the_ends_of_float64(tmp_path, text):
    tensors = {f"h.{n}.w": normal((8, 8), dtype="float64") for n in range(2)}
    found = looked_at(tmp_path, tensors, recipe=Recipe({"*": text}))
    assert {name for kind, name in kinds(found) if kind in ("std", "value")} == tensors.keys()
    assert str(found)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "Std by depth" in found.to_html()


@pytest.mark.parametrize("text", ["orthogonal", "identity", "delta_orthogonal"])
def test_rigid_laws_of_another_gain(tmp_path, text):
    shape = (32, 16, 3, 3) if text == "delta_orthogonal" else (40, 30)
    array = wi.initializer(text)(shape, rng=0) * np.float32(1.1)
    found = looked_at(tmp_path, {"w": array}, recipe=Recipe({"*": text}))
    assert ("std", "w") in kinds(found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("he_normal", "He"),
        ("lecun_uniform", "LeCun"),
        ("xavier_uniform", "Xavier"),
        ("normal(std=0.02)", "0.02"),
        ("fan_in_uniform", "torch's layers"),
        ("normal(std=0.5)", None),
    ],
)
def test_the_rule_that_a_std_is_like(tmp_path, text, name):
    array = wi.initializer(text)((200, 300), rng=0)
    assert looked_at(tmp_path, {"w": array}).tensors[0].nearest == name


# What is shown -----------------------------------------------------------------------------------


def test_the_table(tmp_path):
    tensors = {"fc.weight": wi.he_normal((256, 128), rng=0), "b\x1b[31m\n": np.zeros(3, "f4")}
    tensors["fc.weight"][3] = tensors["fc.weight"][4]
    text = looked_at(tmp_path, tensors).to_text(None)
    lines = text.splitlines()
    assert lines[0].split()[:6] == ["tensor", "shape", "dtype", "mean", "std", "/Xavier"]
    row = next(line for line in lines if line.startswith("fc.weight")).split()
    assert row[1:5] == ["256", "x", "128", "float32"]
    assert row[8] == "0.99"  # /He
    assert row[-1] == "He"
    assert "\x1b" not in text
    assert "b\\x1b[31m" in text
    assert "2 tensors, 32,771 elements" in text
    assert "What looks wrong (1):" in text
    assert repr(looked_at(tmp_path, tensors)).endswith("2 tensors, 1 finding, 0 notes>")


def test_many_findings_of_a_kind_are_shortened(tmp_path):
    tensors = {f"w{n}": np.full((4, 4), n, "f4") for n in range(50)}
    text = str(looked_at(tmp_path, tensors))
    assert "and 29 more of this kind" in text
    assert text.count("elements are") == 21


def test_to_dict_is_json(tmp_path):
    tensors = fine_model()
    tensors["h.0.attn.weight"][0] = np.nan
    found = looked_at(tmp_path, tensors, recipe=RECIPE)
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(again["tensors"]) == len(SHAPES)
    one = next(t for t in again["tensors"] if t["name"] == "h.0.attn.weight")
    assert one["nan"] == 192
    assert one["law"]["std"] == 0.02
    assert one["law"]["low"] is None
    assert again["findings"][0]["kind"] == "NaN"


def test_progress(tmp_path, capsys):
    calls = []
    looked_at(tmp_path, fine_model(), progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] == sum(a.nbytes for a in fine_model().values())
    assert sorted(calls) == calls
    looked_at(tmp_path, fine_model(), progress=True)
    assert capsys.readouterr().err == ""  # which is no terminal


def test_changed_files_are_refused_or_shown(tmp_path):
    rng = random.Random(4)
    files = fuzz_headers.prepare(tmp_path)
    shown = 0
    for _ in range(150):
        suffix = rng.choice((".safetensors", ".npy", ".npz"))
        data = bytearray(rng.choice(files[suffix]))
        data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / f"x{suffix}"
        path.write_bytes(data)
        try:
            found = inspect(path, recipe=Recipe({"*a": "he_normal", "*": "normal"}))
        except readers.FormatError:
            continue
        shown += 1
        assert str(found)
        assert found.to_html()
        json.dumps(found.to_dict(), allow_nan=False)
    assert shown > 20


def test_memory_of_as_many_rows_as_are_compared(tmp_path, monkeypatch):
    # A hash of 8 bytes and a mark are kept for each row. A row of zeros is left out of the list.
    rows = 1 << 18
    values = normal((rows, 2))
    values[7], values[99] = 0, values[3]
    np.save(tmp_path / "w.npy", values)
    monkeypatch.setattr(module, "PIECE", 10_000)
    tracemalloc.start()
    try:
        found = inspect(tmp_path / "w.npy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ("equal rows", "w") in kinds(found)
    assert peak < rows * 20 + (1 << 20), peak


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "w.npy"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3000000, 32), }"
    header += b" " * (127 - 10 - len(header)) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
        for n in range(96):
            file.write(normal(1_000_000, str(n)).tobytes())
    tracemalloc.start()
    try:
        (report,) = inspect(path).tensors
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.summary.size == 96_000_000
    assert peak < 64 << 20, peak
