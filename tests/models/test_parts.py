"""Parts: they make the same files in any order, and those of another model are told apart."""

import os
import random
import shutil

import pytest
from saved_models import OPTIONS, PLAIN, RECIPE, SHAPES, TABLE, TARGETS, contents_of, whole
from support.internals import recipe, saving

save, finish = saving.save, saving.finish


# The same bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("n", [1, 3, 16])
def test_parts_in_any_order_make_the_same_files(tmp_path, target, n):
    expected = whole(tmp_path / "whole", target)
    order = list(range(n))
    random.Random(n).shuffle(order)
    folder = tmp_path / "parts"
    folder.mkdir()
    for done, k in enumerate(order, start=1):
        saved = save(folder / target, RECIPE, SHAPES, rng=0, part=(k, n), **OPTIONS.get(target, {}))
        assert saved.finished is (done == n)
        assert (folder / target).exists() is saved.finished
    assert contents_of(folder) == expected


def test_parts_of_several_counts_fit_together(tmp_path):
    expected = tmp_path / "whole.safetensors"
    save(expected, PLAIN, TABLE, rng=0)
    path = tmp_path / "x.safetensors"
    for part in [(0, 2), (3, 4), (4, 7), (5, 7), (0, 2)]:
        assert not save(path, PLAIN, TABLE, rng=0, part=part).finished
    with pytest.raises(ValueError, match="is not complete") as caught:
        finish(path)
    assert str(caught.value).partition("complete: ")[2] == (
        "of 2 parts, counted from 0, these are missing: 1; or of 4 parts, counted from 0, these "
        "are missing: 0, 1, 2; or of 7 parts, counted from 0, these are missing: 0, 1, 2, 3, 6. "
        "Write all missing parts of one of these numbers"
    )
    assert save(path, PLAIN, TABLE, rng=0, part=(3, 7)).finished
    assert path.read_bytes() == expected.read_bytes()


def test_parts_run_again(tmp_path):
    path = tmp_path / "x.safetensors"
    for k in (0, 0, 1, 0):
        assert not save(path, PLAIN, TABLE, rng=0, part=(k, 3)).finished
    save(path, PLAIN, TABLE, rng=0, part=(2, 3))
    save(tmp_path / "whole.safetensors", PLAIN, TABLE, rng=0)
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["whole.safetensors", "x.safetensors"]


def test_folders_of_hosts_that_share_no_disk_are_copied_together(tmp_path):
    shapes = {f"t{k}": (1000,) for k in range(3)}
    for k in range(3):
        host = tmp_path / f"host{k}"
        host.mkdir()
        save(host / "model", PLAIN, shapes, rng=0, part=(k, 3), max_shard_bytes=4000)
        data = host / ".model.saving/data"
        files = {path.name for path in data.iterdir()} - {"model.safetensors.index.json"}
        assert files == {f"model-0000{k + 1}-of-00003.safetensors"}
        shutil.copytree(host, tmp_path / "all", dirs_exist_ok=True)
    finish(tmp_path / "all/model")
    (tmp_path / "one").mkdir()
    save(tmp_path / "one/model", PLAIN, shapes, rng=0, max_shard_bytes=4000)
    assert contents_of(tmp_path / "all") == contents_of(tmp_path / "one")


# What is told apart -------------------------------------------------------------------------------


_SHAPES_DIFFER = "another set of names, shapes and dtypes"


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        ({"rng": 1}, "another key"),
        ({"recipe": recipe.Recipe({"*": "normal(std=0.03)"})}, "another recipe"),
        (
            {"rng": 1, "recipe": "he_normal(fans=(1, 2))"},
            "another key and another recipe",
        ),
        ({"shapes": TABLE | {"table": (300, 1000)}}, _SHAPES_DIFFER),
        ({"dtype": "bfloat16"}, _SHAPES_DIFFER),
        ({"metadata": {}}, "another max_shard_bytes, metadata or order of tensors"),
    ],
    ids=lambda other: next(iter(other)) if isinstance(other, dict) else "",
)
@pytest.mark.parametrize("part", [(1, 3), None])
def test_parts_of_another_model_are_refused(tmp_path, other, cause, part):
    path = tmp_path / "x.safetensors"
    usual = {"recipe": PLAIN, "shapes": TABLE, "rng": 0}
    save(path, part=(0, 3), **usual)
    before = contents_of(tmp_path)
    with pytest.raises(FileExistsError, match=f"'x.safetensors' that were written with {cause}:"):
        save(path, part=part, force=True, **usual | other)
    assert contents_of(tmp_path) == before
    for k in (1, 2):
        save(path, part=(k, 3), **usual)
    assert path.exists()


def test_shards_of_another_size_are_refused_with_the_right_cause(tmp_path):
    save(tmp_path / "x", PLAIN, TABLE, rng=0, part=(0, 3), max_shard_bytes=1 << 20)
    with pytest.raises(FileExistsError, match="written with another max_shard_bytes, metadata or"):
        save(tmp_path / "x", PLAIN, TABLE, rng=0, part=(1, 3), max_shard_bytes=1 << 21)


def test_marker_of_another_model_is_refused(tmp_path):
    for name, seed in (("x.safetensors", 0), ("y.safetensors", 1)):
        save(tmp_path / name, PLAIN, TABLE, rng=seed, part=(seed, 2))
    marker = ".y.safetensors.saving/part-00001-of-00002.json"
    shutil.copy(tmp_path / marker, tmp_path / ".x.safetensors.saving")
    with pytest.raises(ValueError, match="marker of a part of another model"):
        finish(tmp_path / "x.safetensors")
