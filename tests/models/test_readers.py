"""Headers of files from strangers: what is read, and that each fault is refused by name."""

import json
import os
import random
import struct
import zipfile

import fuzz_headers
import ml_dtypes
import numpy as np
import pytest
from support.internals import readers
from weight_files import (
    header_entry,
    npy_bytes,
    npy_with_header,
    npz_bytes,
    safetensors_bytes,
    safetensors_of,
)

read_tensors, FormatError = readers.read_tensors, readers.FormatError
F32 = header_entry("F32", (2, 3), 0, 24)


def elements(tensor, items=7):
    """Return all elements of a tensor as an array of its shape."""
    pieces = [readers.as_numbers(p, tensor.dtype) for p in readers.read_pieces(tensor, items)]
    flat = np.concatenate(pieces) if pieces else np.empty(0)
    return flat.reshape(tensor.shape, order="F" if tensor.fortran_order else "C")


def refused(path, data, fault):
    path.write_bytes(data)
    with pytest.raises(FormatError, match=fault) as caught:
        read_tensors(path)
    assert str(path)[-20:] in str(caught.value)
    assert len(str(caught.value)) < 500


# safetensors -------------------------------------------------------------------------------------

ALL = {
    "F64": np.linspace(-1, 1, 6).reshape(2, 3),
    "F32": np.linspace(-1, 1, 6, dtype="f4").reshape(3, 2),
    "F16": np.linspace(-1, 1, 5, dtype="f2"),
    "BF16": np.linspace(-3, 3, 8).astype(ml_dtypes.bfloat16).reshape(2, 2, 2),
    "F8_E4M3": np.linspace(-3, 3, 4).astype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.linspace(-3, 3, 4).astype(ml_dtypes.float8_e5m2),
    "I64": np.arange(-3, 3),
    "U8": np.arange(256, dtype="u1"),
    "BOOL": np.array([True, False, True]),
}


def test_safetensors_of_every_type(tmp_path):
    path = tmp_path / "all.safetensors"
    path.write_bytes(safetensors_of({name.lower(): (name, a) for name, a in ALL.items()}))
    tensors = read_tensors(str(path))
    assert [*tensors] == [name.lower() for name in ALL]
    for name, array in ALL.items():
        tensor = tensors[name.lower()]
        assert (tensor.shape, tensor.nbytes, tensor.file) == (array.shape, array.nbytes, path)
        assert tensor.dtype == array.dtype.name
        raw = path.read_bytes()[tensor.begin : tensor.begin + tensor.nbytes]
        assert raw == array.tobytes()
        got = elements(tensor)
        assert got.dtype.isnative
        assert got.shape == array.shape
        np.testing.assert_array_equal(got, array.astype(got.dtype))


def test_safetensors_scalars_empty_tensors_and_bits_below_a_byte(tmp_path):
    path = tmp_path / "x.safetensors"
    header = {
        "scalar": header_entry("F32", (), 0, 4),
        "late": header_entry("F32", (0, 1 << 62), 4, 4),
        "nibbles": header_entry("F4", (3, 2), 4, 7),
        "none": header_entry("F32", (5, 0), 4, 4),
        "complex": header_entry("C64", (1,), 7, 15),
    }
    path.write_bytes(safetensors_bytes(header, bytes(15)))
    tensors = read_tensors(path)
    assert [*tensors] == ["scalar", "late", "none", "nibbles", "complex"]
    assert elements(tensors["scalar"]).shape == ()
    assert elements(tensors["none"]).shape == (5, 0)
    for name in ("nibbles", "complex"):
        assert not readers.is_readable(tensors[name].dtype)
    with pytest.raises(TypeError, match="float4"):
        readers.ElementReader(tensors["nibbles"])


