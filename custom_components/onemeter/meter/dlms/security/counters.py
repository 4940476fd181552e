"""The invocation counter of a client: no value is ever used twice with the same key.

IEC 62056-5-3, 5.3.3: the counter is part of the initialization vector of AES-GCM, where a value
that comes twice gives the key away.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Final, Protocol as Interface

_LARGEST: Final = 0xFFFF_FFFF


class InvocationCounter(Interface):
    """Where the numbers of a client come from."""

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Set so many numbers apart and return the first of them.

        They are stored as used, so that they survive a crash, before this returns; none of them is
        below ``at_least``, which is 0 where the meter does not tell.

        Raises OverflowError when there are none left, LookupError where neither the meter nor
        anybody here knows which were used before.
        """


class FileCounter:
    """Keeps the mark below which numbers are used in a file, one for each system title and key.

    Several processes may share the file.
    """

    def __init__(self, path: Path, name: str, start: int | None = 0) -> None:
        """Take the file, made when it is needed, and what tells this counter from others in it.

        None of the numbers is below the start; without one, the file or the meter must tell where
        to go on, since a title that was used before must not begin anew when the file is lost.
        """
        self._path = path
        self._name = name
        self._start = start

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Set so many numbers apart and return the first of them.

        Raises OverflowError when there are none left, LookupError where nobody knows which were
        used, OSError and ValueError where the file cannot be used: then nothing may be sent.
        """
        from asyncio import to_thread  # noqa: PLC0415  # decoding a file does not need it

        return await to_thread(self._reserve, count, at_least)

    def _reserve(self, count: int, at_least: int) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The file itself is replaced, so the lock is another one.
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            marks = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
            if self._start is None and self._name not in marks and not at_least:
                raise LookupError("it is not known which numbers were used")
            first = max(int(marks.get(self._name, 0)), at_least, self._start or 0)
            if first + count > _LARGEST:
                raise OverflowError("no invocation counters are left for this key")
            marks[self._name] = first + count
            _replace(self._path, json.dumps(marks))
        return first


def _replace(path: Path, text: str) -> None:
    """Write a file so that after a crash it is the old one or the new one."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
