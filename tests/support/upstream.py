"""Run a framework's own tests as they are and on this package's functions, and compare."""

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

    def name_of(self, test):
        return test.id().partition(".")[2]

    def addSuccess(self, test):
        self.outcomes[self.name_of(test)] = "passes"

    def addSkip(self, test, reason):
        self.outcomes[self.name_of(test)] = f"is skipped: {reason}"

    def addFailure(self, test, err):
        text = self._exc_info_to_string(err, test)
        self.outcomes[self.name_of(test)] = f"fails: {text}"

    def addError(self, test, err):
        text = self._exc_info_to_string(err, test)
        self.outcomes[self.name_of(test)] = f"ends in an error: {text}"


def loaded(file):
    """Import a file of tests."""
    spec = spec_from_file_location("upstream_tests", file)
    module = sys.modules["upstream_tests"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(script, doc, outcomes_of, environment, names, titles, *, differing=False):
    """Run the command of a script; return its exit status.

    ``outcomes_of(file, replaced)`` runs the tests in a process of its own, which has the variables
    of ``environment``; it returns a dict of name to outcome, and a remark, which is printed if the
    functions are replaced. ``names`` are those of the two in a line of a test, and ``titles`` those
    in the counts. With ``differing``, only tests are told of which one passes and the other not.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the file of tests")
    parser.add_argument("--alone", choices=["stock", "ours"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print("\n" + json.dumps(outcomes_of(given.file, given.alone == "ours")))
        return 0
    found, remarks = {}, {}
    for which in ("stock", "ours"):
        command = [sys.executable, script, "--file", str(given.file), "--alone", which]
        env = {**os.environ, **environment}
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if run.returncode:
            print(run.stderr, file=sys.stderr)
            return 2
        found[which], remarks[which] = json.loads(run.stdout.splitlines()[-1])
    worse = 0
    for name, stock in found["stock"].items():
        ours = found["ours"].get(name, "is missing")
        worse += ours != "passes" and stock == "passes"
        same = stock == ours or (stock != "passes" and ours != "passes")
        if not (same and differing):
            text = stock if same else f"{names[0]} {stock}; {names[1]} {ours}"
            print(f"{name}: {text}")
    for which, title in zip(("stock", "ours"), titles, strict=True):
        passed = sum(outcome == "passes" for outcome in found[which].values())
        print(f"{title}: {passed} of {len(found[which])} pass")
    if remarks["ours"]:
        print(remarks["ours"])
    return int(worse > 0)
