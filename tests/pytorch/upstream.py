"""Run torch's own tests of torch.nn.init on the drop-ins, beside torch's functions.

``python tests/pytorch/upstream.py --file PATH`` runs a file of unittest classes twice, each time in
a process of its own: as it is, and with the functions of torch.nn.init replaced by the drop-ins. It
prints what each test came to, and exits with 1 if a test that torch's functions pass fails on the
drop-ins.

PATH is meant to be test/nn/test_init.py of torch's repository, at the version that is installed,
which no package of torch contains. That file needs the packages expecttest and scipy.
"""

import sys
import unittest
from pathlib import Path

# The folder of tests, since this file is run as a script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.upstream import Outcomes, compare, loaded


def outcomes_of(file, replaced):
    """Run the tests of a file in this process; return what compare() asks for."""
    import torch  # noqa: PLC0415  only the processes that run tests import it

    if replaced:
        import weightinit_fast.torch as adapter  # noqa: PLC0415

        for name in adapter.init.__all__:
            setattr(torch.nn.init, name, getattr(adapter.init, name))
    module = loaded(file)
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    return result.outcomes, ""


if __name__ == "__main__":
    slow = {"PYTORCH_TEST_WITH_SLOW": "1"}
    titles = "torch.nn.init", "drop-ins"
    sys.exit(compare(__file__, __doc__, outcomes_of, slow, ("torch", "drop-ins"), titles))
