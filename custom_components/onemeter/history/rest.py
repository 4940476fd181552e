"""How long a meter that does not give its load profile is left alone."""

from datetime import timedelta
from typing import Final

from homeassistant.util import dt as dt_util

from ..meter import MeterError
from ..meter.errors import RefusedError

#: At first and at last.
_SHORTEST: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(hours=6)
#: After this number of times that it was refused, a meter counts as one without a profile.
_REFUSALS: Final = 4


class Rest:
    """The time until the profile is read again, which doubles with each failure."""

    def __init__(self) -> None:
        """Begin with a meter that may be read at once."""
        self._until = dt_util.utc_from_timestamp(0)
        self._next = _SHORTEST
        self._refusals = 0

    @property
    def is_over(self) -> bool:
        """Whether the profile may be read."""
        return dt_util.utcnow() >= self._until

    def begin(self, *, longest: bool = False) -> None:
        """Begin a rest, longer than the last one."""
        self._until = dt_util.utcnow() + (_LONGEST if longest else self._next)
        if not longest:
            self._next = min(2 * self._next, _LONGEST)

    def take_error(self, err: MeterError) -> bool:
        """Count refusals in a row; return whether the meter counts as one without a profile."""
        if not isinstance(err, RefusedError):
            self._refusals = 0
            return False
        self.take_refusal()
        return self._refusals == _REFUSALS

    def take_refusal(self) -> bool:
        """Count a refusal; return whether nothing else is expected any more."""
        self._refusals += 1
        return self._refusals >= _REFUSALS

    def end(self) -> None:
        """Take that the profile was read."""
        self._next = _SHORTEST
        self._refusals = 0
