"""A meter's line as a pseudo-terminal, which a reader opens like any serial port."""

import asyncio
from contextlib import suppress
import errno
from functools import cache
import os
from pathlib import Path
import select
import termios
import tty
from typing import override

from .line import Line

_READ_SIZE = 4096
_OUTPUT_SPEED = 5
#: Seconds between two checks whether a reader has opened the port: the kernel has no event for it.
_CHECK_SECONDS = 0.01


class PtyLine(Line):
    """A serial port at a chosen path.

    The path is a symbolic link that exists while the cable is plugged in, like the name of a USB
    adapter. An existing link is replaced, any other file is kept. After ``close`` a reader that
    still has the port open gets end of file or an input/output error. If reader and meter have
    different speeds, both receive garbage.
    """

    def __init__(self, path: Path | str, baudrate: int | None = None) -> None:
        """Create a line with the path of its link and the speed of the meter."""
        super().__init__(baudrate)
        self.path = Path(path)
        self._master: int | None = None
        self._target = Path()
        self._listened_to = select.poll()
        self._next_check: asyncio.TimerHandle | None = None

    @property
    @override
    def url(self) -> str:
        return str(self.path)

    @property
    @override
    def listened_to(self) -> bool:
        # For the master, POLLHUP means that no process has the slave open.
        return self._master is not None and not self._listened_to.poll(0)

    @property
    @override
    def reader_baudrate(self) -> int | None:
        if self._master is None or self.baudrate is None or _constant(self.baudrate) is None:
            return self.baudrate
        return _speeds().get(termios.tcgetattr(self._master)[_OUTPUT_SPEED], self.baudrate)

    @override
    async def open(self) -> None:
        """Create the pseudo-terminal and its link; FileExistsError if another file is there."""
        self._master, slave = os.openpty()
        try:
            os.set_blocking(self._master, False)
            self._listened_to.register(self._master, 0)
            self._target = Path(os.ttyname(slave))
            # The settings remain after this end is closed, so that a reader that sets none, such
            # as `cat`, gets the bytes unchanged.
            tty.setraw(slave)
            if self.baudrate is not None and (speed := _constant(self.baudrate)) is not None:
                attributes = termios.tcgetattr(slave)
                attributes[4:6] = [speed, speed]
                termios.tcsetattr(slave, termios.TCSANOW, attributes)
            if self.path.is_symlink():
                self.path.unlink()
            elif self.path.exists():
                raise FileExistsError(
                    errno.EEXIST, "exists and is not a symbolic link", str(self.path)
                )
            self.path.symlink_to(self._target)
            if self._listening:
                self._check()
        except OSError:
            self.close()
            raise
        finally:
            os.close(slave)

    @override
    def close(self) -> None:
        if self._master is None:
            return
        if self.path.is_symlink() and self.path.readlink() == self._target:
            self.path.unlink()
        if self._listening:
            self._stop_checking(self._master)
        self.cut()
        self._listened_to.unregister(self._master)
        os.close(self._master)
        self._master = None

    @override
    def reflect(self, data: bytes) -> None:
        if self._master is None or not self.listened_to:
            return
        if not self._listening:
            # Discard what the reader has sent.
            with suppress(OSError):
                while os.read(self._master, _READ_SIZE):
                    pass
        # A reader that is too slow loses the bytes that do not fit.
        with suppress(BlockingIOError):
            os.write(self._master, data)

    @override
    def listen(self) -> None:
        if not self._listening:
            super().listen()
            self._check()

    def _check(self) -> None:
        """Receive bytes while a reader has the port open; else check again later."""
        if self._master is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        try:
            self.sent_by_reader(os.read(self._master, _READ_SIZE))
        except BlockingIOError:
            pass
        except OSError:
            # The kernel reports a port without a reader as always ready to read.
            self._next_check = loop.call_later(_CHECK_SECONDS, self._check)
            return
        loop.add_reader(self._master, self._check)

    def _stop_checking(self, master: int) -> None:
        asyncio.get_running_loop().remove_reader(master)
        if self._next_check is not None:
            self._next_check.cancel()


def _constant(baudrate: int) -> int | None:
    """Return the termios constant of a speed, if there is one."""
    constant: int | None = getattr(termios, f"B{baudrate}", None)
    return constant


@cache
def _speeds() -> dict[int, int]:
    """Return the speeds by their termios constants."""
    return {
        constant: int(name[1:])
        for name, constant in vars(termios).items()
        if name[0] == "B" and name[1:].isdigit() and name != "B0"
    }
