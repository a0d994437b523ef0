"""How many threads fills have in worker processes of joblib and of torch's DataLoader.

Several of these processes share the processors. Dask's are tested in tests/dask.
"""

import json

import pytest
from support.frameworks import Framework
from support.interpreter import run

joblib = Framework("joblib")
torch = Framework("torch")
pytestmark = pytest.mark.process

JOBLIB = """
import json
import joblib
import weightinit_fast as wi

def threads():
    import weightinit_fast as wi
    return wi.info()["threads"]

def of_workers(backend, **options):
    with joblib.parallel_config(backend=backend, **options):
        return joblib.Parallel(n_jobs=2)(joblib.delayed(threads)() for _ in range(4))

if __name__ == "__main__":
    found = {"processors": joblib.cpu_count(), "here": wi.info()["threads"]}
    found["loky"] = of_workers("loky")
    found["loky, a limit of 1"] = of_workers("loky", inner_max_num_threads=1)
    found["multiprocessing"] = of_workers("multiprocessing")
    print(json.dumps(found))
"""


def test_workers_of_joblib(tmp_path):
    """loky limits its workers by OMP_NUM_THREADS; those of multiprocessing are daemonic."""
    assert joblib.Parallel  # skips where it is not installed
    script = tmp_path / "workers.py"
    script.write_text(JOBLIB, encoding="utf-8")
    start = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    found = json.loads(run(start, prelude=""))
    each = min(found["here"], max(1, found["processors"] // 2))
    assert found["loky"] == [each] * 4
    assert found["loky, a limit of 1"] == [1] * 4
    assert found["multiprocessing"] == [1] * 4


DATA_LOADER = """
import torch
import weightinit_fast as wi

class Threads(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, _):
        return wi.info()["threads"]

def of_workers(count):
    loader = torch.utils.data.DataLoader(Threads(), batch_size=1, num_workers=count)
    return [int(batch) for batch in loader]

here = wi.info()["threads"]
print(of_workers(2) == [1] * 4, of_workers(0) == [here] * 4)
"""


def test_workers_of_a_data_loader():
    """They are daemonic processes, forked from one that has threads."""
    assert torch.utils.data.DataLoader  # skips where it is not installed
    assert run(DATA_LOADER, prelude="") == "True True"
