"""The modem lines of a serial port, by its file descriptor: levels and edge counts.

The functions may block, since some drivers request the state from the adapter: not for the event
loop.
"""

import array
from collections.abc import Sequence
import errno
import fcntl
import termios
import time
from typing import Final, NamedTuple

from .line import ModemLine

#: Seconds between two samples of a line whose edges the driver does not count. A level that lasts
#: less than twice as long may be missed.
LOOK_SECONDS: Final = 0.005
#: Edge counts are unsigned integers of 32 bits.
COUNT_WRAPS: Final = 2**32
#: Integers of the kernel's serial_icounter_struct.
_COUNTS: Final = 20
#: The place of the frame errors among them.
_FRAME_ERRORS: Final = 6
#: Errors of drivers that do not support a request.
_HAS_NONE: Final = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


#: A line's bit among the levels, and its index among the counts.
_BITS: Final = {
    ModemLine.CTS: termios.TIOCM_CTS,
    ModemLine.DSR: termios.TIOCM_DSR,
    ModemLine.RI: termios.TIOCM_RNG,
    ModemLine.DCD: termios.TIOCM_CAR,
}
_PLACES: Final = {ModemLine.CTS: 0, ModemLine.DSR: 1, ModemLine.RI: 2, ModemLine.DCD: 3}


class LineState(NamedTuple):
    """The state of a line."""

    #: Nanoseconds of the monotonic clock.
    at: int
    level: bool
    #: Edges counted by the driver, modulo 2^32; None if it counts none.
    edges: int | None


def look(descriptor: int, line: ModemLine) -> LineState | None:
    """Return the state of a line; None at a port without modem lines.

    Raises OSError for a port that is gone.
    """
    level = _level(descriptor, line)
    if level is None:
        return None
    counts = _counts(descriptor)
    edges = None if counts is None else counts[_PLACES[line]] % COUNT_WRAPS
    return LineState(time.monotonic_ns(), level, edges)


def frame_errors(descriptor: int) -> int | None:
    """Return the number of characters without a stop bit, modulo 2^32.

    None if the driver does not count them.

    Raises OSError for a port that is gone.
    """
    counts = _counts(descriptor)
    return None if counts is None else counts[_FRAME_ERRORS] % COUNT_WRAPS


def watch(descriptor: int, line: ModemLine, level: bool, seconds: float) -> Sequence[LineState]:  # noqa: FBT001
    """Sample a line for some seconds; return its state after each change from ``level``.

    Raises OSError for a port that is gone.
    """
    changes: list[LineState] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = _level(descriptor, line)
        if now is not None and now != level:
            level = now
            changes.append(LineState(time.monotonic_ns(), level, None))
        time.sleep(LOOK_SECONDS)
    return changes


def _level(descriptor: int, line: ModemLine) -> bool | None:
    levels = array.array("i", [0])
    return bool(levels[0] & _BITS[line]) if _ioctl(descriptor, termios.TIOCMGET, levels) else None


def _counts(descriptor: int) -> array.array[int] | None:
    """Return what the driver has counted; None if it counts nothing."""
    counts = array.array("i", bytes(_COUNTS * array.array("i").itemsize))
    return counts if _ioctl(descriptor, termios.TIOCGICOUNT, counts) else None


def _ioctl(descriptor: int, request: int, buffer: array.array[int]) -> bool:
    """Fill a buffer; return whether the driver supports the request."""
    try:
        fcntl.ioctl(descriptor, request, buffer)
    except OSError as err:
        if err.errno in _HAS_NONE:
            return False
        raise
    return True
