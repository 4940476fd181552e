"""What proves a protocol, and what does not."""

from random import Random

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.detection import Candidate, Checksum, EvidenceKind, Frames
from custom_components.onemeter.meter.detection.telegrams import TelegramSearch
from custom_components.onemeter.meter.line import Framing, LineSettings
from custom_components.onemeter.meter.protocols import Protocol
from simulator.dlms import Framing as SentFrames
from simulator.household import Household
from simulator.iec62056 import Checksum as SentChecksum
from simulator.sml.meter import SmlMeter
from tests.helpers import pushed_telegrams as telegrams

LINE = LineSettings(9600)
STREAMS: dict[str, tuple[bytes, Protocol, Checksum | None]] = {
    "SML": (telegrams.sml(), Protocol.SML, Checksum.CRC16_X25),
    "P1": (telegrams.text(SentChecksum.CRC16), Protocol.IEC62056, Checksum.P1),
    "text": (telegrams.text() * 2, Protocol.IEC62056, None),
    "text, 7E1": (telegrams.text_with_parity() * 2, Protocol.IEC62056, None),
    "HDLC": (telegrams.dlms(), Protocol.DLMS, Checksum.FCS),
    "HDLC, enciphered": (telegrams.dlms(is_enciphered=True), Protocol.DLMS, Checksum.FCS),
    "M-Bus": (
        telegrams.dlms(SentFrames.MBUS, is_enciphered=True),
        Protocol.DLMS,
        Checksum.MBUS,
    ),
    "segments": (
        telegrams.dlms(SentFrames.SEGMENTS, is_enciphered=True),
        Protocol.DLMS,
        Checksum.FCS,
    ),
    "blocks": (telegrams.dlms(SentFrames.BLOCKS, is_enciphered=True), Protocol.DLMS, Checksum.FCS),
    "bare": (
        telegrams.dlms(SentFrames.BARE, is_enciphered=True)
        + telegrams.dlms(SentFrames.BARE, 1, is_enciphered=True),
        Protocol.DLMS,
        None,
    ),
    "wrapper": (
        telegrams.dlms(SentFrames.WRAPPER) + telegrams.dlms(SentFrames.WRAPPER, 1),
        Protocol.DLMS,
        None,
    ),
}


def found_in(data: bytes, chunk: int | None = None) -> list[Candidate]:
    search = TelegramSearch(LINE)
    size = chunk or len(data) or 1
    for place in range(0, len(data), size):
        search.feed(data[place : place + size])
    return search.candidates()


@pytest.mark.parametrize("name", STREAMS)
def test_what_proves_a_protocol(name: str) -> None:
    data, protocol, checksum = STREAMS[name]
    (candidate,) = found_in(data)
    assert candidate.protocol is protocol
    assert candidate.checksum is checksum
    assert not candidate.is_polled
    assert candidate.is_proved


@pytest.mark.parametrize("name", STREAMS)
def test_any_chunks_prove_the_same(name: str) -> None:
    data = Random(name).randbytes(50) + STREAMS[name][0]
    whole = found_in(data)
    for chunk in (1, 2, 3, 7, 16, 100, 256):
        assert found_in(data, chunk) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_half_of_it_proves_nothing(name: str) -> None:
    data, _, _ = STREAMS[name]
    if name in {"segments", "blocks"}:
        # Each frame has a checksum, and the first one says how the message is protected.
        return
    assert not found_in(data[: len(data) // 2])
    assert not found_in(data[-len(data) // 3 :])


def test_two_identifications_must_be_alike() -> None:
    one = telegrams.text()
    other = one.replace(b"DEMO", b"DIMO")
    assert not found_in(one)
    assert not found_in(one + other)
    (candidate,) = found_in(one + other + one)
    assert candidate.evidence[0].kind is EvidenceKind.IDENTIFICATIONS


def test_two_enciphered_messages_must_follow_each_other() -> None:
    """What comes again is no other message, and proves no more than the first one did."""
    first = telegrams.dlms(SentFrames.BARE, is_enciphered=True)
    assert not found_in(first + first)


def test_text_with_wrong_parity_proves_nothing() -> None:
    data = bytearray(telegrams.text_with_parity() * 2)
    for place in range(3, len(data), 40):
        data[place] ^= 0x80
    assert not found_in(bytes(data))


def test_framing_of_texts() -> None:
    (with_parity,) = found_in(telegrams.text_with_parity() * 2)
    assert with_parity.line == LineSettings(9600, Framing.SEVEN_EVEN)
    (without,) = found_in(telegrams.text(SentChecksum.CRC16))
    assert without.line == LINE


def test_encryption() -> None:
    (candidate,) = found_in(telegrams.dlms(is_enciphered=True))
    encryption = candidate.encryption
    assert encryption is not None
    assert encryption.is_encrypted
    assert encryption.is_authenticated
    assert encryption.suite == 0
    assert encryption.system_title is not None
    assert encryption.system_title[:3] == b"DMO"
    assert "DMO" not in repr(candidate)
    (plain,) = found_in(telegrams.dlms())
    assert plain.encryption is None
    assert plain.frames is Frames.HDLC


@pytest.mark.parametrize("locked", [True, False])
def test_pin_lock(locked: bool) -> None:
    meter = SmlMeter(household=Household(1), locked=locked)
    (candidate,) = found_in(meter.telegram(telegrams.TIME))
    assert candidate.is_locked is locked


def test_identity() -> None:
    (candidate,) = found_in(telegrams.sml())
    assert candidate.identity.manufacturer == "DMO"
    # It may be somebody's, so that it is in no log.
    assert str(candidate.identity.meter_id) not in repr(candidate)


@given(st.binary(max_size=1200))
def test_whatever_comes_proves_nothing(data: bytes) -> None:
    assert found_in(data) == found_in(data, 64) == []


def test_random_bytes_prove_nothing() -> None:
    random = Random(7)
    for _ in range(300):
        assert not found_in(random.randbytes(512))


def test_damaged_telegrams_prove_nothing_else() -> None:
    """Each stream with bytes changed, lost and repeated: its own protocol or none."""
    random = Random(3)
    for _ in range(150):
        name = random.choice(list(STREAMS))
        data, protocol, _ = STREAMS[name]
        changed = bytearray(data)
        for _ in range(random.randint(1, 12)):
            place = random.randrange(len(changed))
            match random.randrange(3):
                case 0:
                    changed[place] ^= random.randrange(1, 256)
                case 1:
                    del changed[place : place + random.randint(1, 4)]
                case _:
                    changed[place:place] = random.randbytes(random.randint(1, 4))
        assert {candidate.protocol for candidate in found_in(bytes(changed))} <= {protocol}
