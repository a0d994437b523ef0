"""The subcommand ``init``: write the initial weights of a model into a file."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .._screen import Screen, bytes_text, duration_text, printable, rate_text
from .digests import LARGEST_HASHED, Digests, digests_of, published
from .options import add_dtype, add_output, add_seed, add_threads, byte_count, part_of
from .sources import SOURCE_HELP, Source, add_source, read_source

if TYPE_CHECKING:
    from ..models.files.save import Saved

__all__ = ["configure", "run"]

#: The most digests that are printed as text: a model of many shards or chunks has too many to read.
MOST_PRINTED = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Write the initial weights of a model into a file. The file never has to fit into
memory, and appears under its name only when it is complete."""
    parser.epilog = f"""\
{SOURCE_HELP}

examples:
  python -m weightinit_fast init gpt2 -o gpt2.safetensors
  python -m weightinit_fast init llama3 --dtype bfloat16 -o llama
  python -m weightinit_fast init shapes.toml --recipe recipe.toml -o out.npy
  python -m weightinit_fast init gpt2 -o gpt2.safetensors --part 3/16

Exit status 1: the digest of the file is not the published one."""
    add_source(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="what to write: a .safetensors, .npy or .zarr file; a name without a suffix is a "
        "folder of safetensors shards",
    )
    add_dtype(
        parser,
        "the type of the tensors for which SHAPES has none, such as bfloat16; the default is "
        "float32",
    )
    add_seed(parser)
    parser.add_argument(
        "--part",
        type=part_of,
        metavar="K/N",
        help="write only the part K, from 0 to N-1, of N parts that as many processes write, or "
        "the part that torchrun, SLURM or Open MPI gave this process: auto. The last one that "
        "ends completes the file",
    )
    parser.add_argument(
        "--max-shard-bytes",
        type=byte_count,
        metavar="SIZE",
        help="the most bytes of tensors in a shard of a folder, such as 2GB; the default is 5GB",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--digest",
        action=argparse.BooleanOptionalAction,
        help="print the SHA-256 of each file; by default, if all files have at most "
        + bytes_text(LARGEST_HASHED),
    )
    add_threads(parser)
    add_output(parser)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Write the file; return 1 if its digest is not as published."""
    from ..models.files import save  # noqa: PLC0415  only where it is needed

    source = read_source(args, screen)
    # Tied tensors are not written.
    sizes = [prod(s.shape) for n, s in source.shapes.items() if n not in source.recipe.same_as]
    with _remarks(screen), screen.progress(f"writing {Path(args.output).name}") as bar:
        saved = save(
            args.output,
            source.recipe,
            source.shapes,
            rng=args.seed,
            dtype=args.dtype,
            part=args.part,
            max_shard_bytes=args.max_shard_bytes,
            force=args.force,
            threads=args.threads,
            progress=bar or False,
        )
    report: dict[str, Any] = {
        "model": source.title,
        "tensors": len(sizes),
        "parameters": sum(sizes),
        "path": str(saved.path),
        "finished": saved.finished,
        "bytes": saved.nbytes,
        "bytes_written": saved.written,
        "seconds": saved.seconds,
        "files": [{"path": str(file)} for file in saved.files],
    }
    tensors = "1 tensor" if len(sizes) == 1 else f"{len(sizes):,} tensors"
    screen.say(f"{printable(source.title)}: {tensors}, {sum(sizes):,} parameters")
    what = "bytes" if saved.written == saved.nbytes else f"of {saved.nbytes:,} bytes"
    screen.say(
        f"{printable(str(saved.path))}: {saved.written:,} {what} in {duration_text(saved.seconds)} "
        f"({rate_text(saved.written, saved.seconds)})"
    )
    status = 0
    if not saved.finished:
        screen.say("The file is complete when all parts are written.")
    elif args.digest or (args.digest is None and saved.nbytes <= LARGEST_HASHED):
        status = _digest(saved, source, args, screen, report)
    if args.json:
        screen.document(report)
    return status


@contextmanager
def _remarks(screen: Screen) -> Iterator[None]:
    """Print the warnings of a block as plain lines, without the place in the code."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        screen.remark(f"note: {printable(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _digest(
    saved: Saved, source: Source, args: argparse.Namespace, screen: Screen, report: dict[str, Any]
) -> int:
    """Hash the files; return 1 if a published digest differs."""
    try:
        with screen.progress("computing the SHA-256") as bar:
            digests = digests_of(saved.files, args.threads, bar)
    except KeyboardInterrupt:
        screen.remark(
            f"\n{printable(str(saved.path))} is complete; only its SHA-256 was not computed"
        )
        raise
    report["digest_seconds"] = digests.seconds
    for entry, digest in zip(report["files"], digests.by_file.values(), strict=True):
        entry["sha256"] = digest
    _say_digests(digests, saved, screen)
    wanted = None
    if len(saved.files) == 1:
        dtype = args.dtype or "float32"
        wanted = published(source.model, dtype, args.seed, Path(saved.path))
    if wanted is None:
        return 0
    match = digests.by_file[saved.files[0]] == wanted
    report |= {"expected": wanted, "match": match}
    if match:
        screen.say(screen.paint("as published", "32"))
    else:
        screen.say(screen.paint("NOT as published", "1;31") + f": {wanted} was wanted")
    return 0 if match else 1


def _say_digests(digests: Digests, saved: Saved, screen: Screen) -> None:
    """Print the digest of each file, or of the first ones of many."""
    for number, (file, digest) in enumerate(digests.by_file.items()):
        if number == MOST_PRINTED:
            screen.say(f"and those of {len(saved.files) - number:,} more files, which --json lists")
            break
        name = "" if file == saved.path else f" {printable(str(file.relative_to(saved.path)))}"
        screen.say(f"SHA-256 {digest}{name}")
    screen.say(f"(computed in {duration_text(digests.seconds)})")
