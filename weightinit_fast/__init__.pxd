# What `cimport weightinit_fast` finds: the C interface of the package (docs/c-api.md).
from weightinit_fast._core cimport *
