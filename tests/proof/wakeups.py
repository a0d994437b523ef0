"""The pool of threads: its code runs in every order of its steps, and variants of it have to fail.

python tests/proof/wakeups.py            at most 3 preemptions in a run; ten minutes
python tests/proof/wakeups.py --quick    at most 2; half a minute

The program tests/engine/explore_pool.c holds the code of src/engine/host/pool.c, and decides before
each atomic operation which thread goes on. It tries all decisions that interrupt a thread so many
times, and many at random. Then each of the variants below, in which a step of the protocol is
missing or comes too late, has to be found wrong: this shows that the program can see such faults.
Needs a C compiler and a system with ucontext.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine import ENGINE, ROOT

#: Orders at random of each scenario, and of the scenario of the variant that is hard to find.
SOME, MANY = 20_000, 3_000_000

#: What is wrong with a variant -> a text of pool.c, what replaces it, and perhaps more such pairs.
VARIANTS = {
    "a worker reads posted after it has looked at the fills": (
        "        const uint32_t posted = atomic_load(&pool.posted);\n"
        "        if (help_any(&last))\n            continue;\n",
        "        if (help_any(&last))\n            continue;\n"
        "        const uint32_t posted = atomic_load(&pool.posted);\n",
    ),
    "a worker waits without having raised parked": (
        "        atomic_fetch_add(&pool.parked, 1);\n"
        "        wif_thread_wait(&pool.posted, posted);\n",
        "        wif_thread_wait(&pool.posted, posted);\n"
        "        atomic_fetch_add(&pool.parked, 1);\n",
    ),
    "a caller reads searching before it raises posted": (
        "    atomic_fetch_add(&pool.posted, 1);\n    count -= atomic_load(&pool.searching);\n",
        "    count -= atomic_load(&pool.searching);\n    atomic_fetch_add(&pool.posted, 1);\n",
    ),
    "a caller reads parked before it raises posted": (
        "    atomic_fetch_add(&pool.posted, 1);\n    count -= atomic_load(&pool.searching);\n"
        "    if (count > 0 && atomic_load(&pool.parked) > 0)\n",
        "    const int parked = atomic_load(&pool.parked);\n"
        "    atomic_fetch_add(&pool.posted, 1);\n"
        "    count -= atomic_load(&pool.searching);\n    if (count > 0 && parked > 0)\n",
    ),
    "a caller raises posted before it opens its slot": (
        "    const int others = bits_of(",
        "    post(wake);\n    const int others = bits_of(",
        "    post(wake - others);\n",
        "    (void)others;\n",
    ),
    "the last worker does not wake a sleeping caller": (
        "    if (word & WIF_ASLEEP && WIF_ACTIVE(word) == 1) {\n",
        "    if (word & WIF_ASLEEP && WIF_ACTIVE(word) == 2) {\n",
    ),
    "the last worker does not change ended": (
        "        atomic_fetch_add(&s->ended, 1);\n        wif_thread_wake(&s->ended, 1);\n",
        "        wif_thread_wake(&s->ended, 1);\n",
    ),
    "a caller reads ended after it has set ASLEEP": (
        "        const uint32_t ended = atomic_load(&s->ended);\n"
        "        if (WIF_ACTIVE(atomic_fetch_or(&s->word, WIF_ASLEEP)) == 0)\n"
        "            return;\n",
        "        if (WIF_ACTIVE(atomic_fetch_or(&s->word, WIF_ASLEEP)) == 0)\n"
        "            return;\n"
        "        const uint32_t ended = atomic_load(&s->ended);\n",
    ),
    "a caller does not close its slot": (
        "    atomic_fetch_or(&s->word, WIF_CLOSED);\n",
        "",
    ),
    "a caller does not wait for its helpers": (
        "    wait_for_helpers(s);\n",
        "",
    ),
    "a worker does not count as active": (
        "word + WIF_ACTIVE_ONE + WIF_TAKEN_ONE)",
        "word + WIF_TAKEN_ONE)",
    ),
    "a worker does not read the end of the fill again": (
        "    if (chunk < atomic_load(&s->chunks)) {\n",
        "    {\n",
    ),
    "a worker helps a fill that has all its threads": (
        "           WIF_ACTIVE(word) < WIF_HELPERS(word);\n",
        "           1;\n",
    ),
    "a slot opens before it is prepared": (
        "    atomic_store(&s->chunks, chunks);\n",
        "    atomic_store(&s->word, (uint64_t)helpers * WIF_HELPERS_ONE);\n"
        "    atomic_store(&s->chunks, chunks);\n",
    ),
    "the caller of a forked fill does not begin again": (
        "        return stopped ? stopped : run_alone(chunks, run, fill);\n    atomic_store",
        "        return stopped;\n    atomic_store",
    ),
    "a child keeps its parent's workers": (
        "    atomic_store(&pool.workers, 0);\n",
        "",
    ),
    "a child keeps its parent's fills": (
        "    atomic_store(&pool.owned, 0);\n",
        "",
    ),
    "a child keeps what was written to a slot after the fork": (
        "    if (atomic_load(&pool.forks) != forks) {\n",
        "    if (0) {\n",
    ),
    "a worker is counted after it has begun": (
        "    if (wif_thread_start(work, atomic_fetch_add(&pool.workers, 1) + 1))\n"
        "        return 1;\n    if (atomic_load(&pool.forks) == forks)\n"
        "        atomic_fetch_sub(&pool.workers, 1);\n    return 0;\n",
        "    if (!wif_thread_start(work, atomic_load(&pool.workers) + 1))\n        return 0;\n"
        "    atomic_fetch_add(&pool.workers, 1);\n    return 1;\n",
    ),
    "two callers may get the same slot": (
        "        else if (!atomic_compare_exchange_weak(&pool.owned, &owned, owned | bit(k)))\n"
        "            k = 0;\n",
        "        else if ((atomic_store(&pool.owned, owned | bit(k))), 0)\n            k = 0;\n",
    ),
}

#: The same for a variant whose fault shows after five preemptions. An earlier pool had this fault.
RARE = {
    "the most workers of a fill are not part of the word": (
        "static int may_help(const slot *s, uint64_t word) {\n",
        "static _Atomic int most_helpers;\nstatic int may_help(const slot *s, uint64_t word) {\n",
        "           WIF_ACTIVE(word) < WIF_HELPERS(word);\n",
        "           WIF_ACTIVE(word) < atomic_load(&most_helpers);\n",
        "    atomic_store(&s->word, (uint64_t)helpers * WIF_HELPERS_ONE);\n",
        "    atomic_store(&most_helpers, helpers);\n    atomic_store(&s->word, 0);\n",
    ),
}
#: The number of the scenario "many chunks on two workers, then on one".
RARE_SCENARIO = 6


def build(folder, source):
    """Compile the explorer with this text in place of pool.c; return the program."""
    (folder / "host").mkdir(exist_ok=True)
    (folder / "host" / "pool.c").write_text(source, encoding="utf-8")
    program = folder / "explore_pool"
    command = ["cc", "-std=c11", "-O2", "-w", f"-I{folder}", f"-I{ENGINE}"]
    command += [str(ROOT / "tests/engine/explore_pool.c"), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def explore(program, preemptions, random_runs, *scenario):
    """Return whether nothing was found, and what the program printed."""
    command = list(map(str, [program, preemptions, random_runs, *scenario]))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=7200)
    if done.returncode not in (0, 1) and done.returncode >= 0:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return done.returncode == 0, done.stdout.rstrip()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer preemptions")
    quick = parser.parse_args().quick
    source = (ENGINE / "host" / "pool.c").read_text(encoding="utf-8")
    missed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for what, texts in (VARIANTS if quick else VARIANTS | RARE).items():
            variant = source
            for before, after in zip(texts[::2], texts[1::2], strict=True):
                if variant.count(before) != 1:
                    raise SystemExit(f"{what}: pool.c no longer has this text once:\n{before}")
                variant = variant.replace(before, after)
            bounds = (1, MANY, RARE_SCENARIO) if what in RARE else (2, SOME)
            right, shown = explore(build(folder, variant), *bounds)
            print(f"{'NOT FOUND' if right else 'found'}: {what}", flush=True)
            if right:
                missed.append(what)
            else:
                print(f"    {(shown.splitlines() or ['it crashed'])[-1]}")
        started = time.perf_counter()
        preemptions, orders = (2, SOME) if quick else (3, 25 * SOME)
        program = build(folder, source)
        scenarios = range(len(explore(program, 0, 0)[1].splitlines()))
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            found = threads.map(lambda k: explore(program, preemptions, orders, k), scenarios)
            for right, shown in found:
                print(shown, flush=True)
                if not right:
                    missed.append("the pool itself")
        print(f"-- {time.perf_counter() - started:.0f} s")
    if missed:
        print("wakeups: FAILED")
        return 1
    print("wakeups: no wake-up is lost, no chunk runs twice; every variant was found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
