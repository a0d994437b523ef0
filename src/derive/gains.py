"""Integrate the gains of nonlinearities for which no paper states one.

A layer's weights of variance gain²/fan_in give its units the variance gain²·E[f(z)²], where z, the
input of the nonlinearity f in the layer before, is about N(0, 1). The scale is kept if
gain = 1/√E[f(z)²]. For ReLU this is He's √2 (He et al. 2015, eq. 10).

``python src/derive/gains.py`` prints the gains for the table in
weightinit_fast/initialisers/gains.py; ``--check`` compares them with those of the installed
package. The script needs mpmath.
"""

import argparse
import sys

import mpmath
from mpmath import mpf

mpmath.mp.dps = 40


def _softplus(z):
    return mpmath.log1p(mpmath.exp(z))


FUNCTIONS = {
    "relu": lambda z: max(z, mpf(0)),
    "elu": lambda z: z if z > 0 else mpmath.expm1(z),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "swish": lambda z: z / (1 + mpmath.exp(-z)),
    "mish": lambda z: z * mpmath.tanh(_softplus(z)),
    "softplus": _softplus,
}


def gain(function):
    """Return 1/sqrt(E[f(z)^2]), integrated over [-16, 16], beyond which 10^-55 is left."""
    pieces = [-16, -8, -4, -2, 0, 2, 4, 8, 16]
    moment = mpmath.quad(lambda z: function(z) ** 2 * mpmath.npdf(z), pieces)
    return 1 / mpmath.sqrt(moment)


def main():
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the package's table")
    arguments = parser.parse_args()
    derived = {name: float(gain(function)) for name, function in FUNCTIONS.items()}
    if not arguments.check:
        for name, value in derived.items():
            print(f'    "{name}": {value!r},')
        return 0
    import weightinit_fast as wi  # noqa: PLC0415  printing the gains needs no installed package

    wrong = {name: value for name, value in derived.items() if wi.gain(name) != value}
    for name, value in wrong.items():
        print(f"{name}: {wi.gain(name)!r} in the package, {value!r} derived")
    print(f"{len(derived)} gains, {len(wrong)} differ")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
