"""Checks that every argument passes which is one number; the extension has them, for speed."""

from .._core import finite, flag, integer, not_negative, real, register_shown
from .messages import shown

__all__ = ["finite", "flag", "integer", "not_negative", "real"]

register_shown(shown)
