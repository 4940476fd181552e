"""The meter's side of HDLC, frame by frame, with faults."""

from dataclasses import replace

import pytest

from simulator.dlms import ALWAYS, DlmsMeter, Faults, Parameters, axdr, hdlc
from simulator.dlms.hdlc import LLC_COMMAND, LLC_RESPONSE, Frame
from simulator.dlms.station import Station
from tests.helpers.dlms_probe import aarq, get, get_next

CLIENT = b"\x03"
METER = b"\x03"
TOTAL = "1-0:1.8.0*255"
#: Control fields of the next frames with N(S) and N(R), with the poll bit.
POLL = hdlc.POLL


def frame(control: int, information: bytes = b"", *, segmented: bool = False) -> Frame:
    return Frame(METER, CLIENT, control, information, segmented)


def information(sent: int, awaited: int, content: bytes, *, segmented: bool = False) -> Frame:
    return frame(awaited << 5 | POLL | sent << 1, content, segmented=segmented)


def ready(awaited: int) -> Frame:
    return frame(awaited << 5 | POLL | hdlc.RR)


def controls(frames: list[Frame]) -> list[int]:
    return [answer.control for answer in frames]


def connected(wanted: bytes = b"", **options: object) -> Station:
    station = Station(DlmsMeter(**options))  # type: ignore[arg-type]
    assert controls(station.hear(frame(hdlc.SNRM | POLL, wanted))) == [hdlc.UA | POLL]
    return station


def associated(wanted: bytes = b"", **options: object) -> Station:
    station = connected(wanted, **options)
    (answer,) = station.hear(information(0, 0, LLC_COMMAND + aarq()))
    assert answer.control == 0x30
    return station


async def test_connection() -> None:
    station = Station(DlmsMeter())
    assert controls(station.hear(ready(0))) == [hdlc.DM | POLL]
    (answer,) = station.hear(frame(hdlc.SNRM | POLL))
    # The defaults of the standard.
    assert answer.information.hex() == "818012050180060180070400000001080400000001"
    assert station.connected
    assert controls(station.hear(frame(hdlc.DISC | POLL))) == [hdlc.UA | POLL]
    assert station.ended
    assert not station.connected
    assert controls(station.hear(frame(hdlc.DISC | POLL))) == [hdlc.DM | POLL]


async def test_negotiation() -> None:
    station = Station(DlmsMeter(max_information=512, window=3))
    wanted = hdlc.encode_parameters({5: 200, 6: 1024, 7: 1, 8: 7})
    (answer,) = station.hear(frame(hdlc.SNRM | POLL, wanted))
    assert hdlc.parse_parameters(answer.information) == {5: 512, 6: 200, 7: 3, 8: 1}
    (answer,) = station.hear(frame(hdlc.SNRM | POLL))
    assert hdlc.parse_parameters(answer.information) == {5: 128, 6: 128, 7: 1, 8: 1}
    (answer,) = station.hear(frame(hdlc.SNRM | POLL, b"\x81\x80\x07"))
    assert answer.control == hdlc.FRMR | POLL


async def test_parameters_that_are_refused_or_missed() -> None:
    parameters = hdlc.encode_parameters({5: 128})
    for kind, information_ in ((Parameters.REFUSED, parameters), (Parameters.REQUIRED, b"")):
        station = Station(DlmsMeter(parameters=kind))
        assert controls(station.hear(frame(hdlc.SNRM | POLL, information_))) == [hdlc.DM | POLL]
    for kind, information_ in ((Parameters.REFUSED, b""), (Parameters.REQUIRED, parameters)):
        connected(information_, parameters=kind)
    (answer,) = Station(DlmsMeter(sends_parameters=False)).hear(frame(hdlc.SNRM | POLL))
    assert answer.information == b""


@pytest.mark.parametrize(
    ("address", "sizes", "answered"),
    [
        ("03", (1, 2, 4), True),
        ("0223", (1, 2, 4), True),
        ("00020023", (1, 2, 4), True),
        ("0223", (4,), False),
        ("0221", (2,), False),
        ("05", (1,), False),
    ],
)
async def test_addresses(address: str, sizes: tuple[int, ...], answered: bool) -> None:
    meter = DlmsMeter(address_sizes=sizes)
    request = replace(frame(hdlc.SNRM | POLL), destination=bytes.fromhex(address))
    answers = Station(meter).hear(request)
    assert bool(answers) is answered
    if answered:
        assert answers[0].source == request.destination
        assert answers[0].destination == CLIENT
        return
    meter.refuses_other_addresses = True
    assert controls(Station(meter).hear(request)) == [hdlc.DM | POLL]


async def test_numbers_of_frames() -> None:
    station = associated()
    for turn in range(1, 20):
        (answer,) = station.hear(information(turn % 8, turn % 8, LLC_COMMAND + get(3, TOTAL, 3)))
        assert answer.control == (turn + 1) % 8 << 5 | POLL | turn % 8 << 1
        assert answer.information == LLC_RESPONSE + bytes.fromhex("c401c10002020f00161e")


async def test_repetition_is_answered_but_not_obeyed() -> None:
    station = associated()
    request = information(1, 1, LLC_COMMAND + get(3, TOTAL, 3))
    answers = station.hear(request)
    assert station.hear(request) == answers
    # RR alone repeats the answer, too.
    assert station.hear(ready(1)) == answers
    assert station.meter.count("get") == 1
    assert controls(station.hear(ready(2))) == [2 << 5 | POLL | hdlc.RR]


