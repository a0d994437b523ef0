"""A small model of every kind of tensor, and what its files must hold."""

import json

import numpy as np
from support.internals import dtypes, recipe, saving

RECIPE = recipe.Recipe(
    [
        ("*.bias", "zeros"),
        ("ones*", "ones"),
        ("ortho*", "orthogonal"),
        ("sparse*", "sparse(sparsity=0.5)"),
        ("half*", "truncated_normal(std=0.5)"),
        ("*", "he_normal"),
    ],
    same_as={"head": "a.weight"},
)
SHAPES = {
    "a.weight": ((300, 71), None),
    "a.bias": ((71,), None),
    "b.weight": ((37, 11, 3), "float64"),
    "half.weight": ((1001, 3), "bfloat16"),
    "half.more": ((5,), "float16"),
    "byte.weight": ((91, 100), "float8_e4m3fn"),
    "ortho": ((40, 30), "float32"),
    "sparse/one": ((40, 30), "bfloat16"),
    "head": ((300, 71), None),
    "scalar.bias": ((), "float64"),
    "empty.weight": ((0, 3), "float32"),
    "ones.odd": ((3,), "float8_e5m2"),
}
#: Names of targets, one of each kind.
TARGETS = ["model.safetensors", "shards", "arrays.npy"]
OPTIONS = {"shards": {"max_shard_bytes": 30_000}}
#: A model of one rule. It has 2 MB: enough blocks for 16 parts.
PLAIN = recipe.Recipe({"*": "normal(std=0.02)"})
TABLE = {"table": (1000, 300), "more": (777,), "last": (200_000,)}
DRAWN = [name for name in SHAPES if name != "head"]


def expected(name, seed=0):
    """Return the bytes of a tensor: those of its own initialiser in memory."""
    shape, dtype = SHAPES[name]
    kind = dtypes.kind_named(dtype or "float32")
    out = np.empty(shape, kind.storage)
    init = RECIPE.initializer_for(name)
    init(out=out, dtype=kind.name, rng=seed, stream=name)
    return out.tobytes()


def tensors_of(files):
    """Return name -> bytes, read from safetensors or .npy files by independent means."""
    found = {}
    for path in files:
        if path.suffix == ".safetensors":
            content = path.read_bytes()
            start = 8 + int.from_bytes(content[:8], "little")
            for name, about in json.loads(content[8:start]).items():
                if name != "__metadata__":
                    begin, end = about["data_offsets"]
                    found[name] = content[start + begin : start + end]
    for path in files:
        if path.name == "tensors.json":
            for name, about in json.loads(path.read_text())["tensors"].items():
                found[name] = np.load(path.parent / about["file"]).tobytes()
    return found


def contents_of(folder):
    """Return relative path -> bytes of every file in a folder, hidden ones included."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def whole(folder, target, **options):
    """Save the model whole into a new folder; return what `contents_of` returns."""
    folder.mkdir()
    saving.save(folder / target, RECIPE, SHAPES, rng=0, **OPTIONS.get(target, {}), **options)
    return contents_of(folder)
