"""No invocation counter is given out twice, whatever happens to Home Assistant."""

import asyncio
from contextlib import suppress
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.access.invocation_counter import StoredCounter, client_title
from custom_components.onemeter.const import DOMAIN
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.storage import Store

from ..helpers.killed import killed, reserve
from ..helpers.polled import PolledMeter

KEY = "000102030405060708090a0b0c0d0e0f"
OTHER_KEY = KEY[::-1]
#: Titles that users have given.
TITLE = "4d4d4d0102030405"
OTHER_TITLE = "4d4d4d0504030201"
STORE = f"{DOMAIN}.invocation_counters"


def counter_of(hass: HomeAssistant, title: str | None = None, key: str = KEY) -> StoredCounter:
    return StoredCounter(hass, bytes.fromhex(key), kept(title))


def kept(title: str | None) -> bytes | None:
    return None if title is None else bytes.fromhex(title)


@pytest.fixture
def counter(hass: HomeAssistant) -> StoredCounter:
    return counter_of(hass)


async def restart(hass: HomeAssistant) -> None:
    """Forget what is known in this run, as at a start of Home Assistant."""
    hass.data.pop(f"{DOMAIN}_invocation_counters")


async def test_numbers_go_on_and_begin_where_the_meter_wants(
    hass: HomeAssistant, counter: StoredCounter, hass_storage: dict[str, Any]
) -> None:
    assert await counter.reserve(1) == 0
    assert await counter.reserve(10) == 1
    assert await counter.reserve(2, at_least=5) == 11
    assert await counter.reserve(2, at_least=5000) == 5000
    assert await counter_of(hass, key=KEY.upper()).reserve(1) == 5002
    assert KEY not in str(hass_storage[STORE])


async def test_each_key_and_each_title_has_its_own(hass: HomeAssistant) -> None:
    for title in (None, TITLE, OTHER_TITLE):
        for key in (KEY, OTHER_KEY):
            assert await counter_of(hass, title, key).reserve(5, at_least=1) == 1
    assert await counter_of(hass, None, KEY).reserve(5) == 6
    assert await counter_of(hass, TITLE, KEY).reserve(5) == 6
    assert await counter_of(hass, OTHER_TITLE, OTHER_KEY).reserve(5) == 6


async def test_numbers_are_stored_before_they_are_given_out(
    counter: StoredCounter, hass_storage: dict[str, Any]
) -> None:
    first = await counter.reserve(7)
    [mark] = hass_storage[STORE]["data"]["marks"][""].values()
    assert mark == first + 7


# --- lost and restored stores ---------------------------------------------------------------------


