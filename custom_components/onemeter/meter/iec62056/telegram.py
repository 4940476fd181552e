"""What is found in a stream of bytes (IEC 62056-21:2002, 6.3)."""

from dataclasses import dataclass

from .identification import Identification


@dataclass(frozen=True, slots=True)
class Telegram:
    """A readout as received, its checksum verified where it has one."""

    identification: Identification | None
    #: Whether it began with an identification or STX, otherwise with any data set.
    has_begin: bool
    #: The data sets, up to and with the ``!``, without STX, ETX and checksum.
    data: str
    #: Whether a checksum protects it.
    checked: bool
    #: The whole telegram as received.
    raw: bytes
