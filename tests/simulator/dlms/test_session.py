"""Associations, services and protection, message by message."""

from pathlib import Path

import pytest

from simulator.dlms import (
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Keys,
    ListTrouble,
    Mechanism,
    Profile,
    WrongKey,
    axdr,
    times,
)
from simulator.dlms.ciphering import gmac, proof, protect, unprotect
from simulator.dlms.obis import logical_name
from simulator.dlms.session import Session
from tests.helpers.dlms_probe import (
    TITLE,
    aarq,
    answer_challenge,
    descriptor,
    fields,
    get,
    get_list,
    get_next,
    initiate_request,
)

TOTAL = "1-0:1.8.0*255"
NOON = 1_790_000_100
BOTH = AUTHENTICATED | ENCRYPTED
KEYS = {
    suite: Keys(bytes(range(size)), bytes(range(0x80, 0x80 + size)))
    for suite, size in ((0, 16), (1, 16), (2, 32))
}


def meter_of_noon(**options: object) -> DlmsMeter:
    return DlmsMeter(clock=lambda: NOON, **options)  # type: ignore[arg-type]


def enciphering(suite: int = 0, **options: object) -> DlmsMeter:
    keys = KEYS[suite]
    return meter_of_noon(
        suite=suite,
        encryption_key=keys.encryption,
        authentication_key=keys.authentication,
        **{"policy": BOTH, **options},
    )


def respond(session: Session, apdu: bytes) -> bytes:
    answer = session.respond(apdu)
    assert answer is not None
    return answer


def associated(meter: DlmsMeter, request: bytes | None = None, client: int = 1) -> Session:
    session = Session(meter, client)
    answer = respond(session, aarq() if request is None else request)
    assert fields(answer)[0xA2] == b"\x02\x01\x00"
    return session


def outcome(answer: bytes) -> tuple[int, int]:
    """Return result and diagnostic of an association."""
    found = fields(answer)
    return found[0xA2][-1], found[0xA3][-1]


def sealed_initiate(meter: DlmsMeter, counter: int, dedicated: bytes = b"") -> bytes:
    keys = KEYS[meter.suite]
    plain = initiate_request(dedicated=dedicated)
    control = BOTH | meter.suite
    return b"\x21" + axdr.sized(protect(plain, keys, TITLE, counter, control))


def sealed(
    meter: DlmsMeter,
    tag: int,
    apdu: bytes,
    counter: int,
    *,
    control: int = BOTH,
    keys: Keys | None = None,
) -> bytes:
    body = protect(apdu, keys or KEYS[meter.suite], TITLE, counter, control | meter.suite)
    general = axdr.sized(TITLE) if tag in (0xDB, 0xDC) else b""
    return bytes([tag]) + general + axdr.sized(body)


# --- associations


async def test_without_authentication() -> None:
    answer = respond(Session(meter_of_noon(), 1), aarq())
    # As in the standard, except for conformance and size.
    assert answer.hex() == (
        "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040040121504000007"
    )


async def test_password() -> None:
    meter = meter_of_noon(mechanism=Mechanism.LLS, secret=b"12345678")
    assert outcome(respond(Session(meter, 1), aarq(1, 1, b"12345678"))) == (0, 0)
    wrong = respond(Session(meter, 1), aarq(1, 1, b"1234"))
    assert outcome(wrong) == (1, 13)
    assert 0xBE not in fields(wrong)
    meter.explains_rejection = True
    assert fields(respond(Session(meter, 1), aarq(1, 1, b"")))[0xBE] == b"\x04\x04\x0e\x01\x06\x00"


