"""The sleep of a battery meter, which a sequence of NUL characters wakes."""

from typing import Final

#: Duration of the NUL characters and of the pause after them that wake the meter, in seconds. By
#: the standard, clients send for 2.1 to 2.3 s and pause for 1.5 to 1.7 s (annex B).
_WAKE_UP: Final = 2.0
_PAUSE: Final = (1.4, 1.8)
#: Seconds between two NUL characters after which a new sequence begins.
_INTERRUPTION: Final = 0.2
#: Seconds for which the meter stays awake when nothing happens.
_AWAKE: Final = 5.0


class Sleep:
    """Whether a battery meter is asleep. Times are event loop times in seconds."""

    def __init__(self) -> None:
        """Start asleep."""
        self._awake_until = float("-inf")
        self._nul_begin = 0.0
        self._nul_end = 0.0

    def hear(self, character: int, begun: float, ended: float) -> None:
        """Receive a character with the times of its beginning and end."""
        if character:
            duration = self._nul_end - self._nul_begin
            if duration >= _WAKE_UP and _PAUSE[0] <= begun - self._nul_end <= _PAUSE[1]:
                self.stay_awake(begun)
            self._nul_begin = self._nul_end = 0.0
            return
        if begun - self._nul_end > _INTERRUPTION:
            self._nul_begin = begun
        self._nul_end = ended

    def stay_awake(self, time: float) -> None:
        """Restart the time after which the meter falls asleep."""
        self._awake_until = time + _AWAKE

    def awake(self, time: float) -> bool:
        """Whether the meter is awake at a time."""
        return time <= self._awake_until
