"""Impulses of a meter whose registers are read: power from impulses, and a comparison of both."""

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
from ..access.numbers import async_number_text
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

#: The energy between two comparisons (kWh). A readout takes a while, and it is unknown which
#: impulses occurred before a register was read.
_COMPARED: Final = 5
#: The largest difference between impulses and registers that is tolerated.
_TOLERANCE: Final = Fraction(1, 100)
#: A larger difference has another cause than missed or additional impulses.
_FEW: Final = Fraction(15, 100)
#: Usual impulse constants, in impulses per kWh.
_USUAL: Final = (100, 250, 400, 500, 600, 640, 800, 1000, 1600, 2000, 3200, 5000, 6400, 8000, 10000)
#: Edges that an impulse can have.
_EDGES: Final = (1, 2)
#: Value groups C, D and E of the impulse constant of active energy.
_CONSTANTS: Final = ((0, 3, 0), (0, 3, 3))
#: Seconds for which a source may be unavailable without a repair, such as after a start.
_MISSING: Final = 120


class Cause(StrEnum):
    """The likely cause of a difference; its value is part of the translation key."""

    #: Some impulses are not detected.
    MISSED = "missed"
    #: Some impulses are not of this energy: other light, or energy that is fed in.
    ADDITIONAL = "additional"
    #: Each impulse is counted twice, or only every other one.
    DOUBLED = "doubled"
    HALVED = "halved"
    #: The impulse constant is wrong.
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Drift:
    """The difference between impulses and registers."""

    cause: Cause
    #: Energy of the impulses divided by that of the registers.
    ratio: Fraction

    @property
    def percent(self) -> Decimal:
        """The difference in percent."""
        return Decimal(round((self.ratio - 1) * 1000)).scaleb(-1)


def find_drift(impulses: Fraction, registers: Fraction) -> Drift | None:
    """Compare energies of the same time; return None if they are equal within the tolerance."""
    ratio = impulses / registers
    if abs(ratio - 1) <= _TOLERANCE:
        return None
    if abs(ratio - 2) <= 2 * _TOLERANCE:
        return Drift(Cause.DOUBLED, ratio)
    if abs(ratio - Fraction(1, 2)) <= _TOLERANCE / 2:
        return Drift(Cause.HALVED, ratio)
    if abs(ratio - 1) > _FEW:
        return Drift(Cause.CONSTANT, ratio)
    return Drift(Cause.MISSED if ratio < 1 else Cause.ADDITIONAL, ratio)


def reported_constant(registers: Mapping[Key, Register]) -> str | None:
    """Return the impulses per kWh that a meter sends; None if it does not."""
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
    """Counts the impulses of a meter, and compares them with its registers."""

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
        #: Power from impulses by its code; without value while the source is unavailable.
        self.registers: Mapping[Obis, Register] = {}
        #: The translation key of the error because of which the source is unavailable.
        self.translation_key: str | None = None
        self._cancel_repair: CALLBACK_TYPE | None = None
        self._energy: Obis | None = None
        #: The energies of impulses and registers when the comparison began.
        self._begin: tuple[Fraction, Fraction] | None = None

    @property
    def counter(self) -> ImpulseCounter:
        """The counter, which begins at zero when the entry is loaded."""
        return self._counter

    @callback
    def async_compare(self, registers: Mapping[Key, Register]) -> None:
        """Compare the total of a reading with the impulses."""
        if self._energy is None or (total := Total.of(registers.get(self._energy))) is None:
            return
        now = self._counter.exact_energy, Fraction(total.amount)
        if self._begin is None or now[1] < self._begin[1]:
            self._begin = now
            return
        impulses, counted = (after - before for after, before in zip(now, self._begin, strict=True))
        if counted < _COMPARED:
            return
        self._begin = now
        if not impulses:
            async_clear_issue(self._hass, self._entry, Issue.IMPULSE_DRIFT)
            async_raise_issue(self._hass, self._entry, Issue.NO_IMPULSES)
            return
        async_clear_issue(self._hass, self._entry, Issue.NO_IMPULSES)
        drift = find_drift(impulses, counted)
        if drift is None:
            async_clear_issue(self._hass, self._entry, Issue.IMPULSE_DRIFT)
            return
        constant = self._likely_constant(drift)
        percent = async_number_text(self._hass, drift.percent, signed=True)
        async_raise_issue(
            self._hass,
            self._entry,
            Issue.IMPULSE_DRIFT,
            {"drift": percent, "constant": constant},
            text=drift.cause,
            drift=percent,
            constant=constant,
            edges=self._likely_edges(drift),
        )

    def _likely_constant(self, drift: Drift) -> str:
        """Return the constant with which both would be equal: a usual one if it is near."""
        exact = drift.ratio / self._counter.constant.energy
        near = (usual for usual in _USUAL if abs(exact / usual - 1) <= 2 * _TOLERANCE)
        return str(next(near, round(exact)))

    def _likely_edges(self, drift: Drift) -> str:
        """Return the edges per impulse with which both would be equal; empty if none do."""
        exact = self._counter.edges * drift.ratio
        near = (edges for edges in _EDGES if abs(exact / edges - 1) <= _TOLERANCE)
        return str(next(near, ""))

    async def async_follow(self) -> None:
        """Count impulses until cancelled; reopen the source when it is lost."""
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
            self._async_set_registers({power.obis: power})

    @callback
    def _async_lose(self, error: Exception) -> None:
        """Set power to unknown, and end the comparison, since impulses are missing."""
        self._begin = None
        self._async_set_registers(
            {key: replace(register, value=None) for key, register in self.registers.items()}
        )
        translation_key = as_meter_error(error, self._source_id).translation_key
        if self.translation_key is None:
            _LOGGER.warning("The impulses of %s cannot be counted: %s", self._entry.title, error)
            self._cancel_repair = async_call_later(
                self._hass, _MISSING, HassJob(self._async_report_lost, cancel_on_shutdown=True)
            )
        self.translation_key = translation_key

    @callback
    def _async_recover(self) -> None:
        if self.translation_key is not None:
            self.translation_key = None
            _LOGGER.info("The impulses of %s are counted again", self._entry.title)
        self._async_cancel_repair()
        async_clear_issue(self._hass, self._entry, Issue.IMPULSES_LOST)

    @callback
    def _async_report_lost(self, _: datetime) -> None:
        self._cancel_repair = None
        async_raise_issue(self._hass, self._entry, Issue.IMPULSES_LOST)

    @callback
    def _async_cancel_repair(self) -> None:
        if self._cancel_repair is not None:
            self._cancel_repair()
            self._cancel_repair = None

    @callback
    def _async_set_registers(self, registers: Mapping[Obis, Register]) -> None:
        if registers != self.registers:
            self.registers = registers
            self._on_power()
