"""The simulated meters of the demo: ports, settings in Home Assistant, totals."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
import time
from typing import Any, Final, NamedTuple

from simulator.blink import BlinkingMeter, Light
from simulator.dlms import (
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Mechanism,
    Registers as DlmsRegisters,
    serve as serve_dlms,
)
from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Energy, Household
from simulator.iec62056 import Iec62056Meter, Memory, Registers, serve
from simulator.line import Line
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from .dashboard import NO_ROLE
from .history import DAYS

#: All year, so that the change to summer time does not change the totals.
_STANDARD_TIME: Final = 3600
_SML_BAUDRATE: Final = 9600
#: Those of electrical interfaces, at which load profiles are read within seconds.
_IEC62056_BAUDRATE: Final = 19_200
_DLMS_BAUDRATE: Final = 115_200
_BLINK_BAUDRATE: Final = 9600
#: Example keys, which are no secret.
_ENCRYPTION_KEY: Final = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
_AUTHENTICATION_KEY: Final = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
#: Where the demo is stopped while it imports, OneMeter does it later.
_WITH_HISTORY: Final = {**NO_ROLE, "import_days": DAYS}
#: More than a DLMS meter sends.
_MESSAGES_PER_SECOND: Final = 10
_FLAT_SEED: Final = 4
_PUMP_SEED: Final = 7
#: Tenths of a watt times seconds in a watt hour, the resolution of the meter of the panels, and
#: tenths of a watt hour in a watt hour.
_WATT_HOUR: Final = 36_000
_TENTHS: Final = 10


class Simulated(NamedTuple):
    """A simulated meter and its settings in Home Assistant."""

    #: Name of its entry and device.
    name: str
    #: Unique id of its entry, or the beginning of it.
    unique_id: str
    protocol: str
    port: Path
    baudrate: int
    household: Household
    #: Returns its totals at a time in tenths of a watt hour, at the resolution of the meter.
    totals: Callable[[int], Energy]
    #: Serves it on its line, for ever.
    serve: Callable[[Line], Coroutine[Any, Any, None]]
    #: Its options that differ from the defaults.
    options: Mapping[str, Any]
    #: Input of the config flow besides port and protocol, by step.
    forms: Mapping[str, Mapping[str, Any]] = {}
    #: Whether it has a total that can be read, so that nothing is missed between two runs.
    has_register: bool = True
    #: Whether it has a load profile, from which OneMeter fills the statistics of its energy.
    has_profile: bool = False

    def line(self) -> Line:
        """Create the line of the meter."""
        return PtyLine(self.port, self.baudrate)


def simulated_meters(folder: Path) -> Sequence[Simulated]:
    """Return the meters of the house, the solar panels, the flat and the heat pump."""
    house = Household(utc_offset=_STANDARD_TIME)
    roof = Household(utc_offset=_STANDARD_TIME, appliances=False)
    flat = Household(utc_offset=_STANDARD_TIME, seed=_FLAT_SEED, solar=False)
    pump = Household(
        utc_offset=_STANDARD_TIME,
        seed=_PUMP_SEED,
        appliances=False,
        solar=False,
        heat_pump=True,
    )
    grid = SmlMeter(household=house)
    panels = Iec62056Meter(
        registers=Registers(household=roof),
        # It has no export.
        memory=Memory(channels=("1.8.0",)),
        serial="87654321",
        baudrate=_IEC62056_BAUDRATE,
        start_baudrate=_IEC62056_BAUDRATE,
    )
    encrypted = DlmsMeter(
        registers=DlmsRegisters(household=flat),
        serial="11223344",
        mechanism=Mechanism.GMAC,
        encryption_key=_ENCRYPTION_KEY,
        authentication_key=_AUTHENTICATION_KEY,
        policy=AUTHENTICATED | ENCRYPTED,
        # It never falls, although nothing is stored between two runs of the demo.
        server_counter=(int(time.time()) - INSTALLED_DAY * SECONDS_PER_DAY) * _MESSAGES_PER_SECOND,
    )
    blinking = BlinkingMeter(household=pump)
    return [
        Simulated(
            name="Grid meter",
            unique_id=grid.name.replace(" ", ""),
            protocol="sml",
            port=folder / "ttyGRID",
            baudrate=_SML_BAUDRATE,
            household=house,
            totals=grid.totals,
            serve=lambda line: push(line, grid.telegram),
            options={},
        ),
        Simulated(
            name="Roof meter",
            unique_id=f"{panels.manufacturer}{panels.serial}",
            protocol="iec62056",
            port=folder / "ttyROOF",
            baudrate=panels.start_baudrate,
            household=roof,
            totals=partial(_watt_hours, roof),
            serve=lambda line: serve(line, panels),
            # Power every two seconds, more often than a readout is possible.
            options={"live_registers": ["16.7.0"]},
            forms={
                "user": {"line": {"baudrate": str(_IEC62056_BAUDRATE)}},
                "confirm": _WITH_HISTORY,
            },
            has_profile=True,
        ),
        Simulated(
            name="Flat meter",
            unique_id=f"DMO{encrypted.serial}",
            protocol="dlms",
            port=folder / "ttyFLAT",
            baudrate=_DLMS_BAUDRATE,
            household=flat,
            totals=partial(_watt_hours, flat),
            serve=lambda line: serve_dlms(line, encrypted),
            options={"live_registers": ["1-0:16.7.0*255"]},
            has_profile=True,
            forms={
                "user": {"line": {"baudrate": str(_DLMS_BAUDRATE)}},
                "dlms": {"next_step_id": "dlms_polled"},
                "dlms_address": {"transport": "hdlc", "expert": {}},
                "dlms_keys": {
                    "authentication": "gmac",
                    "encryption_key": _ENCRYPTION_KEY.hex(),
                    "authentication_key": _AUTHENTICATION_KEY.hex(),
                },
                "confirm": _WITH_HISTORY,
            },
        ),
        Simulated(
            name="Heat pump meter",
            # A meter of which only the LED is read has no id.
            unique_id="generated-",
            protocol="blink",
            port=folder / "ttyPUMP",
            baudrate=_BLINK_BAUDRATE,
            household=pump,
            totals=partial(_watt_hours, pump),
            serve=partial(_blink, blinking),
            options={},
            forms={
                "blink": {"next_step_id": "blink_port"},
                "blink_port": {
                    "impulse_source": "rx",
                    "constant": str(blinking.per_kwh),
                    "reading": _display(blinking),
                    "expert": {},
                },
            },
            has_register=False,
        ),
    ]


async def _blink(meter: BlinkingMeter, line: Line) -> None:
    now = time.time()
    await Light(line).blink(meter.flashes(now), now)


def _display(meter: BlinkingMeter) -> str:
    """Return the current reading on the display of a blinking meter, in kWh."""
    return str(Decimal(meter.impulses(int(time.time()))) / int(meter.per_kwh))


def _watt_hours(household: Household, time: int) -> Energy:
    """Return the totals in tenths of a watt hour, rounded down to watt hours."""
    imported, exported = household.energy(time)
    return Energy(imported // _WATT_HOUR * _TENTHS, exported // _WATT_HOUR * _TENTHS)
