"""What a sample of bytes looks like, to tell a user what his meter may be speaking instead."""

import re
from typing import Final

#: What looks_like() calls bytes that no meter means.
NOISE: Final = "line noise or wrong speed"

#: SML: the escape sequence of its transport, or a list entry that begins with a code of electricity
#: (BSI TR-03109-1 Anlage, 6.2.1.1 and 7.1).
_SML = re.compile(rb"\x1b{4}\x01{4}|\x1b{4}\x1a|\x77\x07\x01\x00", re.DOTALL)
#: DLMS: an HDLC frame of type 3 (IEC 62056-46, 6.4.1), a wrapper header (IEC 62056-47, 3.3.3), or
#: the start of an M-Bus long frame (EN 13757-2, 5.3.3).
_HDLC_START = re.compile(rb"\x7e[\xa0-\xa7]", re.DOTALL)
_WRAPPER = re.compile(rb"(?:\x00\x01){2}\x00[\x01\x10\x66\x67]|\x00\x01\x00\x67\x00[\x01\x10\x66]")
_MBUS = re.compile(rb"\x68([\x03-\xff])\1\x68", re.DOTALL)
#: IEC 62056-21: an identification line or a data set (6.3.2 and 6.5).
_IEC62056 = re.compile(rb"/[A-Za-z]{3}[0-9A-Z]|\d\.\d{1,2}(?:\.\d{1,2})?(?:[*&]\d+)?\([^()\r\n]*\)")

#: Printable characters, and STX, ETX, EOT, ACK, CR, LF, SOH.
_TEXT = frozenset({*range(0x20, 0x7F), 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A, 0x0D})
#: What is read above all when the meter speaks slower than the port listens: bytes in which the
#: line changes its level once at most, and zeros for what is no character at all.
_SINGLE_EDGE = frozenset({0x00, 0x80, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE, 0xFF})


def looks_like(data: bytes) -> str | None:
    """Name the protocol, or the trouble, that a few hundred received bytes look like.

    Returns None where nothing fits, also for a sample that is too short to tell.
    """
    if _SML.search(data):
        return "SML"
    if _is_iec62056(data):
        return "IEC 62056-21"
    if _has_hdlc_frame(data) or _WRAPPER.search(data) or _MBUS.search(data):
        return "DLMS"
    if _is_noise(data):
        return NOISE
    return None


def _is_iec62056(data: bytes) -> bool:
    # The parity bit of 7E1 is still there when the port was opened for 8N1.
    text = bytes(byte & 0x7F for byte in data)
    if not _IEC62056.search(text):
        return False
    return sum(byte in _TEXT for byte in text) >= 0.9 * len(text)


def _has_hdlc_frame(data: bytes) -> bool:
    """Say whether a frame ends where its length says, or begins so late that it cannot tell."""
    for start in _HDLC_START.finditer(data):
        header = data[start.start() + 1 : start.start() + 3]
        length = int.from_bytes(header) & 0x7FF
        end = start.start() + 1 + length
        if len(header) == 2 and length > 6 and (end >= len(data) or data[end] == 0x7E):
            return True
    return False


def _is_noise(data: bytes) -> bool:
    if len(data) < 8:
        return False
    if sum(byte in _SINGLE_EDGE for byte in data) >= len(data) / 3:
        return True
    # Otherwise when it is as good as random.
    sample = data[:256]
    return len(sample) >= 32 and len(set(sample)) >= len(sample) / 2
