"""``python -m bench COMMAND``, from the root of a clone: benchmarks of the installed package."""

import argparse
import importlib
import sys
from typing import NamedTuple


class Command(NamedTuple):
    """A command: where it is, what it measures, how long that takes, and how it is called."""

    module: str
    measures: str
    takes: str
    example: str
    configure: str = "configure"


COMMANDS = {
    "promises": Command(
        "report.goals",
        "the promises about speed and memory; exit status 1 where a promise is broken",
        "3 min; --quick: half a minute",
        "promises --quick",
        "configure_promises",
    ),
    "goals": Command(
        "report.goals",
        "the promises, and the ambitions, which are reported and never fail",
        "15 min; --quick: 2 min",
        "goals --json NEW.json --markdown GOALS.md",
    ),
    "compare": Command(
        "report.baseline",
        "what got worse since bench/baseline.json, on the processors that this file holds",
        "15 min; --quick: 2 min; of RESULT.json: at once",
        "compare --quick",
    ),
    "fills": Command(
        "measure.fills",
        "every fill, layout, new array, store and other library, interleaved",
        "10 min; --quick: 1 min",
        "fills words store --only 't1$'",
    ),
    "growth": Command(
        "measure.growth",
        "nanoseconds an element from 2^18 to 2^31 elements",
        "3 min; --quick: 20 s",
        "growth --largest 28",
    ),
    "small-calls": Command(
        "measure.small_calls",
        "microseconds of a call that fills few elements, beside NumPy or another installation; or "
        "such calls from several threads",
        "20 s",
        "small-calls --against ../before/bin/python",
    ),
    "c-calls": Command(
        "measure.c_calls",
        "nanoseconds of a small call from C and Cython, beside the bare kernel and NumPy in C",
        "10 s",
        "c-calls",
    ),
    "threads": Command(
        "measure.threads",
        "fills on all threads beside another installation: sizes, pauses, crowds, other libraries",
        "10 min",
        "threads --against ../before/bin/python --parts paced",
    ),
    "rows": Command(
        "measure.rows",
        "nanoseconds a row by id, beside a contiguous fill and loops of calls",
        "1 min; --quick: 10 s",
        "rows --only 'of 64 '",
    ),
    "orthogonal": Command(
        "measure.orthogonal",
        "time and peak memory of orthogonal matrices beside torch, SciPy and NumPy",
        "5 min; --quick: 1 min",
        "orthogonal --quick",
    ),
    "models": Command(
        "measure.models",
        "all tensors of GPT-2 and ResNet-50 filled as one, beside one fill of as many elements",
        "1 min; --quick: 20 s",
        "models --threads 1 2 4 8 16",
    ),
    "memory": Command(
        "measure.memory",
        "peak memory beyond the output",
        "20 s; --quick: 5 s",
        "memory --size-mib 64",
    ),
    "dask": Command(
        "measure.dask_arrays",
        "Dask arrays beside dask.array.random; needs dask[array] and distributed",
        "5 min; --quick: 2 min",
        "dask --chunk-mib 128",
    ),
    "jax": Command(
        "measure.jax_draws",
        "draws into JAX arrays beside jax.nn.initializers, and their peak memory; needs jax",
        "15 min; --quick: 3 min",
        "jax --log-elements 26 --repeats 5",
    ),
    "keras": Command(
        "measure.keras_draws",
        "draws of Keras variables beside keras.initializers; needs keras and a backend of it",
        "5 min; --quick: 1 min",
        "keras --backends torch --log-elements 24",
    ),
    "import-time": Command(
        "measure.import_time",
        "the time of `import weightinit_fast` beside that of `import numpy`",
        "15 s",
        "import-time --repeats 40",
    ),
    "kernel-cost": Command(
        "measure.kernel_cost",
        "instructions and cycles of the kernels' inner loops; needs gcc and objdump on x86-64",
        "20 s",
        "kernel-cost --isa avx2",
    ),
    "save": Command(
        "measure.save",
        "the rate and the memory of save, beside plain writes of ready bytes",
        "20 min; --quick: half a minute",
        "save --gb 2 --folders /dev/shm",
    ),
    "torch": Command(
        "measure.torch_models",
        "seconds to build torch models, stock and by wi.torch; needs torch, transformers, timm",
        "20 min; --quick: 3 min",
        "torch --models '4-GB table' --repeats 5",
    ),
    "torch-init": Command(
        "measure.torch_init",
        "nanoseconds a call of the drop-ins of torch.nn.init beside torch's functions; needs torch",
        "10 s",
        "torch-init --turns 500",
    ),
    "pictures": Command(
        "report.pictures",
        "nothing; it draws the pictures of the README from results, and needs matplotlib",
        "5 s",
        "pictures NEW.json --out docs/_static/bench",
    ),
}


def overview() -> str:
    """Return what each command measures, how long it takes, and an example."""
    lines = []
    for name, command in COMMANDS.items():
        lines.append(f"  {name:12} {command.measures}")
        lines.append(f"  {'':12} [{command.takes}] python -m bench {command.example}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m bench",
        description="Benchmarks of the installed weightinit_fast; run them from the clone's root.\n"
        "Times in brackets are of two cores. bench/README.md explains the figures.\n\n"
        + overview(),
        formatter_class=raw,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", help="as above")
    for name, command in COMMANDS.items():
        module = importlib.import_module(f"bench.{command.module}")
        own = commands.add_parser(
            name,
            description=f"Measures {command.measures}.\n\n{module.__doc__}",
            epilog=f"example: python -m bench {command.example}   ({command.takes})",
            formatter_class=raw,
        )
        getattr(module, command.configure)(own)
        own.set_defaults(main=module.main)
    return top


if __name__ == "__main__":
    arguments = parser().parse_args()
    sys.exit(arguments.main(arguments))
