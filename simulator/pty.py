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
#: How often we look whether somebody has opened the port, in seconds; the kernel tells nobody.
_LOOK = 0.01


class PtyLine(Line):
    """A serial port at a path of our choice, with a meter at its other end.

    The path is a symbolic link that comes and goes with the cable, like the name of a USB adapter;
    a link that is already there is replaced, anything else is left alone. After ``close`` a
    reader that still has the port open gets an end of file or an input/output error. With a
    speed, a reader that opens the port at another one sees the garbage that it deserves, and so
    does the meter.
    """

    def __init__(self, path: Path | str, baudrate: int | None = None) -> None:
        """Take the path of the link to be made, and the speed."""
        super().__init__(baudrate)
        self.path = Path(path)
        self._master: int | None = None
        self._target = Path()
        self._listened_to = select.poll()
        self._look_later: asyncio.TimerHandle | None = None

    @property
    @override
    def url(self) -> str:
        return str(self.path)

    @property
    @override
    def listened_to(self) -> bool:
        # The kernel tells the master that nobody has the slave open by a hang-up.
        return self._master is not None and not self._listened_to.poll(0)

    @property
    @override
    def reader_baudrate(self) -> int | None:
        if self._master is None or self.baudrate is None or _constant(self.baudrate) is None:
            return self.baudrate
        return _speeds().get(termios.tcgetattr(self._master)[_OUTPUT_SPEED], self.baudrate)

    @override
    async def open(self) -> None:
        """Make the pseudo-terminal and its link; FileExistsError where something else is there."""
        self._master, slave = os.openpty()
        try:
            os.set_blocking(self._master, False)
            self._listened_to.register(self._master, 0)
            self._target = Path(os.ttyname(slave))
            # The settings outlive the closing of this end, so that also a reader that sets none,
            # such as `cat`, gets the bytes as they are.
            tty.setraw(slave)
            if self.baudrate is not None and (speed := _constant(self.baudrate)) is not None:
                attributes = termios.tcgetattr(slave)
                attributes[4:6] = [speed, speed]
                termios.tcsetattr(slave, termios.TCSANOW, attributes)
            if self.path.is_symlink():
                self.path.unlink()
            elif self.path.exists():
                raise FileExistsError(
                    errno.EEXIST, "is no link, and stays as it is", str(self.path)
                )
            self.path.symlink_to(self._target)
            if self._listening:
                self._look()
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
            self._stop_looking(self._master)
        self.cut()
        self._listened_to.unregister(self._master)
        os.close(self._master)
        self._master = None

    @override
    def reflect(self, data: bytes) -> None:
        if self._master is None or not self.listened_to:
            return
        if not self._listening:
            # What the reader wrote to the meter goes nowhere.
            with suppress(OSError):
                while os.read(self._master, _READ_SIZE):
                    pass
        # A reader that is too slow loses what does not fit.
        with suppress(BlockingIOError):
            os.write(self._master, data)

    @override
    def listen(self) -> None:
        if not self._listening:
            super().listen()
            self._look()

    def _look(self) -> None:
        """Take bytes while somebody has the port open, and wait for somebody while nobody has."""
        if self._master is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        try:
            self.sent_by_reader(os.read(self._master, _READ_SIZE))
        except BlockingIOError:
            pass
        except OSError:
            # The kernel reports a port that nobody has open as ready at all times.
            self._look_later = loop.call_later(_LOOK, self._look)
            return
        loop.add_reader(self._master, self._look)

    def _stop_looking(self, master: int) -> None:
        asyncio.get_running_loop().remove_reader(master)
        if self._look_later is not None:
            self._look_later.cancel()


def _constant(baudrate: int) -> int | None:
    """Return the terminal interface's constant of a speed, where it has one."""
    constant: int | None = getattr(termios, f"B{baudrate}", None)
    return constant


@cache
def _speeds() -> dict[int, int]:
    """Return the speeds by the terminal interface's constants."""
    return {
        constant: int(name[1:])
        for name, constant in vars(termios).items()
        if name[0] == "B" and name[1:].isdigit() and name != "B0"
    }
