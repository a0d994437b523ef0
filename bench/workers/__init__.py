"""Scripts that run in processes of their own, by path; they import nothing of bench.

The process of memory_worker.py has to stay small, and call_worker.py runs in environments where
another version of the package is installed.
"""
