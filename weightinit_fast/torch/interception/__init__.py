"""fast_init: code that builds a model draws through us, unchanged.

Three levels: core.py overrides the two operators in which every draw ends; loops.py replaces the
functions that would call them over and over; origin.py tells an initialisation from data. block.py
holds the key and the streams, and names.py finds the parameter that a tensor stands for.
"""

from .fast_init import fast_init

__all__ = ["fast_init"]