async def test_long_answer_is_segmented() -> None:
    station = associated()
    answers = station.hear(information(1, 1, LLC_COMMAND + get(15, "0-0:40.0.0*255", 2)))
    content = b""
    awaited = 1
    while answers[0].segmented:
        assert len(answers[0].information) == 128
        assert answers[0].control == 2 << 5 | POLL | awaited << 1
        content += answers[0].information
        awaited = (awaited + 1) % 8
        answers = station.hear(ready(awaited))
    content += answers[0].information
    assert content.startswith(LLC_RESPONSE + b"\xc4\x02")
    assert content.count(LLC_RESPONSE) == 1
    assert len(content) == 3 + 1024


async def test_window() -> None:
    parameters = hdlc.encode_parameters({5: 128, 6: 128, 7: 1, 8: 3})
    station = associated(parameters, window=7)
    answers = station.hear(information(1, 1, LLC_COMMAND + get(15, "0-0:40.0.0*255", 2)))
    assert controls(answers) == [0x42, 0x44, 0x56]
    # The second of three frames was lost.
    assert controls(station.hear(ready(2))) == [0x44, 0x46, 0x58]
    assert controls(station.hear(ready(5))) == [0x4A, 0x4C, 0x5E]


async def test_long_request_is_segmented() -> None:
    station = connected()
    request = LLC_COMMAND + aarq()
    first, second = request[:20], request[20:]
    assert controls(station.hear(information(0, 0, first, segmented=True))) == [0x31]
    (answer,) = station.hear(information(1, 0, second))
    assert answer.information.startswith(LLC_RESPONSE + b"\x61")
    # Without the poll bit there is no answer.
    silent = frame(1 << 5 | 2 << 1, first, segmented=True)
    assert station.hear(silent) == []


async def test_frames_that_are_rejected() -> None:
    station = associated()
    (answer,) = station.hear(information(1, 1, LLC_COMMAND + bytes(126)))
    assert (answer.control, answer.information.hex()) == (0x97, "322204")
    (answer,) = station.hear(frame(0xE3 | POLL))
    assert (answer.control, answer.information[-1]) == (0x97, 1)
    assert controls(station.hear(information(1, 1, b"\xe6\xe7\x00\xc0"))) == [0x51]


async def test_other_clients_and_unnumbered_information() -> None:
    station = associated()
    other = replace(ready(1), source=b"\x21")
    assert controls(station.hear(other)) == [hdlc.DM | POLL]
    assert station.hear(frame(hdlc.UI | POLL, LLC_COMMAND)) == []
    assert controls(station.hear(frame(1 << 5 | POLL | hdlc.RNR))) == [1 << 5 | POLL | hdlc.RR]
    station.meter.faults.silences = 1
    assert station.hear(ready(1)) == []


async def test_busy_meter() -> None:
    station = associated()
    station.meter.faults.busy = 1
    request = information(1, 1, LLC_COMMAND + get(3, TOTAL, 3))
    assert controls(station.hear(request)) == [2 << 5 | POLL | hdlc.RNR]
    (answer,) = station.hear(ready(1))
    assert answer.information.startswith(LLC_RESPONSE + b"\xc4")


async def test_notification_before_an_answer() -> None:
    station = associated()
    station.meter.faults.notifications = 1
    notification, answer = station.hear(information(1, 1, LLC_COMMAND + get(3, TOTAL, 3)))
    assert notification.control == hdlc.UI
    assert notification.information[3] == 0x0F
    assert answer.information[3] == 0xC4


async def test_meter_that_refuses() -> None:
    station = Station(DlmsMeter(faults=Faults(refuse_connection=1)))
    assert controls(station.hear(frame(hdlc.SNRM | POLL))) == [hdlc.DM | POLL]
    assert controls(station.hear(frame(hdlc.SNRM | POLL))) == [hdlc.UA | POLL]


@pytest.mark.parametrize(
    ("fault", "answer"), [("disconnect_midway", hdlc.DM), ("disc_midway", hdlc.DISC)]
)
async def test_meter_that_goes_away(fault: str, answer: int) -> None:
    station = associated()
    setattr(station.meter.faults, fault, 1)
    (first,) = station.hear(information(1, 1, LLC_COMMAND + get(15, "0-0:40.0.0*255", 2)))
    assert first.segmented
    assert controls(station.hear(ready(2))) == [answer | POLL]
    assert controls(station.hear(ready(2))) == [hdlc.DM | POLL]


async def test_meter_that_goes_away_between_blocks() -> None:
    station = associated(max_pdu=100)
    station.meter.faults.disconnect_midway = 1
    station.hear(information(1, 1, LLC_COMMAND + get(15, "0-0:40.0.0*255", 2)))
    answers = station.hear(information(2, 2, LLC_COMMAND + get_next(1)))
    assert controls(answers) == [hdlc.DM | POLL]


async def test_numbers_that_stay_zero() -> None:
    station = associated()
    station.meter.faults.zero_numbers = ALWAYS
    (answer,) = station.hear(information(1, 1, LLC_COMMAND + get(3, TOTAL, 3)))
    assert answer.control == 0 << 5 | POLL | 1 << 1


async def test_faults_of_answers() -> None:
    station = associated()
    faults = station.meter.faults
    faults.trailing_bytes = 1
    (answer,) = station.hear(information(1, 1, LLC_COMMAND + get(3, TOTAL, 3)))
    assert answer.information.hex() == "e6e700c401c10002020f00161e00161e"
    faults.other_answers = 1
    (answer,) = station.hear(information(2, 2, LLC_COMMAND + get(3, TOTAL, 3)))
    assert answer.information[3:6].hex() == "c401ce"
    assert axdr.Reader(answer.information[7:]).value() == [0, 30]
