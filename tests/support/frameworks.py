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

    def __init__(self, name: str, after: "Framework | None" = None) -> None:
        self._name, self._module, self._after = name, None, after

    def load(self) -> None:
        """Import it, if it is installed; `after` is imported first."""
        if self._after is not None:
            self._after.load()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._module = importlib.import_module(self._name)
            except ImportError:
                self._module = None
        # Where it is missing, a folder of tests with its name would be a namespace package.
        if getattr(self._module, "__file__", None) is None:
            self._module = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_mock_name":  # pytest asks any object for these
            raise AttributeError(name)
        if self._module is None:
            pytest.skip(f"{self._name} is not installed")
        return getattr(self._module, name)


class Torchvision(Framework):
    """torchvision, whose models need none of its compiled operators.

    Its wheels on PyPI are built for torch with CUDA. Beside a torch for CPUs its operators do not
    load, and its import fails where it describes two of them. They are declared here in that case,
    so that the import goes on; they have no code. transformers and timm import torchvision where it
    is installed, so it has to be imported before them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._library = None

    def load(self) -> None:
        """Import it, if it is installed."""
        try:
            super().load()
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
            torch = importlib.import_module("torch")
            self._library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                self._library.define(f"{name}(Tensor dets, Tensor scores, float limit) -> Tensor")
            super().load()


def load_frameworks(module: Any) -> None:
    """Import the frameworks that a module of tests names, if they are installed."""
    for value in vars(module).values():
        if isinstance(value, Framework):
            value.load()
