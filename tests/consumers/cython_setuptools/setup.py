"""Build a Cython module that calls weightinit_fast; the include path is all that it needs."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import weightinit_fast

extension = Extension(
    "wif_example_setuptools",
    ["wif_example_setuptools.pyx"],
    include_dirs=[weightinit_fast.get_include()],
)
setup(ext_modules=cythonize([extension]), py_modules=[])
