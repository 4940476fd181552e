"""HDLC frames: addresses, checksums, flags where they are not flags, and damage."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.dlms.link.hdlc import (
    LIMIT,
    SNRM,
    UI,
    Frame,
    FrameError,
    FrameReader,
    client_address,
    frame_at,
    server_address,
)

ADDRESSES = st.sampled_from([b"\x03", b"\x21", b"\x02\x01", b"\x02\x23", b"\x00\x02\x04\x23"])
FRAMES = st.builds(
    Frame,
    destination=ADDRESSES,
    source=ADDRESSES,
    control=st.integers(0, 255),
    information=st.binary(max_size=150) | st.binary(max_size=8).map(lambda part: part + b"~" * 5),
    is_segmented=st.booleans(),
)


def test_well_known_frame() -> None:
    # SNRM from client 16 to the management logical device, as every meter knows it.
    assert Frame(b"\x03", b"\x21", SNRM).to_bytes().hex() == "7ea00703219 30f017e".replace(" ", "")


@pytest.mark.parametrize(
    ("logical", "physical", "length", "expected"),
    [
        (1, None, None, "03"),
        (1, None, 1, "03"),
        (1, 16, None, "0221"),
        (1, 17, 2, "0223"),
        (1, None, 2, "0201"),
        (1, 17, 4, "00020023"),
        (1, 0x3FFF, None, "0002feff"),
        (0x80, None, None, "02000001"),
    ],
)
def test_server_addresses(
    logical: int, physical: int | None, length: int | None, expected: str
) -> None:
    assert server_address(logical, physical, length).hex() == expected


@pytest.mark.parametrize(
    ("logical", "physical", "length"), [(128, None, 1), (1, 128, 2), (0x4000, 0, 4), (1, 1, 3)]
)
def test_no_server_addresses(logical: int, physical: int | None, length: int) -> None:
    with pytest.raises(ValueError, match="address"):
        server_address(logical, physical, length)


def test_client_address() -> None:
    assert client_address(16) == b"\x21"


@given(FRAMES)
def test_back_and_forth(frame: Frame) -> None:
    sent = frame.to_bytes()
    assert frame_at(sent, 0) == (frame, len(sent) - 1)
    for end in range(1, len(sent)):
        assert frame_at(sent[:end], 0) is None


@given(FRAMES, st.data())
def test_damage_is_told(frame: Frame, data: st.DataObject) -> None:
    sent = bytearray(frame.to_bytes())
    place = data.draw(st.integers(1, len(sent) - 2))
    sent[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = frame_at(sent, 0)
    except FrameError:
        return
    # A longer frame than there is.
    assert found is None


@given(st.lists(FRAMES, min_size=1, max_size=5), st.integers(1, 40), st.booleans(), st.binary())
def test_streams(frames: list[Frame], chunk: int, shared: bool, noise: bytes) -> None:
    sent = frames[0].to_bytes()
    for frame in frames[1:]:
        # One flag may close a frame and open the next.
        sent += frame.to_bytes()[1:] if shared else frame.to_bytes()
    sent = noise.replace(b"~", b"") + sent
    reader = FrameReader()
    found: list[Frame] = []
    for start in range(0, len(sent), chunk):
        found += reader.feed(sent[start : start + chunk])
    assert found == frames
    assert reader.damaged == 0


@given(st.binary(max_size=300), FRAMES)
def test_a_frame_after_damage_is_found(noise: bytes, frame: Frame) -> None:
    reader = FrameReader()
    reader.feed(noise)
    reader.feed(bytes(LIMIT))
    assert reader.feed(frame.to_bytes()) == [frame]


@given(FRAMES, FRAMES, st.data())
def test_a_frame_after_a_damaged_one_is_found(
    first: Frame, second: Frame, data: st.DataObject
) -> None:
    sent = bytearray(first.to_bytes())
    place = data.draw(st.integers(3, len(sent) - 2))
    sent[place] ^= 0x80
    reader = FrameReader()
    found = [*reader.feed(bytes(sent) + second.to_bytes()), *reader.feed(bytes(LIMIT))]
    assert found[-1:] == [second]


def test_memory_is_bounded() -> None:
    reader = FrameReader()
    for _ in range(1000):
        reader.feed(b"\x7e\xa7\xff\x03\x21\x13" + bytes(100))
        assert len(reader._buffer) <= LIMIT + 200


def test_clear() -> None:
    frame = Frame(b"\x03", b"\x21", UI, b"\x0f")
    reader = FrameReader()
    reader.feed(frame.to_bytes()[:-3])
    reader.clear()
    assert reader.feed(frame.to_bytes()) == [frame]
