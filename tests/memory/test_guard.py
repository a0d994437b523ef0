"""No byte outside a buffer is touched: the pages around it may be neither read nor written.

Each buffer ends where the page above begins, or begins where the page below ends. A child process
goes through all cases and notes each of them beforehand, so that a segmentation fault names its
case. Canaries lie between the buffer and the other page. Every byte of the buffer is compared with
one long draw of the scalar kernels.
"""

import ctypes
import faulthandler
import functools
import mmap
import sys

import numpy as np
import pytest
from golden import ITEMSIZE, NARROW, Case
from support import internals
from support.internals import core
from support.isolated import forks, isolated, note

import weightinit_fast as wi

pytestmark = [forks, pytest.mark.process]
PAGE = mmap.PAGESIZE
KEY = wi.Key(7, 8)
CANARY = 0xA5
STARTS = tuple(range(34))
#: Lengths near those of vectors, of groups of 16 or 32 elements, and of cache lines.
LENGTHS = (*range(6), 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49)
LENGTHS += (63, 64, 65, 95, 96, 97, 127, 128, 129)
KERNELS = {
    "words": (),
    "constant": (0.1,),
    "uniform": (-0.1, 0.3),
    "normal": (0.0, 1.0),
    "truncated": (0.5, 1.0, -2.0, 2.0),
    "truncated far": (0.5, 1.0, 0.5, 4.0),
}
ELEMENTS = 1 << 17


@pytest.fixture
def isa(outer_isa):
    """Run over fewer sets unless all tests are asked for: a sweep takes seconds."""
    return outer_isa


def kernels():
    """Yield every (transform, dtype, parameters) of the engine."""
    for name, params in KERNELS.items():
        transform = name.split()[0]
        for dtype in ITEMSIZE if transform != "words" else ("f32",):
            yield transform, dtype, Case(transform, dtype, params, 0, 0).given


