"""What the engine's sources promise about themselves: what they export, and what they refuse.

A C compiler and nm are needed; the instruction sets that are compiled here are the scalar one and
the best one of this machine. `proof/matrix.py` looks at the objects of every set.
"""

import re
import shutil
import subprocess

import pytest
from engine import ENGINE, exported, instruction_sets
from support.internals import core

pytestmark = [pytest.mark.meta, pytest.mark.process]
SETS = instruction_sets()
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
TEMPLATES = {
    "isa/isa.c": {"WIF_ISA_NAME", "WIF_VOCABULARY", "WIF_WORDS"},
    "kernels/draw_rows_template.h": {
        *("NAME", "TRANSFORM", "VEC", "OUTPUT", "GROUP_ITEMS", "ITEM_BYTES"),
    },
    "kernels/draw_rows_types.h": {"TRANSFORM_NAME"},
    "linalg/panels_template.h": {"REAL", "VEC", "F", "LANES", "FLOOR"},
    "linalg/read_rows_template.h": {"TYPE", "REAL", "VEC", "F", "PUT", "ITEMS"},
    "kernels/transpose_template.h": {"ITEM"},
    "kernels/transforms_family.h": {
        *("REAL", "BITS", "VF", "VU", "F", "U", "P", "TERMS", "PARAMS", "PREPARE", "GROUP"),
        *("WORD_BITS", "MANTISSA_BITS", "VECTORS"),
    },
}


def compile_c(*options):
    command = [COMPILER, "-std=c11", f"-I{ENGINE}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_list_of_sets_is_that_of_the_extension():
    assert tuple(SETS) == core.ISAS


@needs_compiler
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")
@pytest.mark.parametrize("name", sorted({"scalar", core.ISAS_RUNNABLE[-1]}))
def test_a_kernel_object_exports_its_table_alone(name, tmp_path):
    object_file = tmp_path / "isa.o"
    source = ENGINE / "isa" / "isa.c"
    done = compile_c("-O0", *SETS[name].options, "-c", source, "-o", object_file)
    assert done.returncode == 0, done.stderr
    assert exported(object_file) == {f"wif_kernels_{name}"}


def test_every_function_in_a_header_is_static():
    """Find the functions: the line that begins one is not indented and ends with a brace."""
    headers = sorted(ENGINE.rglob("*.h"))
    assert len(headers) > 15
    begins = re.compile(
        r'^(?!static |INLINE |typedef |struct |enum |extern "C" |[#/ }]).*\{$', re.MULTILINE
    )
    for header in headers:
        found = begins.findall(header.read_text(encoding="utf-8"))
        assert not found, f"{header.name}: {found}"


def test_only_the_folder_of_systems_asks_which_system_it_is():
    """compiler.h, the public header and fma.h ask as well; system.h says why."""
    asks = re.compile(r"\b(__linux__|_WIN32|__APPLE__|__unix__|__MINGW32__|__FreeBSD__)\b")
    ends = {".c", ".h", ".pyx", ".pxi"}
    sources = [p for p in ENGINE.parent.rglob("*") if p.suffix in ends]
    assert len(sources) > 60
    found = {p.name for p in sources if asks.search(p.read_text(encoding="utf-8"))}
    rooms = {p.name for p in (ENGINE / "system").iterdir()}
    assert found - rooms == {"compiler.h", "weightinit_fast.h", "fma.h"}


@needs_compiler
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_without_its_parameters_is_refused_with_a_sentence(name):
    """All parameters are missing, and one of the messages names each of them."""
    done = compile_c("-fsyntax-only", "-x", "c", ENGINE / name)
    assert done.returncode != 0
    messages = re.findall(r'error: (?:#error )?"?(\S+ needs [^"\n]*)', done.stderr)
    for parameter in TEMPLATES[name]:
        assert any(re.search(rf"\b{parameter}\b", message) for message in messages), parameter


@needs_compiler
@pytest.mark.parametrize("item", [0, 3, 16])
def test_a_transposition_of_another_size_is_refused(item):
    template = ENGINE / "kernels" / "transpose_template.h"
    done = compile_c("-fsyntax-only", "-x", "c", f"-DITEM={item}", template)
    assert done.returncode != 0
    assert "has no transposition of elements of this size" in done.stderr


@needs_compiler
def test_a_flushing_set_without_a_fallback_is_refused():
    if "x86" not in {SETS[name].architecture for name in core.ISAS_BUILT}:
        pytest.skip("the set is one of x86")
    options = [o for o in SETS["avx512_bf16"].options if not o.startswith("-DWIF_FALLBACK")]
    done = compile_c("-fsyntax-only", *options, ENGINE / "isa" / "isa.c")
    if "avx512bf16" in done.stderr:
        pytest.skip("the compiler does not know the set")
    assert "it needs WIF_FALLBACK" in done.stderr