@pytest.mark.parametrize(
    ("request_", "client", "expected"),
    [
        (aarq(2, 1, b"12345678"), 1, (1, 2)),
        (aarq(3, 1, b"12345678", title=TITLE), 1, (1, 2)),
        (aarq(), 1, (1, 14)),
        (aarq(1, 5, b"12345678"), 1, (1, 11)),
        (aarq(1, 1, b"12345678"), 2, (1, 1)),
        (aarq(1, 1, b"12345678"), 16, (1, 11)),
        (b"\x60\x03\x80\x01\x00", 1, (1, 1)),
        (aarq(1, 1, b"12345678", initiate=b"\x02"), 1, (1, 1)),
    ],
)
async def test_refusals(request_: bytes, client: int, expected: tuple[int, int]) -> None:
    meter = meter_of_noon(mechanism=Mechanism.LLS, secret=b"12345678")
    session = Session(meter, client)
    assert outcome(respond(session, request_)) == expected
    assert respond(session, get(3, TOTAL, 2)).hex() == "d80101"


@pytest.mark.parametrize(
    ("initiate", "error"),
    [
        (initiate_request(version=5), 1),
        (initiate_request(conformance=b"\x00\x00\x02"), 2),
        (initiate_request(max_pdu=11), 3),
    ],
)
async def test_initiate_errors(initiate: bytes, error: int) -> None:
    answer = respond(Session(meter_of_noon(), 1), aarq(initiate=initiate))
    assert fields(answer)[0xBE] == bytes([0x04, 0x04, 0x0E, 0x01, 0x06, error])


@pytest.mark.parametrize(
    "mechanism", [Mechanism.HLS, Mechanism.MD5, Mechanism.SHA1, Mechanism.SHA256]
)
async def test_challenges(mechanism: Mechanism) -> None:
    meter = meter_of_noon(mechanism=mechanism, secret=b"secret")
    session = Session(meter, 1)
    ours = b"a challenge of 24 bytes."
    answer = respond(session, aarq(1, mechanism, ours, title=TITLE))
    assert outcome(answer) == (0, 14)
    theirs = fields(answer)[0xAA][2:]
    title = fields(answer).get(0xA4, b"\x04\x08" + meter.title)[2:]
    assert respond(session, get(3, TOTAL, 2)).hex() == "d80101"
    right = proof(mechanism, b"secret", theirs, titles=(TITLE, title), other_challenge=ours)
    answer = respond(session, answer_challenge(right))
    expected = proof(mechanism, b"secret", ours, titles=(title, TITLE), other_challenge=theirs)
    assert answer == b"\xc7\x01\xc1\x00\x01\x00" + axdr.octets(expected)
    assert respond(session, get(3, TOTAL, 3)).hex() == "c401c10002020f00161e"


async def test_wrong_answer_to_a_challenge() -> None:
    meter = meter_of_noon(mechanism=Mechanism.MD5, secret=b"secret")
    session = associated(meter, aarq(1, 3, b"challenge"))
    assert respond(session, answer_challenge(bytes(16))).hex() == "c701c10300"
    assert respond(session, get(3, TOTAL, 2)).hex() == "d80101"
    assert meter.count("wrong password") == 1


async def test_quirks_of_associations() -> None:
    meter = meter_of_noon(
        mechanism=Mechanism.MD5,
        sends_protocol_version=True,
        hides_pending_authentication=True,
        answered_context=3,
    )
    answer = respond(Session(meter, 1), aarq(1, 3, b"challenge"))
    assert answer[2:6].hex() == "80020780"
    assert outcome(answer) == (0, 0)
    assert fields(answer)[0xA1][-1] == 3
    assert 0xAA in fields(answer)


async def test_release() -> None:
    meter = meter_of_noon()
    session = associated(meter)
    assert respond(session, b"\x62\x03\x80\x01\x00").hex() == "6303800100"
    assert respond(session, get(3, TOTAL, 2)).hex() == "d80101"
    assert respond(session, b"\x62\x00").hex() == "6303800100"
    meter.answers_release = False
    assert session.respond(b"\x62\x00") is None


# --- services


async def test_get() -> None:
    meter = meter_of_noon()
    session = associated(meter)
    number = meter.registers.numbers(NOON)[TOTAL]
    assert respond(session, get(3, TOTAL, 2)) == b"\xc4\x01\xc1\x00" + axdr.u32(number)
    assert respond(session, get(3, "1-0:1.8.9*255", 2)).hex() == "c401c10104"
    assert respond(session, get(1, TOTAL, 2)).hex() == "c401c10109"
    assert respond(session, get(3, TOTAL, 9)).hex() == "c401c10103"
    assert respond(session, get(3, TOTAL, 1))[4:] == axdr.octets(logical_name(TOTAL))


