"""Storage of a client's invocation counter: no value is ever used twice with the same key.

The counter is part of the initialization vector of AES-GCM (IEC 62056-5-3, 5.3.3); using a vector
twice would compromise the key.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Final, Protocol as Interface

#: The counter has 32 bits.
_LARGEST: Final = 0xFFFF_FFFF


class InvocationCounter(Interface):
    """Source of invocation counters of one client."""

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Reserve ``count`` consecutive counters and return the first one.

        They are stored as used before this returns, so that they are not reused after a crash. None
        is below ``at_least``, the lowest counter that the meter accepts; 0: unknown.

        Raises OverflowError if none are left, LookupError if neither the store nor ``at_least``
        says which ones were used before.
        """


class FileCounter:
    """Stores the next unused counter in a JSON file, by name; several processes may share the file.

    A name stands for one system title with one key.
    """

    def __init__(self, path: Path, name: str, start: int | None = 0) -> None:
        """Take the path of the file, which is created on demand, and the name of the counter.

        No counter is below ``start``. If it is None, the file or the meter has to supply a value:
        a system title that was used before must not start again at 0 when the file is lost.
        """
        self._path = path
        self._name = name
        self._start = start

    async def reserve(self, count: int, *, at_least: int = 0) -> int:
        """Reserve counters as InvocationCounter.reserve() says.

        Also raises OSError or ValueError if the file cannot be used: then nothing may be sent.
        """
        from asyncio import to_thread  # noqa: PLC0415  # decoding a file does not need it

        return await to_thread(self._reserve, count, at_least)

    def _reserve(self, count: int, at_least: int) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The file itself is replaced, so the lock is a file of its own.
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            marks = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
            if self._start is None and self._name not in marks and not at_least:
                raise LookupError("it is not known which counters were used")
            first = max(int(marks.get(self._name, 0)), at_least, self._start or 0)
            if first + count > _LARGEST:
                raise OverflowError("no invocation counters are left for this key")
            marks[self._name] = first + count
            _replace(self._path, json.dumps(marks))
        return first


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically: after a crash it has the old or the new content."""
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
