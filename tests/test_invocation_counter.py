"""No invocation counter is given out twice, whatever happens to Home Assistant."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.invocation_counter import StoredCounter, async_forget_counters
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.storage import Store

from .killed import killed, reserve
from .polled import PolledMeter

KEY = "000102030405060708090a0b0c0d0e0f"
OTHER_KEY = KEY[::-1]
TITLE = "4f4e4d0102030405"
OTHER_TITLE = "4f4e4d0504030201"
STORE = f"{DOMAIN}.invocation_counters"


@pytest.fixture
def counter(hass: HomeAssistant) -> StoredCounter:
    return StoredCounter(hass, TITLE, KEY)


async def test_numbers_go_on_and_begin_where_the_meter_wants(
    hass: HomeAssistant, counter: StoredCounter, hass_storage: dict[str, Any]
) -> None:
    assert await counter.reserve(1) == 0
    assert await counter.reserve(10) == 1
    assert await counter.reserve(2, at_least=5) == 11
    assert await counter.reserve(2, at_least=5000) == 5000
    assert await StoredCounter(hass, TITLE, KEY.upper()).reserve(1) == 5002
    assert KEY not in str(hass_storage[STORE])


async def test_each_key_and_each_title_has_its_own(hass: HomeAssistant) -> None:
    for title in (TITLE, OTHER_TITLE):
        for key in (KEY, OTHER_KEY):
            assert await StoredCounter(hass, title, key).reserve(5) == 0
    assert await StoredCounter(hass, TITLE, KEY).reserve(5) == 5
    assert await StoredCounter(hass, OTHER_TITLE, OTHER_KEY).reserve(5) == 5


async def test_numbers_are_stored_before_they_are_given_out(
    counter: StoredCounter, hass_storage: dict[str, Any]
) -> None:
    first = await counter.reserve(7)
    [mark] = hass_storage[STORE]["data"][TITLE].values()
    assert mark == first + 7


async def test_those_who_ask_at_once_get_different_numbers(hass: HomeAssistant) -> None:
    counters = [StoredCounter(hass, TITLE, KEY) for _ in range(10)]
    firsts = await asyncio.gather(*(counter.reserve(3) for counter in counters))
    assert sorted(firsts) == list(range(0, 30, 3))


async def test_none_are_left_at_the_end(counter: StoredCounter) -> None:
    assert await counter.reserve(1, at_least=0xFFFF_FFFE) == 0xFFFF_FFFE
    with pytest.raises(OverflowError):
        await counter.reserve(1)


async def test_nothing_is_given_out_that_could_not_be_stored(
    hass: HomeAssistant, counter: StoredCounter
) -> None:
    assert await counter.reserve(5) == 0
    with patch.object(Store, "async_save"), pytest.raises(OSError, match="cannot be stored"):
        await counter.reserve(5)
    hass.set_state(CoreState.stopping)
    with pytest.raises(OSError, match="cannot be stored"):
        await counter.reserve(5)
    hass.set_state(CoreState.running)
    assert await counter.reserve(5) == 5


async def test_what_was_stored_goes_with_the_title(
    hass: HomeAssistant, counter: StoredCounter, hass_storage: dict[str, Any]
) -> None:
    other = StoredCounter(hass, OTHER_TITLE, KEY)
    await counter.reserve(5)
    await other.reserve(5)
    await async_forget_counters(hass, TITLE)
    await async_forget_counters(hass, "4f4e4d0000000000")
    assert list(hass_storage[STORE]["data"]) == [OTHER_TITLE]


@pytest.mark.usefixtures("hass_storage")
async def test_removed_entry_leaves_no_mark(
    hass: HomeAssistant, counter: StoredCounter, hass_storage: dict[str, Any], freezer: Any
) -> None:
    await counter.reserve(5)
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms", encryption_key=KEY, system_title=TITLE)
    await meter.start()
    await hass.config_entries.async_remove(meter.entry.entry_id)
    await hass.async_block_till_done()
    assert hass_storage[STORE]["data"] == {}


@pytest.mark.real_time("kills processes")
def test_killed_process_has_used_none_that_comes_again(tmp_path: Path) -> None:
    given: list[int] = []
    for number in range(4):
        with killed(reserve, tmp_path, TITLE, KEY) as pipe:
            given += [pipe.recv() for _ in range(1 + number)]
        with suppress(EOFError):
            while True:
                given.append(pipe.recv())
        pipe.close()
    assert all(after >= before + 3 for before, after in pairwise(given))
    assert len(given) >= 10
