"""One process with torch, scikit-learn, numba, OpenBLAS and this package, each with its threads.

Values, limits of threads and child processes are tested here; `python -m bench threads --parts
libraries` times calls that alternate.
"""

from importlib.util import find_spec

import pytest
from support.interpreter import run

LIBRARIES = ("torch", "sklearn", "numba", "joblib")
MISSING = [name for name in LIBRARIES if find_spec(name) is None]
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

#: What the scripts share. Each library works on all threads that it has, and so does a fill.
CROWD = """
import hashlib, json, os, sys
import numpy as np
import numba
import torch
from sklearn.cluster import KMeans
import weightinit_fast as wi

ITEMS = 2**19 + 77
COUNT = min(2, numba.config.NUMBA_NUM_THREADS)  # of the threads of numba
KEY = wi.Key(3, 4)

def digest(value):
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()

def fill(stream=0, threads=None):
    return digest(wi.normal(ITEMS, rng=KEY, stream=stream, threads=threads))

def orthogonal():
    return digest(wi.orthogonal((300, 200), rng=KEY))

def into_torch():
    return digest(wi.he_normal(out=torch.empty(700, 500), rng=KEY).numpy())

@numba.njit(parallel=True)
def _scaled(values, out):
    for k in numba.prange(len(values)):
        out[k] = 2 * values[k]

POINTS = np.random.default_rng(0).random((3000, 8))
LEFT = torch.rand(300, 300, generator=torch.Generator().manual_seed(0))

def by_numba():
    out = np.empty_like(POINTS[:, 0])
    _scaled(np.ascontiguousarray(POINTS[:, 0]), out)
    return bool((out == 2 * POINTS[:, 0]).all())

def by_sklearn():
    model = KMeans(4, n_init=1, random_state=0, max_iter=5).fit(POINTS)
    return round(float(model.inertia_), 6)

def by_torch():
    return round(float((LEFT @ LEFT).double().sum()), 0)

def by_blas():
    return round(float((POINTS.T @ POINTS).sum()), 6)

FILLS = {"normal": fill, "orthogonal": orthogonal, "torch": into_torch}
OTHERS = [by_numba, by_sklearn, by_torch, by_blas]

def all_threads():
    return wi.info()["threads"]

# One after the other, so that the threads of each are there when the next one works.
def everything(rounds=1):
    found = []
    for _ in range(rounds):
        row = {}
        for name, call in FILLS.items():
            for other in OTHERS:
                row[other.__name__] = other()
            row[name] = call()
        found.append(row)
    assert all(row == found[0] for row in found), found
    return found[0]

def drawn():
    return {name: call() for name, call in FILLS.items()}
"""

#: The values by the package alone: no other library is imported.
ALONE = """
import hashlib, json
import weightinit_fast as wi
KEY, ITEMS = wi.Key(3, 4), 2**19 + 77
def digest(value):
    return hashlib.sha256(value.tobytes()).hexdigest()
print(json.dumps({
    "normal": digest(wi.normal(ITEMS, rng=KEY, threads=1)),
    "orthogonal": digest(wi.orthogonal((300, 200), rng=KEY, threads=1)),
    "torch": digest(wi.he_normal((700, 500), rng=KEY, threads=1)),
}))
"""


@pytest.fixture(scope="module")
def alone():
    return run(ALONE, prelude="")


def script_of(tmp_path, text):
    """Return a script that runs a file, as spawned processes need one that they can import."""
    file = tmp_path / "crowd.py"
    file.write_text(CROWD + text, encoding="utf-8")
    return f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')"


ALTERNATING = """
from threadpoolctl import threadpool_info, threadpool_limits
wanted = json.loads(os.environ["WANTED"])
first = everything(4)
assert {name: first[name] for name in FILLS} == wanted, first

# The limits of other libraries are theirs, and threadpoolctl's is that of all.
before = all_threads()
torch.set_num_threads(1)
numba.set_num_threads(1)
assert all_threads() == before and everything() == first
torch.set_num_threads(before)
numba.set_num_threads(COUNT)
with threadpool_limits(1):
    assert all_threads() == 1
    assert {lib["num_threads"] for lib in threadpool_info()} == {1}
    limited = everything(2)
assert {name: limited[name] for name in FILLS} == wanted, limited
assert all_threads() == before
with threadpool_limits(1, user_api="blas"):
    assert all_threads() == before and drawn() == wanted
print("right")
"""


def test_alternating_calls_and_limits(alone):
    """Values stay those of the package alone, and a limit limits whom it names."""
    assert run(ALTERNATING, prelude=CROWD, timeout=150, WANTED=alone) == "right"


def test_limits_by_the_environment(alone):
    """The variables of the environment change the threads, and no value."""
    script = """
    assert drawn() == json.loads(os.environ["WANTED"]) and by_numba()
    print(all_threads(), numba.get_num_threads(), torch.get_num_threads())
    """
    variables = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "WANTED": alone}
    assert run(script, prelude=CROWD, timeout=150, **variables) == "1 1 1"


CHILDREN = """
import multiprocessing

class Drawn(torch.utils.data.Dataset):
    def __len__(self):
        return 6
    def __getitem__(self, number):
        return torch.from_numpy(wi.normal(ITEMS, rng=KEY, stream=number, threads=2))

def forked(wanted):
    child = os.fork()
    if not child:
        os._exit(drawn() != wanted or drawn() != wanted)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def main():
    import joblib
    wanted = json.loads(os.environ["WANTED"])
    first = everything()
    # Every library has threads by now. Between the children it works on.
    for _ in range(3):
        assert forked(wanted) == 0
        assert everything() == first
    for method in ("fork", "spawn", "forkserver"):
        # A process that is not forked imports every library again, which takes seconds.
        with multiprocessing.get_context(method).Pool(2 if method == "fork" else 1) as pool:
            assert pool.starmap(drawn, [()] * 4) == [wanted] * 4, method
    assert joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(drawn)() for _ in range(4)
    ) == [wanted] * 4
    loader = torch.utils.data.DataLoader(Drawn(), batch_size=2, num_workers=2)
    rows = [digest(row.numpy()) for batch in loader for row in batch]
    assert rows == [fill(stream) for stream in range(6)]
    assert everything() == first
    print("right")

if __name__ == "__main__":
    main()
"""


def test_children(alone, tmp_path):
    """Children that are forked, spawned or forked by a server draw the same, and none hangs."""
    script = script_of(tmp_path, CHILDREN)
    assert run(script, prelude="", timeout=300, WANTED=alone) == "right"
