"""Run torch's own tests of torch.nn.init on the drop-ins, beside torch's functions.

``python tests/pytorch/upstream.py --file PATH`` runs a file of unittest classes twice, each time in
a process of its own: as it is, and with the functions of torch.nn.init replaced by the drop-ins. It
prints what each test came to, and exits with 1 if a test that torch's functions pass fails on the
drop-ins.

PATH is meant to be test/nn/test_init.py of torch's repository, at the version that is installed,
which no package of torch contains. That file needs the packages expecttest and scipy.
"""

import argparse
import json
import os
import subprocess
import sys
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


def outcomes_of(file, replaced):
    """Run the tests of a file in this process; return a dict of name to outcome."""
    import torch  # noqa: PLC0415  only the processes that run tests import it

    if replaced:
        import weightinit_fast.torch as adapter  # noqa: PLC0415

        for name in adapter.init.__all__:
            setattr(torch.nn.init, name, getattr(adapter.init, name))
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
        environment = {**os.environ, "PYTORCH_TEST_WITH_SLOW": "1"}
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
        print(f"{name}: {stock if same else f'torch {stock}; drop-ins {ours}'}")
    for which, title in (("stock", "torch.nn.init"), ("ours", "drop-ins")):
        passed = sum(outcome == "passes" for outcome in found[which].values())
        print(f"{title}: {passed} of {len(found[which])} pass")
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
