"""Time small calls of the weightinit_fast that this interpreter has, when another process asks.

`python -m bench small-calls --against PYTHON` starts this file with two interpreters. Each process
first writes a line of JSON: its versions and the names of its calls. Then it reads lines [name,
count] and answers each with the seconds that so many calls took. A process that waits for a line
uses no processor time, so that the two can be timed in turn.
"""

import gc
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

ROWS, COLUMNS = 4, 4  # of the arrays and tensors: 16 elements, so that the time is that of the call
Call = Callable[[], object]


def calls() -> dict[str, Call]:
    """Return the calls that can be made here; Initializer's and torch's may be missing."""
    import numpy as np  # noqa: PLC0415 -- after the output was redirected

    import weightinit_fast as wi  # noqa: PLC0415

    key, shape = wi.key(0), (ROWS, COLUMNS)
    out, part = np.empty(shape, np.float32), np.s_[3:5]
    normal, he_normal = wi.normal, wi.he_normal
    made: dict[str, Call] = {
        "normal(out=a)": lambda: normal(out=out, rng=key),
        "normal(shape, out=a)": lambda: normal(shape, out=out, rng=key),
        "normal(shape)": lambda: normal(shape, rng=key),
        "he_normal(out=a)": lambda: he_normal(out=out, rng=key),
        'he_normal((64, 32), stream="x", index=[3:5])': lambda: he_normal(
            (64, 32), rng=key, stream="x", index=part
        ),
    }
    if hasattr(wi, "initializer"):
        initialise = wi.initializer(he_normal)
        made["initializer(he_normal)(out=a)"] = lambda: initialise(out=out, rng=key)
    if importlib.util.find_spec("torch"):
        import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

        tensor = torch.empty(shape)
        made["he_normal(out=torch tensor)"] = lambda: he_normal(out=tensor, rng=key)
        made["numpy.from_dlpack(torch tensor)"] = lambda: np.from_dlpack(tensor)
    return made


def facts(names: list[str]) -> dict[str, Any]:
    """Return what this process measures, and with what."""
    import importlib.metadata  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    torch = sys.modules.get("torch")
    distribution = importlib.metadata.distribution("weightinit_fast")
    url = json.loads(distribution.read_text("direct_url.json") or "{}")
    return {
        "calls": names,
        "weightinit_fast": wi.info(),
        "install": "editable install" if url.get("dir_info", {}).get("editable") else "wheel",
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "torch": torch and torch.__version__,
    }


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print, such as an editable install's build, is no answer
    made = calls()
    print(json.dumps(facts(list(made))), file=answers, flush=True)
    gc.disable()
    for line in sys.stdin:
        name, count = json.loads(line)
        call, numbers = made[name], range(count)
        started = time.perf_counter()
        for _ in numbers:
            call()
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    main()