def test_safetensors_without_tensors(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(b"{}   "))
    assert read_tensors(path) == {}


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b"", "ninth byte"),
        (b"[]", "ninth byte"),
        (b"{", "not JSON"),
        (b"{} x", "not JSON"),
        (b'{"a\xff": 1}', "not UTF-8 at its byte 3"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1}', "must have dtype, shape and data_offsets"),
        (b'{"a": {"b": ' * 40_000, "nested too deeply|not JSON"),
        (b'{"a": ' + b"[" * 200_000, "nested too deeply"),
        (json.dumps({"a": F32}).encode()[:-1] + b', "a": {}}', "key 'a' twice"),
        ({"a\ud800": F32}, "lone surrogate"),
        ({"a": F32 | {"more": 1}}, "must have dtype"),
        ({"a": F32 | {"dtype": "F33"}}, "dtype of 'a' is 'F33'"),
        ({"a": F32 | {"dtype": ["F32"]}}, "dtype of 'a'"),
        ({"a": F32 | {"shape": [2, -3]}}, "size -3"),
        ({"a": F32 | {"shape": [True, 6]}}, "size True"),
        ({"a": F32 | {"shape": [2.0, 3]}}, r"size 2\.0"),
        ({"a": F32 | {"shape": "23"}}, "not a list of sizes"),
        ({"a": F32 | {"shape": [1] * 65}}, "65 axes"),
        ({"a": F32 | {"shape": [1 << 62, 1 << 62]}}, "takes 8507"),
        ({"a": F32 | {"shape": [1 << 63, 0]}}, "size 9223372036854775808"),
        ({"a": F32 | {"shape": [10**50]}}, "integer of 51 digits"),
        ({"a": header_entry("F4", (3,), 0, 2)}, "ends within a byte"),
        ({"a": F32 | {"data_offsets": [0, 20]}}, "has 20 bytes"),
        ({"a": F32 | {"data_offsets": [0]}}, "not two offsets"),
        ({"a": F32 | {"data_offsets": [-24, 0]}}, "not two offsets"),
        ({"a": F32 | {"data_offsets": [0.0, 24.0]}}, "not two offsets"),
        ({"a": F32 | {"data_offsets": [24, 48]}}, "follows a hole"),
        ({"a": F32, "b": F32}, "overlaps"),
        ({"a": F32, "b": header_entry("U8", (4,), 24, 28)}, "end at byte"),
        ({"__metadata__": {"a": 1}}, "__metadata__"),
        ({"__metadata__": [], "a": F32}, "__metadata__"),
    ],
)
def test_safetensors_faults(tmp_path, header, fault):
    refused(tmp_path / "a.safetensors", safetensors_bytes(header, bytes(24)), fault)


def test_safetensors_of_a_wrong_length(tmp_path):
    path = tmp_path / "a.safetensors"
    whole = safetensors_bytes({"a": F32}, bytes(24))
    refused(path, whole[:-1], "end at byte")
    refused(path, whole + b"\0", "end at byte")
    refused(path, whole[:30], "but the file has only 30")
    refused(path, whole[:5], "has only 5 bytes")
    refused(path, b"", "a.safetensors' is empty")
    refused(path, b"weights of a model", "ninth byte")
    refused(path, struct.pack("<Q", 1 << 63) + whole[8:], "100000000 are the most")


# npy and npz -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f2", "f8", "u1", ">i4", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, version, dtype, order):
    path = tmp_path / "layer.0.weight.npy"
    array = np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)
    path.write_bytes(npy_bytes(array, version))
    (tensor,) = read_tensors(path).values()
    assert tensor.name == "layer.0.weight"
    assert tensor.dtype == np.dtype(dtype).name
    assert tensor.fortran_order == (order == "F")
    np.testing.assert_array_equal(elements(tensor), array)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (1, 5), (3, 0, 2)])