async def test_own_title_is_another_one_in_each_run(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    # Also that of an entry of an earlier version, which had one of its own.
    earlier = "4f4e4d0102030405"
    used: set[tuple[str, int]] = set()
    given = 0
    backup: dict[str, Any] = {}
    for run in range(20):
        if run % 5 == 1:
            backup = deepcopy(hass_storage)
        elif run % 5 == 3:
            hass_storage.clear()
            hass_storage.update(deepcopy(backup))
        elif run % 5 == 4:
            hass_storage.clear()
        for _ in range(3):
            title = client_title(hass, kept(earlier)).hex()
            assert title.startswith("4f4e4d")
            first = await counter_of(hass, earlier).reserve(5)
            used |= {(title, number) for number in range(first, first + 5)}
            given += 5
        await restart(hass)
    assert len(used) == given
    assert len({title for title, _ in used}) == 20


async def test_numbers_of_the_own_titles_go_on(hass: HomeAssistant, counter: StoredCounter) -> None:
    await counter.reserve(5)
    await restart(hass)
    assert await counter.reserve(5) == 5


async def test_given_title_never_begins_at_0(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    counter = counter_of(hass, TITLE)
    with pytest.raises(LookupError):
        await counter.reserve(5)
    # The meter's own register, or its hint.
    assert await counter.reserve(5, at_least=700) == 700
    assert await counter.reserve(5) == 705
    await restart(hass)
    del hass_storage[STORE]
    with pytest.raises(LookupError):
        await counter.reserve(5)
    # What the user has said.
    await counter.async_begin(9000)
    assert await counter.reserve(5) == 9000
    await counter.async_begin(10)
    assert await counter.reserve(5) == 9005


async def test_lost_store_does_not_matter_as_long_as_this_run_knows(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    counter = counter_of(hass, TITLE)
    await counter.async_begin(100)
    backup = deepcopy(hass_storage)
    assert await counter.reserve(5) == 100
    hass_storage.update(backup)
    assert await counter.reserve(5) == 105
    del hass_storage[STORE]
    assert await counter.reserve(5) == 110


async def test_restored_store_leaves_out_what_may_have_been_used_since(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    counter = counter_of(hass, TITLE)
    await counter.async_begin(1)
    backup = deepcopy(hass_storage)
    last = 0
    # A number each second, for a week.
    for _ in range(7):
        freezer.tick(86_400)
        last = await counter.reserve(86_400)
    hass_storage.update(backup)
    await restart(hass)
    again = await counter.reserve(5)
    assert again >= last + 86_400
    # And what was used within seconds, before a clock that goes back.
    backup = deepcopy(hass_storage)
    last = await counter.reserve(1000)
    hass_storage.update(backup)
    await restart(hass)
    freezer.tick(-3600)
    assert await counter.reserve(5) >= last + 1000


async def test_those_who_ask_at_once_get_different_numbers(hass: HomeAssistant) -> None:
    counters = [counter_of(hass) for _ in range(10)]
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
    # What may have been stored all the same is left out.
    assert await counter.reserve(5) == 15


async def test_what_was_stored_goes_with_the_title(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    counter, other = counter_of(hass, TITLE), counter_of(hass, OTHER_TITLE)
    await counter.async_begin(5)
    await other.async_begin(5)
    await counter.async_forget()
    await counter_of(hass, "4d4d4d0000000000").async_forget()
    marks = hass_storage[STORE]["data"]["marks"]
    assert [title for title, found in marks.items() if found] == [OTHER_TITLE]
    # An entry that is made once more in this run does not begin anew.
    assert await counter.reserve(5) == 5


@pytest.mark.usefixtures("hass_storage")
async def test_removed_entry_leaves_no_mark(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    await counter_of(hass, TITLE).async_begin(5)
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms", encryption_key=KEY, system_title=TITLE)
    await meter.start()
    await hass.config_entries.async_remove(meter.entry.entry_id)
    await hass.async_block_till_done()
    assert not any(hass_storage[STORE]["data"]["marks"].values())


@pytest.mark.real_time("kills processes")
def test_killed_process_has_used_none_that_comes_again(tmp_path: Path) -> None:
    given: list[int] = []
    for number in range(4):
        with killed(reserve, tmp_path, bytes.fromhex(KEY)) as pipe:
            given += [pipe.recv() for _ in range(1 + number)]
        with suppress(EOFError):
            while True:
                given.append(pipe.recv())
        pipe.close()
    assert all(after >= before + 3 for before, after in pairwise(given))
    assert len(given) >= 10


class KilledError(BaseException):
    """What a killed process does not get to."""


@pytest.mark.usefixtures("hass_storage")
@pytest.mark.parametrize("title", [None, TITLE])
async def test_none_comes_again_wherever_a_start_is_cut_off(
    hass: HomeAssistant, title: str | None
) -> None:
    save = Store.async_save
    counter = counter_of(hass, title)
    await counter.async_begin(1)
    used: list[tuple[str, int]] = []
    for number in range(200):
        # Before anything is written, after it, and after the numbers were used.
        stage = number % 3

        async def cut_off(store: Store[Any], content: Any, stage: int = stage) -> None:
            if stage == 1:
                await save(store, content)
            raise KilledError

        own = client_title(hass, kept(title)).hex()
        if stage == 2:
            first = await counter.reserve(3)
            used += [(own, value) for value in range(first, first + 3)]
        else:
            with patch.object(Store, "async_save", cut_off), pytest.raises(KilledError):
                await counter.reserve(3)
        await restart(hass)
    assert len(used) == len(set(used)) == 198
    numbers = [value for _, value in used]
    assert numbers == sorted(set(numbers))
