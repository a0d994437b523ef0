"""Texts of errors about many tensors: their names, and an error that says whose it is."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .._resolve.messages import shortened

__all__ = ["concerning", "listed"]

#: The most names that a message lists.
_MOST_NAMES = 20


def listed(names: Iterable[str]) -> str:
    """Return names in one line; of many names the first ones, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    >>> listed(str(n) for n in range(1000))[-23:]
    '17, 18, 19 and 980 more'
    """
    texts = [shortened(name) for name in names]
    more = len(texts) - _MOST_NAMES
    line = ", ".join(texts[:_MOST_NAMES])
    return line if more <= 0 else f"{line} and {more} more"


@contextmanager
def concerning(subject: str) -> Iterator[None]:
    """Begin the texts of errors with whom they are about."""
    try:
        yield
    except (ValueError, TypeError, BufferError) as error:
        if type(error) not in (ValueError, TypeError, BufferError):
            raise  # its class takes other arguments than one text
        raise type(error)(f"{shortened(subject)}: {error}") from None