def test_npy_shapes(tmp_path, shape):
    path = tmp_path / "a.npy"
    np.save(path, np.ones(shape))
    assert read_tensors(path)["a"].shape == shape


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        '{"shape":(2L,3L),"fortran_order":False,"descr":"<f4"}',
        "  { 'descr' : '=f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 ) }  \n",
    ],
)
def test_npy_headers_of_other_writers(tmp_path, text):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(text, bytes(24)))
    assert read_tensors(path)["a"].shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not understood"),
        (GOOD[:-2], "not understood"),
        (GOOD + "x", "alone"),
        (GOOD.replace("'descr'", "'desc'"), "alone"),
        (GOOD.replace("}", "'more': 1}"), "alone"),
        (GOOD.replace("}", "'shape': (6,)}"), "new key"),
        (GOOD.replace("<f4", "|O"), "pickled"),
        (GOOD.replace("<f4", "<f16"), "not one of numbers"),
        (GOOD.replace("<f4", "<U3"), "not one of numbers"),
        (GOOD.replace("<f4", "f4"), "not one of numbers"),
        (GOOD.replace("'<f4'", "[('a', '<f4')]"), "not understood"),
        (GOOD.replace("'<f4'", "4"), "not one of numbers"),
        (GOOD.replace("False", "0"), "fortran_order"),
        (GOOD.replace("(2, 3)", "6"), "not a list of sizes"),
        (GOOD.replace("(2, 3)", "(-2, 3)"), "not understood"),
        (GOOD.replace("(2, 3)", "(2 3)"), "not a tuple"),
        (GOOD.replace("(2, 3)", "('2', 3)"), "size '2'"),
        (GOOD.replace("(2, 3)", "(2, 9999999999)"), "wants"),
        (GOOD.replace("(2, 3)", "(" * 4000), "not a tuple"),
        (GOOD.replace("(2, 3)", "(__import__('os'), 3)"), "not understood"),
        (GOOD + " " * 10_000, "10000 are the most"),
    ],
)
def test_npy_faults(tmp_path, text, fault):
    refused(tmp_path / "a.npy", npy_with_header(text, bytes(24)), fault)


def test_npy_that_is_cut_or_foreign(tmp_path):
    path = tmp_path / "a.npy"
    whole = npy_bytes(np.zeros(6, "f4"))
    refused(path, whole[:-1], "wants 152 bytes, but the file has 151")
    refused(path, whole + b"\0", "wants 152 bytes")
    refused(path, whole[:40], "ends within the header")
    refused(path, b"", "is empty")
    refused(path, b"x", "does not begin")
    refused(path, b"PK\3\4" + whole[4:], "does not begin")
    refused(path, whole[:6] + b"\4\0" + whole[8:], "version 4.0")
    refused(path, npy_with_header(b"\xff{}", version=3), "not UTF-8")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    path = tmp_path / "a.npz"
    arrays = {
        "layer/w": np.arange(20_000, dtype="f4").reshape(200, 100),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3), "f2"),
    }
    save(path, **arrays)
    tensors = read_tensors(path)
    assert [*tensors] == [*arrays]
    for name, array in arrays.items():
        assert (tensors[name].member is None) == (save is np.savez)
        np.testing.assert_array_equal(elements(tensors[name], 999), array)
    with readers.ElementReader(tensors["layer/w"]) as reader:
        for begin in (15_000, 3, 19_000):  # forwards and back
            np.testing.assert_array_equal(reader.read(begin, 5), np.arange(begin, begin + 5))
        with pytest.raises(IndexError):
            reader.read(19_999, 2)


def test_npz_faults(tmp_path):
    path = tmp_path / "a.npz"
    array = npy_bytes(np.zeros(5000))
    refused(path, b"", "is empty")
    refused(path, b"x" * 5000, "not a .npz file")
    refused(path, npz_bytes({"a.npy": array})[:-30], "not a .npz file")
    refused(path, npz_bytes({"a.txt": array}), "not a .npy file")
    refused(path, npz_bytes({"a.npy": array[:-8]}), "wants 40128 bytes, but its entry has 40120")
    refused(path, npz_bytes({"a.npy": b"x"}), "does not begin")
    refused(path, npz_bytes({"a.npy": array}, zipfile.ZIP_LZMA), "compression 14")
    data = npz_bytes({"a.npy": array, "b.npy": array})
    refused(path, data.replace(b"b.npy", b"a.npy"), "two entries 'a'")
    central = data.rindex(b"PK\1\2")  # the directory's second entry
    second = data.index(b"PK\3\4", 100)
    encrypted = bytearray(data)
    encrypted[central + 8] |= 1
    refused(path, encrypted, "encrypted")
    assert data[central + 42 : central + 46] == second.to_bytes(4, "little")
    same_place = data[: central + 42] + bytes(4) + data[central + 46 :]
    refused(path, same_place, "differ|overlap|not a .npz file")
    huge = data[: central + 24] + b"\xff\xff\xff\x7f" + data[central + 28 :]
    refused(path, huge, "cannot have 2147483647 bytes")


