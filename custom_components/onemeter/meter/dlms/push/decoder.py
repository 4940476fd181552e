"""From the bytes that a DLMS meter pushes to readings."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ...errors import TelegramError
from ...iec62056 import Iec62056Decoder
from ...reading import Reading
from ..apdu import tags
from ..apdu.general_ciphering import parse_general_ciphering
from ..link.assembly import Assembler
from ..link.unframed import split_head
from ..security.authenticity import NO_TITLE, Authenticity
from ..security.ciphering import HEADER_LENGTH, TITLE_LENGTH, unseal
from ..settings import Keys
from .layout import NotificationReader
from .notification import describe_unknown, is_plausible
from .unknown import UnknownList

#: Notifications without a reading that are remembered: a meter sends few different ones.
_UNREAD_MAX: Final = 8
#: How a readout begins that is sent in place of a notification.
_P1: Final = b"/"


class DlmsDecoder:
    """Decodes the stream of one meter: feed it the bytes, take the readings.

    Whatever comes, it never raises.
    """

    def __init__(self, keys: Keys | None = None, authenticity: Authenticity | None = None) -> None:
        """Begin before the first byte, with the keys of the meter where it has any.

        Without anything that judges their authenticity telegrams are used whether or not they have
        a tag, unless that is wrong, and whatever their invocation counter is.
        """
        #: Telegrams that gave a reading.
        self.good = 0
        #: Telegrams in order that hold no values that are known.
        self.other = 0
        #: Bytes that belong to no good telegram.
        self.skipped = 0
        #: Encrypted telegrams without a key, and those that the keys do not fit.
        self.needs_key = 0
        self.wrong_encryption_key = 0
        self.wrong_authentication_key = 0
        #: Telegrams that may be somebody else's.
        self.not_authenticated = 0
        self._keys = keys or Keys()
        self._authenticity = authenticity
        self._assembler = Assembler()
        self._notifications = NotificationReader()
        #: Notifications without a reading, by their length: what they are, whose, and which of the
        #: others they were.
        self._unread: dict[int, tuple[bytes, bytes, int]] = {}
        self._rejected = 0
        self._empty_seen = 0

    @property
    def damaged(self) -> int:
        """Telegrams that were rejected or cut off."""
        return self._assembler.damaged + self._rejected

    def unknown_lists(self, since: int = 0) -> list[UnknownList]:
        """Return the lists that are not known, oldest first, since so many ``other`` telegrams."""
        described = (
            describe_unknown(apdu, title)
            for apdu, title, number in self._unread.values()
            if number >= since
        )
        return [found for found in described if found is not None]

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Take the next bytes of the stream; return the readings of telegrams ending in them."""
        return [reading for reading in self.feed_in_slices(data) if reading is not None]

    def finish(self) -> Sequence[Reading]:
        """End the stream: return what came without any frame. Another may follow."""
        return [reading for reading in self.finish_in_slices() if reading is not None]

    def feed_in_slices(self, data: bytes) -> Iterator[Reading | None]:
        """Do what feed() does; None is the end of a slice, after which others have their turn."""
        self.skipped += len(data)
        return self._decode(self._assembler.feed(data))

    def finish_in_slices(self) -> Iterator[Reading | None]:
        """Do what finish() does, in slices."""
        return self._decode(self._assembler.finish())

    def _decode(self, messages: Iterable[bytes | None]) -> Iterator[Reading | None]:
        for message in messages:
            yield None
            if message is None:
                continue
            try:
                reading = yield from self._read(message)
            except TelegramError:
                self._rejected += 1
                continue
            if reading is not None:
                self.good += 1
                self.skipped -= min(len(message), self.skipped)
                yield reading
            for _ in self._notifications.learn_in_slices():
                yield None
        empty = self._assembler.empty
        self.other += empty - self._empty_seen
        self._empty_seen = empty

    def _read(self, message: bytes) -> Generator[None, None, Reading | None]:
        """Return the reading of a message, None where there is none; count why.

        Each step is a slice. Raises TelegramError.
        """
        tag = message[0]
        if tag == tags.DATA_NOTIFICATION:
            if not self._admits(is_authentic=None):
                return None
            reading = self._notification(message, message)
        elif message.startswith(_P1):
            head, protected = split_head(message)
            content = self._open(NO_TITLE, b"", protected, head)
            yield
            if content is None:
                return None
            reading = self._content(content, message, b"")
        elif tag in tags.ANY_GENERAL_CIPHERING:
            found = parse_general_ciphering(message)
            if found.end != len(message) or len(found.title) != TITLE_LENGTH:
                raise TelegramError("a ciphered message, or its system title, of another length")
            content = self._open(found.title, found.header, found.protected)
            yield
            if content is None:
                return None
            reading = self._content(content, message, found.title)
        else:
            reading = None
        if reading is None:
            self.other += 1
        return reading

    def _open(
        self, title: bytes, header: bytes, protected: bytes, head: bytes = b""
    ) -> bytes | None:
        """Decipher a message; None where the keys do not fit, or are missing, or it is not genuine.

        What is no notification is a readout, which may have come with its head in the clear.
        """
        keys = self._keys
        if keys.encryption is None:
            self.needs_key += 1
            return None
        found = unseal(
            protected,
            title=title,
            encryption_key=keys.encryption,
            authentication_key=keys.authentication,
            header=header,
        )
        content = found.content
        if head and not content.startswith((_P1, bytes([tags.DATA_NOTIFICATION]))):
            content = head + content
        if not found.is_authentic and not _is_meant(content):
            self.wrong_encryption_key += 1
            return None
        counter = int.from_bytes(protected[1:HEADER_LENGTH])
        if not self._admits(is_authentic=found.is_authentic, title=title, counter=counter):
            return None
        if found.is_authentic is False:
            self.wrong_authentication_key += 1
            return None
        return content

    def _admits(
        self, *, is_authentic: bool | None, title: bytes = NO_TITLE, counter: int = 0
    ) -> bool:
        judge = self._authenticity
        if judge is None or judge.admits(is_authentic=is_authentic, title=title, counter=counter):
            return True
        self.not_authenticated += 1
        return False

    def _notification(self, apdu: bytes, raw: bytes, title: bytes = b"") -> Reading | None:
        reading = self._notifications.read(apdu, raw, title)
        if reading is None:
            self._unread.pop(len(apdu), None)
            if len(self._unread) >= _UNREAD_MAX:
                del self._unread[next(iter(self._unread))]
            self._unread[len(apdu)] = apdu, title, self.other
        return reading

    def _content(self, content: bytes, message: bytes, title: bytes) -> Reading | None:
        if content.startswith(_P1):
            readings = _readout(content)
            # Times in a readout are those of registers.
            return replace(readings[0], time=None, raw=message) if readings else None
        if content[:1] != bytes([tags.DATA_NOTIFICATION]):
            return None
        return self._notification(content, message, title)


def _is_meant(content: bytes) -> bool:
    """Tell whether deciphering gave what a meter may have meant."""
    if content.startswith(_P1):
        return bool(_readout(content))
    return bool(content) and is_plausible(content)


def _readout(content: bytes) -> Sequence[Reading]:
    decoder = Iec62056Decoder()
    return [*decoder.feed(content), *decoder.finish()]
