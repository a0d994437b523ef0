"""Texts of errors about many tensors: their names, and an error that says whose it is."""

from collections.abc import Iterable

from .._resolve.messages import shortened

__all__ = ["concerning", "counted", "listed"]

#: The most names that a message lists.
_MOST_NAMES = 20


def listed(names: Iterable[str], count: int | None = None) -> str:
    """Return names in one line; of many names the first ones, and how many more there are.

    ``count`` is how many there are, if ``names`` has only the first ones.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    >>> listed(str(n) for n in range(1000))[-23:]
    '17, 18, 19 and 980 more'
    """
    texts = [shortened(name) for name in names]
    more = (len(texts) if count is None else count) - _MOST_NAMES
    line = ", ".join(texts[:_MOST_NAMES])
    return line if more <= 0 else f"{line} and {more} more"


def counted(number: int, noun: str) -> str:
    """Return a number with separators and its noun, which gets an s unless the number is 1.

    Examples
    --------
    >>> counted(1, "tensor"), counted(65536, "byte")
    ('1 tensor', '65,536 bytes')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class concerning:  # noqa: N801  used as a statement: with concerning(name): ...
    """Begin the texts of errors within a block with whom they are about.

    It is a class, since `contextlib.contextmanager` takes five times as long for each tensor.
    """

    __slots__ = ("_subject",)

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        # Other classes, also those derived from these, may take other arguments than one text.
        if error is not None and type(error) in (ValueError, TypeError, BufferError):
            raise type(error)(f"{shortened(self._subject)}: {error}") from None
