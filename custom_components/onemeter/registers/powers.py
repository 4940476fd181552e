"""The codes of active power in one direction, and of the signed power that replaces both."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple

from ..meter import Key, Obis
from ..meter.obis import ELECTRICITY, PHASE_STEP, C, D

#: The keys of import minus export, of all phases and of each one.
NET_POWERS: Final = ("net_power", "net_power_l1", "net_power_l2", "net_power_l3")


def import_powers(phase: int) -> Iterator[Obis]:
    """Yield the codes of import power, of all phases (0) or of one; group C of export is next."""
    for channel, tariff in product((0, 1), (0, 255)):
        group = C.ACTIVE_IMPORT + phase * PHASE_STEP
        yield Obis(ELECTRICITY, channel, group, D.INSTANTANEOUS, tariff)


def export_power(imported: Obis) -> Obis:
    """Return the code of export power for that of import power."""
    return imported._replace(c=imported.c + 1)


def sent_net_power(imported: Obis) -> Obis:
    """Return the code of signed power, which some meters send, for that of import power."""
    return imported._replace(c=imported.c - C.ACTIVE_IMPORT + C.ACTIVE_NET)


class SignedPower(NamedTuple):
    """What replaces power in one direction."""

    #: 0: of all phases
    phase: int
    #: The code under which some meters send it.
    sent: Obis


#: By the codes of power in one direction.
SIGNED_POWERS: Final[Mapping[Key, SignedPower]] = {
    power: SignedPower(phase, sent_net_power(imported))
    for phase in range(len(NET_POWERS))
    for imported in import_powers(phase)
    for power in (imported, export_power(imported))
}