async def test_list() -> None:
    meter = meter_of_noon()
    session = associated(meter)
    request = get_list(descriptor(3, TOTAL, 3), descriptor(3, "1-0:9.9.9*255", 2))
    assert respond(session, request).hex() == "c403c1020002020f00161e0104"
    meter.list_trouble = ListTrouble.EXCEPTION
    assert respond(session, request).hex() == "d80102"


async def test_public_client() -> None:
    meter = meter_of_noon(mechanism=Mechanism.LLS, secret=b"x", client_counter=77)
    session = associated(meter, aarq(), client=16)
    assert respond(session, get(1, "0-0:43.1.0*255", 2)).hex() == "c401c100060000004d"
    assert respond(session, get(3, TOTAL, 2)).hex() == "c401c10103"
    assert respond(session, get_list(descriptor(1, "0-0:43.1.0*255", 2))).hex() == "d80102"
    list_ = axdr.Reader(respond(session, get(15, "0-0:40.0.0*255", 2))[4:]).value()
    assert isinstance(list_, list)
    assert len(list_) == 5
    meter.public_client = None
    assert outcome(respond(Session(meter, 16), aarq())) == (1, 1)


async def test_blocks() -> None:
    meter = meter_of_noon(max_pdu=64)
    session = associated(meter)
    answer = respond(session, get(15, "0-0:40.0.0*255", 2))
    data = b""
    number = 1
    while True:
        assert len(answer) <= 64
        assert answer[:3].hex() == "c402c1"
        assert answer[4:9] == number.to_bytes(4) + b"\x00"
        data += answer[10:]
        assert answer[9] == len(answer[10:])
        if answer[3]:
            break
        assert session.midway
        answer = respond(session, get_next(number))
        number += 1
    assert data[:1] == b"\x01"
    reader = axdr.Reader(data)
    assert isinstance(value := reader.value(), list)
    assert not reader.rest
    assert [1, 0, logical_name("0-0:42.0.0*255")] in [
        entry[:3] for entry in value if isinstance(entry, list)
    ]
    assert respond(session, get_next(number)).hex() == f"c402c101{number:08x}0110"


async def test_wrong_block() -> None:
    session = associated(meter_of_noon(max_pdu=64))
    respond(session, get(15, "0-0:40.0.0*255", 2))
    assert respond(session, get_next(7)).hex() == "c402c101000000070113"
    assert not session.midway


async def test_too_long_without_blocks() -> None:
    session = associated(
        meter_of_noon(), aarq(initiate=initiate_request(b"\x00\x00\x10", max_pdu=64))
    )
    assert respond(session, get(15, "0-0:40.0.0*255", 2)).hex() == "d80104"


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        (b"\xc1\x01\xc1" + bytes(9), "d80102"),
        (b"\x05\x01\x02", "d80102"),
        (b"\xc0\x01", "d80203"),
        (b"\xc0\x01\xc1\x00", "d80203"),
        (b"\xc8\x01", "d80102"),
        (answer_challenge(b"x"), "c701c10300"),
        (b"\xc3\x01\xc1\x00\x46" + logical_name("0-0:96.3.10*255") + b"\x01\x00", "c701c10400"),
    ],
)
async def test_data_access_errors(apdu: bytes, expected: str) -> None:
    assert respond(associated(meter_of_noon()), apdu).hex() == expected


async def test_all_attributes_can_be_read() -> None:
    meter = meter_of_noon(max_pdu=0xFFFF, profile=Profile(days=1))
    session = associated(meter)
    for code, entry in meter.objects.items():
        for attribute in (1, *entry.attributes):
            answer = respond(session, get(entry.class_id, code, attribute))
            assert answer[:4].hex() == "c401c100"
            reader = axdr.Reader(answer[4:])
            reader.value()
            assert not reader.rest
    for attribute in (1, 2, 3, 4, 5, 6, 8, 9):
        assert respond(session, get(15, "0-0:40.0.0*255", attribute))[3] == 0


