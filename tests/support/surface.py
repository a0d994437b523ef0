"""Signatures that the public functions share, shapes of known fans, and keys made of words."""

import inspect

import weightinit_fast as wi

REQUIRED = inspect.Parameter.empty
#: Parameters that tell a function what the axes of its shape are, and so its fans.
FANS = {"layout": None, "groups": 1, "transposed": False, "fans": None}
COMMON = {"dtype": None, "out": None, "rng": None, "stream": 0, "index": None, "rows": None}
COMMON["threads"] = None
#: Those of the initialisers that do not draw every element by itself.
COMMON_WITHOUT_ROWS = {name: default for name, default in COMMON.items() if name != "rows"}
LOW32 = 0xFFFFFFFF
#: Alias -> name of the same function.
ALIASES = {
    "glorot_uniform": "xavier_uniform",
    "glorot_normal": "xavier_normal",
    "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal",
    "eye": "identity",
}


def same_bits(a, b):
    """Return whether dtype, shape and bytes are the same."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def joined(words):
    """Return the key of four words, of which the low 32 bits count."""
    w = [int(v) & LOW32 for v in words]
    return wi.Key(w[0] | w[1] << 32, w[2] | w[3] << 32)


#: (shape, options, fan_in, fan_out).
CONV = ((64, 3, 7, 7), {}, 147, 3136)
DENSE = ((300, 500), {}, 500, 300)
HWIO = ((5, 5, 40, 60), {"layout": "HWIO"}, 1000, 1500)
GROUPED = ((64, 16, 3, 3), {"groups": 4}, 144, 144)
TRANSPOSED = ((64, 32, 4, 4), {"layout": "IOHW", "groups": 2, "transposed": True}, 512, 512)
EXPERTS = ((4, 96, 200), {"layout": "BOI"}, 200, 96)
HEADS = ((12, 64, 300), {"layout": "OOI"}, 300, 768)
VECTOR = ((50_000,), {"fans": (400, 900)}, 400, 900)
SHAPES = [CONV, DENSE, HWIO, GROUPED, TRANSPOSED, EXPERTS, HEADS, VECTOR]
