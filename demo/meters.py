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
from simulator.household import Energy, Household
from simulator.iec62056 import Iec62056Meter, Registers, serve
from simulator.line import Line
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

_SML_BAUDRATE: Final = 9600
_DLMS_BAUDRATE: Final = 9600
_BLINK_BAUDRATE: Final = 9600
#: Example keys, which are no secret.
_ENCRYPTION_KEY: Final = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
_AUTHENTICATION_KEY: Final = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
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

    def line(self) -> Line:
        """Create the line of the meter."""
        return PtyLine(self.port, self.baudrate)


def simulated_meters(folder: Path) -> Sequence[Simulated]:
    """Return the meters of the house, the solar panels, the flat and the heat pump."""
    # Standard time all year, so that the change to summer time does not change the totals.
    offset = -time.timezone
    house = Household(utc_offset=offset)
    roof = Household(utc_offset=offset, appliances=False)
    flat = Household(utc_offset=offset, seed=_FLAT_SEED, solar=False)
    pump = Household(
        utc_offset=offset, seed=_PUMP_SEED, appliances=False, solar=False, heat_pump=True
    )
    grid = SmlMeter(household=house)
    panels = Iec62056Meter(registers=Registers(household=roof), serial="87654321")
    encrypted = DlmsMeter(
        registers=DlmsRegisters(household=flat),
        serial="11223344",
        mechanism=Mechanism.GMAC,
        encryption_key=_ENCRYPTION_KEY,
        authentication_key=_AUTHENTICATION_KEY,
        policy=AUTHENTICATED | ENCRYPTED,
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
            forms={
                "dlms": {"next_step_id": "dlms_polled"},
                "dlms_address": {"transport": "hdlc", "expert": {}},
                "dlms_keys": {
                    "authentication": "gmac",
                    "encryption_key": _ENCRYPTION_KEY.hex(),
                    "authentication_key": _AUTHENTICATION_KEY.hex(),
                },
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