# --- protection


@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("tag", [0xC8, 0xD0, 0xDB, 0xDC])
@pytest.mark.parametrize("policy", [AUTHENTICATED, ENCRYPTED, BOTH])
async def test_enciphered(suite: int, tag: int, policy: int) -> None:
    meter = enciphering(suite, policy=policy)
    dedicated = Keys(
        bytes(range(0x40, 0x40 + len(KEYS[suite].encryption))), KEYS[suite].authentication
    )
    initiate = sealed_initiate(meter, 1, dedicated.encryption)
    session = Session(meter, 1)
    answer = fields(respond(session, aarq(3, title=TITLE, initiate=initiate)))
    assert answer[0xA4][2:] == meter.title
    assert answer[0xBE][2] == 0x28
    opened = unprotect(answer[0xBE][4:], KEYS[suite], meter.title, suite)
    assert opened.plaintext[:6].hex() == "0800065f1f04"
    assert opened.counter == 1
    keys = dedicated if tag in (0xD0, 0xDC) else KEYS[suite]
    reply = respond(session, sealed(meter, tag, get(3, TOTAL, 3), 2, control=policy, keys=keys))
    reader = axdr.Reader(reply)
    assert reader.number() == {0xC8: 0xCC, 0xD0: 0xD4}.get(tag, tag)
    if tag in (0xDB, 0xDC):
        assert reader.sized() == meter.title
    opened = unprotect(reader.sized(), keys, meter.title, suite)
    assert (opened.control, opened.counter) == (policy | suite, 2)
    assert opened.plaintext.hex() == "c401c10002020f00161e"


async def test_gmac() -> None:
    meter = enciphering(mechanism=Mechanism.GMAC, server_counter=0)
    session = Session(meter, 1)
    request = aarq(3, 5, b"our challenge", title=TITLE, initiate=sealed_initiate(meter, 10))
    answer = fields(respond(session, request))
    assert unprotect(answer[0xBE][4:], KEYS[0], meter.title, 0).counter == 0
    proven = gmac(KEYS[0], TITLE, 11, 0, answer[0xAA][2:])
    reply = respond(session, sealed(meter, 0xCB, answer_challenge(proven), 12))
    opened = unprotect(reply[2:], KEYS[0], meter.title, 0)
    expected = gmac(KEYS[0], meter.title, 1, 0, b"our challenge")
    assert opened.plaintext == b"\xc7\x01\xc1\x00\x01\x00" + axdr.octets(expected)
    assert [(use.key, use.counter) for use in meter.received_counters] == [
        ("global", 10),
        ("global", 12),
        ("proof", 11),
    ]


async def test_gmac_needs_a_title() -> None:
    meter = enciphering(mechanism=Mechanism.GMAC, policy=0)
    assert outcome(respond(Session(meter, 1), aarq(1, 5, b"our challenge"))) == (1, 3)


async def test_counter_must_rise(tmp_path: Path) -> None:
    meter = enciphering(client_counter=4999, counter_file=tmp_path / "counters")
    session = Session(meter, 1)
    stale = aarq(3, title=TITLE, initiate=sealed_initiate(meter, 4999))
    assert respond(session, stale).hex() == "d8010600001388"
    associate = aarq(3, title=TITLE, initiate=sealed_initiate(meter, 5000))
    assert respond(session, associate)[0] == 0x61
    assert respond(session, sealed(meter, 0xC8, get(3, TOTAL, 2), 5001))[0] == 0xCC
    assert respond(session, sealed(meter, 0xC8, get(3, TOTAL, 2), 5001)).hex() == "d801060000138a"
    assert (tmp_path / "counters").read_text() == "".join(
        f"{TITLE.hex()} global {counter}\n" for counter in (4999, 5000, 5001, 5001)
    )


