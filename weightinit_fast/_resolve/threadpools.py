"""Let threadpoolctl see the threads of fills, as it sees those of OpenMP and of BLAS libraries.

``threadpoolctl.threadpool_limits`` limits the fills of the thread that calls it, and
``threadpool_info`` lists the extension module. Programs that use it, such as scikit-learn, do so
for the package without knowing it.

threadpoolctl knows the libraries whose classes have been registered. This module registers a class
when threadpoolctl is imported, be it before or after weightinit_fast. It does not import
threadpoolctl itself: that takes as long as the whole package, and few programs use it. So it waits
in ``sys.meta_path``, where an import looks for modules. It stays there for good, which costs each
import 0.1 us: whoever removes an entry lets an import that another thread has begun skip a finder,
so that it may not find a module that exists.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .threads import limit_threads, told_threads

__all__ = ["register_when_imported"]

_NAME = "threadpoolctl"


def _register(module: Any) -> None:
    """Register the class of the extension module with threadpoolctl."""
    if not hasattr(module, "register"):  # before version 3.2
        return

    class Controller(module.LibController):  # type: ignore[misc]
        # This is the group of all threads that no BLAS library has, and the one that limits of
        # programs name.
        user_api = "openmp"
        internal_api = "weightinit_fast"
        filename_prefixes = ("_core",)
        check_symbols = ("weightinit_fast_pool",)  # host/pool.h

        def get_num_threads(self) -> int:
            return told_threads()

        def set_num_threads(self, num_threads: int) -> None:
            limit_threads(num_threads)

        def get_version(self) -> str:
            from .. import __version__  # noqa: PLC0415  set after this module is imported

            return __version__

    module.register(Controller)


class _Loader:
    """A loader that loads as another one does, and registers afterwards."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _register(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    """Find threadpoolctl as the other finders do, and add the registration to its loading."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _NAME:
            return None
        for finder in list(sys.meta_path):
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


def register_when_imported() -> None:
    """Register with threadpoolctl now, if it is imported, or else when it is."""
    module = sys.modules.get(_NAME)
    if module is not None:
        _register(module)
    else:
        sys.meta_path.insert(0, _Finder())
