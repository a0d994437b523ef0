"""Build a torch model once, in one of several ways; print what that took.

torch_worker.py MODEL WAY THREADS SIZE; `python -m bench torch` runs it. The model is first built in
a tiny size in the same way, so that imports and first calls are not measured. It prints the bytes
of the parameters, the seconds, and the seconds of processor time.
"""

import importlib
import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

HOLDER = Path(__file__).parent / "page_holder.py"

STOCK, FAST, MATERIALIZE = "stock", "fast_init", "materialize"
WAYS = (STOCK, FAST, MATERIALIZE)
TINY, QUICK, FULL = "tiny", "quick", "full"


def import_torch() -> Any:
    """Import torch, and torchvision so that timm and transformers can import it."""
    torch = importlib.import_module("torch")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pass
    except RuntimeError as error:
        # torchvision of PyPI is built for CUDA, and does not load beside a torch for CPUs. The
        # operators that its import describes are declared without code.
        if "operator torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        import_torch.library = library  # type: ignore[attr-defined]  it lives as long as the process
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float limit) -> Tensor")
    return torch


def gpt2(size: str) -> Callable[[], Any]:
    """Return a function that builds GPT-2 medium from a config of transformers."""
    from transformers import GPT2Config, GPT2LMHeadModel  # noqa: PLC0415

    width, layers = {TINY: (32, 2), QUICK: (512, 4), FULL: (1024, 24)}[size]
    words = 100 if size == TINY else 50257
    config = GPT2Config(n_embd=width, n_layer=layers, n_head=16, vocab_size=words)
    return lambda: GPT2LMHeadModel(config)


def of_timm(full: str, quick: str) -> Callable[[str], Callable[[], Any]]:
    """Return a maker of a function that builds a model of timm."""

    def make(size: str) -> Callable[[], Any]:
        timm = importlib.import_module("timm")
        own = {"num_classes": 10} if size == TINY else {}
        return lambda: timm.create_model(full if size == FULL else quick, **own)

    return make


def table(size: str) -> Callable[[], Any]:
    """Return a function that makes an embedding table of 4 GB."""
    torch = importlib.import_module("torch")
    rows = {TINY: 10, QUICK: 50_000, FULL: 1_000_000}[size]
    return lambda: torch.nn.Embedding(rows, 1000)


def linears(size: str) -> Callable[[], Any]:
    """Return a function that makes 10,000 small layers."""
    nn = importlib.import_module("torch").nn
    count = {TINY: 10, QUICK: 2_000, FULL: 10_000}[size]
    return lambda: nn.ModuleList([nn.Linear(16, 16) for _ in range(count)])


MODELS = {
    "GPT-2 medium": gpt2,
    "ViT-L": of_timm("vit_large_patch16_224", "vit_small_patch16_224"),
    "ResNet-152": of_timm("resnet152", "resnet18"),
    "4-GB table": table,
    "10,000 Linear(16, 16)": linears,
}

#: The recipes of materialize, where the default one, that of torch's own modules, does not apply.
RECIPES = {
    "GPT-2 medium": {
        "*ln_*.weight": "ones",
        "*.bias": "zeros",
        "*.c_proj.weight": "normal(std=0.0029)",  # 0.02/√48
        "*": "normal(std=0.02)",
    },
    "ViT-L": {
        "*norm*.weight": "ones",
        "*.bias": "zeros",
        "*": "truncated_normal(std=0.02)",
    },
}


@contextmanager
def memory_ready(nbytes: int) -> Iterator[None]:
    """Have the machine hold so much memory ready for this process; see page_holder.py."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        yield
        return
    command = [sys.executable, str(HOLDER), str(os.getpid()), str(nbytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.stdin.close()


def build(model: str, way: str, threads: int, size: str) -> Callable[[], Any]:
    """Return a function that builds a model in one of the ways."""
    torch = importlib.import_module("torch")
    wi = importlib.import_module("weightinit_fast")
    make = MODELS[model](size)
    if way != MATERIALIZE:

        def built() -> Any:
            with wi.torch.fast_init(0, threads=threads) if way == FAST else nullcontext():
                return make()

        return built

    def materialized() -> Any:
        # In a block of fast_init, torch's slow way to draw nothing on meta is left out.
        with torch.device("meta"), wi.torch.fast_init(0):
            module = make()
        recipe = wi.Recipe(RECIPES[model]) if model in RECIPES else None
        wi.torch.materialize(module, recipe, rng=0, threads=threads)
        return module

    return materialized


def measured(model: str, way: str, threads: int, size: str) -> dict[str, Any]:
    """Build once; return what that took."""
    torch = import_torch()
    torch.set_num_threads(threads)
    importlib.import_module("weightinit_fast.torch")
    if way == MATERIALIZE and not hasattr(sys.modules["weightinit_fast.torch"], "materialize"):
        return {"missing": "materialize"}
    build(model, way, threads, TINY)()
    make = build(model, way, threads, size)
    with torch.device("meta"):
        nbytes = sum(parameter.nbytes for parameter in MODELS[model](size)().parameters())
    # Code that builds a model may throw some tensors away, and the holder is ahead by 512 MiB.
    with memory_ready(nbytes + nbytes // 2 + (1 << 30)):
        time.sleep(0.05)  # until the first of it has been given back
        cpu, wall = time.process_time(), time.perf_counter()
        module = make()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    parameters = list(module.parameters())
    return {
        "bytes": sum(parameter.nbytes for parameter in parameters),
        "tensors": len(parameters),
        "seconds": wall,
        "cpu_seconds": cpu,
    }


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
