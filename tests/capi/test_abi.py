"""The binary interface: what programs that were compiled before, or will be later, rely on."""

import ctypes as c
import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support import ROOT, capi
from support.capi import CONSTANTS, api, request
from support.internals import core

sys.path.insert(0, str(Path(__file__).parent))
import abi
import numpy as np

import weightinit_fast as wi

pytestmark = pytest.mark.process
needs_compiler = pytest.mark.skipif(abi.COMPILER is None, reason="no C compiler")
HEADER = abi.HEADER.read_text(encoding="utf-8")
PYTHON_HEADER = (abi.HEADER.parent / "weightinit_fast_python.h").read_text(encoding="utf-8")
PUBLIC_STRUCTS = ("wif_key", "wif_interval", "wif_request")
FIRST_VERSION = capi.Request.interval.offset  # the size of the shortest request


@needs_compiler
@pytest.mark.skipif(sys.maxsize < 2**32, reason="the kept places are those of 64 bits")
def test_the_interface_is_the_kept_one():
    """`python tests/capi/abi.py --write` keeps what has been added."""
    assert abi.interface(HEADER) == abi.KEPT.read_text(encoding="utf-8").splitlines()


@needs_compiler
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIF_NORMAL = 4", "WIF_NORMAL = 6"),
        ("uint64_t first;", "uint32_t first;"),
        (
            "    int32_t dtype;\n    int32_t transform;",
            "    int32_t transform;\n    int32_t dtype;",
        ),
        ("WIF_API int32_t wif_default_threads(void);", ""),
        ("wif_fan(int32_t mode, int64_t fan_in", "wif_fan(int64_t mode, int64_t fan_in"),
    ],
)
def test_a_change_of_the_interface_is_noticed(old, new):
    changed = HEADER.replace(old, new)
    assert changed != HEADER
    kept = abi.KEPT.read_text(encoding="utf-8").splitlines()
    assert set(kept) - set(abi.interface(changed))


@needs_compiler
def test_a_change_of_a_function_of_cython_is_noticed():
    pxd = abi.PXD.read_text(encoding="utf-8")
    changed = pxd.replace("cdef int32_t wif_default_threads()", "cdef int wif_default_threads()")
    kept = abi.KEPT.read_text(encoding="utf-8").splitlines()
    gone = set(kept) - set(abi.interface(HEADER, changed))
    assert gone == {"cython int32_t wif_default_threads() noexcept nogil"}
    assert len(abi.cython(pxd)) == len(core.__pyx_capi__)


def test_the_structs_of_these_tests_are_those_of_the_header():
    structs = abi.structs(HEADER)
    for name, mirror in {
        "wif_key": capi.Key,
        "wif_interval": capi.Interval,
        "wif_request": capi.Request,
        "wif_api": capi.Api,
    }.items():
        assert structs[name] == [field for field, _ in mirror._fields_]
    assert api.size == c.sizeof(capi.Api)


def test_every_function_is_in_the_table_and_in_the_pxd():
    names = set(re.findall(r"WIF_API [^;]*?\b(wif_\w+)\(", abi.plain(HEADER)))
    assert names == {f"wif_{name}" for name, *_ in capi.FUNCTIONS} | {"wif_functions"}
    assert {f"wif_{name}" for name, *_ in capi.FUNCTIONS} == set(core.__pyx_capi__)
    pxd = (ROOT / "src" / "binding" / "_core.pxd").read_text(encoding="utf-8")
    fields = [field for name in PUBLIC_STRUCTS for field in abi.structs(HEADER)[name]]
    for name in (*CONSTANTS, *fields):
        assert re.search(rf"\b{name}\b", pxd), name


def test_the_page_names_everything():
    page = (ROOT / "docs" / "c-api.md").read_text(encoding="utf-8")
    functions = [f"wif_{name}(" for name, *_ in capi.FUNCTIONS]
    for name in (*functions, *CONSTANTS, *abi.structs(HEADER)["wif_request"]):
        assert re.search(rf"`[^`\n]*\b{re.escape(name)}", page), name


# Requests of other versions -----------------------------------------------------------------------