class Pages:
    """Memory between two pages that nobody may touch."""

    def __init__(self, size):
        whole = -(-size // PAGE) * PAGE
        self.map = mmap.mmap(-1, whole + 2 * PAGE)
        every = np.frombuffer(self.map, np.uint8)
        self.bytes = every[PAGE:-PAGE]
        mprotect = ctypes.CDLL(None, use_errno=True).mprotect
        for page in (every[:PAGE], every[-PAGE:]):
            if mprotect(ctypes.c_void_p(page.ctypes.data), ctypes.c_size_t(PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.wanted = np.empty(whole, np.uint8)
        self.size = whole

    def places(self, size, lead=0):
        """Return places of `size` bytes: `lead` bytes from the page above, and from that below."""
        return self.size - size - lead, lead

    def clear(self):
        self.bytes.fill(CANARY)
        self.wanted.fill(CANARY)

    def check(self, case):
        assert self.bytes.tobytes() == self.wanted.tobytes(), case


@functools.cache
def elements(transform, dtype, given):
    """Return the first ELEMENTS elements as integers, drawn by the scalar set.

    There is room behind them, since no child process shields the tests from a stray write here.
    """
    out = np.empty(ELEMENTS + PAGE, f"u{ITEMSIZE[dtype]}")[:ELEMENTS]
    with internals.instruction_set("scalar"):
        fill(out, transform, dtype, given, 0, None)
    return out


def fill(out, transform, dtype, given, first, axes, start=0, threads=1, ids=None):
    """Fill a buffer with the elements from `first` on."""
    code = list(ITEMSIZE).index(dtype)
    number = getattr(core, transform.upper())
    core.fill(out, number, code, given, KEY, 0, first, axes, threads, False, start, ids)


def sweep_runs(pages, isa, kernel, starts, lengths, leads=(0,), threads=1):
    """Draw adjacent elements from every start and of every length."""
    transform, dtype, given = kernel
    size = ITEMSIZE[dtype]
    whole = elements(*kernel).view(np.uint8)
    for n in lengths:
        for lead in leads:
            for begin in pages.places(n * size, lead):
                end = begin + n * size
                out = pages.bytes[begin:end].view(f"u{size}")
                pages.clear()
                for first in starts:
                    case = (isa, *kernel, f"elements {first}:{first + n} at byte {begin}")
                    note(case)
                    pages.wanted[begin:end] = whole[first * size : (first + n) * size]
                    fill(out, transform, dtype, given, first, None, threads=threads)
                    pages.check(case)


def test_runs(isa):
    def sweep():
        pages = Pages(129 * 8)
        for kernel in kernels():
            sweep_runs(pages, isa, kernel, STARTS, LENGTHS)

    for kernel in kernels():
        elements(*kernel)  # computed before the fork, and cached
    isolated(sweep)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "stored"])
def test_long_runs(isa, streamed):
    """Stores that bypass caches begin anywhere in a line; large uniforms have their own kernel."""

    def sweep():
        core.nontemporal_from(0 if streamed else 1 << 60)
        pages = Pages(140_000)
        for kernel in kernels():
            size = ITEMSIZE[kernel[1]]
            lengths = [PAGE // size + k for k in (0, 1, 31, 33)] + [3 * PAGE // size + 16 + 1]
            sweep_runs(pages, isa, kernel, (0, 1, 16, 31, 33), lengths, (0, 1, size, 16))
            sweep_runs(pages, isa, kernel, (0, 5), [2**14, 2**14 + 33], (0, 1))

    for kernel in kernels():
        elements(*kernel)
    isolated(sweep)


def test_threads(isa):
    def sweep():
        core.nontemporal_from(0)
        for kernel in kernels():
            n = ELEMENTS - 40
            pages = Pages(n * ITEMSIZE[kernel[1]])
            sweep_runs(pages, isa, kernel, (0, 7), [n, n - 77], threads=3)

    for kernel in kernels():
        elements(*kernel)
    isolated(sweep)


# Regions -----------------------------------------------------------------------------------------


def strided(memory, shape, dtype, begin, strides):
    return np.ndarray(shape, f"u{ITEMSIZE[dtype]}", memory, begin, strides)


def check_region(pages, isa, kernel, first, axes):
    """Fill a region of up to three axes (n, step in the stream, step in bytes) at both pages."""
    transform, dtype, given = kernel
    size = ITEMSIZE[dtype]
    shape, steps, strides = zip(*axes, strict=True)
    at = np.full((), first)
    for n, step in zip(shape, steps, strict=True):
        at = np.add.outer(at, np.arange(n) * step)
    below = sum((n - 1) * -s for n, s in zip(shape, strides, strict=True) if s < 0)
    above = sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if s > 0)
    for place in pages.places(below + above + size):
        begin = place + below
        case = (isa, *kernel, first, axes, f"at byte {begin}")
        note(case)
        pages.clear()
        strided(pages.wanted, shape, dtype, begin, strides)[...] = elements(*kernel)[at]
        out = strided(pages.bytes, shape, dtype, begin, strides)
        fill(out, transform, dtype, given, first, list(axes))
        pages.check(case)


def rows_with_gaps(size):
    """Yield rows that are drawn through the ring of short rows, by whole groups, and one by one."""
    for length in (1, 3, 15, 16, 17, 31, 32, 33, 64, 65, 127, 128, 160, 161, 1061):
        for gap in (0, size, 64, 128 - length * size % 64):
            if gap % size == 0:
                yield 9, length, length + 5, length * size + gap
                yield 9, length, length, length * size + gap
                # Backwards in memory, every second row.
                yield (5, length, 2 * length, -(length * size + gap))
        yield 40, length, length, length * size + 3 * size


def fortran(size):
    """Yield columns that are transposed in squares of registers, and those that are left over."""
    for rows in (1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 129):
        for columns in (1, 2, 15, 16, 17, 33, 65):
            yield [(rows, columns + 2, size), (columns, 1, rows * size)]
            if columns % 16 == 1:
                yield [(rows, columns, -size), (columns, 1, (rows + 1) * size)]
                yield [(rows, columns, size), (columns, 1, -rows * size)]
                yield [(rows, 3 * columns, 3 * size), (columns, 3, rows * 3 * size)]


def strides(size):
    """Yield steps in memory, in the stream and in both, forwards and backwards."""
    for n in (1, 2, 31, 32, 33, 100, 700):
        for step in (1, 2, 3, 32, 33):
            for along in (size, 2 * size, -size, -3 * size, size + 1):
                yield [(n, step, along)]
        yield [(3, 2 * n, -(n + 1) * 2 * size), (n, 2, 2 * size)]
        yield [(2, 8 * n, 8 * n * size), (4, n, -n * size), (n, 1, size)]


def sweep_regions(isa, streamed):
    core.nontemporal_from(0 if streamed else 1 << 60)
    pages = Pages(5 * (1061 * 8 + 192))
    tall = Pages(40 * (1061 + 3) * 8)
    for kernel in kernels():
        size = ITEMSIZE[kernel[1]]
        # The transform does not matter for where elements lie.
        if kernel[0] not in ("words", "normal"):
            continue
        for rows, length, step, stride in rows_with_gaps(size):
            axes = [(rows, step, stride), (length, 1, size)]
            room = tall if rows * abs(stride) > pages.size - size * length else pages
            check_region(room, isa, kernel, 3, axes)
            check_region(room, isa, kernel, 32, [(rows, step + 32 - step % 32, stride), axes[1]])
        for axes in () if streamed else (*fortran(size), *strides(size)):
            check_region(tall, isa, kernel, 5, axes)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "stored"])
