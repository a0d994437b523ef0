"""Files that save writes, read by the libraries that everybody else reads them with."""

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest
from support.frameworks import Framework

from weightinit_fast.models.files import save
from weightinit_fast.models.files.layout import layout_of
from weightinit_fast.models.recipe import Recipe

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from saved_models import DRAWN, RECIPE, SHAPES, expected, tensors_of

safetensors = Framework("safetensors")
hub = Framework("huggingface_hub")
torch = Framework("torch")


@pytest.fixture(autouse=True, scope="module")
def _loaded():
    for framework in (safetensors, hub, torch):
        framework.load()


def test_safetensors_writes_the_same_bytes(tmp_path):
    path = tmp_path / "x.safetensors"
    save(path, RECIPE, SHAPES, rng=0)
    specs, kept = {}, []
    for name in DRAWN:
        shape, dtype = SHAPES[name]
        content = expected(name)
        kept.append(np.frombuffer(content or b"\0", np.uint8).copy())
        specs[name] = safetensors.TensorSpec(
            dtype=dtype or "float32",
            shape=list(shape),
            data_ptr=kept[-1].ctypes.data,
            data_len=len(content),
        )
    assert safetensors.serialize(specs, metadata={"format": "pt"}) == path.read_bytes()


def test_safe_open_and_torch_read_it(tmp_path):
    path = tmp_path / "x.safetensors"
    save(path, RECIPE, SHAPES, rng=0)
    dtypes = {name: getattr(torch, dtype or "float32") for name, (_, dtype) in SHAPES.items()}
    with safetensors.safe_open(str(path), framework="pt") as file:
        assert set(file.keys()) == set(DRAWN)
        assert file.metadata() == {"format": "pt"}
        for name in DRAWN:
            tensor = file.get_tensor(name)
            assert tensor.shape == SHAPES[name][0]
            assert tensor.dtype == dtypes[name]
            content = ctypes.string_at(tensor.data_ptr(), tensor.nbytes) if tensor.numel() else b""
            assert content == expected(name)


def test_shards_are_those_of_huggingface_hub(tmp_path):
    rng = np.random.default_rng(0)
    for most in (1, 100, 1000, 5000, 10**6):
        sizes = {f"t{k}": int(n) for k, n in enumerate(rng.integers(0, 2000, 60))}
        shapes = {name: ((size,), "float8_e5m2") for name, size in sizes.items()}
        split = hub.split_state_dict_into_shards_factory(
            sizes,
            get_storage_size=lambda size: size,
            max_shard_size=most,
            filename_pattern="model{suffix}.safetensors",
        )
        made = layout_of("folder", shapes, max_shard_bytes=most)
        found = {f.name: sorted(e.name for e in f.entries) for f in made.files if f.entries}
        wanted = {file: sorted(names) for file, names in split.filename_to_tensors.items()}
        assert found == wanted
    saved = save(tmp_path / "m", Recipe({"*": "ones"}), shapes, rng=0, max_shard_bytes=9000)
    assert tensors_of(saved.files).keys() == sizes.keys()
