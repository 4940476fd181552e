"""Meters on the M-Bus of a meter: their client objects, values and hourly profiles."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from simulator.household import INSTALLED_DAY

from . import axdr, times
from .cosem import DATA, EXTENDED_REGISTER, MBUS_CLIENT, CosemObject, always, scaler_unit
from .obis import logical_name
from .profile import Profile
from .times import ClockStyle

#: Device types (EN 13757-3), and units by their numbers.
GAS: Final = 3
WATER: Final = 7
CUBIC_METERS: Final = 13

#: Seconds between two values that the electricity meter fetches.
HOUR: Final = 3600
_INSTALLED: Final = INSTALLED_DAY * 24
#: The least and the greatest consumption of an hour lie this far from the mean.
_MEAN: Final = 137
_SPREAD: Final = 97


@dataclass(frozen=True, kw_only=True)
class MbusMeter:
    """A meter on the M-Bus, or a channel without one. Times are in seconds since 1970."""

    channel: int = 1
    #: Eight digits, and three letters; both empty without a meter.
    number: str = "90123456"
    manufacturer: str = "DMO"
    device_type: int = GAS
    scaler: int = -3
    unit: int = CUBIC_METERS
    first: int = 0
    #: Attributes of the client that the electricity meter does not have.
    missing: frozenset[int] = frozenset()
    #: Whether the electricity meter also has the id as an object of its own.
    has_id_object: bool = False
    days: int = 10

    @property
    def total_code(self) -> str:
        """The code of its total."""
        return f"0-{self.channel}:24.2.1*255"

    @property
    def profile_code(self) -> str:
        """The code of its profile."""
        return f"0-{self.channel}:24.3.0*255"

    @property
    def profile(self) -> Profile:
        """Its profile, with the values of full hours."""
        return Profile(
            registers=(self.total_code,),
            register_class=EXTENDED_REGISTER,
            status=f"0-{self.channel}:96.10.3*255",
            period=HOUR,
            days=self.days,
        )

    def captured(self, _code: str, time: int) -> int:
        """Return the number of its total at the last full hour."""
        hours = time // HOUR - _INSTALLED
        return self.first + hours * _MEAN + hours * hours * 31 % _SPREAD

    def objects(self, style: ClockStyle) -> Iterable[CosemObject]:
        """Return its objects without the profile."""
        client: dict[int, Callable[[int], bytes]] = {
            2: always(axdr.octets(logical_name("0-0:24.6.0*255"))),
            3: always(axdr.array([axdr.structure(axdr.octets(b"\x0c"), axdr.octets(b"\x13"))])),
            4: always(axdr.u32(HOUR)),
            5: always(axdr.u8(self.channel)),
            6: always(axdr.u32(int(self.number or "0", 16))),
            7: always(axdr.u16(_manufacturer_id(self.manufacturer))),
            8: always(axdr.u8(1)),
            9: always(axdr.u8(self.device_type)),
            10: lambda now: axdr.u8(now // HOUR % 256),
            11: always(axdr.u8(0)),
            12: always(axdr.u8(0)),
        }
        attributes = {key: value for key, value in client.items() if key not in self.missing}
        yield CosemObject(MBUS_CLIENT, f"0-{self.channel}:24.1.0*255", attributes)
        if not self.number:
            return
        yield CosemObject(
            EXTENDED_REGISTER,
            self.total_code,
            {
                2: lambda now: axdr.u32(self.captured(self.total_code, now)),
                3: always(scaler_unit(self.scaler, self.unit)),
                4: always(axdr.u8(0)),
                5: lambda now: axdr.octets(times.encode(now - now % HOUR, style)),
            },
        )
        yield CosemObject(DATA, self.profile.status, {2: always(axdr.u8(0))})
        if self.has_id_object:
            own = f"G00{self.number:0>14}".encode()
            yield CosemObject(DATA, f"0-{self.channel}:96.1.0*255", {2: always(axdr.octets(own))})


GAS_METER: Final = MbusMeter(first=1_000_000)
WATER_METER: Final = MbusMeter(channel=2, number="00004711", device_type=WATER, first=200_000)


def _manufacturer_id(letters: str) -> int:
    """Encode three letters in five bits each."""
    number = 0
    for letter in letters:
        number = number * 32 + ord(letter) - ord("A") + 1
    return number