def test_regions(isa, streamed):
    for kernel in kernels():
        elements(*kernel)
    isolated(sweep_regions, isa, streamed)


# Rows by id --------------------------------------------------------------------------------------


def lists_of_ids():
    """Yield lists of rows by id: a few, and more than a ring of short rows has slots; runs too."""
    ids = np.random.default_rng(2).integers(0, 70, 300)
    yield from (ids[:1], ids[:2], ids[:9], ids, np.arange(40), np.r_[ids[:5], 9:26, 30:46, 1])


def sweep_rows(isa, streamed):
    """Rows are written at a page, and their list ends at a page or begins at one."""
    core.nontemporal_from(0 if streamed else 1 << 60)
    pages, lists = Pages(300 * 163 * 8), Pages(300 * 8)
    for kernel in kernels():
        transform, dtype, given = kernel
        size = ITEMSIZE[dtype]
        if transform not in ("words", "normal"):  # the transform does not matter
            continue
        whole = elements(*kernel)
        for length in (1, 7, 16, 32, 33, 64, 100, 128, 160):
            for ids in lists_of_ids():
                n = len(ids)
                wanted = whole[ids[:, None] * length + np.arange(length)]
                for row_bytes in (length * size, (length + 3) * size):
                    extent = (n - 1) * row_bytes + length * size
                    at = pages.places(extent), lists.places(n * 8)
                    for begin, list_begin in zip(*at, strict=True):
                        note((isa, *kernel, length, n, row_bytes, f"at byte {begin}"))
                        pages.clear()
                        strides = (row_bytes, size)
                        strided(pages.wanted, wanted.shape, dtype, begin, strides)[...] = wanted
                        out = strided(pages.bytes, wanted.shape, dtype, begin, strides)
                        listed = lists.bytes[list_begin : list_begin + n * 8].view("i8")
                        listed[...] = ids
                        axes = [(n, length, row_bytes), (length, 1, size)]
                        fill(out, transform, dtype, given, 0, axes, ids=listed)
                        pages.check((isa, *kernel, length, n, row_bytes))


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "stored"])
def test_rows_by_id(isa, streamed):
    for kernel in kernels():
        elements(*kernel)
    isolated(sweep_rows, isa, streamed)