def sized(size, tail=b""):
    """Return memory that holds a request of 1000 normals, cut or extended to a size."""
    out = np.zeros(1000, np.float32)
    made = request(out, size=size)
    memory = bytearray(bytes(made).ljust(size, b"\0")[:size])
    memory[len(memory) - len(tail) :] = tail
    return out, (c.c_char * size).from_buffer(memory)


def fill_sized(memory):
    return api.fill(c.cast(memory, c.POINTER(capi.Request)))


def test_a_shorter_request_has_defaults():
    wanted = wi.normal(1000, rng=wi.Key(1, 2))
    for size in range(FIRST_VERSION, c.sizeof(capi.Request) + 1, c.sizeof(c.c_void_p)):
        out, memory = sized(size)
        assert fill_sized(memory) == 0
        assert (out == wanted).all()


def test_a_longer_request_is_taken_if_its_unknown_fields_are_zero():
    wanted = wi.normal(1000, rng=wi.Key(1, 2))
    for size in (c.sizeof(capi.Request) + 8, 512, 4096):
        out, memory = sized(size)
        assert fill_sized(memory) == 0
        assert (out == wanted).all()
        out, memory = sized(size, b"\1")
        assert fill_sized(memory) == CONSTANTS["WIF_ERROR_UNKNOWN"]
        assert not out.any()


@pytest.mark.parametrize("size", [0, 8, FIRST_VERSION - 8, FIRST_VERSION + 4, 4104, 2**63])
def test_a_size_of_no_request(size):
    out, memory = sized(4104)
    memory[:8] = size.to_bytes(8, sys.byteorder)
    assert fill_sized(memory) == CONSTANTS["WIF_ERROR_SIZE"]
    assert not out.any()


# Tables of other versions -------------------------------------------------------------------------

LATER_FUNCTION = HEADER.replace("} wif_api;", "    wif_status (*new_function)(double);\n} wif_api;")
LATER_FIELD = HEADER.replace("} wif_request;", "    uint64_t new_field;\n} wif_request;")
EARLIER = re.sub(
    r"    int32_t \(\*default_threads\).*?(?=\} wif_api;)", "", HEADER, flags=re.DOTALL
)
EARLIER = re.sub(
    r"    wif_progress \*progress;.*?(?=\} wif_request;)", "", EARLIER, flags=re.DOTALL
)


def capsule_of(table):
    """Return a capsule like core.c_api for another table."""
    make = c.pythonapi.PyCapsule_New
    make.restype, make.argtypes = c.py_object, (c.c_void_p, c.c_char_p, c.c_void_p)
    return make(c.addressof(table), b"weightinit_fast._core.c_api", None)


def compiled(folder, header, *options):
    """Compile consumer.c against a header, and load it."""
    (folder / "weightinit_fast.h").write_text(header, encoding="utf-8")
    (folder / "weightinit_fast_python.h").write_text(PYTHON_HEADER, encoding="utf-8")
    program = folder / "wif_consumer.so"
    command = [
        abi.COMPILER,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        *options,
    ]
    command += [f"-I{folder}", f"-I{sysconfig.get_paths()['include']}"]
    command += [Path(__file__).with_name("consumer.c"), "-o", program]
    subprocess.run(command, check=True)
    loader = importlib.machinery.ExtensionFileLoader("wif_consumer", str(program))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("wif_consumer", loader)
    )
    loader.exec_module(module)
    return module


NORMALS = wi.normal(4, rng=0).tobytes()


@needs_compiler
def test_today_with_today(tmp_path):
    module = compiled(tmp_path, HEADER)
    assert (module.draw(), module.present()) == (NORMALS, (1, 1))


@needs_compiler
def test_a_module_of_today_with_an_older_library(tmp_path, monkeypatch):
    """The table of the library ends before its last three functions."""
    table = capi.Api.from_buffer_copy(api)
    table.size = capi.Api.default_threads.offset
    c.memset(c.addressof(table) + table.size, 0xFF, c.sizeof(table) - table.size)  # other memory
    monkeypatch.setattr(core, "c_api", capsule_of(table))
    module = compiled(tmp_path, HEADER)
    assert (module.draw(), module.present()) == (NORMALS, (1, 0))


