"""Which totals of a meter are billed."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from ..meter import Key, Obis, Register
from ..meter.obis import CURRENT_VALUE, ELECTRICITY, C, D
from ..registers.codes import measured_description
from ..registers.table import MEASURED
from ..totals import Total
from ..totals.total import EXACT
from .sample import Sample

IMPORT, EXPORT = (MEASURED[group, D.ENERGY].key for group in (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT))
#: Names of the sensors of balanced energy, in front of the scope.
BALANCED_IMPORT: Final = "balanced_import"
BALANCED_EXPORT: Final = "balanced_export"
#: The scope of the total; that of a tariff is " T1".
TOTAL: Final = ""
_TARIFF: Final = " T"


class Source(NamedTuple):
    """The totals of which a sample is the sum."""

    added: tuple[Key, ...]
    subtracted: tuple[Key, ...] = ()

    def sample(
        self,
        registers: Mapping[Key, Register],
        withheld: Collection[Key],
        multiplier: Decimal,
        now: datetime,
    ) -> Sample | None:
        """Return the sample of a telegram; None if it does not contain all totals, accepted."""
        amount = Decimal(0)
        for keys, sign in ((self.added, 1), (self.subtracted, -1)):
            for key in keys:
                total = Total.of(registers.get(key))
                if total is None or key in withheld:
                    return None
                amount = EXACT.add(amount, EXACT.multiply(total.amount, sign * multiplier))
        added, subtracted = (tuple(map(str, keys)) for keys in self)
        return Sample(now, amount, added, subtracted)


class Sources(NamedTuple):
    """The sources of a meter."""

    #: By scope: of the total, and of tariffs that count imports as well as exports.
    balances: Mapping[str, Source]
    imports: Source | None


def find_sources(keys: Iterable[Key]) -> Sources:
    """Return the sources of a meter that sends totals of these codes.

    Of phases, only their total is billed. A direction without total is the sum of its tariffs.
    """
    found: dict[str, dict[str, Key]] = {IMPORT: {}, EXPORT: {}}
    for key in keys:
        if not isinstance(key, Obis) or key.a != ELECTRICITY or key.f != CURRENT_VALUE:
            continue
        if (measured := measured_description(key)) is None or measured[0].key not in found:
            continue
        if (scope := measured[1]) == TOTAL or scope.startswith(_TARIFF):
            found[measured[0].key].setdefault(scope, key)
    imports, exports = found[IMPORT], found[EXPORT]
    balances: dict[str, Source] = {}
    if imports and exports:
        balances[TOTAL] = Source(_total(imports), _total(exports))
        for scope in sorted((imports.keys() & exports.keys()) - {TOTAL}):
            balances[scope] = Source((imports[scope],), (exports[scope],))
    return Sources(balances, Source(_total(imports)) if imports else None)


def _total(totals: Mapping[str, Key]) -> tuple[Key, ...]:
    return (totals[TOTAL],) if TOTAL in totals else tuple(totals.values())
