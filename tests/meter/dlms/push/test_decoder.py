"""Pushed DLMS: every frame, layout and key case of a simulated meter, whole, cut and damaged."""

from dataclasses import replace
from datetime import UTC, datetime
import itertools
from random import Random

import pytest

from custom_components.onemeter.meter import Reading, Value
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.settings import Keys
from simulator.dlms import Envelope, Framing, Layout, PushMeter, TimeForm

TIME = 1_795_831_200
EK = bytes(range(16))
AK = bytes(range(16, 32))
KEYS = Keys(EK, AK)
WRONG = b"\xff" * 16
TEXTS = (Layout.P1, Layout.P1_HEAD)
BODIES = [layout for layout in Layout if layout not in TEXTS]

type Values = list[tuple[str, Value, str | None]]


def meter(**settings: object) -> PushMeter:
    return replace(PushMeter(), **settings)  # type: ignore[arg-type]


def encrypted(**settings: object) -> PushMeter:
    return meter(**{"encryption_key": EK, "authentication_key": AK, **settings})


def decode(
    data: bytes, keys: Keys | None = None, chunk: int | None = None
) -> tuple[list[Reading], DlmsDecoder]:
    decoder = DlmsDecoder(keys)
    readings: list[Reading] = []
    for piece in itertools.batched(data, chunk or len(data) or 1, strict=False):
        readings += decoder.feed(bytes(piece))
    readings += decoder.finish()
    return readings, decoder


def values(reading: Reading) -> Values:
    return [(str(register.obis), register.value, register.unit) for register in reading.registers]


def expected(pushing: PushMeter) -> Values:
    return [(found.code, found.value, found.unit) for found in pushing.expected(TIME)]


def check(pushing: PushMeter, readings: list[Reading]) -> None:
    (reading,) = readings
    assert values(reading) == expected(pushing)
    assert reading.meter.meter_id == pushing.meter_id(TIME)
    if pushing.time_form is not TimeForm.NONE:
        assert reading.time == datetime.fromtimestamp(TIME, UTC)


@pytest.mark.parametrize("form", TimeForm)
@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("layout", BODIES)
def test_layouts_and_frames(layout: Layout, framing: Framing, form: TimeForm) -> None:
    # The form of their time distinguishes lists without codes.
    is_free = layout is not Layout.POSITIONAL
    form = form if is_free else TimeForm.TAGGED
    if layout is Layout.PUSH_LIST and form is TimeForm.NONE:
        pytest.skip("the scale of such a list is told by its date, among others")
    pushing = meter(layout=layout, framing=framing, time_form=form)
    readings, decoder = decode(pushing.telegram(TIME))
    check(pushing, readings)
    assert (decoder.good, decoder.damaged, decoder.other) == (1, 0, 0)


@pytest.mark.parametrize("items", [1, 9, 13, 14, 18])
def test_positional_lists(items: int) -> None:
    pushing = meter(layout=Layout.POSITIONAL, items=items, time_form=TimeForm.TAGGED)
    readings, _ = decode(pushing.telegram(TIME))
    check(pushing, readings)


@pytest.mark.parametrize("chunk", [1, 7, 64, None])
@pytest.mark.parametrize("framing", [framing for framing in Framing if framing != Framing.BARE])
def test_chunks(framing: Framing, chunk: int | None) -> None:
    pushing = encrypted(framing=framing)
    stream = b"\0noise" + b"".join(pushing.telegram(TIME + second) for second in range(5))
    readings, decoder = decode(stream, KEYS, chunk)
    assert len(readings) == 5
    check(pushing, readings[:1])
    assert decoder.damaged == 0


@pytest.mark.parametrize("envelope", [Envelope.GENERAL_GLO, Envelope.GENERAL_CIPHERING])
@pytest.mark.parametrize("protection", [0x10, 0x20, 0x30])
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_security(suite: int, protection: int, envelope: Envelope) -> None:
    factor = 2 if suite == 2 else 1
    keys = Keys(EK * factor, AK * factor)
    pushing = meter(
        suite=suite,
        protection=protection,
        envelope=envelope,
        encryption_key=keys.encryption,
        authentication_key=keys.authentication,
    )
    readings, _ = decode(pushing.telegram(TIME), keys)
    check(pushing, readings)


def key_counts(decoder: DlmsDecoder) -> tuple[int, int, int]:
    assert (decoder.good, decoder.damaged) == (0, 0)
    return (decoder.needs_key, decoder.wrong_encryption_key, decoder.wrong_authentication_key)


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize(
    ("protection", "keys", "counts"),
    [
        (0x30, Keys(), (1, 0, 0)),
        (0x20, Keys(), (1, 0, 0)),
        (0x30, Keys(WRONG, AK), (0, 1, 0)),
        (0x30, Keys(WRONG, WRONG), (0, 1, 0)),
        (0x30, Keys(EK, WRONG), (0, 0, 1)),
        (0x30, Keys(WRONG), (0, 1, 0)),
        (0x20, Keys(WRONG), (0, 1, 0)),
        (0x20, Keys(WRONG, AK), (0, 1, 0)),
    ],
)
def test_keys_that_do_not_fit(
    framing: Framing, protection: int, keys: Keys, counts: tuple[int, int, int]
) -> None:
    pushing = encrypted(framing=framing, protection=protection)
    readings, decoder = decode(pushing.telegram(TIME), keys)
    assert readings == []
    assert key_counts(decoder) == counts