async def test_wrong_keys() -> None:
    meter = enciphering()
    wrong = Keys(bytes(16), KEYS[0].authentication)
    initiate = b"\x21" + axdr.sized(protect(initiate_request(), wrong, TITLE, 1, BOTH))
    request = aarq(3, title=TITLE, initiate=initiate)
    assert respond(Session(meter, 1), request).hex() == "d80105"
    meter.wrong_key = WrongKey.REJECTION
    assert outcome(respond(Session(meter, 1), request)) == (1, 1)
    meter.wrong_key = WrongKey.SILENCE
    assert Session(meter, 1).respond(request) is None
    # A message that it cannot decipher does not change the counter.
    assert meter.client_counter == 0
    session = associated(meter, aarq(3, title=TITLE, initiate=sealed_initiate(meter, 1)))
    damaged = sealed(meter, 0xC8, get(3, TOTAL, 2), 2, keys=wrong)
    assert session.respond(damaged) is None
    meter.wrong_key = WrongKey.EXCEPTION
    assert respond(session, damaged).hex() == "d80105"


async def test_policy() -> None:
    meter = enciphering()
    assert outcome(respond(Session(meter, 1), aarq())) == (1, 2)
    session = associated(meter, aarq(3, title=TITLE, initiate=sealed_initiate(meter, 1)))
    assert respond(session, get(3, TOTAL, 2)).hex() == "d80101"
    weak = sealed(meter, 0xC8, get(3, TOTAL, 2), 2, control=ENCRYPTED)
    assert respond(session, weak).hex() == "d80101"


def test_keys_must_fit() -> None:
    with pytest.raises(ValueError, match="suite 2 has keys of 32 bytes"):
        DlmsMeter(suite=2, encryption_key=bytes(16))
    with pytest.raises(ValueError, match="no encryption key"):
        DlmsMeter(mechanism=Mechanism.GMAC)
    shown = repr(enciphering(secret=b"hidden"))
    assert "hidden" not in shown
    assert "\\x01\\x02\\x03" not in shown


# --- the load profile


def by_range(first: bytes, last: bytes, *columns: bytes) -> bytes:
    clock = axdr.structure(
        axdr.u16(8), axdr.octets(logical_name("0-0:1.0.0*255")), axdr.i8(2), axdr.u16(0)
    )
    return b"\x01" + axdr.structure(clock, first, last, axdr.array(columns))


def by_entry(*numbers: int) -> bytes:
    first, last, *columns = numbers
    return b"\x02" + axdr.structure(
        axdr.u32(first), axdr.u32(last), *(axdr.u16(column) for column in columns)
    )


def rows(meter: DlmsMeter, selection: bytes = b"") -> list[axdr.Data]:
    session = associated(meter)
    answer = respond(session, get(7, "1-0:99.1.0*255", 2, selection))
    assert answer[3] == 0, answer.hex()
    value = axdr.Reader(answer[4:]).value()
    assert isinstance(value, list)
    return value


END = NOON - NOON % 900


async def test_whole_profile() -> None:
    meter = meter_of_noon(max_pdu=0xFFFF, profile=Profile(days=1))
    found = rows(meter)
    assert len(found) == 96
    energies = meter.registers.energies(END)
    assert found[-1] == [times.encode(END), 0, energies[TOTAL], energies["1-0:2.8.0*255"]]


async def test_profile_by_range() -> None:
    meter = meter_of_noon()
    first, last = axdr.octets(times.encode(END - 1800)), axdr.date_time(times.encode(END - 900))
    found = rows(meter, by_range(first, last))
    assert [row[0] for row in found if isinstance(row, list)] == [
        times.encode(END - 1800),
        times.encode(END - 900),
    ]
    column = axdr.structure(axdr.u16(3), axdr.octets(logical_name(TOTAL)), axdr.i8(2), axdr.u16(0))
    assert rows(meter, by_range(first, last, column)) == [
        [meter.registers.energies(END - 1800)[TOTAL]],
        [meter.registers.energies(END - 900)[TOTAL]],
    ]


