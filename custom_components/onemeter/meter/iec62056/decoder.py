"""From bytes to readings of IEC 62056-21."""

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
from .data_sets import parse_data_sets
from .framing import ReadoutFramer
from .readout import Lines, decode_readout
from .telegram import Telegram

#: Values processed in one slice.
_SLICE: Final = 128
_DIGITS: Final = str.maketrans("123456789", "0" * 9)


class Iec62056Decoder:
    """Decodes the stream of one meter: feed() takes bytes and returns readings.

    It never raises, whatever the bytes are. The kind of the meter's check character is remembered
    from one stream to the next.
    """

    def __init__(
        self,
        check: BlockCheck | None = None,
        *,
        is_guarded: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Begin before the first byte.

        ``check`` may be shared with other users of the same meter. ``clock`` helps with ambiguous
        dates; without it they are read as the standard defines them. If ``is_guarded``, a telegram
        without a checksum gives a reading only if one of the two before had the same
        identification and id, and the same totals, each with the same number of digits and the
        same unit: lost or doubled characters would change them.
        """
        #: Telegrams that gave a reading.
        self.good = 0
        #: Telegrams that were rejected or cut off.
        self.damaged = 0
        #: Bytes that belong to no valid telegram.
        self.skipped = 0
        #: The error of the newest telegram that was rejected.
        self.error: TelegramError | None = None
        #: Telegrams that were held back by the guard.
        self.other = 0
        self._is_guarded = is_guarded
        self._clock = clock
        self._framer = ReadoutFramer(check or BlockCheck())
        #: Lines of earlier readouts.
        self._lines: Lines = {}
        #: Identity and totals of the newest telegrams without checksum: two of them, since some
        #: meters send two lists alternately.
        self._shapes: deque[tuple[Identity, Sequence[tuple[str, str]]]] = deque(maxlen=2)
        #: Whether the telegrams of this stream have a begin; None while that is not known.
        self._have_begin: bool | None = None
        #: The first telegram without a begin: if others have one, it was cut off.
        self._rest: Reading | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the present telegram is complete except for what some meters leave out."""
        return self._framer.is_complete

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Decode the next bytes of the stream; return the readings of telegrams ending in them."""
        return [reading for reading in self.feed_in_slices(data) if reading is not None]

    def finish(self) -> Sequence[Reading]:
        """End the stream; return the reading of a telegram whose end was not certain before.

        If there was no telegram at all, data sets without begin and end count as a damaged one.
        Another stream may follow.
        """
        return [reading for reading in self.finish_in_slices() if reading is not None]

    def feed_in_slices(self, data: bytes) -> Iterator[Reading | None]:
        """Do the same as feed() in slices, each of which ends with None.

        The iterator must be exhausted, or finish() be called, before more bytes are fed.
        """
        return self._decode(self._framer.feed(data))

    def finish_in_slices(self) -> Iterator[Reading | None]:
        """Do the same as finish() in slices."""
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
                self._expect_begins()
                self._reject(outcome)
                continue
            for reading in (yield from self._read(outcome)):
                self.good += 1
                yield reading
        self.skipped += self._framer.skipped
        self._framer.skipped = 0

    def _read(self, telegram: Telegram) -> Sliced[Sequence[Reading]]:
        """Return the readings that a telegram confirms: none, its own, or also the first one."""
        if telegram.has_begin:
            self._expect_begins()
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
                known=self._lines,
            )
        except TelegramError as err:
            self.skipped += len(telegram.raw)
            if telegram.has_begin:
                self._reject(err)
            else:
                self._framer.skipped_data |= "(" in telegram.data
            return ()
        if self._is_guarded and not telegram.checked:
            is_unlike = yield from self._is_unlike_before(reading.meter, telegram)
            if is_unlike:
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

    def _expect_begins(self) -> None:
        """Discard a telegram that came before the first one with a begin."""
        self._have_begin = True
        if self._rest is not None:
            self.skipped += len(self._rest.raw)
            self._rest = None

    def _is_unlike_before(self, meter: Identity, telegram: Telegram) -> Sliced[bool]:
        totals = yield from _shapes_of_totals(telegram.data)
        shape = (meter, totals)
        is_unlike = meter.ident is None or shape not in self._shapes
        self._shapes.append(shape)
        return is_unlike

    def _reject(self, error: TelegramError) -> None:
        self.damaged += 1
        self.error = error


def _shapes_of_totals(text: str) -> Sliced[Sequence[tuple[str, str]]]:
    """Return the address of each total, and its value with 0 for each digit."""
    shapes = []
    for number, (address, _, value) in enumerate(parse_data_sets(text), 1):
        if (obis := parse_address(address)) is not None and obis.d == D.ENERGY:
            shapes.append((address, value.translate(_DIGITS)))
        if number % _SLICE == 0:
            yield
    return shapes
