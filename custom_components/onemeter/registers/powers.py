"""The codes of active power in one direction, and of the signed power that replaces both."""

from collections.abc import Mapping
from itertools import product
from typing import Final, NamedTuple

from ..meter import Key, Obis
from ..meter.obis import ELECTRICITY, PHASE_STEP, C, D

#: The keys of import minus export, of all phases and of each one.
NET_POWERS: Final = ("net_power", "net_power_l1", "net_power_l2", "net_power_l3")


class PowerCodes(NamedTuple):
    """The codes of power in each direction, and of the signed power that some meters send."""

    imported: Obis
    exported: Obis
    net: Obis


def _power_codes(phase: int, channel: int, tariff: int) -> PowerCodes:
    directions = (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT, C.ACTIVE_NET)
    groups = (group + phase * PHASE_STEP for group in directions)
    return PowerCodes(
        *(Obis(ELECTRICITY, channel, group, D.INSTANTANEOUS, tariff) for group in groups)
    )


#: The codes of power of all phases, and of each one.
POWERS: Final = tuple(
    tuple(_power_codes(phase, channel, tariff) for channel, tariff in product((0, 1), (0, 255)))
    for phase in range(len(NET_POWERS))
)


class SignedPower(NamedTuple):
    """What replaces power in one direction."""

    #: 0: of all phases
    phase: int
    #: The code under which some meters send it.
    sent: Obis


#: By the codes of power in one direction.
SIGNED_POWERS: Final[Mapping[Key, SignedPower]] = {
    power: SignedPower(phase, codes.net)
    for phase, of_phase in enumerate(POWERS)
    for codes in of_phase
    for power in (codes.imported, codes.exported)
}
