"""Hour rows of long-term statistics, read around a gap in the recorder's thread."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm.session import Session

from homeassistant.components.recorder.db_schema import (
    Statistics,
    StatisticsRuns,
    StatisticsShortTerm,
)
from homeassistant.util import dt as dt_util

from .evidence import CreatedRow
from .planning import full_hour, hours_of
from .rows import Row, Rows
from .samples import HOUR, Gap

_FIVE_MINUTES: Final = 300.0

type StatisticsTable = type[Statistics | StatisticsShortTerm]


def compiled_until(session: Session) -> datetime:
    """Return until when the recorder has compiled its rows; it never goes back behind that."""
    newest = session.scalar(select(func.max(StatisticsRuns.start)))
    if newest is None:
        return datetime.fromtimestamp(0, UTC)
    return dt_util.utc_from_timestamp(
        newest.replace(tzinfo=newest.tzinfo or UTC).timestamp() + _FIVE_MINUTES
    )


def read_rows(session: Session, metadata_id: int | None, gap: Gap, since: datetime | None) -> Rows:
    """Read the rows around a gap; before the first live value, from a time on.

    None: a statistic without any row.
    """
    if metadata_id is None:
        return Rows(None, {}, None, None)
    hours = hours_of(gap, since)
    first = gap.first.time.timestamp()
    return_hour = full_hour(gap.first.time).timestamp()
    ends_until = gap.last.time.timestamp() if gap.last else return_hour
    before = _one(session, Statistics, metadata_id, last_until=ends_until - HOUR.total_seconds())
    after = _one(session, StatisticsShortTerm, metadata_id, first_from=first - _FIVE_MINUTES)
    next_hour = _one(session, Statistics, metadata_id, first_from=return_hour)
    if after is None or (next_hour is not None and after.start >= next_hour.start + HOUR):
        # Rows of five minutes are kept for days only.
        after = next_hour
    within = {row.start: row for row in _rows_of(session, metadata_id, hours)}
    return Rows(before, within, after, next_hour)


def read_created(session: Session, metadata_id: int) -> list[CreatedRow]:
    """Read all hour rows of a statistic, and when each was made."""
    found = session.execute(
        select(Statistics.start_ts, Statistics.created_ts, Statistics.state)
        .where(
            Statistics.metadata_id == metadata_id,
            Statistics.state.is_not(None),
            Statistics.sum.is_not(None),
            Statistics.created_ts.is_not(None),
        )
        .order_by(Statistics.start_ts)
    )
    return [
        CreatedRow(
            dt_util.utc_from_timestamp(start), dt_util.utc_from_timestamp(created), _decimal(state)
        )
        for start, created, state in found
        if start is not None and created is not None and state is not None
    ]


def _rows_of(session: Session, metadata_id: int, hours: Sequence[datetime]) -> list[Row]:
    if not hours:
        return []
    found = session.execute(
        select(Statistics.start_ts, Statistics.state, Statistics.sum).where(
            Statistics.metadata_id == metadata_id,
            Statistics.start_ts >= hours[0].timestamp(),
            Statistics.start_ts <= hours[-1].timestamp(),
        )
    )
    return [row for found_row in found if (row := _row(found_row)) is not None]


def _one(
    session: Session,
    table: StatisticsTable,
    metadata_id: int,
    *,
    first_from: float | None = None,
    last_until: float | None = None,
) -> Row | None:
    """Return the first row from a start on (later than it), or the last one until a start."""
    statement = select(table.start_ts, table.state, table.sum).where(
        table.metadata_id == metadata_id, table.sum.is_not(None), table.state.is_not(None)
    )
    if first_from is not None:
        edge = table.start_ts >= first_from if table is Statistics else table.start_ts > first_from
        statement = statement.where(edge).order_by(table.start_ts)
    else:
        statement = statement.where(table.start_ts <= last_until).order_by(table.start_ts.desc())
    found = session.execute(statement.limit(1)).first()
    return None if found is None else _row(found)


def _row(found: Any) -> Row | None:
    start, state, total = found
    if state is None or total is None:
        return None
    return Row(dt_util.utc_from_timestamp(start), _decimal(state), _decimal(total))


def _decimal(value: float) -> Decimal:
    """Return the decimal that a float is written as, which is what the sensor has shown."""
    return Decimal(repr(value))