def test_encryption_key_alone_reads_what_has_a_tag() -> None:
    pushing = encrypted()
    readings, _ = decode(pushing.telegram(TIME), Keys(EK))
    check(pushing, readings)


def test_garbage_of_wrong_keys_is_never_taken_for_values() -> None:
    random = Random(1)
    pushing = encrypted(protection=0x20, framing=Framing.HDLC)
    for number in range(3000):
        readings, decoder = decode(pushing.telegram(TIME + number), Keys(random.randbytes(16)))
        assert readings == []
        assert key_counts(decoder) == (0, 1, 0)


@pytest.mark.parametrize("protection", [0x20, 0x30])
def test_text_in_a_ciphered_telegram(protection: int) -> None:
    pushing = encrypted(layout=Layout.P1, protection=protection)
    (reading,), _ = decode(pushing.telegram(TIME), KEYS)
    assert any(register.unit == "kWh" for register in reading.registers)
    assert reading.time is None


@pytest.mark.parametrize("framing", [Framing.SEGMENTS, Framing.BLOCKS, Framing.MBUS])
def test_lost_frames(framing: Framing) -> None:
    pushing = meter(framing=framing)
    frames = pushing.frames(TIME)
    assert len(frames) > 1
    for lost in range(len(frames)):
        rest = b"".join(frames[:lost] + frames[lost + 1 :])
        readings, decoder = decode(rest + pushing.telegram(TIME) + pushing.telegram(TIME))
        # Later telegrams are read, at the latest the second one.
        assert 1 <= len(readings) <= 2
        for reading in readings:
            assert values(reading) == expected(pushing)
        assert decoder.damaged or framing is Framing.BLOCKS


SAMPLES = [
    *(
        meter(layout=layout, time_form=TimeForm.TAGGED if layout is Layout.POSITIONAL else form)
        for layout, form in itertools.product(BODIES, (TimeForm.STANDARD, TimeForm.NONE))
    ),
    *(encrypted(framing=framing, protection=0x30) for framing in Framing if framing != "bare"),
]


@pytest.mark.parametrize("pushing", SAMPLES)
def test_prefixes(pushing: PushMeter) -> None:
    whole = pushing.telegram(TIME)
    for end in range(len(whole)):
        readings, _ = decode(whole[:end], KEYS)
        # Only what closes a frame may be missing, of a message whose tag is right.
        assert not readings or (end >= len(whole) - 3 and pushing.encryption_key is not None)
        for reading in readings:
            assert values(reading) == expected(pushing)


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_damage(count: int) -> None:
    """Damage leads to errors, never to another value."""
    random = Random(7)
    telegrams = [pushing.telegram(TIME) for pushing in SAMPLES]
    whole = [[values(reading) for reading in decode(data, KEYS)[0]] for data in telegrams]
    assert all(len(readings) == 1 for readings in whole)
    for number in range(count):
        sample = number % len(telegrams)
        damaged = bytearray(telegrams[sample])
        for _ in range(random.choice((1, 1, 2, 8))):
            place = random.randrange(len(damaged))
            match random.randrange(3):
                case 0:
                    damaged[place] ^= 1 << random.randrange(8)
                case 1:
                    damaged[place] = random.randrange(256)
                case _ if len(damaged) > 10:
                    del damaged[place]
        readings, decoder = decode(bytes(damaged), KEYS)
        assert len(decoder._assembler._buffer) <= 8192
        for reading in readings:
            assert values(reading) in whole[sample]


def test_numbers_of_unknown_scale_are_not_given() -> None:
    pushing = meter(layout=Layout.PUSH_LIST, time_form=TimeForm.NONE)
    (reading,), _ = decode(pushing.telegram(TIME))
    wanted = {found.code: found.value for found in pushing.expected(TIME)}
    for register in reading.registers:
        if register.unit in {"V", "A"}:
            assert register.value is None
        elif register.unit is not None:
            assert register.value == wanted[str(register.obis)]


def test_noise_without_end() -> None:
    random = Random(3)
    decoder = DlmsDecoder()
    for _ in range(500):
        assert list(decoder.feed(random.randbytes(1024))) == []
        assert len(decoder._assembler._buffer) <= 10_000
    pushing = meter()
    readings = [*decoder.feed(bytes(9000) + pushing.telegram(TIME))]
    check(pushing, readings)
