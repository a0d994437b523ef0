"""wi.dask.array on a cluster of processes, as dask.distributed starts them."""

import json

import pytest
from support.frameworks import Framework
from support.interpreter import run

distributed = Framework("distributed")
zarr = Framework("zarr")

#: A script that starts two processes of one thread each, and prints what came out as JSON.
SCRIPT = """
import json, os, tempfile
import dask.array as da
import numpy as np
import zarr
from distributed import Client, LocalCluster, wait
import weightinit_fast as wi
import weightinit_fast.dask as adapter

def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()

if __name__ == "__main__":
    found = {}
    call = {"rng": 5, "stream": "table"}
    whole = wi.he_normal((4000, 300), **call)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with tempfile.TemporaryDirectory() as folder:
        cluster = LocalCluster(**options, dashboard_address=None, local_directory=folder)
        with cluster, Client(cluster) as client:
            made = adapter.array("he_normal", (4000, 300), (130, 70), **call)
            found["values"] = same(made.compute(), whole)
            kept = made.persist()
            wait(kept)
            workers = {worker for names in client.who_has(kept).values() for worker in names}
            found["workers"] = len(workers)
            found["columns"] = same(kept[:, 100:102].compute(), whole[:, 100:102])
            again = adapter.array("he_normal", (4000, 300), (130, 70), **call)
            found["one name"] = again.name == made.name
            for dtype in ("bfloat16", "float16", "float8_e4m3fn", ">f8"):
                narrow = adapter.array("he_normal", (4000, 300), (999, 300), dtype, **call)
                wanted = wi.he_normal((4000, 300), dtype=dtype, **call)
                found[dtype] = same(narrow.compute(), wanted)
            # distributed 2026.8 cannot send this type, since NumPy does not know its name "<f1".
            wanted = wi.he_normal((4000, 300), dtype="float8_e5m2", **call)
            narrow = adapter.array("he_normal", (4000, 300), 1000, "float8_e5m2", **call)
            found["float8_e5m2"] = same(narrow.view("u1").compute().view(wanted.dtype), wanted)
            rolled = made.map_overlap(np.roll, depth=1, boundary="periodic", shift=1, axis=0)
            found["map_overlap"] = same(rolled.compute(), np.roll(whole, 1, 0))
            made.to_zarr(os.path.join(folder, "table.zarr"))
            found["to_zarr"] = same(zarr.open(os.path.join(folder, "table.zarr"))[:], whole)
            found["moments"] = bool(abs(float(made.std().compute()) - whole.std()) < 1e-6)
            found["processes"] = len({os.getpid(), *client.run(os.getpid).values()})
            # Each worker is one of many: its nanny sets OMP_NUM_THREADS=1, and it is daemonic.
            found["threads"] = list(client.run(lambda: wi.info()["threads"]).values())
    print(json.dumps(found))
"""


@pytest.mark.process
def test_a_cluster_of_processes(tmp_path):
    missing = (distributed.LocalCluster, zarr.open)  # skips where one is not installed
    assert missing
    # The processes of the cluster import the script, so that it has to be a file.
    script = tmp_path / "cluster.py"
    script.write_text(SCRIPT, encoding="utf-8")
    start = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    found = json.loads(run(start, prelude=""))
    assert found.pop("workers") == 2
    assert found.pop("processes") == 3
    assert found.pop("threads") == [1, 1]
    assert found == dict.fromkeys(found, True)