def test_npz_of_entries_within_each_other(tmp_path):
    """An entry whose bytes are part of another's is how a small archive unfolds into a huge one."""
    inner = npz_bytes({"b.npy": npy_bytes(np.zeros(5))})
    inner = inner[: inner.index(b"PK\1\2")]
    data = npz_bytes(
        {"a.npy": npy_bytes(np.frombuffer(inner, "u1")), "b.npy": npy_bytes(np.ones(5))}
    )
    central = data.rindex(b"PK\1\2")
    place = data.index(inner).to_bytes(4, "little")
    crc = inner[14:18]
    data = (
        data[: central + 16]
        + crc
        + data[central + 20 : central + 42]
        + place
        + data[central + 46 :]
    )
    refused(tmp_path / "a.npz", data, "(?i)overlap")


def test_npz_that_is_damaged_within_its_elements(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).normal(size=9000))
    data = bytearray(path.read_bytes())
    data[40_000] ^= 1
    path.write_bytes(data)
    tensor = read_tensors(path)["a"]
    with pytest.raises(FormatError, match="damaged"):
        elements(tensor)


def test_file_that_becomes_shorter(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(100))
    tensor = read_tensors(path)["a"]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FormatError, match="ends within 'a'"):
        elements(tensor)


# indexes and folders -----------------------------------------------------------------------------


def write_shards(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m-1.safetensors").write_bytes(safetensors_of({"a": ("F32", np.zeros(3, "f4"))}))
    (folder / "m-2.safetensors").write_bytes(
        safetensors_of({"b": ("F32", np.ones(2, "f4")), "c": ("F64", np.ones(1))})
    )
    return {"b": "m-2.safetensors", "a": "m-1.safetensors", "c": "m-2.safetensors"}


def write_index(folder, index):
    path = folder / "model.safetensors.index.json"
    path.write_text(index if isinstance(index, str) else json.dumps(index))
    return path


def test_index_and_folder(tmp_path):
    places = write_shards(tmp_path)
    assert [*read_tensors(tmp_path)] == ["a", "b", "c"]  # a folder of shards alone
    path = write_index(tmp_path, {"metadata": {"total_size": 2.5e3}, "weight_map": places})
    for source in (path, tmp_path):
        tensors = read_tensors(source)
        assert [*tensors] == ["b", "a", "c"]
        assert {name: tensor.file.name for name, tensor in tensors.items()} == places


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"a": "m-2.safetensors"}, "holds 'a', which it does not"),
        ({"a": None}, "not a name"),
        ({"a": "../m-1.safetensors"}, "not the name of a file beside it"),
        ({"a": "/etc/passwd"}, "not the name of a file beside it"),
        ({"a": "C:m-1.safetensors"}, "not the name of a file beside it"),
        ({"a": "..\\m-1.safetensors"}, "not the name of a file beside it"),
        ({"a": "m\0.safetensors"}, "not the name of a file beside it"),
        ({"a": ".safetensors"}, "not the name of a file beside it"),
        ({"a": "x" * 300 + ".safetensors"}, "not the name of a file beside it"),
        ({"a": "link.safetensors"}, "link out of its folder"),
        ({"a": "m-1.npy"}, "not the name of a file beside it"),
    ],
)
def test_index_faults(tmp_path, change, fault):
    places = write_shards(tmp_path / "in")
    write_shards(tmp_path / "out")
    (tmp_path / "in/link.safetensors").symlink_to("../out/m-1.safetensors")
    path = write_index(tmp_path / "in", {"weight_map": places | change})
    refused(path, path.read_bytes(), fault)