@needs_compiler
def test_a_module_of_before_with_the_library_of_today(tmp_path):
    """The header lacks the last functions of the table, and the last fields of the request."""
    assert "default_threads)" not in EARLIER
    assert "wif_progress *progress;" not in EARLIER
    module = compiled(tmp_path, EARLIER, "-DOLD")
    assert (module.draw(), module.present()) == (NORMALS, (1,))


@needs_compiler
@pytest.mark.parametrize("value", [0, 1])
def test_a_module_of_later_with_the_library_of_today(tmp_path, value):
    module = compiled(tmp_path, LATER_FIELD, f"-DNEW_FIELD={value}")
    unknown = capi.text(CONSTANTS["WIF_ERROR_UNKNOWN"])
    assert module.draw() == (unknown if value else NORMALS)


@needs_compiler
def test_a_new_function_is_null_in_the_library_of_today(tmp_path):
    module = compiled(tmp_path, LATER_FUNCTION, "-DNEW_FUNCTION")
    assert (module.draw(), module.present()) == (NORMALS, (1, 0))


@needs_compiler
@pytest.mark.parametrize("field", ["api_version", "stream_version"])
def test_a_table_of_another_kind_is_refused(tmp_path, monkeypatch, field):
    table = capi.Api.from_buffer_copy(api)
    setattr(table, field, 0)
    monkeypatch.setattr(core, "c_api", capsule_of(table))
    with pytest.raises(ImportError, match="this module was compiled for 1 and 1"):
        compiled(tmp_path, HEADER)


@needs_compiler
def test_no_table(tmp_path, monkeypatch):
    monkeypatch.delattr(core, "c_api")
    with pytest.raises((AttributeError, ImportError)):
        compiled(tmp_path, HEADER)


@needs_compiler
@pytest.mark.parametrize(
    ("package", "error"),
    [
        ("raise ImportError('NumPy is too old')", "ImportError: NumPy is too old"),
        (None, "ModuleNotFoundError: No module named 'weightinit_fast'"),
    ],
)
def test_an_import_of_the_package_that_fails_says_why(tmp_path, package, error):
    compiled(tmp_path, HEADER)
    if package:
        (tmp_path / "weightinit_fast").mkdir()
        (tmp_path / "weightinit_fast" / "__init__.py").write_text(package, encoding="utf-8")
    # Without `site`, Python does not see the installed package.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import wif_consumer"
    command = [sys.executable, "-S", "-P", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == error


# The header under compilers -----------------------------------------------------------------------

STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only")
#: Uses every inline function.
PROGRAM = """
#include "weightinit_fast.h"
wif_status draw(void *data, int64_t count);
wif_status draw(void *data, int64_t count) {
    wif_request request = wif_request_new(data, WIF_FLOAT32, count);
    wif_set_constant(&request, 1);
    wif_set_uniform(&request, -1, 1);
    wif_set_normal(&request, 0, 1);
    wif_set_truncated_normal(&request, 0, 1, -2, 2);
    return wif_fill(&request);
}
"""


@pytest.mark.parametrize("standard", ["c11", "c17", "c++11", "c++17", "c++20"])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "clang-19"])
def test_the_header_has_no_warnings(compiler, standard):
    is_cpp = standard.startswith("c++")
    name = compiler.replace("gcc", "g++").replace("clang", "clang++") if is_cpp else compiler
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name}")
    command = [found, "-x", "c++" if is_cpp else "c", f"-std={standard}", *STRICT]
    command += [f"-I{abi.HEADER.parent}", "-"]
    done = subprocess.run(command, input=PROGRAM, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang-19", "clang++-19"])
def test_the_header_for_python_stands_alone_and_has_no_warnings(compiler):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    command = [compiler, "-x", "c++" if "++" in compiler else "c", *STRICT]
    command += ["-std=c++17" if "++" in compiler else "-std=c11", f"-I{abi.HEADER.parent}"]
    command += ["-isystem", sysconfig.get_paths()["include"], "-"]
    program = """
    #include "weightinit_fast_python.h"
    int get(wif_api *api);
    int get(wif_api *api) { return wif_import(api); }
"""
    done = subprocess.run(command, input=program, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
