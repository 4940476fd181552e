"""Every known list is read as its table says, and no two can be confused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
import itertools
import re

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.dlms.apdu import axdr, data_types
from custom_components.onemeter.meter.dlms.apdu.times import encode_date_time
from custom_components.onemeter.meter.dlms.push.lists import POSITIONAL_LISTS, PositionalList
from custom_components.onemeter.meter.dlms.push.notification import decode_notification
from custom_components.onemeter.meter.dlms.push.positional import candidates
from custom_components.onemeter.meter.dlms.push.shapes import elements_of
from custom_components.onemeter.meter.dlms.push.values import Body
from custom_components.onemeter.meter.obis import Obis

TIME = datetime(2026, 11, 30, 6, 30, 5, tzinfo=UTC)
CLOCK = encode_date_time(TIME)
TEXT = b"30000001"
#: A value of each type: its bytes, and what is read in them.
VALUES: dict[str, tuple[bytes, Decimal | str | None]] = {
    "t": (axdr.octet_string(TEXT), "30000001"),
    "o": (axdr.octet_string(b"\x00\x02"), None),
    "d": (axdr.octet_string(CLOCK), None),
    "w": (b"\x12\x01\x5e", Decimal(350)),
    "u": (b"\x06\x00\x01\xe2\x40", Decimal(123_456)),
    "U": (b"\x15\x00\x00\x00\x01\x00\x00\x00\x01", Decimal(4_294_967_297)),
    "b": (b"\x11\x02", Decimal(2)),
    "e": (b"\x16\x01", Decimal(1)),
    "B": (b"\x03\x01", Decimal(1)),
    "a": (b"\x01\x01\x12\x24\xb8", None),
}
ELEMENT = re.compile(r"(.+?)(?::([\d.:-]+)(?:\((-?\d+),(.*)\))?)?")

type Expected = list[tuple[str, Decimal | str | None, str | None]]


def encoded(kind: str) -> tuple[bytes, Decimal | str | None]:
    if kind[0] == "o" and kind != "o":
        # Time, date, or nothing.
        return axdr.octet_string(bytes(range(1, int(kind[1:]) + 1))), None
    return VALUES[kind]


def telegram(known: PositionalList, choice: int = 0, invoke_id: bytes = b"\0\0\0\1") -> bytes:
    """Return a notification with a list; ``choice`` selects among the types of an element."""
    parts: list[bytes] = []
    for text in known.elements.split():
        match = ELEMENT.fullmatch(text)
        assert match
        kinds = match[1].split("|")
        if kinds == ["C"]:
            parts.append(axdr.octet_string(bytes(Obis.parse(match[2]))))
        else:
            parts.append(encoded(kinds[choice % len(kinds)])[0])
    if known.name:
        parts[0] = axdr.octet_string(known.name.encode() + TEXT)
    head = axdr.octet_string(CLOCK) if known.is_tagged else b"\x0c" + CLOCK
    return b"\x0f" + invoke_id + head + axdr.structure(*parts)


def expected(known: PositionalList, choice: int = 0) -> Expected:
    found: Expected = []
    for text in known.elements.split():
        match = ELEMENT.fullmatch(text)
        assert match
        kinds, code, scaler, unit = match[1].split("|"), match[2], match[3], match[4]
        if code is None or kinds in (["C"], ["d"]):
            continue
        value = encoded(kinds[choice % len(kinds)])[1]
        if scaler is not None:
            assert isinstance(value, Decimal)
            value = value.scaleb(int(scaler))
        full = code if ":" in code else f"1-0:{code}"
        found.append((f"{full}*255", value, unit or None))
    if known.name and found[0][0].startswith("0-0:42"):
        found[0] = (found[0][0], known.name + "30000001", None)
    return found


def content(reading: Reading | None) -> Expected:
    assert reading is not None
    registers = reading.registers
    return [
        (
            str(r.obis),
            Decimal(r.value) if isinstance(r.value, int) else r.value,  # type: ignore[misc]
            r.unit,
        )
        for r in registers
    ]


@pytest.mark.parametrize("choice", [0, 1, 2])
@pytest.mark.parametrize("known", POSITIONAL_LISTS, ids=lambda known: known.title)
def test_each_list(known: PositionalList, choice: int) -> None:
    apdu = telegram(known, choice)
    reading = decode_notification(apdu)
    assert content(reading) == expected(known, choice)
    assert reading is not None
    assert reading.time == TIME


@pytest.mark.parametrize("known", POSITIONAL_LISTS, ids=lambda known: known.title)
def test_no_list_is_known_by_its_length(known: PositionalList) -> None:
    """A list with one element of another type is another list, or an unknown one."""
    for place, text in enumerate(known.elements.split()):
        kinds, colon, rest = text.partition(":")
        if "e" in kinds.split("|") or (place == 0 and known.name):
            continue
        elements = known.elements.split()
        elements[place] = f"e{colon}{rest}"
        apdu = telegram(replace(known, elements=" ".join(elements)))
        assert decode_notification(apdu) is None, text


def test_no_two_lists_share_a_shape() -> None:
    """No two lists have the same shape, unless a hint distinguishes them."""
    for one, other in itertools.combinations(POSITIONAL_LISTS, 2):
        if {one.is_tagged, other.is_tagged} == {True, False}:
            continue
        if not (one.name.startswith(other.name) or other.name.startswith(one.name)):
            continue
        pairs = list(zip(elements_of(one), elements_of(other), strict=False))
        is_shared = len(elements_of(one)) == len(elements_of(other)) and all(
            any(share(a, b) for a in left.types for b in right.types) for left, right in pairs
        )
        assert not is_shared, (one.title, other.title)


def share(one: str, other: str) -> bool:
    """Return whether a value can have both types."""
    is_string = {one[0], other[0]} <= set("otdC")
    return one == other or {one, other} == {"u", "U"} or (is_string and "o" in {one[0], other[0]})


# --- Hints ----------------------------------------------------------------------------------------

POWERS = PositionalList("A", "t u:1.7.0(0,W) u:2.7.0(0,W)", "made up")
ENERGIES = PositionalList("B", "t u:1.8.0(0,Wh) u:2.8.0(0,Wh)", "made up")


def titles(
    lists: Sequence[PositionalList], *, title: bytes = b"", tagged: bool = False
) -> list[str]:
    data = telegram(POWERS)[18:]
    values, _ = axdr.decode(data)
    assert isinstance(values, tuple)
    body = Body(data, 0, None, tagged, title)
    return [known.title for known in candidates(body, values, lists)]


def test_two_lists_of_one_shape_are_candidates() -> None:
    assert titles([POWERS, ENERGIES]) == ["A", "B"]


def test_lists_that_mean_the_same_are_one() -> None:
    assert titles([POWERS, replace(POWERS, title="C")]) == ["A"]


def test_hints_decide() -> None:
    sealed = replace(ENERGIES, system_title="ISK")
    assert titles([POWERS, sealed], title=b"ISKhu\1\2\3") == ["B"]
    assert titles([POWERS, sealed], title=b"LGZgr\1\2\3") == ["A"]
    assert titles([POWERS, sealed]) == ["A"]
    tagged = replace(ENERGIES, is_tagged=True)
    assert titles([POWERS, tagged], tagged=True) == ["B"]
    assert titles([POWERS, tagged]) == ["A"]
    named = replace(ENERGIES, name="3000")
    assert titles([POWERS, named]) == ["B"]
    assert titles([POWERS, replace(ENERGIES, name="KFM")]) == ["A"]


def test_a_literal_code_beats_any() -> None:
    code = axdr.octet_string(bytes.fromhex("0006190900ff"))
    data = axdr.structure(code, VALUES["u"][0])
    values, _ = axdr.decode(data)
    assert isinstance(values, tuple)
    lists = [
        PositionalList("any", "o6 u:1.7.0(0,W)", "made up"),
        PositionalList("this", "C:0-6:25.9.0 u:1.8.0(0,Wh)", "made up"),
        PositionalList("other", "C:0-8:25.9.0 u:2.8.0(0,Wh)", "made up"),
    ]
    found = candidates(Body(data, 0, None, is_tagged=False, title=b""), values, lists)
    assert [known.title for known in found] == ["this"]


def test_a_word_that_is_no_element_is_refused() -> None:
    with pytest.raises(ValueError, match="not an element"):
        elements_of(PositionalList("A", "u:1.7.0(W)", "made up"))


# --- Codes with their values ----------------------------------------------------------------------


def code(text: str) -> bytes:
    return axdr.octet_string(bytes(Obis.parse(text)))


def u32(number: int) -> bytes:
    return axdr.double_long_unsigned(number)


def scaler_unit(scaler: int, unit: int) -> bytes:
    return axdr.structure(axdr.integer(scaler), bytes([data_types.ENUMERATED, unit]))


def notification(*elements: bytes, time: bytes = CLOCK) -> bytes:
    return b"\x0f\0\0\0\1" + bytes([len(time)]) + time + axdr.structure(*elements)


def read(*elements: bytes, title: bytes = b"", time: bytes = CLOCK) -> Expected | None:
    apdu = notification(*elements, time=time)
    reading = decode_notification(apdu, title)
    return None if reading is None else content(reading)


def entry(*elements: bytes) -> bytes:
    return axdr.structure(*elements)


FLAT_CLOCK = (code("0-0:1.0.0"), axdr.octet_string(CLOCK))
POWER = (code("1-0:1.7.0"), u32(714), scaler_unit(0, 27))
VOLTAGE = (code("1-0:32.7.0"), axdr.long_unsigned(2301), scaler_unit(-1, 35))
SERIAL = (code("0-0:96.1.0"), axdr.octet_string(b"1KFM0200000001"))
MIXED = [
    ("0-0:96.1.0*255", "1KFM0200000001", None),
    ("1-0:32.7.0*255", Decimal("230.1"), "V"),
    ("1-0:1.7.0*255", Decimal(714), "W"),
]


def test_any_mixture_of_pairs_and_structures() -> None:
    rest = (entry(*SERIAL), entry(*VOLTAGE), entry(*POWER))
    assert read(*FLAT_CLOCK, *rest) == MIXED
    assert read(entry(*FLAT_CLOCK), *rest) == MIXED
    assert read(rest[0], *FLAT_CLOCK, *rest[1:]) == MIXED
    assert read(*rest, *FLAT_CLOCK) == MIXED
    assert read(rest[0], *VOLTAGE, rest[2]) == MIXED
    assert read(*SERIAL, rest[1], *POWER) == MIXED


def test_the_clock_of_a_flat_pair_is_the_time() -> None:
    apdu = notification(*FLAT_CLOCK, entry(*POWER), time=b"")
    reading = decode_notification(apdu)
    assert reading is not None
    assert reading.time == TIME


def test_what_does_not_alternate_is_not_known() -> None:
    serial = axdr.octet_string(b"1120000000001")
    first = code("0-6:25.9.0")
    assert read(first, serial, u32(1), u32(2)) is None
    assert read(code("1-0:1.8.0"), u32(1), u32(2)) is None
    assert read(code("1-0:1.8.0"), u32(1), code("1-0:2.8.0")) is None
    assert read(entry(*POWER), u32(2)) is None
    assert read(entry(*POWER), u32(2), entry(*VOLTAGE)) is None
    assert read(serial) is None
    assert read(u32(65), u32(0)) is None


def test_text_of_six_characters_is_no_code() -> None:
    text = axdr.octet_string(b"123456")
    power = ("1-0:1.7.0*255", Decimal(714), "W")
    assert read(*POWER, text) == [power]
    assert read(text, text, u32(1), u32(2)) is None


def test_push_set_ups_are_no_registers() -> None:
    own = axdr.octet_string(bytes(Obis.parse("0-2:25.9.0")))
    assert read(entry(own, own), entry(*POWER)) == MIXED[2:]
    assert read(own, own, *POWER) == MIXED[2:]


def test_empty_text_is_null() -> None:
    message = (code("0-0:96.13.0"), axdr.octet_string(b""))
    assert read(entry(*message), entry(*POWER)) == [("0-0:96.13.0*255", None, None), *MIXED[2:]]


# --- Values behind a list of their objects --------------------------------------------------------


def pushed(
    setup: str, *objects: tuple[str, bytes], attributes: Sequence[int] = (2, 1), **context: bytes
) -> Expected | None:
    """Read a list whose first objects are of its push setup."""
    setups = [(40, setup, attribute) for attribute in attributes]
    named = [*setups, *((3 if text[0] == "1" else 1, text, 2) for text, _ in objects)]
    descriptors = axdr.array(
        *(
            axdr.structure(
                axdr.long_unsigned(kind), code(name), axdr.integer(number), axdr.long_unsigned(0)
            )
            for kind, name, number in named
        )
    )
    own = [code(setup)] * (len(attributes) - 1)
    return read(descriptors, *own, *(value for _, value in objects), **context)


LOCAL = encode_date_time(TIME.replace(tzinfo=None))
VOLTS = ("1-0:32.7.0", axdr.long_unsigned(231))
AMPERES = ("1-0:31.7.0", axdr.long_unsigned(165))
ENERGY = ("1-0:1.8.0", u32(1_600_321))
WIDE = ("1-0:1.8.0", b"\x15" + (1_600_321).to_bytes(8))
ANGLE = ("1-0:81.7.51", axdr.long_unsigned(352))
HERTZ = ("1-0:14.7.0", axdr.long_unsigned(50))


def scales(*told: str | None) -> list[tuple[str, Decimal | None, str]]:
    codes = ("1-0:32.7.0*255", "1-0:31.7.0*255", "1-0:81.7.51*255", "1-0:14.7.0*255")
    units = ("V", "A", "°", "Hz")
    return [
        (obis, None if value is None else Decimal(value), unit)
        for obis, value, unit in zip(codes, told, units, strict=True)
    ]


MEASURED = (VOLTS, AMPERES, ANGLE, HERTZ)
E450 = scales("231", "1.65", "352", "50")
UNKNOWN = scales(None, None, None, None)


@pytest.mark.parametrize("setup", ["0-8:25.9.0", "0-9:25.9.0", "0-11:25.9.0"])
def test_the_set_up_of_an_e450_tells_its_scales(setup: str) -> None:
    found = pushed(setup, ENERGY, *MEASURED, time=LOCAL)
    assert found == [("1-0:1.8.0*255", Decimal(1_600_321), "Wh"), *E450]


@pytest.mark.parametrize(
    ("setup", "energy", "attributes"),
    [
        # May be an E570.
        ("0-8:25.9.0", ENERGY, (2,)),
        ("0-8:25.9.0", WIDE, (2, 1)),
        ("0-0:25.9.0", ENERGY, (2, 1)),
        ("0-2:25.9.0", ENERGY, (2, 1)),
    ],
)
def test_other_set_ups_do_not(
    setup: str, energy: tuple[str, bytes], attributes: Sequence[int]
) -> None:
    found = pushed(setup, energy, *MEASURED, attributes=attributes, time=LOCAL)
    assert found is not None
    assert found[1:] == UNKNOWN


def test_a_set_up_without_energies_tells_no_scale() -> None:
    assert pushed("0-8:25.9.0", *MEASURED, time=LOCAL) == UNKNOWN


def test_a_maker_that_is_named_is_not_that_of_the_set_up() -> None:
    found = pushed("0-8:25.9.0", ENERGY, *MEASURED, time=LOCAL, title=b"XYZgs\1\2\3")
    assert found is not None
    assert found[1:] == UNKNOWN


def test_the_set_up_of_am550_and_e360() -> None:
    found = pushed("0-6:25.9.0", VOLTS, AMPERES, attributes=(2,), time=CLOCK)
    assert found == [("1-0:32.7.0*255", Decimal("23.1"), "V"), *E450[1:2]]


def test_the_title_of_an_e450_tells_its_scales() -> None:
    assert pushed("0-8:25.9.0", *MEASURED, time=LOCAL, title=b"LGZgs\1\2\3") == E450
