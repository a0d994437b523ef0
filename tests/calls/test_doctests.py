"""The examples in the docstrings print what they say: the output is reproducible."""

import doctest
import importlib
import pkgutil

import pytest

import weightinit_fast

#: The extension has no examples, and importing a __main__ would run it.
MODULES = ["weightinit_fast"] + [
    module.name
    for module in pkgutil.walk_packages(weightinit_fast.__path__, "weightinit_fast.")
    if module.name.rpartition(".")[2] not in ("_core", "__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if "needs the package" not in str(error):
            raise
        pytest.skip(str(error))  # an adapter of a package that is not installed
    result = doctest.testmod(module)
    assert result.failed == 0


def test_every_public_function_has_an_example():
    for name in weightinit_fast.__all__:
        member = getattr(weightinit_fast, name)
        if callable(member):
            assert ">>>" in (member.__doc__ or ""), name
