"""Shapes of models: every way to write one, files, and what is refused."""

import json

import numpy as np
import pytest
from support.internals import shapes

import weightinit_fast as wi

TensorSpec, as_shapes = shapes.TensorSpec, shapes.as_shapes


class Tensor:
    """An object with the shape and the dtype of a tensor, and nothing else."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype


SPELLINGS = {
    "tuple": ((3, 4), TensorSpec((3, 4))),
    "list": ([3, 4], TensorSpec((3, 4))),
    "int": (3, TensorSpec((3,))),
    "scalar": ((), TensorSpec(())),
    "numpy ints": ((np.int64(3), np.uint8(4)), TensorSpec((3, 4))),
    "pair": (((3, 4), "bfloat16"), TensorSpec((3, 4), "bfloat16")),
    "list pair": ([[3, 4], "float64"], TensorSpec((3, 4), "float64")),
    "pair with an int": ((3, "float16"), TensorSpec((3,), "float16")),
    "pair with a NumPy type": (((3,), np.float64), TensorSpec((3,), "float64")),
    "pair with a NumPy dtype": (((3,), np.dtype(">f4")), TensorSpec((3,), "float32")),
    "pair with a native dtype": (((3,), np.dtype("f4")), TensorSpec((3,), "float32")),
    "pair without a dtype": (((3, 4), None), TensorSpec((3, 4))),
    "short name": (((3,), "bf16"), TensorSpec((3,), "bfloat16")),
    "dict": ({"shape": [3, 4]}, TensorSpec((3, 4))),
    "dict with dtype": ({"shape": 3, "dtype": "float8_e5m2"}, TensorSpec((3,), "float8_e5m2")),
    "spec": (TensorSpec((2,), "float64"), TensorSpec((2,), "float64")),
    "spec with a list": (TensorSpec([2, 3], "f8"), TensorSpec((2, 3), "float64")),
    "array": (np.zeros((2, 5), np.float16), TensorSpec((2, 5), "float16")),
    "tensor": (Tensor([2, 5], "float32"), TensorSpec((2, 5), "float32")),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(spelling):
    given, wanted = SPELLINGS[spelling]
    found = as_shapes({"w": given})
    assert found == {"w": wanted}
    assert type(found["w"]) is TensorSpec
    assert type(found["w"].dtype) in (str, type(None))
    assert type(found["w"].shape) is tuple
    assert all(type(n) is int for n in found["w"].shape)


def test_the_result_is_a_source_in_the_same_order():
    source = {name: (n + 1,) for n, name in enumerate("zebra")}
    found = as_shapes(source)
    assert list(found) == list("zebra")
    assert as_shapes(found) == found


def test_nested_tables_join_their_names():
    nested = {"wte": {"weight": [5, 3]}, "h": {"0": {"ln": {"bias": {"shape": 3}}}, "0.w": 2}}
    assert {name: spec.shape for name, spec in as_shapes(nested).items()} == {
        "wte.weight": (5, 3),
        "h.0.ln.bias": (3,),
        "h.0.w": (2,),
    }
    with pytest.raises(ValueError, match=r"the tensor 'a\.b' is named twice"):
        as_shapes({"a": {"b": 1}, "a.b": 2})
    deep = 1
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="32 levels"):
        as_shapes(deep)


REFUSED = {
    "negative": ((3, -4), ValueError, "w: shape .* negative"),
    "float": ((3.0,), TypeError, "w: "),
    "text": ("3", TypeError, "w: shape must be an int"),
    "None": (None, TypeError, "w: shape must be"),
    "bool": (True, TypeError, "w: "),
    "too large": ((2**40, 2**40), ValueError, r"w: shape .* 2\*\*63"),
    "no dtype": (((3,), "float33"), TypeError, "w: dtype must be one of .* not 'float33'"),
    "ambiguous dtype": (((3,), "fp8"), TypeError, "w: .*float8_e4m3fn"),
    "other keys": (
        {"shape": 3, "dtpye": "float32"},
        ValueError,
        "no key 'dtpye'; did you mean 'dt",
    ),
    "unknown key": ({"shape": [3], "device": "cpu"}, ValueError, "; the keys are shape and dtype"),
    "many axes": ((1,) * 65, ValueError, "w: shape has 65 axes"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    given, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        as_shapes({"w": given})


@pytest.mark.parametrize("source", [None, 3, [("w", 3)], np.zeros(3)])
def test_sources_that_are_refused(source):
    with pytest.raises(TypeError, match="shapes must be a dict"):
        as_shapes(source)


@pytest.mark.parametrize("name", [3, "", None, b"w"])
def test_names_that_are_refused(name):
    with pytest.raises(TypeError, match="name of a tensor"):
        as_shapes({name: 3})


def test_tensors_that_are_never_drawn_are_listed_or_left_out():
    source = {f"bn{n}.num_batches_tracked": ((), "int64") for n in range(30)}
    source["ids"] = np.zeros(3, np.uint8)
    source["weight"] = (3, "float32")
    with pytest.raises(TypeError) as caught:
        as_shapes(source)
    message = str(caught.value)
    assert message.startswith("31 of the tensors cannot be drawn")
    assert "bn0.num_batches_tracked (int64), bn1" in message
    assert "and 11 more" in message
    assert as_shapes(source, others="leave_out") == {"weight": TensorSpec((3,), "float32")}
    with pytest.raises(ValueError, match="others must be"):
        as_shapes(source, others="skip")


TOML = """
wte.weight = [50, 8]
"ln.bias" = 8

