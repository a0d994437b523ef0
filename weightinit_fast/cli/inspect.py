"""stand-in"""

from .options import add_output, add_dtype, add_seed, add_threads
from .sources import add_source


def configure(parser):
    add_output(parser)
    add_source(parser)


def run(args, screen):
    from .sources import read_source

    read_source(args)
    return 0
