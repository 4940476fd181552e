"""From the bytes of an IEC 62056-21 line to readings."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from ..errors import TelegramError
from ..obis import D
from ..reading import Identity, Reading
from ..slices import Sliced
from .block import BlockCheck
from .codes import parse_address
from .framing import ReadoutFramer, Telegram
from .readout import decode_readout, parse_data_sets

#: Values that are looked at in one slice.
_SLICE: Final = 128
_DIGITS: Final = str.maketrans("123456789", "0" * 9)


class Iec62056Decoder:
    """Decodes the stream of one meter: feed it the bytes, take the readings.

    Whatever comes, it never raises. What it has learned of the meter's checksum stays.
    """

    def __init__(
        self,
        check: BlockCheck | None = None,
        *,
        is_guarded: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Begin before the first byte. Without a clock, dates are read as the standard has them.

        The check is shared with whoever else speaks to this meter. When guarded, a telegram that no
        checksum protects counts only if one of the two before came from the same meter,
        identification and id to the last letter, and had the same totals, each with as many
        digits and the same unit: what is lost or doubled on the way shows in them.
        """
        #: Telegrams that gave a reading.
        self.good = 0
        #: Telegrams that were rejected or cut off.
        self.damaged = 0
        #: Bytes that belong to no telegram in order.
        self.skipped = 0
        #: Why the newest telegram was rejected.
        self.error: TelegramError | None = None
        #: Telegrams that were held back by the guard.
        self.other = 0
        self._is_guarded = is_guarded
        self._clock = clock
        self._framer = ReadoutFramer(check or BlockCheck())
        #: Who sent the newest telegrams without checksum, and what their totals look like: two of
        #: them, since some meters send two lists in turns.
        self._shapes: deque[tuple[Identity, Sequence[tuple[str, str]]]] = deque(maxlen=2)
        #: Whether the telegrams of this stream have a begin; None as long as that is not known.
        self._have_begin: bool | None = None
        #: The first one without begin: if others have one, it is only the rest of a telegram.
        self._rest: Reading | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the present telegram has all that some meters send: the rest may never come."""
        return self._framer.is_complete

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Take the next bytes of the stream; return the readings of telegrams ending in them."""
        return [reading for reading in self.feed_in_slices(data) if reading is not None]

    def finish(self) -> Sequence[Reading]:
        """End the stream: return what was only not known to be complete. Another may follow.

        Where nothing at all was read, data without begin and end are a telegram that was cut off.
        """
        return [reading for reading in self.finish_in_slices() if reading is not None]

    def feed_in_slices(self, data: bytes) -> Iterator[Reading | None]:
        """Do what feed() does; None is the end of a slice, after which others may have their turn.

        The iterator must be used up before more bytes are fed, or else finish() be called.
        """
        return self._decode(self._framer.feed(data))

    def finish_in_slices(self) -> Iterator[Reading | None]:
        """Do what finish() does, in slices."""
        yield from self._decode(self._framer.finish())
        if (rest := self._rest) is not None:
            self._rest = None
            self.good += 1
            yield rest
        if self._framer.skipped_data and not (self.good or self.damaged or self.other):
            self._reject(TelegramError("the readout is cut off"))
        self._framer.skipped_data = False

    def _decode(self, outcomes: Iterable[Telegram | TelegramError]) -> Generator[Reading | None]:
        for outcome in outcomes:
            if isinstance(outcome, TelegramError):
                self._begin_is_there()
                self._reject(outcome)
                continue
            for reading in (yield from self._read(outcome)):
                self.good += 1
                yield reading
        self.skipped += self._framer.skipped
        self._framer.skipped = 0

    def _read(self, telegram: Telegram) -> Sliced[Sequence[Reading]]:
        """Return the reading of a telegram, if it is to be trusted."""
        if telegram.has_begin:
            self._begin_is_there()
        elif self._have_begin:
            self.skipped += len(telegram.raw)
            return ()
        try:
            reading = yield from decode_readout(
                telegram.data,
                telegram.identification,
                telegram.raw,
                checked=telegram.checked,
                now=self._clock() if self._clock is not None else None,
            )
        except TelegramError as err:
            self.skipped += len(telegram.raw)
            if telegram.has_begin:
                self._reject(err)
            else:
                self._framer.skipped_data |= "(" in telegram.data
            return ()
        if self._is_guarded and not telegram.checked:
            is_new = yield from self._is_new(reading.meter, telegram)
            if is_new:
                self.other += 1
                return ()
        if telegram.has_begin or self._have_begin is False:
            return (reading,)
        if self._rest is None:
            self._rest = reading
            return ()
        self._have_begin = False
        first, self._rest = self._rest, None
        return (first, reading)

    def _begin_is_there(self) -> None:
        """Drop what came before the first telegram with a begin."""
        self._have_begin = True
        if self._rest is not None:
            self.skipped += len(self._rest.raw)
            self._rest = None

    def _is_new(self, meter: Identity, telegram: Telegram) -> Sliced[bool]:
        """Tell whether a telegram is unlike the ones before."""
        totals = yield from _shapes_of_totals(telegram.data)
        shape = (meter, totals)
        is_new = meter.ident is None or shape not in self._shapes
        self._shapes.append(shape)
        return is_new

    def _reject(self, error: TelegramError) -> None:
        self.damaged += 1
        self.error = error


def _shapes_of_totals(text: str) -> Sliced[Sequence[tuple[str, str]]]:
    """Return address of each total and its value with all digits alike."""
    shapes = []
    for number, (address, _, value) in enumerate(parse_data_sets(text), 1):
        if (obis := parse_address(address)) is not None and obis.d == D.ENERGY:
            shapes.append((address, value.translate(_DIGITS)))
        if number % _SLICE == 0:
            yield
    return shapes
