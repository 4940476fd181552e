"""The data of a meter, from which the states of its entities are made."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain

from ..billing.billing import BillingValues
from ..meter import Identity, Key, Obis, Register
from ..registers.mbus import MbusMeter, mbus_meters
from ..registers.powers import POWERS
from ..totals import Moment

#: Groups C, D and E of the firmware version.
_FIRMWARE = (0, 2, 0)
#: Longer texts are no version.
_FIRMWARE_MAX = 64


_ALL_POWERS = tuple(chain.from_iterable(POWERS))


def powers_apart(fresh: Container[Key], before: Container[Key]) -> frozenset[Key]:
    """Return MeterData.apart after a telegram of these registers."""
    return frozenset(
        imported
        for imported, exported, _ in _ALL_POWERS
        if (imported in fresh) is not (exported in fresh)
        or (imported not in fresh and imported in before)
    )


@dataclass(frozen=True)
class MeterData:
    """Registers of one meter that may be published."""

    meter: Identity
    #: The current value of each code; a withheld total keeps its last accepted value.
    registers: Mapping[Key, Register]
    #: When the newest telegram was received.
    moment: Moment = field(compare=False)
    #: The meter's clock at that moment, if the meter sends it; often without time zone.
    clock: datetime | None = field(default=None, compare=False)
    #: The totals that are withheld.
    withheld: frozenset[Key] = field(default=frozenset(), compare=False)
    #: When each register was last received, also one whose value has not changed.
    read_at: Mapping[Key, Moment] = field(default_factory=dict, compare=False)
    #: What is billed, if the options want that.
    billing: BillingValues | None = None
    #: Codes of import power whose export power is from another telegram, or from impulses.
    apart: frozenset[Key] = frozenset()

    @property
    def received(self) -> datetime:
        """When the newest telegram was received (UTC)."""
        return self.moment.time

    @cached_property
    def firmware(self) -> str | None:
        """The firmware version: the first register of 0.2.0 that is a text."""
        for key, register in self.registers.items():
            value = register.value
            if (
                isinstance(key, Obis)
                and (key.c, key.d, key.e) == _FIRMWARE
                and (isinstance(value, str) and len(value) <= _FIRMWARE_MAX)
            ):
                return value
        return None

    @cached_property
    def mbus_meters(self) -> Mapping[int, MbusMeter | None]:
        """The meters on the M-Bus by channel; None for a channel that is not connected."""
        return mbus_meters(self.registers)
