"""Numbers as texts, for the table and the page."""

import math

from ...initialisers.law import Law

__all__ = ["number_text", "ratio_text", "share_text", "short_law"]


def number_text(value: float) -> str:
    """Return a number in few characters.

    Examples
    --------
    >>> number_text(0.0199871), number_text(-3.2e-09), number_text(float("nan"))
    ('0.01999', '-3.2e-09', '-')
    """
    return "-" if math.isnan(value) else f"{value:.4g}"


def share_text(part: int, whole: int) -> str:
    """Return a share in percent; one that is neither 0 nor 1 is not rounded to them.

    Examples
    --------
    >>> share_text(0, 7), share_text(1, 10**6), share_text(1, 3), share_text(7, 7)
    ('-', '<0.1%', '33.3%', '100%')
    """
    if part in (0, whole):
        return "100%" if part else "-"
    percent = 100 * part / whole
    return "<0.1%" if percent < 0.1 else ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def ratio_text(value: float) -> str:
    """Return a ratio, or a number of standard errors; a dash where there is none."""
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.1e}"


def short_law(law: Law | None) -> str:
    """Return a law in few characters, without its bounds.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> short_law(wi.initializer("normal(std=0.02)").law(1)), short_law(None)
    ('normal 0.02', '-')
    """
    if law is None:
        return "-"
    if law.kind == "constant":
        return f"constant {number_text(law.mean)}"
    mean = f"{number_text(law.mean)} ± " if law.mean else ""
    return f"{law.kind.replace('_', ' ')} {mean}{number_text(law.std)}"
