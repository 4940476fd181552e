"""An SML meter: the telegram that it pushes each second."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Energy, Household, Measurement

from . import encoder as sml

#: Not assigned by the FLAG association.
MANUFACTURER: Final = "DMO"
FIRMWARE: Final = "1.00-DEMO"

_WH: Final = 30
_W: Final = 27
_V: Final = 35
_A: Final = 33
_HZ: Final = 44
_DEGREE: Final = 8

#: Tenths of a watt times seconds in a tenth of a watt hour, and tenths of a watt hour in a kWh.
_ENERGY_STEP: Final = 3600
_KWH: Final = 10_000

#: Status word of FNN basic meters: three phases with voltage, load present.
_STATUS_FNN: Final = 0x1C0104
_FNN_EXPORT: Final = 0x0800
_FNN_EXPORT_L1: Final = 0x1000
#: Status word of EDL meters.
_STATUS_EDL: Final = 0x000182
_EDL_EXPORT: Final = 0x20

_LIST_NAME: Final = bytes.fromhex("0100620affff")


class Style(StrEnum):
    """A generation of meters."""

    #: A modern meter (mMe4.0): signed power, values of each phase, direction also in the status.
    FNN = "fnn"
    #: A meter of about 2010: absolute power, direction in the status only.
    EDL = "edl"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmlMeter:
    """A meter that measures a household. Times are in seconds since 1970."""

    household: Household
    #: Up to eight digits; "1 DMO00" and this number are the device id.
    serial: int = 12_345_678
    style: Style = Style.FNN
    #: Send what meters send before the PIN is entered: whole kWh, no power.
    locked: bool = False
    #: Time at which the totals restart at zero, as with a new meter.
    restart: int | None = None

    @property
    def server_id(self) -> bytes:
        """The device id as it is sent, ten bytes (DIN 43863-5)."""
        return bytes([0x0A, 1]) + MANUFACTURER.encode() + b"\x00" + self.serial.to_bytes(4)

    @property
    def name(self) -> str:
        """The device id as it is printed on the meter: "1 DMO00 1234 5678"."""
        return f"1 {MANUFACTURER}00 {self.serial // 10_000:04} {self.serial % 10_000:04}"

    def totals(self, time: int) -> Energy:
        """Return the totals in tenths of a watt hour."""
        imported, exported = self.household.energy(time)
        if self.restart is not None and time >= self.restart:
            before = self.household.energy(self.restart)
            imported, exported = imported - before.imported, exported - before.exported
        return Energy(imported // _ENERGY_STEP, exported // _ENERGY_STEP)

    def telegram(self, time: int) -> bytes:
        """Return the telegram of a second."""
        uptime = time - INSTALLED_DAY * SECONDS_PER_DAY
        entries = self._fnn(time) if self.style is Style.FNN else self._edl(time)
        return sml.encode_telegram(
            sml.octets(self.server_id),
            entries,
            transaction=3 * uptime % 2**32,
            list_name=sml.octets(_LIST_NAME),
            sensor_time=sml.time_index(uptime),
        )

    def _fnn(self, time: int) -> list[bytes]:
        measured = self.household.measure(time)
        status = _STATUS_FNN
        if sum(measured.power) < 0:
            status |= _FNN_EXPORT
        for phase, power in enumerate(measured.power):
            if power < 0:
                status |= _FNN_EXPORT_L1 << phase
        entries = [
            _entry("1-0:96.50.1*1", sml.octets(MANUFACTURER.encode())),
            _entry("1-0:96.1.0*255", sml.octets(self.server_id)),
            *self._energy(time, sml.unsigned(status, 4)),
        ]
        if not self.locked:
            entries += _instantaneous(measured)
        return [*entries, _entry("1-0:0.2.0*0", sml.octets(FIRMWARE.encode()))]

    def _edl(self, time: int) -> list[bytes]:
        power = sum(self.household.power(time))
        status = _STATUS_EDL | (_EDL_EXPORT if power < 0 else 0)
        entries = [
            _entry("129-129:199.130.3*255", sml.octets(MANUFACTURER.encode())),
            _entry("1-0:0.0.9*255", sml.octets(self.server_id)),
            *self._energy(time, sml.unsigned(status, 4)),
        ]
        if not self.locked:
            entries.append(_number("1-0:15.7.0*255", sml.integer(abs(power), 4), _W, -1))
        # A public key; the meter signs nothing, so it can be any.
        return [*entries, _entry("129-129:199.130.5*255", sml.octets(bytes(range(48))))]

    def _energy(self, time: int, status: bytes) -> list[bytes]:
        totals = self.totals(time)
        if self.locked:
            totals = Energy(*(total // _KWH * _KWH for total in totals))
        entries = [
            _number("1-0:1.8.0*255", sml.unsigned(totals.imported, 8), _WH, -1, status),
            _number("1-0:2.8.0*255", sml.unsigned(totals.exported, 8), _WH, -1),
        ]
        if self.style is Style.EDL:
            tariffs = [
                _number("1-0:1.8.1*255", sml.unsigned(totals.imported, 8), _WH, -1),
                _number("1-0:1.8.2*255", sml.unsigned(0, 8), _WH, -1),
            ]
            entries[1:1] = tariffs
        return entries


def _instantaneous(measured: Measurement) -> list[bytes]:
    phases = list(zip((36, 56, 76), (32, 52, 72), (31, 51, 71), range(3), strict=True))
    return [
        _number("1-0:16.7.0*255", sml.integer(sum(measured.power), 4), _W, -1),
        *(
            _number(f"1-0:{power}.7.0*255", sml.integer(measured.power[phase], 4), _W, -1)
            for power, _, _, phase in phases
        ),
        *(
            _number(f"1-0:{voltage}.7.0*255", sml.unsigned(measured.voltage[phase], 2), _V, -1)
            for _, voltage, _, phase in phases
        ),
        *(
            _number(f"1-0:{current}.7.0*255", sml.unsigned(measured.current[phase], 2), _A, -2)
            for _, _, current, phase in phases
        ),
        _number("1-0:14.7.0*255", sml.unsigned(measured.frequency, 2), _HZ, -2),
        # Angles between the voltages of two phases, then between current and voltage of each phase.
        *(
            _number(f"1-0:81.7.{pair}*255", sml.unsigned(degrees, 2), _DEGREE, 0)
            for pair, degrees in zip((1, 2, 4, 15, 26), (120, 240, *measured.angle), strict=True)
        ),
    ]


def _number(name: str, value: bytes, unit: int, scaler: int, status: bytes = sml.SKIPPED) -> bytes:
    return _entry(name, value, status=status, unit=sml.unsigned(unit), scaler=sml.integer(scaler))


def _entry(
    name: str,
    value: bytes,
    *,
    status: bytes = sml.SKIPPED,
    unit: bytes = sml.SKIPPED,
    scaler: bytes = sml.SKIPPED,
) -> bytes:
    """Encode an entry whose OBIS code is written A-B:C.D.E*F."""
    for separator in "-:*":
        name = name.replace(separator, ".")
    obis = bytes(int(group) for group in name.split("."))
    return sml.entry(obis, value, status=status, unit=unit, scaler=scaler)
