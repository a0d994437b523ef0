"""Run JAX's own tests of jax.nn.initializers on the functions of this package, beside JAX's.

``python tests/jax_adapter/upstream.py --file PATH`` runs the class NNInitializersTest of a file
twice, each time in a process of its own: as it is, and with the functions of jax.nn.initializers
replaced. It prints the tests whose outcomes differ and the number of tests that pass, and exits
with 1 if a test that JAX's functions pass fails on those of the package. Types of 64 bits are
allowed with ``JAX_ENABLE_X64=1`` in the environment, which adds tests.

PATH is meant to be tests/nn_test.py of JAX's repository, at the version that is installed, which no
package of JAX contains. That file needs the packages absl-py and scipy.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import unittest
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

CLASS = "NNInitializersTest"


class Outcomes(unittest.TestResult):
    """What each test came to, by its name."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def _note(self, test, outcome):
        # JAX's functions and ours have other names in the description.
        cases = re.findall(r"(?:shape|dtype|rows|cols)=(?:\(.*?\)|<.*?>|\w+)", str(test))
        self.outcomes[" ".join([test._testMethodName, *cases])] = outcome

    def addSuccess(self, test):
        self._note(test, "passes")

    def addSkip(self, test, reason):
        self._note(test, f"is skipped: {reason}")

    def addFailure(self, test, err):
        self._note(test, f"fails: {self._exc_info_to_string(err, test)}")

    def addError(self, test, err):
        self._note(test, f"ends in an error: {self._exc_info_to_string(err, test)}")


def outcomes_of(file, replaced):
    """Run the tests of a file in this process; return a dict of name to outcome."""
    import jax  # noqa: PLC0415  only the processes that run tests import it

    drawn = []
    if replaced:
        from weightinit_fast.jax import initializers  # noqa: PLC0415

        draw = initializers.made.draw
        initializers.made.draw = lambda *given: drawn.append(given[3]) or draw(*given)
        jax.nn.initializers = initializers
    np.random.seed(0)  # noqa: NPY002  the file takes its cases in a random order
    spec = spec_from_file_location("upstream_tests", file)
    module = sys.modules["upstream_tests"] = module_from_spec(spec)
    sys.argv = sys.argv[:1]  # the file reads the flags of JAX
    spec.loader.exec_module(module)
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, CLASS)).run(result)
    return result.outcomes, len(drawn)


def main():
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the file of tests")
    parser.add_argument("--alone", choices=["stock", "ours"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print("\n" + json.dumps(outcomes_of(given.file, given.alone == "ours")))
        return 0
    found, drawn = {}, {}
    for which in ("stock", "ours"):
        command = [sys.executable, __file__, "--file", str(given.file), "--alone", which]
        environment = {**os.environ, "JAX_NUM_GENERATED_CASES": "10000"}  # all cases, no sample
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode:
            print(run.stderr, file=sys.stderr)
            return 2
        found[which], drawn[which] = json.loads(run.stdout.splitlines()[-1])
    worse = 0
    for name, stock in found["stock"].items():
        ours = found["ours"].get(name, "is missing")
        worse += ours != "passes" and stock == "passes"
        if "passes" in (stock, ours) and stock != ours:
            print(f"{name}: jax {stock}; weightinit_fast {ours}")
    for which, title in (("stock", "jax.nn.initializers"), ("ours", "weightinit_fast.jax")):
        passed = sum(outcome == "passes" for outcome in found[which].values())
        print(f"{title}: {passed} of {len(found[which])} pass")
    print(f"weightinit_fast drew {drawn['ours']} arrays, and left those of complex types to JAX")
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
