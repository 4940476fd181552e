"""Work that is done in slices, so that none of it holds up an event loop for long."""

from collections.abc import Generator

#: Work that yields after each slice, and returns its result.
type Sliced[T] = Generator[None, None, T]


def do_at_once[T](work: Sliced[T]) -> T:
    """Do some work in one go, where there is no event loop."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
