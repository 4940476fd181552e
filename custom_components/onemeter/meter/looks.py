"""What a sample of bytes looks like, to name the protocol that a meter may use instead."""

from enum import StrEnum
import re
from typing import Final

from .checksum import crc16_x25


class Look(StrEnum):
    """What a sample looks like; the names of protocols are shown to users."""

    SML = "SML"
    IEC62056 = "IEC 62056-21"
    DLMS = "DLMS"
    #: Bytes that came one by one (are_flashes).
    BLINK = "BLINK"
    #: Bytes that are not from a meter's telegram.
    NOISE = "line noise or wrong speed"
    #: Bytes of a line with inverted levels.
    INVERTED = "an inverted line"


#: Looks of telegrams.
TELEGRAMS: Final = frozenset({Look.SML, Look.IEC62056, Look.DLMS})

#: SML: the escape sequence of its transport, or a list entry that begins with a code of electricity
#: (BSI TR-03109-1 Anlage, 6.2.1.1 and 7.1).
_SML = re.compile(rb"\x1b{4}\x01{4}|\x1b{4}\x1a|\x77\x07\x01\x00", re.DOTALL)
#: DLMS: an HDLC frame of type 3 (IEC 62056-46, 6.4.1), ...
_HDLC_START = re.compile(rb"\x7e[\xa0-\xaf].", re.DOTALL)
#: Bytes of a header from its format to its control field, at the least, and with the flag and the
#: checksum at the most: two addresses of four bytes.
_HDLC_HEADER_LEAST: Final = 5
_HDLC_HEADER_MAX: Final = 14
#: ... its logical link layer (IEC 62056-46, 5.3.2), a wrapper header (IEC 62056-47, 3.3.3), or the
#: start of a long frame of M-Bus that sends user data (EN 13757-2, 5.3.3).
_DLMS = re.compile(
    rb"\xe6[\xe6\xe7]\x00[\x0f\xc0-\xe0]|(?:\x00\x01){2}\x00[\x01\x10\x66\x67]"
    rb"|\x00\x01\x00\x67\x00[\x01\x10\x66]|\x68(.)\1\x68(?:[\x43\x53\x63\x73]|\x08.[\x00-\x1f])",
    re.DOTALL,
)
#: IEC 62056-21: an identification line or a data set (6.3.2 and 6.5).
_IEC62056 = re.compile(rb"/[A-Za-z]{3}[0-9A-Z]|\d\.\d{1,2}(?:\.\d{1,2})?(?:[*&]\d+)?\([^()\r\n]*\)")

#: Printable characters, and STX, ETX, EOT, ACK, CR, LF, SOH.
_TEXT = frozenset({*range(0x20, 0x7F), 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A, 0x0D})
#: What is mostly received from a sender that is slower than the port: bytes in which the line
#: changes its level once at most, and zeros for what is no character at all. A flash of light
#: is read as one of them, too.
SINGLE_EDGE: Final = bytes([0x00, 0x80, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE, 0xFF])

#: Bytes that are needed to recognize a wrong speed or an inverted line by the share of set bits.
#: Measured at 9600 baud, with bytes as ports give them: those without stop bit as they were read.
_SAMPLE: Final = 64
#: Bytes that are needed to recognize a sender that is much slower.
_LEAST: Final = 8

#: A single one may be that of a plug that is put in.
_FLASHES_LEAST = 2


def looks_like(data: bytes) -> Look | None:
    """Return what a few hundred received bytes look like: a protocol, or a problem.

    Returns None if nothing fits, or if the sample is too short.
    """
    if _SML.search(data):
        return Look.SML
    if _is_iec62056(data):
        return Look.IEC62056
    if _has_hdlc_frame(data) or _DLMS.search(data):
        return Look.DLMS
    if _is_slow(data):
        return Look.NOISE
    if _is_inverted(data):
        return Look.INVERTED
    return Look.NOISE if _is_random(data) else None


def are_flashes(data: bytes) -> bool:
    """Return whether bytes that came one by one, each by itself, are flashes of a meter's light."""
    return len(data) >= _FLASHES_LEAST and not data.translate(None, SINGLE_EDGE)


def _is_iec62056(data: bytes) -> bool:
    # The parity bit of 7E1 is still there when the port was opened for 8N1.
    text = bytes(byte & 0x7F for byte in data)
    if not _IEC62056.search(text):
        return False
    return sum(byte in _TEXT for byte in text) >= 0.9 * len(text)


def _has_hdlc_frame(data: bytes) -> bool:
    """Return whether a frame has a header with a right checksum (HCS, or FCS without one)."""
    for start in _HDLC_START.finditer(data):
        header = data[start.start() + 1 : start.start() + _HDLC_HEADER_MAX]
        for end in range(_HDLC_HEADER_LEAST, len(header) - 1):
            if crc16_x25(header[:end]) == header[end] | header[end + 1] << 8:
                return True
    return False


def _is_slow(data: bytes) -> bool:
    """Return whether bytes come from a sender that is slower than the port."""
    edges = sum(byte in SINGLE_EDGE for byte in data)
    even = sum(not byte & 1 for byte in data)
    size = len(data)
    if size >= _SAMPLE and even >= 0.8 * size and edges >= 0.13 * size:
        # Half as fast: the first bit is the rest of the start bit.
        return True
    return size >= _LEAST and edges >= size / 3


def _is_inverted(data: bytes) -> bool:
    """Return whether the first and the last bit of the bytes are mostly set."""
    even = sum(not byte & 1 for byte in data)
    high = sum(byte >> 7 for byte in data)
    size = len(data)
    return size >= _SAMPLE and (
        (even <= 0.27 * size and high >= 0.45 * size) or high >= 0.65 * size
    )


def _is_random(data: bytes) -> bool:
    # Of 256 kinds of bytes, 128 random ones show 101.
    return len(set(data[:128])) >= 80
