"""Every goal of this project's speed and memory, once: its ambition, and what it promises.

A goal is judged by two cases, given by patterns of their names; {isa} stands for the instruction
set in use, {t} for the threads. Where a pattern fits several cases, the pair that is worst for us
counts: our slowest case, and the fastest of another library's ways.

The *ambition* is the limit that the project aims at; it is reported and never fails. The *promise*
has to hold on any machine, a busy one too; promises about rates and times are judged only where
the processor has AVX-512 with VAES. A promise is at most two thirds of the worst median in any run
that bench/results.md records (for times and KiB at least three halves of it), and never stricter
than the ambition. Goals without a promise depend on the processor or on the machine's neighbours:
the narrower instruction sets beside the widest, Fortran order, rows with gaps, fresh memory, sizes,
thread counts.
"""

from dataclasses import dataclass

ALL = "all"
BOTH = ("1", ALL)
#: The instruction sets with which promises about rates and times are judged: those of all recorded
#: runs. With avx2, uniforms reached 0.58 of the store limit on an Intel Xeon; with the scalar set,
#: calls of 256 elements and more took longer than promised.
PROMISED_SETS = ("avx512_vaes", "avx512_bf16")
#: What a limit is: the least ratio of two rates, the greatest ratio of two times, or the most KiB.
RATE, TIME, KIB = "rate", "time", "KiB"


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes
    ----------
    name : str
        What is measured and, after the slash, beside what; ``goals --only`` takes this name.
    top, bottom : str
        The cases; the bottom is "" for a number of KiB, which is no ratio.
    ambition, promise : float
        Limits of the ratio: at least (RATE) or at most (TIME); or the KiB at most. If promise is
        None, the goal has none.
    threads : tuple of str
        The thread counts to judge at.
    kind : str
        RATE, TIME or KIB.
    command : str
        The command of ``python -m bench`` that measures it.
    """

    name: str
    top: str
    bottom: str
    ambition: float
    promise: float | None = None
    threads: tuple[str, ...] = BOTH
    kind: str = RATE
    command: str = "fills"


ONE, TWO, MOST = ("1",), ("2",), (ALL,)
OURS = "weightinit_fast {isa} "
STORE, MEMSET = "store non-temporal * store t{t}", "store memset * store t{t}"
FRESH = "store memset * new array t{t}"
SINGLE_U, SINGLE_N = "uniform float32 t{t}", "normal float32 t{t}"
UNIFORM, NORMAL = OURS + SINGLE_U, OURS + SINGLE_N
TRUNCATED, WORDS = OURS + "truncated float32 t{t}", OURS + "words cached uint32 t{t}"
DOUBLE, BEST = "normal float64 t{t}", f"weightinit_fast avx512_vaes {SINGLE_N}"
SCALAR = "weightinit_fast scalar "

PLAIN = (
    Goal("uniform/store", UNIFORM, STORE, 0.95, 0.6),
    Goal("xavier_uniform/store", OURS + "xavier_uniform float32 t{t}", STORE, 0.95, 0.6),
    Goal("normal/store", NORMAL, STORE, 0.5, 0.25, ONE),
    Goal("he_normal/store", OURS + "he_normal float32 t{t}", STORE, 0.5, 0.25, ONE),
    Goal("normal/memset", NORMAL, MEMSET, 1.0, 0.45, MOST),
    Goal("he_normal/memset", OURS + "he_normal float32 t{t}", MEMSET, 1.0, 0.45, MOST),
    Goal("normal/mkl", NORMAL, "mkl * normal float32 t{t}", 2.0, 1.5),
    Goal("uniform/mkl", UNIFORM, "mkl * uniform float32 t{t}", 1.5),
    Goal("normal/torch", NORMAL, "torch * normal float32 t{t}", 20, 5, MOST),
    Goal("normal/torch-call", NORMAL, "torch * one tensor normal float32 t{t}", 20, 5, MOST),
    Goal("normal/numpy", NORMAL, "numpy * normal float32 t{t}", 25, 14),
    Goal("truncated/normal", TRUNCATED, NORMAL, 0.5, 0.43),
    Goal("truncated/torch", TRUNCATED, "torch * truncated float32 t{t}", 60, 8),
    Goal("float64-normal/mkl", OURS + DOUBLE, "mkl * " + DOUBLE, 2.0, 1.1),
    Goal("float64-uniform/store", OURS + "uniform float64 t{t}", STORE, 0.85, 0.55),
    Goal("zeros/store", OURS + "zeros float32 t{t}", STORE, 0.95, 0.6),
    Goal("constant/store", OURS + "constant float32 t{t}", STORE, 0.95, 0.6),
)
NARROW = tuple(
    goal
    for dtype in ("bfloat16", "float16")
    for goal in (
        Goal(f"{dtype}-normal/float32", f"{OURS}normal {dtype} t{{t}}", NORMAL, 0.9, 0.6),
        Goal(f"{dtype}-uniform/float32", f"{OURS}uniform {dtype} t{{t}}", UNIFORM, 1.0, 0.55),
        Goal(f"{dtype}-uniform/words", f"{OURS}uniform {dtype} t{{t}}", WORDS, 0.9),
    )
)
SETS = (
    Goal("avx2/avx512_vaes", "weightinit_fast avx2 normal float32 t{t}", BEST, 0.55),
    Goal("avx2_vaes/avx512_vaes", "weightinit_fast avx2_vaes normal float32 t{t}", BEST, 0.65),
    Goal("avx512/avx512_vaes", "weightinit_fast avx512 normal float32 t{t}", BEST, 0.75),
    Goal("scalar-uniform/numpy", f"{SCALAR}{SINGLE_U}", f"numpy * {SINGLE_U}", 0.25, None, ONE),
    Goal("scalar-normal/numpy", f"{SCALAR}{SINGLE_N}", f"numpy * {SINGLE_N}", 0.2, None, ONE),
)
NEW = (
    Goal("new-uniform/memset", OURS + "uniform new array float32 t{t}", FRESH, 0.9, None, MOST),
    Goal("new-normal/memset", OURS + "normal new array float32 t{t}", FRESH, 0.7, None, MOST),
)
LAYOUTS = tuple(
    Goal(
        f"{kind}-{name}/contiguous",
        f"{OURS}{kind} {cases} float32 t{{t}}",
        f"{OURS}{kind} float32 t{{t}}",
        ambition,
        promise,
    )
    for name, cases, ambition, promise in (
        ("columns", "columns", 0.8, 0.6),
        ("rows", "rows", 0.95, 0.6),
        ("every-2nd-row", "every 2nd row", 0.9, 0.6),
        ("rows-with-gaps", "rows with gaps", 0.9, None),
        ("fortran", "Fortran *", 0.5, None),
    )
    for kind in ("uniform", "normal")
)
SMALL = tuple(
    Goal(
        f"small-{rng}-{size}/numpy",
        f"weightinit_fast {{isa}} {rng} normal of {size} float32 t1",
        f"numpy {rng} normal of {size} float32 t1",
        ambition,
        promise,
        ONE,
        TIME,
        "small-calls",
    )
    for rng, limits in (
        ("Generator", ((2, 3), (0.7, 0.8), (0.15, 0.15))),
        ("Key", ((2, 2.5), (0.7, 0.7), (0.15, 0.15))),
        ("int", ((0.8, 0.8), (0.8, 0.8), (0.3, 0.3))),
    )
    for size, (ambition, promise) in zip((16, 256, 4096), limits, strict=True)
)
SIZES = tuple(
    goal
    for kind in ("uniform", "normal")
    for large in (f"{OURS}2^28 {kind} float32 t",)
    for any_size in (f"{OURS}2^* {kind} float32 t{{t}}",)
    for goal in (
        Goal(f"growth-{kind}/2^28", any_size, f"{large}{{t}}", 1.1, None, BOTH, TIME, "growth"),
        Goal(f"threads-{kind}/one", f"{large}{{t}}", f"{large}1", 1.85, None, TWO, RATE, "growth"),
    )
)
MEMORY = (
    Goal("memory", "memory *", "", 1024, 1024, MOST, KIB, "memory"),
    Goal("zeros-lazy", "lazy zeros *", "", 1024, 1024, MOST, KIB, "memory"),
)
GOALS = (*PLAIN, *NARROW, *SETS, *NEW, *LAYOUTS, *SMALL, *SIZES, *MEMORY)
