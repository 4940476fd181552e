"""Why a port cannot be opened, or was lost: from an exception to an error of errors.py."""

import asyncio
import errno
import os
from pathlib import Path
import socket
from typing import Final

from .errors import (
    UNKNOWN,
    MeterConnectionError,
    PortBusyError,
    PortLostError,
    PortNotFoundError,
    PortPermissionError,
)

_NOT_FOUND: Final = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO}
_NOT_PERMITTED: Final = {errno.EACCES, errno.EPERM}


class PortErrors:
    """Makes the errors of one port, whose messages contain nothing secret."""

    def __init__(self, url: str, name: str) -> None:
        """Take the port's URL and its redacted form."""
        self._url = url
        self._name = name

    async def not_opened(self, err: OSError) -> MeterConnectionError:
        """Return the error of a port that could not be opened."""
        name = self._name
        number = _errno(err)
        if number in _NOT_FOUND:
            return PortNotFoundError(f"{name} does not exist", port=name)
        if number in _NOT_PERMITTED:
            return PortPermissionError(f"{name} may not be opened by this user", port=name)
        if number == errno.EBUSY:
            return self._busy(await asyncio.to_thread(_programs_using, self._url))
        return self.cannot_open("not a serial port" if number == errno.ENOTTY else self.reason(err))

    async def lost(self, err: Exception) -> MeterConnectionError:
        """Return the error of a port that failed while it was open."""
        # A lock keeps out only the programs that check it.
        by = await asyncio.to_thread(_programs_using, self._url, besides=os.getpid())
        if by != UNKNOWN:
            return self._busy(by)
        return PortLostError(f"{self._name} was lost: {self.reason(err)}", port=self._name)

    def cannot_open(self, reason: str) -> MeterConnectionError:
        """Return the error of a port that cannot be opened for a reason given in words."""
        message = f"{self._name} cannot be opened: {reason}"
        return MeterConnectionError(message, port=self._name, reason=reason)

    def reason(self, err: Exception) -> str:
        """Return what went wrong, in the operating system's words where it has any.

        The message of an exception may contain file names and addresses, and any part of the URL.
        """
        cause: BaseException | None = err
        while cause is not None:
            if (number := _errno(cause)) is not None:
                return os.strerror(number)
            cause = cause.__cause__
        if isinstance(err, TimeoutError):
            return "no answer"
        if self._name != self._url and not isinstance(err, socket.gaierror):
            return type(err.__cause__ or err).__name__
        return getattr(err, "strerror", None) or str(err) or type(err).__name__

    def _busy(self, by: str) -> PortBusyError:
        message = f"{self._name} is in use by another program ({by})"
        return PortBusyError(message, port=self._name, by=by)


def _errno(err: BaseException) -> int | None:
    """Return the operating system's number of an error; name look-ups have another numbering."""
    return err.errno if isinstance(err, OSError) and not isinstance(err, socket.gaierror) else None


def _programs_using(url: str, *, besides: int | None = None) -> str:
    """Return the names of the programs that have a local port open, UNKNOWN if none is found.

    ``besides`` is the id of a process to be left out. Processes that still hold a removed device
    are left out too; programs of other users and in other containers cannot be seen. Blocks for a
    while: not for the event loop.
    """
    device = os.path.realpath(url.rpartition("://")[2])
    if not Path(device).exists():
        return UNKNOWN
    names = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(besides):
            continue
        try:
            # The links are compared, not followed, which would block on an unreachable mount.
            if any(str(fd.readlink()) == device for fd in (process / "fd").iterdir()):
                names.append(f"{(process / 'comm').read_text().strip()} (PID {process.name})")
        except OSError:
            continue
    return ", ".join(names) or UNKNOWN
