"""Run JAX's own tests of jax.nn.initializers on the functions of this package, beside JAX's.

``python tests/jax_adapter/upstream.py --file PATH`` runs the class NNInitializersTest of a file
twice, each time in a process of its own: as it is, and with the functions of jax.nn.initializers
replaced. It prints the tests whose outcomes differ and the number of tests that pass, and exits
with 1 if a test that JAX's functions pass fails on those of the package. Types of 64 bits are
allowed with ``JAX_ENABLE_X64=1`` in the environment, which adds tests.

PATH is meant to be tests/nn_test.py of JAX's repository, at the version that is installed, which no
package of JAX contains. That file needs the packages absl-py and scipy.
"""

import re
import sys
import unittest
from pathlib import Path

import numpy as np

# The folder of tests, since this file is run as a script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.upstream import Outcomes, compare, loaded

CLASS = "NNInitializersTest"


class Cases(Outcomes):
    """Outcomes by the methods and their cases."""

    def name_of(self, test):
        # JAX's functions and ours have other names in the description.
        cases = re.findall(r"(?:shape|dtype|rows|cols)=(?:\(.*?\)|<.*?>|\w+)", str(test))
        return " ".join([test._testMethodName, *cases])


def outcomes_of(file, replaced):
    """Run the tests of a file in this process; return what compare() asks for."""
    import jax  # noqa: PLC0415  only the processes that run tests import it

    drawn = []
    if replaced:
        from weightinit_fast.jax import initializers  # noqa: PLC0415

        draw = initializers.made.draw
        initializers.made.draw = lambda *given: drawn.append(given[3]) or draw(*given)
        jax.nn.initializers = initializers
    np.random.seed(0)  # noqa: NPY002  the file takes its cases in a random order
    sys.argv = sys.argv[:1]  # the file reads the flags of JAX
    module = loaded(file)
    result = Cases()
    unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, CLASS)).run(result)
    return (
        result.outcomes,
        f"weightinit_fast drew {len(drawn)} arrays, and left those of complex types to JAX",
    )


if __name__ == "__main__":
    every_case = {"JAX_NUM_GENERATED_CASES": "10000"}  # no sample
    names = "jax", "weightinit_fast"
    titles = "jax.nn.initializers", "weightinit_fast.jax"
    arguments = outcomes_of, every_case, names, titles
    sys.exit(compare(__file__, __doc__, *arguments, differing=True))
