"""Hold memory whose pages exist, and hand it over to a process as that one grows.

page_holder.py PID BYTES; torch_worker.py starts it. It touches so many bytes, prints a line, and
then gives back as much as the process PID has taken since, and AHEAD bytes more. It ends with its
standard input.

A virtual machine may return free memory to its host (free page reporting of virtio-balloon). The
host then makes the pages anew when they are touched: on such a machine, 1 GB of huge pages took
2.4 s to touch, and 0.12 s if the pages had been freed just before; pages of 4 KiB took 0.7 s and
0.37 s. To touch and to free the memory once before a measurement is not enough, since the machine
may return what is more than 1 GiB at once.
"""

import mmap
import select
import sys

AHEAD = 512 << 20
STEP = 64 << 20
POLL_SECONDS = 0.002


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def main(pid: int, nbytes: int) -> None:
    """Hold the memory until standard input ends."""
    blocks = []
    for _ in range(0, nbytes, STEP):
        block = mmap.mmap(-1, STEP, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, STEP, mmap.PAGESIZE):
            block[at] = 1
        blocks.append(block)
    before = resident_bytes(pid)
    print("ready", flush=True)
    total = len(blocks) * STEP
    while not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        wanted = resident_bytes(pid) - before + AHEAD
        while blocks and total - len(blocks) * STEP < wanted:
            blocks.pop().close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