def test_index_of_other_faults(tmp_path):
    places = write_shards(tmp_path)
    path = write_index(tmp_path, "")
    refused(path, b"{}", "no weight_map")
    refused(path, b"[]", "not a JSON object")
    refused(path, b'{"weight_map": 1}', "no weight_map")
    refused(path, b'{"weight_map": {"a": "b", "a": "c"}}', "twice")
    del places["c"]
    refused(path, json.dumps({"weight_map": places}).encode(), "does not name 'c'")
    missing = {"weight_map": places | {"c": "m-3.safetensors"}}
    path.write_text(json.dumps(missing))
    with pytest.raises(FileNotFoundError, match="m-3"):
        read_tensors(path)


def test_links_that_lead_to_each_other(tmp_path):
    places = write_shards(tmp_path)
    path = write_index(tmp_path, {"weight_map": places | {"a": "one.safetensors"}})
    (tmp_path / "one.safetensors").symlink_to("other.safetensors")
    (tmp_path / "other.safetensors").symlink_to("one.safetensors")
    with pytest.raises(OSError, match=r"one\.safetensors"):
        read_tensors(path)


def test_links_of_a_hugging_face_cache(tmp_path):
    snapshot = tmp_path / "models--a--b/snapshots/0123"
    places = write_shards(snapshot)
    write_index(snapshot, {"weight_map": places})
    (tmp_path / "models--a--b/blobs").mkdir()
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(tmp_path / f"models--a--b/blobs/{number}")
        path.symlink_to(f"../../blobs/{number}")
    assert len(read_tensors(snapshot)) == 3


def test_folder_of_npy_and_other_folders(tmp_path):
    with pytest.raises(FormatError, match="no index, no"):
        read_tensors(tmp_path)
    for name in ("b", "a"):
        np.save(tmp_path / f"{name}.npy", np.zeros(3))
    assert [*read_tensors(tmp_path)] == ["a", "b"]
    write_shards(tmp_path)
    with pytest.raises(FormatError, match="pass the path of one file"):
        read_tensors(tmp_path)
    (tmp_path / "m-3.safetensors").write_bytes((tmp_path / "m-1.safetensors").read_bytes())
    for name in ("a", "b"):
        (tmp_path / f"{name}.npy").unlink()
    with pytest.raises(FormatError, match="'a' is in 'm-1"):
        read_tensors(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}.safetensors.index.json").touch()
    with pytest.raises(FormatError, match="2 indexes"):
        read_tensors(tmp_path)


def test_other_paths(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "a.bin")
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "a.npy")
    (tmp_path / "a.bin").touch()
    with pytest.raises(FormatError, match=r"is not a \.safetensors, \.npy, \.npz or"):
        read_tensors(tmp_path / "a.bin")
    with pytest.raises(FormatError, match=r"a\.bin' is not .* weights_only=True"):
        read_tensors(tmp_path / "a.bin")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FormatError, match=r"folder' has no index"):
        read_tensors(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(FormatError, match="not a regular file"):
        read_tensors(tmp_path / "pipe.npy")


# elements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"],
)
def test_every_code_of_the_8_bit_types(dtype):
    codes = np.arange(256, dtype="u1")
    expected = codes.view(getattr(ml_dtypes, dtype)).astype("f4")
    got = readers.as_numbers(codes, dtype)
    np.testing.assert_array_equal(
        got.view("u4")[~np.isnan(got)], expected.view("u4")[~np.isnan(got)]
    )
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))


def test_every_code_of_bfloat16():
    codes = np.arange(1 << 16, dtype="u2")
    expected = codes.view(ml_dtypes.bfloat16).astype("f4")
    np.testing.assert_array_equal(readers.as_numbers(codes, "bfloat16"), expected)


# The fuzz target ---------------------------------------------------------------------------------


def test_a_sample_of_changed_files(tmp_path):
    rng = random.Random(20)
    files = fuzz_headers.prepare(tmp_path)
    outcomes = [fuzz_headers.run(rng, tmp_path, files)[2] for _ in range(1000)]
    assert 20 < outcomes.count(None) < 500


def test_the_fuzz_target_tells_what_must_not_happen(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(100))
    tensor = read_tensors(path)["a"]
    monkeypatch.setattr(readers, "read_tensors", lambda _: {"a": tensor._replace(begin=200)})
    with pytest.raises(fuzz_headers.Finding, match="ends after its file"):
        fuzz_headers.judge(path)
