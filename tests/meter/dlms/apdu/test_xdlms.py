"""Messages of xDLMS, and associations with prepared answers."""

from collections.abc import Sequence

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Obis
from custom_components.onemeter.meter.dlms.apdu import xdlms
from custom_components.onemeter.meter.dlms.apdu.results import ExceptionError, ServiceError
from custom_components.onemeter.meter.dlms.apdu.xdlms import AccessResult, Conformance
from custom_components.onemeter.meter.dlms.association import Association, Operation
from custom_components.onemeter.meter.dlms.settings import DlmsSettings
from custom_components.onemeter.meter.errors import (
    AccessError,
    AssociationError,
    MeterAuthenticationError,
    MeterError,
    TelegramError,
)

from .test_acse import AARE, REJECTED

TOTAL = xdlms.descriptor(3, Obis.parse("1-0:1.8.0"), 2)
NAME = xdlms.descriptor(1, Obis.parse("0-0:42.0.0"), 2)


def run[T](operation: Operation[T], *answers: str) -> tuple[list[str], T]:
    """Return what an operation sends, and its result."""
    sent: list[str] = [next(operation).hex()]
    try:
        for answer in answers:
            sent += [operation.send(bytes.fromhex(answer)).hex()]
    except StopIteration as done:
        return sent, done.value
    raise AssertionError("more answers are wanted")


def test_initiate() -> None:
    assert xdlms.initiate_request().hex() == "01000000065f1f0400001215ffff"
    with_key = xdlms.initiate_request(bytes(16)).hex()
    assert with_key == "010110" + "00" * 16 + "0000065f1f0400001215ffff"


@pytest.mark.parametrize("apdu", ["0800065f1f0400007c1f04000007", "080100065f0400007c1f04000007"])
def test_initiate_response(apdu: str) -> None:
    found = xdlms.parse_initiate_response(bytes.fromhex(apdu))
    assert Conformance.GET in found.conformance
    assert Conformance.SELECTIVE_ACCESS in found.conformance
    assert Conformance.GENERAL_BLOCK_TRANSFER not in found.conformance
    assert found.max_pdu == 0x0400


def test_initiate_error() -> None:
    with pytest.raises(ServiceError, match="conformance"):
        xdlms.parse_initiate_response(bytes.fromhex("0e010602"))
    with pytest.raises(TelegramError):
        xdlms.parse_initiate_response(b"\x08")


def test_get() -> None:
    sent, found = run(Association(DlmsSettings()).get(TOTAL), "c401c1000600001234")
    assert sent == ["c001c100030100010800ff0200"]
    assert found == 0x1234


@pytest.mark.parametrize("aside", ["0f0000000100020101", "c20000", "c401c2000600009999", "6300"])
def test_asides_are_no_answers(aside: str) -> None:
    sent, found = run(Association(DlmsSettings()).get(TOTAL), aside, "c401c1001105ff")
    assert sent[1:] == [""]
    assert found == 5


def test_get_in_blocks() -> None:
    answers = ("c402c10000000001000309" + "0361", "c402c10100000002000262" + "63")
    sent, found = run(Association(DlmsSettings()).get(NAME), *answers)
    assert sent[1:] == ["c002c100000001"]
    assert found == b"abc"


def test_missing_block() -> None:
    with pytest.raises(TelegramError, match="missing"):
        run(
            Association(DlmsSettings()).get(NAME),
            "c402c1000000000100020903",
            "c402c10100000003000361" + "6263",
        )


def test_list() -> None:
    answer = "c403c103" + "00060000007b" + "0103" + "000903616263"
    sent, found = run(Association(DlmsSettings()).get_list([TOTAL, TOTAL, NAME]), answer)
    assert sent[0].startswith("c003c10300030100010800ff0200")
    assert found == [123, AccessResult(3), b"abc"]
    assert isinstance(found[1], AccessResult)


def test_list_in_blocks() -> None:
    answers = ("c402c1000000000100030200" + "11", "c402c101000000020003070" + "104")
    _, found = run(Association(DlmsSettings()).get_list([TOTAL, NAME]), *answers)
    assert found == [7, AccessResult(4)]


def test_list_of_another_length() -> None:
    with pytest.raises(TelegramError):
        run(Association(DlmsSettings()).get_list([TOTAL, NAME]), "c403c101001105")


def test_general_block_transfer() -> None:
    answers = ("e00100010000" + "04c401c100", "e08100020001" + "0506000004d2")
    sent, found = run(Association(DlmsSettings()).get(TOTAL), *answers)
    assert sent[1:] == ["e0810001000100"]
    assert found == 1234


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ("c401c10103", AccessError, "no right"),
        ("c401c10104", AccessError, "does not have it"),
        ("c401c101c8", AccessError, "200"),
        ("d80105", ExceptionError, "deciphering"),
        ("d80202", ExceptionError, "not supported"),
        ("0e010500", ServiceError, "access"),
        ("c501c100", TelegramError, "0xC5"),
    ],
)
def test_refusals_as_text(answer: str, error: type[MeterError], text: str) -> None:
    with pytest.raises(error, match=text):
        run(Association(DlmsSettings()).get(TOTAL), answer)


def test_counter_that_would_be_taken() -> None:
    found = xdlms.parse_exception(bytes.fromhex("d8010600001388"))
    assert found.counter == 5000
    assert found.is_about_ciphering


def test_association() -> None:
    association = Association(DlmsSettings())
    run(association.associate(), AARE.hex())
    assert association.is_agreed
    assert association.max_pdu == 0x0400


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (REJECTED.hex(), MeterAuthenticationError),
        (REJECTED.hex()[:-1] + "b", AssociationError),
        ("0e010601", AssociationError),
        ("d80101", ExceptionError),
    ],
)
def test_no_association(answer: str, error: type[MeterError]) -> None:
    with pytest.raises(error):
        run(Association(DlmsSettings()).associate(), answer)


ANSWERS = [
    "c401c1000600001234",
    "c402c10000000001000309" + "0361",
    "c403c103" + "00060000007b" + "0103" + "000903616263",
    "e00100010000" + "04c401c100",
    "d8010600001388",
    AARE.hex(),
]


@given(
    st.sampled_from(ANSWERS),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=3),
    st.integers(0, 60),
    st.sampled_from(["get", "list", "associate"]),
)
def test_damage(answer: str, changes: Sequence[tuple[int, int]], end: int, kind: str) -> None:
    altered = bytearray.fromhex(answer)
    for place, byte in changes:
        altered[place % len(altered)] = byte
    association = Association(DlmsSettings())
    operation: Operation[object] = {
        "get": association.get(TOTAL),
        "list": association.get_list([TOTAL, NAME, NAME]),
        "associate": association.associate(),
    }[kind]
    next(operation)
    try:
        for _ in range(3):
            operation.send(bytes(altered[:end]))
    except MeterError, StopIteration:
        pass
