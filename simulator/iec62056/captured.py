"""A readout captured from a real meter, to be sent by a simulated one."""

from dataclasses import dataclass
import re
from typing import Final, Self

from .encoder import ETX, SPEED_DIGITS, SPEED_LETTERS, STX, Checksum, frame_readout

#: An identification as captured, but not the echo of a sign-on.
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}([^\r\n])([^\r\n]*)(?:\r\n|\r|\n)")
_SPEEDS: Final = {
    ord(letter): speed
    for speeds in (SPEED_DIGITS, SPEED_LETTERS)
    for speed, letter in speeds.items()
}
_HDLC: Final = rb"\2"


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured readout: the identification, if there is one, and the block as sent."""

    identification: bytes | None
    block: bytes

    @classmethod
    def from_bytes(cls, data: bytes, checksum: Checksum | None = None) -> Self:
        """Parse a captured stream: an identification and a block, or a block alone.

        The block is kept as captured, except that a missing end is added. With a kind of checksum
        its frame is replaced by one of that kind.
        """
        identification = None
        if (found := _IDENTIFICATION.search(data)) is not None:
            identification = found[0]
            data = data[found.end() :]
        head, begun, rest = data.partition(STX)
        body, ended, check = (rest if begun else head).partition(ETX)
        if begun and ended and check and checksum is None:
            return cls(identification, begun + body + ended + check)
        if b"!" not in body:
            body += b"!\r\n"
        if checksum is None:
            checksum = Checksum.XOR if begun else Checksum.NONE
        return cls(identification, frame_readout(body, checksum))

    @property
    def mode(self) -> str:
        """The protocol mode by the identification: "A", "B", "C" or "E"."""
        if self.identification is None:
            return "C"
        speed = self.identification[4:5].decode("latin-1")
        if speed in SPEED_DIGITS.values():
            return "E" if _HDLC in self.identification else "C"
        return "B" if speed in SPEED_LETTERS.values() else "A"

    @property
    def baudrate(self) -> int | None:
        """The speed in the identification, if there is one."""
        return None if self.identification is None else _SPEEDS.get(self.identification[4])

    def register(self, address: str) -> str | None:
        """Return the values of an address in their brackets, if it is in the readout."""
        pattern = rb"(?:^|(?<=[\r\n\x02)]))" + re.escape(address.encode()) + rb"((?:\([^()]*\))+)"
        found = re.search(pattern, self.block)
        return None if found is None else found[1].decode("latin-1")
