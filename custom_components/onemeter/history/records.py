"""What an import writes to the hour rows of one statistic, and how it is undone.

All of it runs in the recorder's thread with its session, each in one transaction. Hour rows are
updated and inserted, and sums are lifted; what is undone is found by the statistic and its time,
and only where the imported values still stand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm.session import Session

from homeassistant.components.recorder.db_schema import Statistics, StatisticsShortTerm
from homeassistant.util import dt as dt_util

from .power import MeanPower
from .rows import Lift, Plan, Row
from .samples import HOUR
from .statistics_rows import StatisticsTable, compiled_until

#: What a row of a total, and one of a measurement, hold.
_VALUES: Final = ("state", "sum", "mean", "min", "max")


@dataclass(frozen=True, slots=True)
class RowChange:
    """An hour row that is written: its values by name before, none where there was no row."""

    start: float
    old: dict[str, float | None] | None
    new: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class SumLift:
    """What is added to sums, from a row of each table on (timestamps)."""

    amount: float
    five_minutes: float
    hour: float


@dataclass(frozen=True, slots=True)
class Record:
    """What is written to one statistic in one transaction; enough to undo it."""

    metadata_id: int
    changes: tuple[RowChange, ...]
    lift: SumLift | None = None
    #: Sums that a lift and its opposite do not bring back, being floats: by table, the row's id,
    #: and its sum before.
    inexact: tuple[tuple[str, int, float], ...] = ()
    #: A row of five minutes that is inserted as the first row of all.
    anchor: RowChange | None = None
    #: Where sums are only lifted, a row that shows whether they are: by table, its id, and its sum
    #: before.
    witness: tuple[str, int, float] | None = None

    @property
    def hours(self) -> set[float]:
        """When the hours start whose rows are written; the first one whose sum is only lifted."""
        if self.lift is not None and not self.changes:
            return {self.lift.hour}
        return {change.start for change in self.changes}

    @classmethod
    def of(cls, metadata_id: int, plan: Plan) -> Self:
        """Return what a plan writes."""
        return cls(
            metadata_id,
            tuple(
                RowChange(
                    change.start.timestamp(),
                    None if change.old is None else _total(change.old),
                    _total(change.new),
                )
                for change in plan.changes
            ),
            None if plan.lift is None else _sum_lift(plan.lift),
            anchor=None
            if plan.anchor is None
            else RowChange(plan.anchor.start.timestamp(), None, _total(plan.anchor)),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Undo as_dict."""
        lift = data["lift"]
        return cls(
            data["metadata_id"],
            tuple(RowChange(*change) for change in data["changes"]),
            lift and SumLift(*lift),
            tuple((table, row, total) for table, row, total in data["inexact"]),
            anchor=RowChange(*data["anchor"]) if data.get("anchor") else None,
            witness=tuple(data["witness"]) if data.get("witness") else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the record ready for JSON."""
        lift = self.lift
        return {
            "metadata_id": self.metadata_id,
            "changes": [[change.start, change.old, change.new] for change in self.changes],
            "lift": lift and [lift.amount, lift.five_minutes, lift.hour],
            "inexact": [list(item) for item in self.inexact],
            "anchor": self.anchor and [self.anchor.start, None, self.anchor.new],
            "witness": self.witness and list(self.witness),
        }


def _total(row: Row) -> dict[str, float | None]:
    return {"state": float(row.state), "sum": float(row.sum)}


def _sum_lift(lift: Lift) -> SumLift:
    return SumLift(float(lift.amount), lift.five_minutes.timestamp(), lift.hour.timestamp())


def read_power(
    session: Session, metadata_id: int, powers: Sequence[MeanPower], factor: float
) -> Record:
    """Return what makes the mean powers of rows right that there are; none is inserted.

    The factor leads from W to the unit of the rows.
    """
    wanted: dict[float, dict[str, float | None]] = {
        power.start.timestamp(): {
            "mean": float(power.mean) * factor,
            "min": float(power.least) * factor,
            "max": float(power.largest) * factor,
        }
        for power in powers
    }
    planned = Record(metadata_id, tuple(RowChange(start, {}, new) for start, new in wanted.items()))
    changes = [
        RowChange(start, old, wanted[start])
        for start, old in _values(session, planned).items()
        if old["mean"] is not None and old != wanted.get(start, old)
    ]
    return Record(metadata_id, tuple(changes))


def prepare(session: Session, record: Record) -> Record:
    """Return a record with what its undoing needs beyond the plan."""
    return replace(record, inexact=_inexact(session, record), witness=_witness(session, record))


def _witness(session: Session, record: Record) -> tuple[str, int, float] | None:
    """Return the first row whose sum is lifted; None where other rows show it."""
    if record.lift is None or record.changes:
        return None
    # Those of five minutes are kept for days only.
    for table, start in reversed(_lifted(record.lift)):
        found = session.execute(
            select(table.id, table.sum)
            .where(
                table.metadata_id == record.metadata_id,
                table.start_ts >= start,
                table.sum.is_not(None),
            )
            .order_by(table.start_ts)
            .limit(1)
        ).first()
        if found is not None:
            return table.__tablename__, *found
    return None


def _inexact(session: Session, record: Record) -> tuple[tuple[str, int, float], ...]:
    if record.lift is None:
        return ()
    return tuple(
        item
        for table, start in _lifted(record.lift)
        for item in _find_inexact(session, table, record.metadata_id, start, record.lift.amount)
    )


def write(session: Session, record: Record) -> bool:
    """Write what is planned; return False, with nothing written, where the rows have changed."""
    until = compiled_until(session).timestamp()
    found = _values(session, record)
    for change in record.changes:
        if found.get(change.start, {}) != (change.old or {}):
            return False
        if change.start + HOUR.total_seconds() > until:
            return False
    if (_inexact(session, record), _witness(session, record)) != (record.inexact, record.witness):
        return False
    if record.anchor is not None:
        if _has_rows(session, record.metadata_id):
            return False
        _insert(session, StatisticsShortTerm, record.metadata_id, [record.anchor])
    if record.lift is not None:
        for table, start in _lifted(record.lift):
            _add(session, table, record.metadata_id, start, record.lift.amount)
    _update(session, record, (change for change in record.changes if change.old is not None))
    if inserted := [change for change in record.changes if change.old is None]:
        _insert(session, Statistics, record.metadata_id, inserted)
    return True


def undo(session: Session, record: Record) -> tuple[int, int]:
    """Bring back the rows before a record; return how many were, and how many had changed since.

    Sums that were lifted get the amount back, also those of rows that are newer. Nothing is undone
    where not all rows stand of an import that has lifted sums: one of them would fall. A crash may
    have left an import that was not written, or that was undone already.
    """
    found = _values(session, record)
    standing = [change for change in record.changes if found.get(change.start) == change.new]
    if (lift := record.lift) is not None:
        if len(standing) < len(record.changes) or not _is_lifted(session, record, lift.amount):
            return 0, len(record.hours)
        for table, start in _lifted(lift):
            _add(session, table, record.metadata_id, start, -lift.amount)
        _restore_inexact(session, record, lift.amount)
    backwards = [
        RowChange(change.start, change.new, change.old)
        for change in standing
        if change.old is not None
    ]
    _update(session, record, backwards)
    if starts := [change.start for change in standing if change.old is None]:
        _delete(session, Statistics, record.metadata_id, starts)
    if record.anchor is not None:
        _delete(session, StatisticsShortTerm, record.metadata_id, [record.anchor.start])
    changed = len(record.changes) - len(standing)
    return len(record.hours) - changed, changed


def _is_lifted(session: Session, record: Record, amount: float) -> bool:
    """Return whether the sums of a record are lifted, of which all rows stand."""
    if record.changes:
        return True
    if record.witness is None:
        return False
    name, row, total = record.witness
    tables = {table.__tablename__: table for table in (StatisticsShortTerm, Statistics)}
    now = session.scalar(select(tables[name].sum).where(tables[name].id == row))
    return now is not None and now == total + amount


def _lifted(lift: SumLift) -> tuple[tuple[StatisticsTable, float], ...]:
    return (StatisticsShortTerm, lift.five_minutes), (Statistics, lift.hour)


def _table(table: StatisticsTable) -> Table:
    return cast("Table", table.__table__)


def _values(session: Session, record: Record) -> dict[float, dict[str, float | None]]:
    """Return the values of the rows at the times of a record, those names that it writes."""
    if not record.changes:
        return {}
    names = tuple(record.changes[0].new)
    starts = [change.start for change in record.changes]
    columns = [getattr(Statistics, name) for name in names]
    found = session.execute(
        select(Statistics.start_ts, *columns).where(
            Statistics.metadata_id == record.metadata_id,
            Statistics.start_ts >= min(starts),
            Statistics.start_ts <= max(starts),
        )
    )
    return {start: dict(zip(names, values, strict=True)) for start, *values in found}


def _update(session: Session, record: Record, changes: Iterable[RowChange]) -> None:
    values = [{"the_start": change.start, **change.new} for change in changes]
    if values:
        session.execute(
            update(_table(Statistics)).where(
                Statistics.metadata_id == record.metadata_id,
                Statistics.start_ts == bindparam("the_start"),
            ),
            values,
        )


def _has_rows(session: Session, metadata_id: int) -> bool:
    return any(
        session.execute(select(table.id).where(table.metadata_id == metadata_id).limit(1)).first()
        for table in (Statistics, StatisticsShortTerm)
    )


def _insert(
    session: Session, table: StatisticsTable, metadata_id: int, changes: Iterable[RowChange]
) -> None:
    now = dt_util.utcnow().timestamp()
    session.execute(
        insert(_table(table)),
        [
            {
                "metadata_id": metadata_id,
                "created_ts": now,
                "start_ts": change.start,
                **dict.fromkeys(_VALUES),
                **change.new,
            }
            for change in changes
        ],
    )


def _delete(
    session: Session, table: StatisticsTable, metadata_id: int, starts: Iterable[float]
) -> None:
    session.execute(
        delete(_table(table)).where(
            table.metadata_id == metadata_id, table.start_ts == bindparam("the_start")
        ),
        [{"the_start": start} for start in starts],
    )


def _add(
    session: Session, table: StatisticsTable, metadata_id: int, start: float, amount: float
) -> None:
    session.execute(
        update(_table(table))
        .where(table.metadata_id == metadata_id, table.start_ts >= start)
        .values(sum=table.sum + amount)
    )


def _find_inexact(
    session: Session, table: StatisticsTable, metadata_id: int, start: float, amount: float
) -> list[tuple[str, int, float]]:
    found = session.execute(
        select(table.id, table.sum).where(
            table.metadata_id == metadata_id, table.start_ts >= start, table.sum.is_not(None)
        )
    )
    return [
        (table.__tablename__, row, total)
        for row, total in found
        if (total + amount) - amount != total
    ]


def _restore_inexact(session: Session, record: Record, amount: float) -> None:
    for table in (StatisticsShortTerm, Statistics):
        values = [
            {"the_id": row, "the_sum": total, "added_and_taken": (total + amount) - amount}
            for name, row, total in record.inexact
            if name == table.__tablename__
        ]
        if values:
            session.execute(
                update(_table(table))
                .where(
                    table.id == bindparam("the_id"),
                    table.metadata_id == record.metadata_id,
                    table.sum == bindparam("added_and_taken"),
                )
                .values(sum=bindparam("the_sum")),
                values,
            )
