"""The index of a folder of .npy files: names and types that the files cannot tell; its faults."""

import json

import numpy as np
import pytest
from support.internals import layout, readers, shapes

SHAPES = {"../odd name": ((2, 3), "bfloat16"), "a": ((4,), "float32"), "A": ((), "float8_e5m2")}


def entry(file, dtype, *shape):
    return {"file": file, "dtype": dtype, "shape": list(shape)}


def write(folder):
    """Write a folder as the layout says, with zeros."""
    folder.mkdir()
    for file in layout.layout_of(folder.with_suffix(".npy"), SHAPES).files:
        (folder / file.name).write_bytes(file.header.ljust(file.nbytes, b"\0"))


def test_names_and_types_come_from_the_index(tmp_path):
    write(tmp_path / "model")
    found = readers.read_tensors(tmp_path / "model")
    assert {name: (t.shape, t.dtype) for name, t in found.items()} == SHAPES
    assert all(tensor.name == name for name, tensor in found.items())
    assert {tensor.file.parent for tensor in found.values()} == {tmp_path / "model"}
    specs = shapes.as_shapes(tmp_path / "model")
    assert specs == {name: shapes.TensorSpec(*spec) for name, spec in SHAPES.items()}
    assert (
        readers.as_numbers(next(readers.read_pieces(found["../odd name"], 6)), "bfloat16").max()
        == 0
    )


FAULTS = {
    "no object": ([], "not a JSON object"),
    "no tensors": ({}, "has no tensors"),
    "tensors": ({"tensors": []}, "has no tensors"),
    "entry": ({"tensors": {"x": 3}}, "the entry of 'x' must have file, dtype and shape"),
    "key": ({"tensors": {"x": {"file": "x.npy", "dtype": "float32"}}}, "the entry of 'x' must"),
    "file": ({"tensors": {"x": entry(3, "float32", 4)}}, "the file and the dtype of 'x'"),
    "dtype type": ({"tensors": {"x": entry("x.npy", None, 4)}}, "the file and the dtype of 'x'"),
    "outside": (
        {"tensors": {"x": entry("../x.npy", "float32", 4)}},
        "not the name of a file beside",
    ),
    "absolute": (
        {"tensors": {"x": entry("/x.npy", "float32", 4)}},
        "not the name of a file beside",
    ),
    "suffix": ({"tensors": {"x": entry("x.safetensors", "float32", 4)}}, "that ends with .npy"),
    "shape": ({"tensors": {"x": entry("x.npy", "float32", 2, 2)}}, "says that 'x.npy' has shape"),
    "dtype": ({"tensors": {"x": entry("x.npy", "float64", 4)}}, "says that 'x.npy' has dtype"),
    "narrow": ({"tensors": {"x": entry("x.npy", "bfloat16", 4)}}, "says that 'x.npy' has dtype"),
    "unknown": ({"tensors": {"x": entry("x.npy", "complex", 4)}}, "says that 'x.npy' has dtype"),
    "twice": (
        {"tensors": {"x": entry("x.npy", "float32", 4), "y": entry("x.npy", "float32", 4)}},
        "says that 'x.npy' holds two tensors",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_faults(what, tmp_path):
    content, message = FAULTS[what]
    np.save(tmp_path / "x.npy", np.zeros(4, np.float32))
    (tmp_path / "tensors.json").write_text(json.dumps(content))
    with pytest.raises(readers.FormatError, match=message) as caught:
        readers.read_tensors(tmp_path)
    assert "tensors.json" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "tensors.json").write_text(json.dumps({"tensors": {"x": entry("x.npy", "f", 4)}}))
    with pytest.raises(FileNotFoundError):
        readers.read_tensors(tmp_path)
