"""Where the files for programs in C, C++ and Cython are installed."""

import os

from . import _core

__all__ = ["get_cmake_dir", "get_include"]


def _folder(*names: str) -> str:
    """Return a folder beside the extension.

    In an editable installation it is beside the extension and not beside the Python files.
    """
    folder = os.path.join(os.path.dirname(os.path.abspath(_core.__file__)), *names)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{folder} is not there: this weightinit_fast was built without its C interface "
            "(WIF_LIBRARIES=OFF)"
        )
    return folder


def get_include() -> str:
    """Return the folder of the headers ``weightinit_fast.h`` and ``weightinit_fast_python.h``.

    Returns
    -------
    str
        The folder, for the include path of a C, C++ or Cython extension module.

    Examples
    --------
    >>> import os
    >>> import weightinit_fast as wi
    >>> sorted(os.listdir(wi.get_include()))
    ['weightinit_fast.h', 'weightinit_fast_python.h']
    """
    return _folder("include")


def get_cmake_dir() -> str:
    """Return the folder of ``weightinit_fast-config.cmake``.

    Returns
    -------
    str
        The folder, which CMake takes as ``-Dweightinit_fast_DIR=``. In builds by scikit-build-core,
        ``find_package(weightinit_fast)`` finds it without that.

    Examples
    --------
    >>> import os
    >>> import weightinit_fast as wi
    >>> os.path.exists(os.path.join(wi.get_cmake_dir(), "weightinit_fast-config.cmake"))
    True
    """
    return _folder("lib", "cmake", "weightinit_fast")


def xla_library() -> str:
    """Return the path of the library that XLA's programs call, which a build may lack."""
    end = "dll" if os.name == "nt" else "so"
    folder = os.path.join(os.path.dirname(os.path.abspath(_core.__file__)), "lib")
    return os.path.join(folder, f"weightinit_fast_xla.{end}")
