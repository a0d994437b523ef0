"""Run Keras's own tests of its initialisers on this package's, beside Keras's.

``python tests/keras3/upstream.py --file PATH`` runs a file of unittest classes twice, each time in
a process of its own: as it is, and with the names of ``keras.initializers`` replaced by those of
``weightinit_fast.keras.initializers``. It prints what each test came to, and exits with 1 if a test
that Keras's classes pass fails on this package's. The environment variable KERAS_BACKEND chooses
the backend.

PATH is meant to be one of keras/src/initializers/*_test.py of Keras's package, at the version that
is installed: random_initializers_test.py, constant_initializers_test.py and initializer_test.py.
They import scipy, and conftest.py of Keras's repository, for which a module stands in here.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import types
import unittest
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


class Outcomes(unittest.TestResult):
    """What each test came to, by its name."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def _note(self, test, outcome):
        self.outcomes[test.id().partition(".")[2]] = outcome

    def addSuccess(self, test):
        self._note(test, "passes")

    def addSkip(self, test, reason):
        self._note(test, f"is skipped: {reason}")

    def addFailure(self, test, err):
        self._note(test, f"fails: {self._exc_info_to_string(err, test)}")

    def addError(self, test, err):
        self._note(test, f"ends in an error: {self._exc_info_to_string(err, test)}")


def stand_in():
    """Return a module that has what Keras's tests import from its conftest.py."""
    from keras import backend  # noqa: PLC0415  only the processes that run tests import it

    def skip_if_backend(name, reason):
        return unittest.skipIf(backend.backend() == name, reason)

    module = types.ModuleType("conftest")
    module.skip_if_backend = skip_if_backend
    return module


def replace():
    """Put this package's initialisers wherever Keras looks for its own by a name."""
    ours = importlib.import_module("weightinit_fast.keras.initializers")
    theirs = importlib.import_module("keras.src.initializers")
    for name, kind in ours.names().items():
        if hasattr(theirs, name):
            setattr(theirs, name, kind)
        theirs.ALL_OBJECTS_DICT[name] = kind


def outcomes_of(file, replaced):
    """Run the tests of a file in this process; return a dict of name to outcome."""
    sys.modules["conftest"] = stand_in()
    if replaced:
        replace()
    spec = spec_from_file_location("upstream_tests", file)
    module = sys.modules["upstream_tests"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    return result.outcomes


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
    found = {}
    for which in ("stock", "ours"):
        command = [sys.executable, __file__, "--file", str(given.file), "--alone", which]
        # initializer_test.py needs four devices or more.
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
        environment = {"KERAS_BACKEND": "jax", **os.environ, "XLA_FLAGS": flags}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode:
            print(run.stderr, file=sys.stderr)
            return 2
        found[which] = json.loads(run.stdout.splitlines()[-1])
    worse = 0
    for name, stock in found["stock"].items():
        ours = found["ours"].get(name, "is missing")
        worse += ours != "passes" and stock == "passes"
        same = stock == ours or (stock != "passes" and ours != "passes")
        print(f"{name}: {stock if same else f'Keras {stock}; this package {ours}'}")
    for which, title in (("stock", "Keras"), ("ours", "this package")):
        passed = sum(outcome == "passes" for outcome in found[which].values())
        print(f"{title}: {passed} of {len(found[which])} pass")
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
