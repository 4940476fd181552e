"""Messages of S10 senders."""

from contextlib import suppress
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.blink.s10 import (
    LIMIT,
    Flash,
    S10Flashes,
    normal_mac,
    parse_s10,
)
from custom_components.onemeter.meter.errors import MeterError, TelegramError

MAC = "AABBCC001122"


def message(*devices: object) -> str:
    return json.dumps({"dev_list": devices})


def test_flashes_in_order() -> None:
    payload = message(
        {"mac": "aa:bb:cc:00:11:22", "ts": 1_780_000_000_123, "rssi": -60},
        {"mac": "DDEEFF001122", "ts": "1780000000124"},
        {"mac": MAC, "ts": 1_780_000_000_125.0},
    )
    assert (
        parse_s10(payload)
        == parse_s10(payload.encode())
        == (
            Flash(MAC, 1_780_000_000_123),
            Flash("DDEEFF001122", 1_780_000_000_124),
            Flash(MAC, 1_780_000_000_125),
        )
    )


def test_the_same_flash_twice_is_one() -> None:
    payload = message({"mac": MAC, "ts": 7}, {"mac": MAC.lower(), "ts": 7}, {"mac": MAC, "ts": 8})
    assert parse_s10(payload) == (Flash(MAC, 7), Flash(MAC, 8))
    flashes = S10Flashes()
    assert flashes.new(payload) == (Flash(MAC, 7), Flash(MAC, 8))
    assert flashes.new(payload) == ()
    assert flashes.new(message({"mac": MAC, "ts": 9}, {"mac": "01", "ts": 8})) == (
        Flash(MAC, 9),
        Flash("01", 8),
    )


@pytest.mark.parametrize("ts", [None, 0, -1, "", "soon", True, [], float("nan"), 10**400])
def test_flashes_without_time_all_count(ts: object) -> None:
    payload = message({"mac": MAC, "ts": ts}, {"mac": MAC})
    flashes = S10Flashes()
    assert flashes.new(payload) == flashes.new(payload) == (Flash(MAC, None),) * 2


def test_what_is_no_flash_is_left_out() -> None:
    payload = message(None, 5, "x", [], {}, {"ts": 5}, {"mac": 5}, {"mac": " "}, {"mac": "1"})
    assert parse_s10(payload) == (Flash("1", None),)


@pytest.mark.parametrize(
    "payload",
    ["", "{", "[]", "null", "{}", '{"dev_list": {}}', b"\xff\xfe{", "[" * 100_000, "9" * 5000],
)
def test_what_is_no_message(payload: str | bytes) -> None:
    with pytest.raises(TelegramError):
        parse_s10(payload)


def test_neither_flashes_nor_senders_pile_up() -> None:
    flashes = S10Flashes()
    for ts in range(1, 2000):
        flashes.new(message({"mac": MAC, "ts": ts}, {"mac": str(ts), "ts": 1}))
    assert len(flashes._seen) <= 64
    assert len(flashes._seen[MAC]) <= 256
    assert flashes.new(message({"mac": MAC, "ts": 1999})) == ()


@given(st.binary() | st.text() | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_anything_else_is_an_error_of_ours(payload: str | bytes) -> None:
    with suppress(MeterError):
        assert isinstance(parse_s10(payload), tuple)


def test_normal_form_of_addresses() -> None:
    assert {normal_mac(text) for text in (MAC, "aa-bb-cc-00-11-22", " AA:BB:CC:00:11:22")} == {MAC}


def test_a_message_that_is_longer_than_any_sender_makes_it() -> None:
    devices = [{"mac": f"{number:012X}", "ts": number} for number in range(1, 3001)]
    with pytest.raises(TelegramError):
        parse_s10(message(*devices))
    for length in (LIMIT, LIMIT + 1):
        payload = message(*devices[:200]).ljust(length)
        if length > LIMIT:
            with pytest.raises(TelegramError):
                parse_s10(payload)
        else:
            assert len(parse_s10(payload)) == 200


def test_no_flash_is_compared_with_every_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def count(flash: Flash, other: object) -> bool:
        nonlocal compared
        compared += 1
        return tuple.__eq__(flash, other) is True

    monkeypatch.setattr(Flash, "__eq__", count)
    monkeypatch.setattr(Flash, "__hash__", tuple.__hash__)
    number = 500
    assert (
        len(parse_s10(message(*({"mac": "1", "ts": ts} for ts in range(1, number + 1))))) == number
    )
    assert compared < number
