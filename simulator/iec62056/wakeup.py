"""The sleep of a battery meter, from which a row of NUL characters wakes it."""

from typing import Final

#: How long NUL characters must come in a row, and how long nothing may come after them, in
#: seconds. The standard has clients send for 2.1 to 2.3 s and pause for 1.5 to 1.7 s (annex B).
_ROW: Final = 2.0
_PAUSE: Final = (1.4, 1.8)
#: From one NUL character to the next, beyond which it is another row.
_INTERRUPTION: Final = 0.2
#: How long the meter stays awake when nothing happens.
_AWAKE: Final = 5.0


class Sleep:
    """Whether a battery meter sleeps. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        """Begin asleep."""
        self._awake_until = float("-inf")
        self._row_began = 0.0
        self._row_ended = 0.0

    def hear(self, character: int, begun: float, ended: float) -> None:
        """Take a character that is on the line, from its beginning to its end."""
        if character:
            row = self._row_ended - self._row_began
            if row >= _ROW and _PAUSE[0] <= begun - self._row_ended <= _PAUSE[1]:
                self.stay_awake(begun)
            self._row_began = self._row_ended = 0.0
            return
        if begun - self._row_ended > _INTERRUPTION:
            self._row_began = begun
        self._row_ended = ended

    def stay_awake(self, time: float) -> None:
        """Begin again to count the time after which the meter falls asleep."""
        self._awake_until = time + _AWAKE

    def awake(self, time: float) -> bool:
        """Whether the meter is awake at a time."""
        return time <= self._awake_until
