"""Work in slices, each of which is short enough for a callback of an event loop."""

from collections.abc import Generator

#: Yields after each slice, and returns the result.
type Sliced[T] = Generator[None, None, T]


def do_at_once[T](work: Sliced[T]) -> T:
    """Return the result of sliced work, without an event loop."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