# Rounding of given numbers -----------------------------------------------------------------------


def test_narrow(isa):
    """The numbers that are read and the bits that are written both lie at a page."""

    def sweep():
        numbers = np.linspace(-500, 500, 200, dtype=np.float32)
        source, target = Pages(129 * 4), Pages(129 * 2)
        for dtype in NARROW:
            size, code = ITEMSIZE[dtype], list(ITEMSIZE).index(dtype)
            every = np.empty(200, f"u{size}")
            core.narrow(numbers, every, code)
            for n in LENGTHS:
                places = zip(source.places(n * 4), target.places(n * size), strict=True)
                for read, written in places:
                    case = (isa, dtype, n, read, written)
                    note(case)
                    target.clear()
                    given = source.bytes[read : read + 4 * n].view("f4")
                    given[...] = numbers[:n]
                    target.wanted[written : written + n * size] = every[:n].view("u1")
                    out = target.bytes[written : written + n * size].view(every.dtype)
                    core.narrow(given, out, code)
                    target.check(case)

    isolated(sweep)


def test_the_pages_are_guarded():
    """A byte written just outside, on either side, ends the child; the message names the case."""

    def stray(at):
        faulthandler.disable()  # the message of `isolated` is enough
        pages = Pages(100)
        note("the stray byte")
        address = pages.bytes.ctypes.data
        ctypes.memset(address + (pages.size if at > 0 else -1), 1, 1)

    for at in (-1, 1):
        with pytest.raises(AssertionError, match=r"SIG(SEGV|BUS); the child was at the stray byte"):
            isolated(stray, at)


def test_a_changed_canary_is_noticed():
    pages = Pages(100)
    pages.clear()
    pages.bytes[0] = 1
    with pytest.raises(AssertionError, match="case"):
        pages.check("case")


# Stacks ------------------------------------------------------------------------------------------


def on_a_small_stack(memory, stack, axes):
    """Fill in a thread whose stack is at the upper end of `memory`, above a page that guards it."""
    faulthandler.disable()
    libc, address = ctypes.CDLL(None), memory.ctypes.data
    guard = ctypes.c_void_p(address + memory.size - stack - PAGE)
    libc.mprotect(guard, ctypes.c_size_t(PAGE), 0)
    out = np.zeros((300, 64), "f4")

    def run(_):
        note("the fill")
        core.fill(out, core.NORMAL, 0, (0.0, 1.0), KEY, 0, 0, axes, 1)

    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(run)
    attributes, thread = (ctypes.c_char * 128)(), ctypes.c_ulong()
    libc.pthread_attr_init(attributes)
    lowest = ctypes.c_void_p(address + memory.size - stack)
    assert not libc.pthread_attr_setstack(attributes, lowest, ctypes.c_size_t(stack))
    assert not libc.pthread_create(ctypes.byref(thread), attributes, function, None)
    libc.pthread_join(thread, None)
    assert out.any()


@pytest.mark.skipif(
    sys.platform != "linux", reason="pthread_attr_setstack as glibc and musl have it"
)
@pytest.mark.parametrize(
    "axes",
    [[(64, 300, 4), (300, 1, 256)], [(250, 40, 64 * 4), (33, 1, 4)], None],
    ids=["transposed", "rows", "whole"],
)
def test_stacks_that_are_too_small(isa, axes):
    """The fill succeeds or ends at the guard page; memory below that page is never written."""
    ended = []
    for stack in range(16 << 10, 144 << 10, 16 << 10):
        memory = np.frombuffer(mmap.mmap(-1, (256 << 10) + stack), np.uint8)
        try:
            isolated(on_a_small_stack, memory, stack, axes)
        except AssertionError as error:
            ended.append((stack, str(error).split(";")[0]))
        assert not memory[: memory.size - stack - PAGE].any(), f"written below a stack of {stack}"
    print(f"{isa}: {ended}")
    assert all(how == "SIGSEGV" and stack < 128 << 10 for stack, how in ended), ended
