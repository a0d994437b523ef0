"""Many tensors filled as one: everything is checked, then one run of tasks writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import _core
from .._resolve.keys import Key, RNGLike, key
from .._resolve.numbers import integer
from .._resolve.target import Target, resolve
from .._resolve.threads import thread_count
from ..initialisers.initializer import Initializer, rule_of
from ..initialisers.rules import ElementwiseRule, Rule
from .messages import concerning

__all__ = ["fill_all"]


def fill_all(
    draws: Iterable[tuple[Initializer, Any, int | str]],
    rng: RNGLike,
    threads: int | None = None,
) -> Key:
    """Fill many arrays or tensors, each with the values that its own call would write.

    Nothing is written before every tensor has been checked, so that whatever is refused leaves all
    of them as they were. Then all elementwise initialisers write as one fill: its threads share one
    queue of tasks. The others, such as `orthogonal`, follow one by one.

    Parameters
    ----------
    draws : iterable of (Initializer, array or tensor or Target, stream)
        The tensor is whatever ``out=`` takes, or the Target that it was read into, and must not
        overlap another one of them.
    rng
        What `key` takes. All streams have one key, and a Generator advances once, after everything
        has been found right.
    threads : int, optional
        As in `normal`. None means as many as are worth waking for all elements together.

    Returns
    -------
    Key
        The key of all streams.

    Raises
    ------
    ValueError, TypeError
        Where the call ``initializer(out=tensor, rng=rng, stream=stream)`` raises. The message
        begins with the stream.
    """
    # It is read once, since it may be an object that changes.
    threads = None if threads is None else integer(threads, "threads")
    thread_count(threads, 0)  # refuses wrong values
    queue = _core.Queue()
    others: list[tuple[Rule, Target, int, Any]] = []
    for init, tensor, stream in draws:
        try:
            target = tensor if type(tensor) is Target else resolve(None, None, tensor, None)
            rule = rule_of(init)
            if isinstance(rule, ElementwiseRule):
                if target.zeroed and rule.zeroed:
                    continue  # a new array of zeros, and zeros are wanted
                transform, params = rule.parameters(target.whole)
                queue.add(target, transform, params, stream)
            else:
                pinned = _core.pin(target.array)
                rule.check(target)
                others.append((rule, target, _core.stream_number(stream), pinned))
        except (ValueError, TypeError, BufferError):
            with concerning(str(stream)):  # only here, since it takes as long as all the rest
                raise
    shared = key(rng)
    queue.run(shared, threads)
    for rule, target, number, _ in others:
        rule.fill(target, shared, number, threads)
    return shared
