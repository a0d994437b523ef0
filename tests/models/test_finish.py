"""finish: it gives complete files their names, names what is missing, and trusts no note."""

import json
import os

import pytest
from saved_models import OPTIONS, PLAIN, RECIPE, SHAPES, TABLE, TARGETS, contents_of, whole
from support.internals import publishing, saving, staging

save, finish = saving.save, saving.finish


def test_finish_names_the_missing_parts(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(FileNotFoundError, match="there are no parts of"):
        finish(path)
    for k in (0, 3):
        save(path, PLAIN, TABLE, rng=0, part=(k, 5))
    with pytest.raises(ValueError, match=r"of 5 parts, counted from 0, .*: 1, 2, 4$"):
        finish(path)


@pytest.mark.parametrize("n", [3, 10**15])
def test_missing_parts_of_any_number_are_counted(tmp_path, n):
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=0, part=(1, n))
    with pytest.raises(ValueError, match="these are missing: 0, 2") as caught:
        finish(path)
    if n > 20:
        assert str(caught.value).endswith(f"20 and {n - 21} more")


def test_finish_of_a_killed_save_says_to_run_it_again(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(saving, "mark", lambda *_: 1 / 0)
        patch.setattr(staging.Staging, "give_up", lambda _: None)
        with pytest.raises(ZeroDivisionError):
            save(path, PLAIN, TABLE, rng=0)
    with pytest.raises(ValueError, match=r"was stopped: run the same call again$"):
        finish(path)


@pytest.mark.parametrize("target", TARGETS)
def test_finish_by_hand(tmp_path, target, monkeypatch):
    expected = whole(tmp_path / "whole", target)
    folder = tmp_path / "parts"
    folder.mkdir()

    def stopped(*_):
        raise SystemError("as if the process ended here")

    options = OPTIONS.get(target, {})
    save(folder / target, RECIPE, SHAPES, rng=0, part=(0, 2), **options)
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", stopped)
        with pytest.raises(SystemError):
            save(folder / target, RECIPE, SHAPES, rng=0, part=(1, 2), **options)
    assert not (folder / target).exists()
    saved = finish(folder / target)
    assert saved.finished
    assert saved.nbytes == sum(len(content) for content in expected.values())
    assert contents_of(folder) == expected
    with pytest.raises(FileNotFoundError, match="the file itself exists"):
        finish(folder / target)


def test_finish_refuses_a_cut_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", lambda *_: None)
        for k in (0, 1):
            save(path, PLAIN, TABLE, rng=0, part=(k, 2))
    data = tmp_path / ".x.safetensors.saving/data"
    os.truncate(data, 1000)
    with pytest.raises(ValueError, match="has 1,000 bytes, and not"):
        finish(path)


@pytest.mark.parametrize("name", ["plan.json", "part-00000-of-00001.json"])
@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", "[" * 100_000, '{"version": 1}'],
    ids=["empty", "list", "dict", "cut", "deep", "version"],
)
def test_damaged_notes_are_refused(tmp_path, monkeypatch, name, text):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", lambda *_: None)
        save(path, PLAIN, TABLE, rng=0, part=(0, 1))
    (tmp_path / ".x.safetensors.saving" / name).write_text(text)
    with pytest.raises(ValueError, match=r"is damaged|another model"):
        finish(path)


@pytest.mark.parametrize("name", ["../x", "/x", "..", "a/b/c", "a/../b", "", 3, "a\\b"])
def test_names_of_a_plan_cannot_leave_the_folder(tmp_path, name):
    folder = tmp_path / ".x.saving"
    folder.mkdir()
    plan = {
        "version": 1,
        "digest": "",
        "digests": {},
        "format": "safetensors",
        "folder": True,
        "force": False,
        "parts": True,
        "files": [[name, 0]],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match="is damaged"):
        finish(tmp_path / "x")
    plan["files"] = [["model.safetensors", 0]]
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(FileNotFoundError, match="not there any more"):
        finish(tmp_path / "x")
