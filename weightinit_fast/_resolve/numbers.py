"""Checks of the arguments that are one number or flag; the extension holds them, for speed."""

from .._core import finite, flag, integer, not_negative, real, register_shown
from .messages import shown

__all__ = ["finite", "flag", "integer", "not_negative", "real"]

register_shown(shown)
