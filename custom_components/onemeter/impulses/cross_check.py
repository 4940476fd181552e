"""Impulses of a meter whose registers are read: live power, and a check of one by the other."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers.event import async_call_later

from ..access.error_texts import as_meter_error
from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..access.port_watch import Backoff
from ..const import CONF_PUBLISH_INTERVAL, DEFAULT_LIVE_INTERVAL
from ..meter import Key, MeterError, Obis, Reading, Register
from ..meter.blink.counter import ImpulseCounter
from ..registers.lookup import is_number
from ..settings import BlinkEntrySettings
from ..totals import Total
from .sources import make_impulse_client
from .totals import make_counter

_LOGGER = logging.getLogger(__name__)

#: What the registers must have counted before they are compared (kWh): a readout takes a while, and
#: nobody knows which flash belongs to which end of it.
_COMPARED: Final = 5
#: The most by which flashes and registers may differ.
_TOLERANCE: Final = Fraction(1, 100)
#: How far a few missed or additional flashes reach; beyond it is something else.
_FEW: Final = Fraction(15, 100)
#: Constants that meters have, impulses per kWh.
_USUAL: Final = (100, 250, 400, 500, 600, 640, 800, 1000, 1600, 2000, 3200, 5000, 6400, 8000, 10000)
#: Where meters tell their constant of active energy, by value groups C, D and E.
_CONSTANTS: Final = ((0, 3, 0), (0, 3, 3))
#: Seconds for which a source may be away without a repair; at a start some come late.
_MISSING: Final = 120


class Cause(StrEnum):
    """Why flashes and registers most likely differ; texts are found by its value."""

    #: Some flashes are not seen.
    MISSED = "missed"
    #: There are flashes that are none of this energy: other light, or that of energy fed in.
    ADDITIONAL = "additional"
    #: Each flash counts twice, or only every other one.
    DOUBLED = "doubled"
    HALVED = "halved"
    #: The impulse constant is another one.
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Drift:
    """By how much flashes and registers differ."""

    cause: Cause
    #: Energy by the flashes, for each kWh by the registers.
    ratio: Fraction

    @property
    def percent(self) -> str:
        """The difference as the user reads it."""
        return f"{round(float((self.ratio - 1) * 100), 1):+}"


def find_drift(flashes: Fraction, registers: Fraction) -> Drift | None:
    """Compare energies of the same time; None where they are the same, as far as can be told."""
    ratio = flashes / registers
    if abs(ratio - 1) <= _TOLERANCE:
        return None
    if abs(ratio - 2) <= 2 * _TOLERANCE:
        return Drift(Cause.DOUBLED, ratio)
    if abs(ratio - Fraction(1, 2)) <= _TOLERANCE / 2:
        return Drift(Cause.HALVED, ratio)
    if abs(ratio - 1) > _FEW:
        return Drift(Cause.CONSTANT, ratio)
    return Drift(Cause.MISSED if ratio < 1 else Cause.ADDITIONAL, ratio)


def told_constant(registers: Mapping[Key, Register]) -> str | None:
    """Return the impulses per kWh that a meter tells; None where it does not."""
    for key, register in registers.items():
        if (
            isinstance(key, Obis)
            and (key.c, key.d, key.e) in _CONSTANTS
            and is_number(register.value)
            and register.value > 0
            and (register.unit or "imp/kWh").lower() == "imp/kwh"
        ):
            return f"{Decimal(register.value).normalize():f}"
    return None


class ImpulseCrossCheck:
    """Counts the flashes of a meter for as long as its entry lives."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        source: BlinkEntrySettings,
        on_power: Callable[[], None],
    ) -> None:
        """Take the source, and what to call when the power changes; nothing is opened yet."""
        self._hass = hass
        self._entry = entry
        self._on_power = on_power
        self._source_id = source.source_id
        self._counter = make_counter(source, entry.options)
        interval = entry.options.get(CONF_PUBLISH_INTERVAL, DEFAULT_LIVE_INTERVAL)
        self._client = make_impulse_client(hass, source, self._counter, interval)
        #: The power that the flashes mean, by its code; without value while nobody sees them.
        self.registers: Mapping[Obis, Register] = {}
        #: Why the source cannot be used at present.
        self.situation: str | None = None
        self._cancel_repair: CALLBACK_TYPE | None = None
        self._energy: Obis | None = None
        #: What both had counted when the comparison began.
        self._begin: tuple[Fraction, Fraction] | None = None

    @property
    def counter(self) -> ImpulseCounter:
        """What has been counted since the entry was loaded."""
        return self._counter

    @callback
    def async_compare(self, registers: Mapping[Key, Register]) -> None:
        """Compare what a reading tells with the flashes since then."""
        if self._energy is None or (total := Total.of(registers.get(self._energy))) is None:
            return
        now = self._counter.exact_energy, Fraction(total.amount)
        if self._begin is None or now[1] < self._begin[1]:
            self._begin = now
            return
        flashes, counted = (after - before for after, before in zip(now, self._begin, strict=True))
        if counted < _COMPARED:
            return
        self._begin = now
        if not flashes:
            async_clear_issue(self._hass, self._entry, Issue.IMPULSE_DRIFT)
            async_raise_issue(self._hass, self._entry, Issue.NO_IMPULSES)
            return
        async_clear_issue(self._hass, self._entry, Issue.NO_IMPULSES)
        drift = find_drift(flashes, counted)
        if drift is None:
            async_clear_issue(self._hass, self._entry, Issue.IMPULSE_DRIFT)
            return
        placeholders = {"drift": drift.percent, "constant": self._likely_constant(drift)}
        async_raise_issue(
            self._hass, self._entry, Issue.IMPULSE_DRIFT, placeholders, text=drift.cause
        )

    def _likely_constant(self, drift: Drift) -> str:
        """Return the constant with which both would be the same: a usual one, if one is near."""
        exact = drift.ratio / self._counter.constant.energy
        near = (usual for usual in _USUAL if abs(exact / usual - 1) <= 2 * _TOLERANCE)
        return str(next(near, round(exact)))

    async def async_follow(self) -> None:
        """Count the flashes for good."""
        self._entry.async_on_unload(self._async_cancel_repair)
        backoff = Backoff(self._hass)
        while True:
            backoff.start()
            try:
                async with aclosing(self._client.listen()) as readings:
                    async for reading in readings:
                        self._async_take(reading)
            except (MeterError, ConfigEntryNotReady) as err:
                error: Exception = err
            except Exception as err:
                _LOGGER.exception("Unexpected error while impulses were counted")
                error = err
            self._async_lose(error)
            await backoff.async_wait(self._source_id, error)

    @callback
    def _async_take(self, reading: Reading) -> None:
        self._async_recover()
        energy, power = reading.registers
        self._energy = energy.obis
        if power.obis is not None:
            self._async_show({power.obis: power})

    @callback
    def _async_lose(self, error: Exception) -> None:
        """Show no power of earlier, and compare nothing with what was not counted."""
        self._begin = None
        self._async_show(
            {key: replace(register, value=None) for key, register in self.registers.items()}
        )
        situation = as_meter_error(error, self._source_id).situation
        if self.situation is None:
            _LOGGER.warning("The impulses of %s cannot be counted: %s", self._entry.title, error)
            self._cancel_repair = async_call_later(
                self._hass, _MISSING, HassJob(self._async_ask, cancel_on_shutdown=True)
            )
        self.situation = situation

    @callback
    def _async_recover(self) -> None:
        if self.situation is not None:
            self.situation = None
            _LOGGER.info("The impulses of %s are counted again", self._entry.title)
        self._async_cancel_repair()
        async_clear_issue(self._hass, self._entry, Issue.IMPULSES_LOST)

    @callback
    def _async_ask(self, _: datetime) -> None:
        self._cancel_repair = None
        async_raise_issue(self._hass, self._entry, Issue.IMPULSES_LOST)

    @callback
    def _async_cancel_repair(self) -> None:
        if self._cancel_repair is not None:
            self._cancel_repair()
            self._cancel_repair = None

    @callback
    def _async_show(self, registers: Mapping[Obis, Register]) -> None:
        if registers != self.registers:
            self.registers = registers
            self._on_power()