[h.0]
weight = { shape = [8, 8], dtype = "bfloat16" }
"""
TABLE = {
    "wte.weight": TensorSpec((50, 8)),
    "ln.bias": TensorSpec((8,)),
    "h.0.weight": TensorSpec((8, 8), "bfloat16"),
}


def test_tables_in_files(tmp_path):
    toml, text = tmp_path / "shapes.toml", tmp_path / "shapes.JSON"
    toml.write_text(TOML)
    assert as_shapes(toml) == TABLE
    content = {name: {"shape": s.shape, "dtype": s.dtype} for name, s in TABLE.items()}
    text.write_text(json.dumps(content))
    assert as_shapes(str(text)) == TABLE
    text.write_text(json.dumps(TABLE))  # as pairs
    assert as_shapes(text) == TABLE


DAMAGED = {
    "a.toml": ("w = [3", "this is not valid TOML"),
    "b.toml": ("w = 3\nw = 4", "this is not valid TOML"),
    "c.toml": ("w = [3.5]", "w: each length"),
    "d.toml": ("a = " + "[" * 5000, "this is not valid TOML"),
    "a.json": ("{", "this is not valid JSON"),
    "b.json": ("[3]", "this must be an object"),
    "c.json": ('{"w": 3, "w": 4}', "the name 'w' appears twice"),
    "d.json": ('{"w": ' + "9" * 5000 + "}", "this is not valid JSON"),
    "e.json": ("[" * 100_000, "this is not valid JSON"),
    "f.json": ('{"w": [1e3]}', "w: each length"),
    "g.json": (b"\xff", "not text in UTF-8"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_told(name, tmp_path):
    content, message = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        as_shapes(path)
    assert str(caught.value).startswith(("/", "..."))
    assert name in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("a.toml", "a.json"):
        with pytest.raises(FileNotFoundError):
            as_shapes(tmp_path / name)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.truncate(10**9)
    with pytest.raises(ValueError, match="1000000000 bytes"):
        as_shapes(path)


def test_shapes_of_a_model_serve_a_recipe():
    made = {name: np.empty(spec.shape, np.float32) for name, spec in TABLE.items()}
    assert [spec.dtype for spec in as_shapes(made).values()] == ["float32"] * 3
    assert wi.initializer("normal").law(as_shapes(made)["ln.bias"].shape).std == 1


def test_a_table_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes, "_LARGEST_TABLE", 1000)
    (tmp_path / "x.toml").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="more bytes than a table may have: 1000"):
        shapes.as_shapes(tmp_path / "x.toml")
