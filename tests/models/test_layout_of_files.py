"""The layout of files: a pure function whose bytes are those that the formats demand."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_models import DRAWN, SHAPES
from support.internals import dtypes, file_names, layout, safetensors_layout

layout_of = layout.layout_of
MIXED = {name: SHAPES[name] for name in DRAWN}
KINDS = dtypes.NAMES

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
tables = st.dictionaries(
    names.filter(lambda name: name != "__metadata__"),
    st.tuples(st.lists(st.integers(0, 5), max_size=4).map(tuple), st.sampled_from((None, *KINDS))),
    min_size=1,
    max_size=20,
)


def no_holes(file):
    """Check that the tensors of a file follow each other from its header to its end."""
    at = len(file.header)
    for entry in file.entries:
        width = entry.kind.storage.itemsize
        assert entry.begin == at
        assert entry.begin % width == 0
        assert entry.nbytes == int(np.prod(entry.shape)) * width
        at += entry.nbytes
    assert at == file.nbytes


def test_known_header_of_safetensors():
    shapes = {
        "b": ((1,), None),
        "é": ((1,), "float64"),
        'z\x1f/"\\\n': ((0, 3), "bfloat16"),
        "A": ((2,), "float16"),
        "q": ((1,), "float8_e4m3fn"),
        "c": ((), "float8_e5m2"),
        "\U0001d11e": ((), "float8_e5m2"),
        "\uffee": ((), "float8_e5m2"),
    }
    (file,) = layout_of("x.safetensors", shapes).files
    # The safetensors library 0.8.0 wrote this text for these tensors.
    text = (
        '{"__metadata__":{"format":"pt"},"é":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},'
        '"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},'
        '"z\\u001f/\\"\\\\\\n":{"dtype":"BF16","shape":[0,3],"data_offsets":[12,12]},'
        '"A":{"dtype":"F16","shape":[2],"data_offsets":[12,16]},'
        '"q":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[16,17]},'
        '"c":{"dtype":"F8_E5M2","shape":[],"data_offsets":[17,18]},'
        '"\uffee":{"dtype":"F8_E5M2","shape":[],"data_offsets":[18,19]},'
        '"\U0001d11e":{"dtype":"F8_E5M2","shape":[],"data_offsets":[19,20]}}'
    ).encode()
    assert file.header[8:].rstrip(b" ") == text
    assert len(file.header) % 8 == 0
    assert len(file.header) - 8 - len(text) < 8
    assert int.from_bytes(file.header[:8], "little") == len(file.header) - 8
    no_holes(file)


@settings(max_examples=50)
@given(tables)
def test_any_table_of_safetensors(shapes):
    (file,) = layout_of("x.safetensors", shapes).files
    no_holes(file)
    header = json.loads(file.header[8:])
    del header["__metadata__"]
    assert header.keys() == shapes.keys()
    for entry in file.entries:
        begin, end = header[entry.name]["data_offsets"]
        assert (begin + len(file.header), end - begin) == (entry.begin, entry.nbytes)
        assert tuple(header[entry.name]["shape"]) == entry.shape == shapes[entry.name][0]
        assert entry.dtype == (shapes[entry.name][1] or "float32")


@settings(max_examples=50)
@given(tables)
def test_any_table_of_npy(shapes):
    made = layout_of("x.npy/", shapes)
    *files, index = made.files
    found = json.loads(index.header)["tensors"]
    assert found.keys() == shapes.keys()
    written = [file.name for file in files]
    assert len({name.lower() for name in written}) == len(shapes)
    for file in files:
        no_holes(file)
        (entry,) = file.entries
        assert found[entry.name] == {
            "file": file.name,
            "dtype": entry.dtype,
            "shape": list(entry.shape),
        }
        assert len(file.name.encode()) < 240
        assert not set(file.name) & set("/\\:\0 ")
        assert not file.name.startswith(".")


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (10**9, 7, 1), (1,) * 32])
def test_header_of_npy_is_numpys(shape, dtype):
    (file,) = layout_of("x.npy", {"x": (shape, dtype)}).files
    storage = dtypes.kind_named(dtype).storage
    array = np.broadcast_to(np.zeros((), storage), shape)
    expected = io.BytesIO()
    fields = {
        "descr": np.lib.format.dtype_to_descr(storage),
        "fortran_order": False,
        "shape": array.shape,
    }
    np.lib.format.write_array_header_1_0(expected, fields)
    assert file.header == expected.getvalue()
    assert file.nbytes == len(file.header) + array.size * storage.itemsize


def test_shards_are_cut_like_huggingface_hub():
    sizes = {"a": 4, "b": 4, "c": 9, "d": 3, "e": 1, "f": 8, "g": 2}
    shapes = {name: ((size,), "float8_e5m2") for name, size in sizes.items()}
    made = layout_of("folder", shapes, max_shard_bytes=8)
    # "c" is too large for any shard: it gets one at once, before the shard that is open.
    # huggingface_hub 1.0 cuts these tensors into the same shards.
    order = ["c", "ab", "de", "f", "g"]
    got = [[entry.name for entry in file.entries] for file in made.files[:-1]]
    assert got == [list(group) for group in order]
    assert [file.name for file in made.files] == [
        *(f"model-0000{k}-of-00005.safetensors" for k in range(1, 6)),
        "model.safetensors.index.json",
    ]
    index = json.loads(made.files[-1].header)
    assert index["metadata"] == {"total_parameters": 31, "total_size": 31}
    for file in made.files[:-1]:
        no_holes(file)
        for entry in file.entries:
            assert index["weight_map"][entry.name] == file.name


def test_one_shard_has_no_index():
    for path in ("folder", "folder/", "llama-3.1-8b", "x.safetensors/"):
        made = layout_of(path, MIXED)
        assert made.folder
        assert [file.name for file in made.files] == ["model.safetensors"]


def test_npy_of_one_tensor_and_of_several():
    one, several = {"a": ((3,), None)}, {"a": ((3,), None), "b": ((3,), None)}
    assert [file.name for file in layout_of("x.npy", one).files] == [""]
    assert [file.name for file in layout_of("x.npy/", one).files] == ["a.npy", "tensors.json"]
    assert [f.name for f in layout_of("x.npy", several).files] == ["a.npy", "b.npy", "tensors.json"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("h.0.attn_c-1.weight", "h.0.attn_c-1.weight.npy"),
        ("..", "%2E..npy"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.npy"),
        ("/etc/passwd", "%2Fetc%2Fpasswd.npy"),
        ("C:\\x", "C%3A%5Cx.npy"),
        ("a%2Fb", "a%252Fb.npy"),
        (" ", "%20.npy"),
        ("~x", "%7Ex.npy"),
    ],
)
def test_names_cannot_leave_a_npy_folder(name, file):
    assert file_names.npy_names([name]) == [file]


def test_long_names_and_names_that_differ_in_case():
    names = ["x" * 300 + "1", "x" * 300 + "2", "Wq", "wq", "k"]
    files = file_names.npy_names(names)
    assert len({file.lower() for file in files}) == 5
    assert max(map(len, files)) == 200 + 17 + 4
    assert files[2].startswith("Wq~")
    assert files[3].startswith("wq~")
    assert files[4] == "k.npy"


def test_digest_tells_layouts_apart():
    ways = [
        layout_of("x.safetensors", MIXED),
        layout_of("x.safetensors", MIXED, "bfloat16"),
        layout_of("x.safetensors", MIXED | {"more": ((), None)}),
        layout_of("x.safetensors", MIXED, metadata={}),
        layout_of("x.safetensors", {"a": ((2, 3), None)}),
        layout_of("x.safetensors", {"a": ((3, 2), None)}),
        layout_of("x/", MIXED),
        layout_of("x/", MIXED, max_shard_bytes=10**4),
        layout_of("x.npy", {"a": ((2, 3), "bfloat16")}),
        layout_of("x.npy/", {"a": ((2, 3), "bfloat16")}),
        layout_of("x.npy", {"a": ((2, 3), "bfloat16"), "b": ((), None)}),
    ]
    assert len({way.digest() for way in ways}) == len(ways)
    assert ways[0].digest() == layout_of("other/y.safetensors", dict(MIXED)).digest()


def test_metadata():
    (plain,) = layout_of("x.safetensors", MIXED, metadata={}).files
    assert b"__metadata__" not in plain.header
    (more,) = layout_of("x.safetensors", MIXED, metadata={"z": "1", "a": "ü"}).files
    assert more.header[8:].startswith('{"__metadata__":{"a":"ü","z":"1"},'.encode())


ONE = {"a": ((3,), None)}


@pytest.mark.parametrize(
    ("path", "shapes", "options", "error", "text"),
    [
        ("x.pt", ONE, {}, ValueError, "no format has the suffix '.pt'"),
        ("x.h5", ONE, {}, ValueError, "no format has the suffix '.h5'"),
        ("x.safetensors", {}, {}, ValueError, "no tensor"),
        ("x.safetensors", {"": ((), None)}, {}, TypeError, "not empty"),
        ("x.safetensors", {"\ud800": ((), None)}, {}, ValueError, "no Unicode text"),
        ("x.safetensors", {"__metadata__": ((), None)}, {}, ValueError, "keep the name"),
        ("x.safetensors", {"a": ((-1,), None)}, {}, ValueError, "a: shape"),
        ("x.safetensors", {"a": ((2**62,), None)}, {}, ValueError, "2**63 or more"),
        ("x.safetensors", {"a": ((3,), "int8")}, {}, TypeError, "a: dtype must be one of"),
        ("x.safetensors", ONE, {"max_shard_bytes": 9}, ValueError, "must name a folder"),
        ("x", ONE, {"max_shard_bytes": 0}, ValueError, "at least 1"),
        ("x", ONE, {"max_shard_bytes": 1.5}, TypeError, "must be an int"),
        ("x", ONE, {"metadata": {"a": 1}}, TypeError, "1 is no str"),
        ("x", ONE, {"metadata": {"a": "\udcff"}}, ValueError, "no Unicode text"),
        ("x.npy", ONE, {"metadata": {}}, ValueError, "metadata= is an option of safetensors"),
        ("x.npy", ONE, {"max_shard_bytes": 9}, ValueError, "max_shard_bytes= is an option"),
        ("x.npy", ONE, {"dtype": "int8"}, TypeError, "dtype must be one of"),
    ],
)
def test_refused(path, shapes, options, error, text):
    with pytest.raises(error) as caught:
        layout_of(path, shapes, **options)
    assert text in str(caught.value)


def test_header_that_is_too_large(monkeypatch):
    monkeypatch.setattr(safetensors_layout, "LARGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="write a folder of shards"):
        layout_of("x.safetensors", {f"{n:100}": ((), None) for n in range(20)})