async def test_profile_by_entry() -> None:
    meter = meter_of_noon(max_pdu=0xFFFF, profile=Profile(days=1))
    everything = rows(meter)
    assert rows(meter, by_entry(1, 2, 1, 0)) == everything[:2]
    assert rows(meter, by_entry(95, 0, 1, 0)) == everything[-2:]
    assert rows(meter, by_entry(96, 96, 3, 3)) == [[meter.registers.energies(END)[TOTAL]]]


@pytest.mark.parametrize(
    "selection",
    [
        by_entry(0, 1, 1, 0),
        b"\x03\x00",
        b"\x01\x00",
        by_range(axdr.octets(bytes(11)), axdr.octets(bytes(11))),
        by_range(axdr.octets(times.encode(END)), axdr.octets(times.encode(END)), axdr.u8(1)),
    ],
)
async def test_selections_that_make_no_sense(selection: bytes) -> None:
    session = associated(meter_of_noon())
    answer = respond(session, get(7, "1-0:99.1.0*255", 2, selection))
    assert answer.hex() in ("c401c101fa", "d80203")


async def test_selections_that_are_refused() -> None:
    session = associated(meter_of_noon(profile=Profile(by_range=False, by_entry=False)))
    selection = by_range(axdr.octets(times.encode(END)), axdr.octets(times.encode(END)))
    assert respond(session, get(7, "1-0:99.1.0*255", 2, selection)).hex() == "c401c101fa"
    assert respond(session, get(7, "1-0:99.1.0*255", 2, by_entry(1, 2, 1, 0))).hex() == "c401c101fa"
    assert respond(session, get(3, TOTAL, 2, by_entry(1, 2, 1, 0))).hex() == "c401c101fa"


async def test_profile_with_null_clock_and_outage() -> None:
    outage = (END - 5 * 900, END - 3 * 900 + 60)
    meter = meter_of_noon(
        max_pdu=0xFFFF, profile=Profile(days=1, null_clock=True, outages=[outage])
    )
    found = rows(meter)
    # Two quarters of an hour without power, and a third that begins without.
    assert len(found) == 94
    assert [row[:2] for row in found[-5:] if isinstance(row, list)] == [
        [None, 0],
        [None, 0],
        [times.encode(END - 2 * 900), 0x80],
        [None, 0],
        [None, 0],
    ]


async def test_release_of_a_ciphered_association() -> None:
    meter = enciphering()
    session = associated(meter, aarq(3, title=TITLE, initiate=sealed_initiate(meter, 1)))
    inside = axdr.sized(b"\x04" + axdr.sized(sealed_initiate(meter, 2)))
    answer = respond(session, b"\x62" + axdr.sized(b"\x80\x01\x00\xbe" + inside))
    found = fields(answer)
    assert found[0x80] == b"\x00"
    assert found[0xBE][2] == 0x28
    opened = unprotect(found[0xBE][4:], KEYS[0], meter.title, 0)
    assert opened.plaintext[:6].hex() == "0800065f1f04"
    # The counter of a release has to increase, too.
    assert meter.client_counter == 2


async def test_counter_that_the_meter_takes_for_used() -> None:
    meter = enciphering()
    session = associated(meter, aarq(3, title=TITLE, initiate=sealed_initiate(meter, 1)))
    meter.faults.stale_counters = 1
    assert respond(session, sealed(meter, 0xC8, get(3, TOTAL, 2), 2)).hex() == "d80106000003eb"
    assert respond(session, sealed(meter, 0xC8, get(3, TOTAL, 2), 1003))[0] == 0xCC


async def test_keys_that_are_not_there() -> None:
    meter = enciphering(policy=0)
    session = associated(meter, aarq(3, title=TITLE))
    # Without a policy, unprotected requests get unprotected answers.
    assert respond(session, get(3, TOTAL, 3))[0] == 0xC4
    assert respond(session, sealed(meter, 0xD0, get(3, TOTAL, 2), 2)).hex() == "d80105"
    assert respond(session, b"\xc8\x05").hex() == "d80203"
