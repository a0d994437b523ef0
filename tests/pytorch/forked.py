"""Processes that communicate by gloo: forked from a script that has imported torch already."""

import json
import os
import sys
import tempfile
import traceback

import torch
import torch.distributed as dist


def results_of(world, work):
    """Call `work(world)` in each rank of a group of processes; return what they returned."""
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(world):
            child = os.fork()
            if child == 0:
                _be_rank(rank, world, folder, work)
            children.append(child)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if any(statuses):
            raise SystemExit(f"{world} processes ended with {statuses}")
        return [_read(f"{folder}/{rank}.json") for rank in range(world)]


def _be_rank(rank, world, folder, work):
    status = 1
    try:
        torch.set_num_threads(1)
        store = f"file://{folder}/store"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
        found = work(world)
        with open(f"{folder}/{rank}.json", "w", encoding="utf-8") as file:
            json.dump(found, file)
        dist.barrier()
        dist.destroy_process_group()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
