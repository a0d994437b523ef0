"""The subcommand ``info``: versions, instruction sets and threads."""

from __future__ import annotations

import argparse

from .._info import info
from .._screen import Screen
from .options import add_output

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Print the version of the package and of its stream contract, the instruction set
in use and why, and how many threads a large fill uses."""
    add_output(parser, quiet=False)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Print what `weightinit_fast.info` returns."""
    facts = info()
    if args.json:
        screen.document(facts)
        return 0
    rows = {
        "version": facts["version"],
        "stream version": str(facts["stream_version"]),
        "compiler": facts["compiler"],
        "instruction set": f"{facts['isa']} ({facts['isa_reason']})",
        "instruction sets": "",
    }
    for name, state in facts["isas"].items():
        rows[f"  {name}"] = state
    rows["threads"] = str(facts["threads"])
    if facts["threads_wait_by"] is None:
        rows["threads"] += ": this build has no threads"
    rows["XLA's FFI"] = "built" if facts["xla_ffi"] else "not built: jax.jit would call Python"
    for name, text in rows.items():
        screen.say(f"{name:<16} {text}".rstrip())
    return 0
