"""Packages that the package is compared with or adapted to, where they are installed."""

import importlib
import warnings
from typing import Any

import pytest


class Framework:
    """A framework that is imported when the first test of a module needs it.

    If it were imported when tests are collected, its threads would exist during every other test.
    Where it is not installed, the tests that use it are skipped.
    """

    def __init__(self, name: str) -> None:
        self._name, self._module = name, None

    def load(self) -> None:
        """Import it, if it is installed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._module = importlib.import_module(self._name)
            except ImportError:
                self._module = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_mock_name":  # pytest asks any object for these
            raise AttributeError(name)
        if self._module is None:
            pytest.skip(f"{self._name} is not installed")
        return getattr(self._module, name)


def load_frameworks(module: Any) -> None:
    """Import the frameworks that a module of tests names, if they are installed."""
    for value in vars(module).values():
        if isinstance(value, Framework):
            value.load()
