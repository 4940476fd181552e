"""The meters of the demo: what they are, where they speak, and what they have counted."""

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
#: Keys that protect nothing: everybody can read them here.
_ENCRYPTION_KEY: Final = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
_AUTHENTICATION_KEY: Final = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
_FLAT_SEED: Final = 4
_PUMP_SEED: Final = 7
#: Tenths of a watt times seconds in a watt hour, the resolution of the meter of the panels, and
#: tenths of a watt hour in one.
_WATT_HOUR: Final = 36_000
_TENTHS: Final = 10


class Simulated(NamedTuple):
    """A meter that does not exist."""

    #: What its owner calls it.
    name: str
    #: What the integration knows it by, or how that begins.
    unique_id: str
    protocol: str
    port: Path
    baudrate: int
    household: Household
    #: What it has counted up to a time, in tenths of a watt hour, as exactly as it tells.
    totals: Callable[[int], Energy]
    #: Lets it speak on its line, for ever.
    speak: Callable[[Line], Coroutine[Any, Any, None]]
    #: Options that its owner has chosen, all others are as usual.
    options: Mapping[str, Any]
    #: What is chosen and entered in the dialog besides port and protocol, by step.
    forms: Mapping[str, Mapping[str, Any]] = {}
    #: Whether it tells later what it has counted while nobody looked.
    tells_total: bool = True

    def line(self) -> Line:
        """Make the meter's line."""
        return PtyLine(self.port, self.baudrate)


def simulated_meters(folder: Path) -> Sequence[Simulated]:
    """Return the meters of a house, of its panels and heat pump, and of the flat in it."""
    # Standard time all year, so that no change of clocks moves what has been counted.
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
            speak=lambda line: push(line, grid.telegram),
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
            speak=lambda line: serve(line, panels),
            # Power every two seconds, as no readout could bring it.
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
            speak=lambda line: serve_dlms(line, encrypted),
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
            # Nothing tells a light's meter from any other.
            unique_id="generated-",
            protocol="blink",
            port=folder / "ttyPUMP",
            baudrate=_BLINK_BAUDRATE,
            household=pump,
            totals=partial(_watt_hours, pump),
            speak=partial(_blink, blinking),
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
            tells_total=False,
        ),
    ]


async def _blink(meter: BlinkingMeter, line: Line) -> None:
    now = time.time()
    await Light(line).blink(meter.flashes(now), now)


def _display(meter: BlinkingMeter) -> str:
    """Return what a blinking meter shows to its owner now, in kWh."""
    return str(Decimal(meter.impulses(int(time.time()))) / int(meter.per_kwh))


def _watt_hours(household: Household, time: int) -> Energy:
    """Return what was counted in whole watt hours, as tenths of a watt hour."""
    imported, exported = household.energy(time)
    return Energy(imported // _WATT_HOUR * _TENTHS, exported // _WATT_HOUR * _TENTHS)
