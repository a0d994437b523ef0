"""Shares: which bytes belong to part k of n, and which part a process is."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_models import PLAIN, TABLE
from support.internals import layout, saving, shares

save = saving.save


# Shares -------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.sampled_from(["float64", "bfloat16"])), min_size=1
    ),
    st.integers(1, 40),
    st.sampled_from(["x.safetensors", "x", "x.npy"]),
)
def test_shares_cover_every_byte_once(tensors, n, path):
    shapes = {f"t{k}": ((size,), dtype) for k, (size, dtype) in enumerate(tensors)}
    options = {"max_shard_bytes": 100_000} if path == "x" else {}
    made = layout.layout_of(path, shapes, **options)
    covered = dict.fromkeys(range(len(made.files)), 0)
    sizes = []
    for k in range(n):
        ranges = shares.share(made, k, n)
        sizes.append(sum(r.end - r.begin for r in ranges))
        for file, begin, end in ranges:
            assert begin == covered[file]
            assert begin < end
            covered[file] = end
            if end < made.files[file].nbytes:
                assert end % 4096 == 0
    assert list(covered.values()) == [file.nbytes for file in made.files]
    if n != sum(bool(file.entries) for file in made.files):
        assert max(sizes) <= made.nbytes / n + 4096 + 1


def test_large_shares_end_at_multiples_of_a_mebibyte():
    made = layout.layout_of("x.safetensors", {"table": ((10**9,), None)})
    for k in range(15):
        (part,) = shares.share(made, k, 16)
        assert part.end % 2**20 == 0


def test_as_many_parts_as_files_are_one_file_each():
    shapes = {f"t{k}": ((1000 + k,), None) for k in range(4)}
    made = layout.layout_of("x", shapes, max_shard_bytes=5000)
    for k in range(4):
        files = [part.file for part in shares.share(made, k, 4)]
        assert files == ([k] if k < 3 else [3, 4])  # the index belongs to the last part


# part= --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "error", "text"),
    [
        ((3, 3), ValueError, "counted from 0 to 2"),
        ((-1, 3), ValueError, "counted from 0 to 2"),
        ((0, 0), ValueError, "at least 1"),
        ((0, 2.0), TypeError, "two ints"),
        ((True, 2), TypeError, "two ints"),
        ((1,), TypeError, r"\(k, n\) or 'auto'"),
        (3, TypeError, r"\(k, n\) or 'auto'"),
        ("3/4", ValueError, r"\(k, n\) or 'auto'"),
    ],
)
def test_bad_parts(tmp_path, part, error, text):
    with pytest.raises(error, match=text):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, part=part)
    assert os.listdir(tmp_path) == []


def test_part_needs_a_key(tmp_path):
    with pytest.raises(ValueError, match="every part needs the same key"):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, part=(0, 2))


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"RANK": "3", "WORLD_SIZE": "16", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, (3, 16)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, (5, 8)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}, (0, 1)),
    ],
)
def test_auto(variables, part):
    assert shares.part_of("auto", variables) == part


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "none of them is set"),
        ({"RANK": "3"}, "no two numbers: RANK=3, WORLD_SIZE=None"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "no two numbers"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "counted from 0 to 1"),
    ],
)
def test_auto_refused(variables, text):
    with pytest.raises(ValueError, match=text):
        shares.part_of("auto", variables)


def test_auto_reads_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    monkeypatch.setenv("WORLD_SIZE", "2")
    for k in range(2):
        monkeypatch.setenv("RANK", str(k))
        saved = save(path, PLAIN, TABLE, rng=0, part="auto")
    assert saved.finished
