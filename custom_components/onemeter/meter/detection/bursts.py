"""What comes with pauses between: bursts of bytes, and flashes of a meter's light."""

from dataclasses import dataclass, field
from typing import Final

from ..blink.settings import BlinkSettings, Source
from ..line import LineSettings
from ..looks import SINGLE_EDGE
from ..protocols import PUSHED_LINE, Protocol
from .result import Candidate, Evidence, EvidenceKind

#: Seconds without a byte before what begins with the first byte of something.
SILENCE: Final = 0.05
#: Seconds without a byte after which something has ended; more where a network is between.
_END: Final = 0.15
_END_REMOTE: Final = 0.4
#: Bytes after which a sender makes no pauses.
_LONGEST: Final = 2048
#: A flash of light: seconds that it lasts at most.
_FLASH_SECONDS: Final = 0.15
#: Faster than this, a flash is one zero; a slower sender's characters are several.
_SLOW: Final = 9600
_FAST_FLASH: Final = 2
#: Flashes that are enough; among them one of four may be no flash.
_FLASHES: Final = 3
_OTHERS: Final = 4
#: Bytes that are no more than a disturbance.
NOISE_MAX: Final = 2


@dataclass(slots=True)
class Burst:
    """Bytes with no longer pauses between them."""

    begun: float
    #: Whether the port was listened to before, so that nothing is missing at its begin.
    follows_silence: bool
    data: bytearray = field(default_factory=bytearray)
    ended: float = 0.0
    #: It was not ended by a silence.
    goes_on: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is not merely the rest of what a sender had begun before."""
        return self.follows_silence or self.goes_on

    @property
    def is_noise(self) -> bool:
        """Whether it is no more than a disturbance."""
        return len(self.data) <= NOISE_MAX

    def is_flash(self, line: LineSettings) -> bool:
        """Return whether it may be one flash of light."""
        if self.data.translate(None, SINGLE_EDGE) or self.ended - self.begun > _FLASH_SECONDS:
            return False
        if len(self.data) == 1:
            return True
        most = len(self.data) if line.baudrate <= _SLOW else _FAST_FLASH
        return not any(self.data) and len(self.data) <= most


class Bursts:
    """Cuts what comes into bursts."""

    def __init__(self, now: float, *, is_local: bool = True) -> None:
        """Begin to listen."""
        self.current: Burst | None = None
        self._end = _END if is_local else _END_REMOTE
        self._silent_since = now

    def take(self, data: bytes, now: float) -> None:
        """Take the next bytes and when they came."""
        if self.current is None:
            self.current = Burst(now, now - self._silent_since >= SILENCE)
        self.current.data += data
        self.current.ended = self._silent_since = now

    @property
    def ends_at(self) -> float | None:
        """When the present burst has ended if nothing more comes."""
        return None if self.current is None else self.current.ended + self._end

    def finished(self, now: float) -> Burst | None:
        """Return the burst that has ended by now."""
        burst = self.current
        if burst is None or (now < burst.ended + self._end and len(burst.data) < _LONGEST):
            return None
        burst.goes_on = now < burst.ended + self._end
        self.current = None
        return burst


class Flashes:
    """Counts flashes: bytes that come one by one, far apart, and are no characters."""

    def __init__(self) -> None:
        """Count from zero."""
        self.count = 0
        #: Whether one of them was longer than a character.
        self.are_long = False
        self._others = 0

    def take(self, burst: Burst, line: LineSettings) -> None:
        """Count a burst. One that is more than a disturbance is no meter's light: begin anew."""
        if burst.is_flash(line):
            self.count += 1
            self.are_long = self.are_long or len(burst.data) > 1
        elif burst.is_noise:
            self._others += 1
        else:
            self.count = self._others = 0

    @property
    def are_enough(self) -> bool:
        """Whether they are those of a meter's light."""
        return self.count >= _FLASHES and self._others * _OTHERS <= self.count

    @property
    def source(self) -> Source:
        """How the port reports them."""
        return Source.LONG if self.are_long else Source.RX


def flash_candidate(flashes: Flashes) -> Candidate:
    """Return a BLINK meter, with the kind of impulses that were seen."""
    return Candidate(
        protocol=Protocol.BLINK,
        is_polled=False,
        line=PUSHED_LINE[Protocol.BLINK],
        settings=BlinkSettings(flashes.source),
        evidence=(Evidence(EvidenceKind.FLASHES, flashes.count),),
    )
