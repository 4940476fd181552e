"""Decoder for the bytes of a DLMS meter that pushes."""

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
from .description import ListDescription
from .layout import NotificationReader
from .notification import describe_unknown, is_plausible

#: Unknown notifications that are remembered: a meter sends few different ones.
_UNKNOWN_MAX: Final = 8
#: First byte of a readout, which P1 ports encrypt in place of a notification.
_READOUT: Final = b"/"


class DlmsDecoder:
    """Decodes the byte stream of one meter into readings; invalid input never raises."""

    def __init__(self, keys: Keys | None = None, authenticity: Authenticity | None = None) -> None:
        """Start before the first byte, with the keys of the meter if it encrypts.

        Without ``authenticity``, telegrams are accepted with any invocation counter, and without a
        tag; a wrong tag is always rejected.
        """
        #: Telegrams that gave a reading.
        self.good = 0
        #: Valid telegrams without known values.
        self.other = 0
        #: Bytes that belong to no good telegram.
        self.skipped = 0
        #: Encrypted telegrams without a key, and with a wrong one.
        self.needs_key = 0
        self.wrong_encryption_key = 0
        self.wrong_authentication_key = 0
        #: Telegrams that lack a right tag or a rising invocation counter.
        self.not_authenticated = 0
        self._keys = keys or Keys()
        self._authenticity = authenticity
        self._assembler = Assembler()
        self._notifications = NotificationReader()
        #: Notifications without a reading, by length: content, system title, and the value of
        #: ``other`` before them.
        self._unknown: dict[int, tuple[bytes, bytes, int]] = {}
        self._rejected = 0
        self._empty_before = 0

    @property
    def damaged(self) -> int:
        """Telegrams that were invalid or cut off."""
        return self._assembler.damaged + self._rejected

    def unknown_lists(self, since: int = 0) -> list[ListDescription]:
        """Describe the unknown lists, oldest first, received since ``other`` was ``since``."""
        described = (
            describe_unknown(apdu, title)
            for apdu, title, number in self._unknown.values()
            if number >= since
        )
        return [found for found in described if found is not None]

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Add the next bytes of the stream; return the readings of telegrams that end in them."""
        return [reading for reading in self.feed_in_slices(data) if reading is not None]

    def finish(self) -> Sequence[Reading]:
        """End the stream; return the reading of a telegram that has no frame at all.

        Another stream may follow.
        """
        return [reading for reading in self.finish_in_slices() if reading is not None]

    def feed_in_slices(self, data: bytes) -> Iterator[Reading | None]:
        """Do what feed() does; None marks the end of a time slice."""
        self.skipped += len(data)
        return self._decode(self._assembler.feed(data))

    def finish_in_slices(self) -> Iterator[Reading | None]:
        """Do what finish() does, in time slices."""
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
        self.other += empty - self._empty_before
        self._empty_before = empty

    def _read(self, message: bytes) -> Generator[None, None, Reading | None]:
        """Return the reading of a message; None if there is none, which is counted.

        Each step is a time slice. Raises TelegramError.
        """
        tag = message[0]
        if tag == tags.DATA_NOTIFICATION:
            if not self._admits(is_authentic=None):
                return None
            reading = self._notification(message)
        elif message.startswith(_READOUT):
            head, protected = split_head(message)
            content = self._decipher(NO_TITLE, b"", protected, head)
            yield
            if content is None:
                return None
            reading = self._content(content, b"")
        elif tag in tags.ANY_GENERAL_CIPHERING:
            found = parse_general_ciphering(message)
            if found.end != len(message) or len(found.title) != TITLE_LENGTH:
                raise TelegramError("a ciphered message, or its system title, of another length")
            content = self._decipher(found.title, found.header, found.protected)
            yield
            if content is None:
                return None
            reading = self._content(content, found.title)
        else:
            reading = None
        if reading is None:
            self.other += 1
        return reading

    def _decipher(
        self, title: bytes, header: bytes, protected: bytes, head: bytes = b""
    ) -> bytes | None:
        """Decipher a message; None if a key is missing or wrong, or it is not authentic.

        The plain first line of a readout, ``head``, is put in front of its deciphered rest.
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
        if head and not content.startswith((_READOUT, bytes([tags.DATA_NOTIFICATION]))):
            content = head + content
        if not found.is_authentic and not _is_decodable(content):
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
        authenticity = self._authenticity
        if authenticity is None or authenticity.admits(
            is_authentic=is_authentic, title=title, counter=counter
        ):
            return True
        self.not_authenticated += 1
        return False

    def _notification(self, apdu: bytes, title: bytes = b"") -> Reading | None:
        reading = self._notifications.read(apdu, title)
        if reading is None:
            self._unknown.pop(len(apdu), None)
            if len(self._unknown) >= _UNKNOWN_MAX:
                del self._unknown[next(iter(self._unknown))]
            self._unknown[len(apdu)] = apdu, title, self.other
        return reading

    def _content(self, content: bytes, title: bytes) -> Reading | None:
        if content.startswith(_READOUT):
            readings = _readout(content)
            # The time of a readout is one of its registers.
            return replace(readings[0], time=None) if readings else None
        if content[:1] != bytes([tags.DATA_NOTIFICATION]):
            return None
        return self._notification(content, title)


def _is_decodable(content: bytes) -> bool:
    """Return whether deciphered content can be decoded, so that the key is right."""
    if content.startswith(_READOUT):
        return bool(_readout(content))
    return bool(content) and is_plausible(content)


def _readout(content: bytes) -> Sequence[Reading]:
    decoder = Iec62056Decoder()
    return [*decoder.feed(content), *decoder.finish()]
