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

import importlib
import os
import sys
import types
import unittest
from pathlib import Path

# The folder of tests, since this file is run as a script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.upstream import Outcomes, compare, loaded


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
    """Run the tests of a file in this process; return what compare() asks for."""
    sys.modules["conftest"] = stand_in()
    if replaced:
        replace()
    module = loaded(file)
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    return result.outcomes, ""


if __name__ == "__main__":
    # initializer_test.py needs four devices or more.
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    environment = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "jax"), "XLA_FLAGS": flags}
    names = "Keras", "this package"
    sys.exit(compare(__file__, __doc__, outcomes_of, environment, names, names))
