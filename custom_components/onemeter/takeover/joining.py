"""Joining an old statistic with that of the new sensor, in the recorder's thread.

The rows of both become those of one statistic under the entity id that the new sensor has, in the
order of time: up to the end of the old one its rows, then the new ones. Their sums go on from the
old ones, by as much as the register has risen. The entity registry then renames the new sensor, and
with it the recorder renames the statistic: no other one has that id any more.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.orm.session import Session

from homeassistant.components.recorder import DOMAIN as RECORDER_DOMAIN, Recorder
from homeassistant.components.recorder.db_schema import (
    States,
    StatesMeta,
    Statistics,
    StatisticsShortTerm,
)
from homeassistant.components.recorder.statistics import (
    cache_latest_short_term_statistic_id_for_metadata_id,
    get_short_term_statistics_run_cache,
)
from homeassistant.util import dt as dt_util

from ..history.statistics_rows import StatisticsTable
from .offers import exact_exponent

#: Seconds of the rows of each table.
_DURATIONS: Final[Mapping[StatisticsTable, float]] = {
    Statistics: 3600.0,
    StatisticsShortTerm: 300.0,
}
_DAY: Final = 86_400.0
#: How long an anchor is kept at least, until the recorder purges it (s).
_ANCHOR_KEPT: Final = 3600.0


class Row(NamedTuple):
    """A row of a statistic (timestamps, in s)."""

    start: float
    end: float
    state: float
    sum: float


class NotJoinedError(Exception):
    """The new sensor began before the old one, or lower: rows would be lost, or a sum fall."""


def join(session: Session, recorder: Recorder, old_id: str, own_id: str) -> Row | None:
    """Bring an old statistic under the id of the new sensor, which may be the same.

    Returns the first row of the new sensor, as it is afterwards; None if it has none. Raises
    NotJoinedError, LookupError if the old statistic has gone.
    """
    manager = recorder.statistics_meta_manager
    found = manager.get_many(session, statistic_ids={old_id, own_id})
    metadata_id, about = found[old_id]
    last = _last(session, metadata_id)
    if last is None:
        raise LookupError(old_id)
    first = None
    if own_id != old_id:
        if own_id in found:
            own_metadata_id, own = found[own_id]
            unit, unit_class = about["unit_of_measurement"], about["unit_class"]
            exponent = exact_exponent(own["unit_of_measurement"], unit, unit_class)
            if exponent is None:
                raise LookupError(own_id)
            first = _join_rows(session, metadata_id, own_metadata_id, last, exponent)
            manager.delete(session, [old_id])
            if exponent:
                manager.update_unit_of_measurement(session, own_id, unit_class, unit)
            metadata_id = own_metadata_id
        else:
            manager.update_statistic_id(session, RECORDER_DOMAIN, old_id, own_id)
        _join_states(session, recorder, old_id, own_id)
    _anchor(session, recorder, metadata_id, last)
    return first


def _join_rows(session: Session, old: int, own: int, last: Row, exponent: int) -> Row | None:
    """Give the rows of the old statistic to the own one; return the first row of its own."""
    ends = {table: _newest_start(session, table, old) for table in _DURATIONS}
    starts = {it: _edge(session, Statistics, it, after=0) for it in (old, own)}
    if (begin := starts[old]) and (own_begin := starts[own]) and own_begin.start < begin.start:
        raise NotJoinedError
    first = None
    for table in _DURATIONS:
        first = first or _edge(session, table, own, after=ends[table])
    amount = 0.0
    if first is not None:
        state = _scaled(first.state, exponent)
        if state < last.state:
            raise NotJoinedError
        total = last.sum + (state - last.state)
        amount = total - _scaled(first.sum, exponent)
        first = Row(first.start, first.end, state, total)
    for table, end in ends.items():
        session.execute(
            delete(_table(table)).where(table.metadata_id == own, table.start_ts <= end)
        )
        up, down = (10.0 ** max(it, 0) for it in (exponent, -exponent))
        session.execute(
            update(_table(table))
            .where(table.metadata_id == own)
            .values(state=table.state * up / down, sum=table.sum * up / down + amount)
        )
        session.execute(
            update(_table(table)).where(table.metadata_id == old).values(metadata_id=own)
        )
    return first


def _join_states(session: Session, recorder: Recorder, old_id: str, own_id: str) -> None:
    """Give the states of the old sensor to the new one.

    The first state that the recorder would find under the old id is otherwise the last one of the
    old sensor, and a meter that was reset where the register is much higher by now.
    """
    manager = recorder.states_meta_manager
    if (old := manager.get(old_id, session, True)) is None:
        return
    if (own := manager.get(own_id, session, True)) is None:
        manager.update_metadata(session, old_id, own_id)
        return
    session.execute(
        update(cast("Table", States.__table__))
        .where(States.metadata_id == old)
        .values(metadata_id=own)
    )
    session.execute(
        delete(cast("Table", StatesMeta.__table__)).where(StatesMeta.metadata_id == old)
    )
    manager.evict_purged([old_id])


def _anchor(session: Session, recorder: Recorder, metadata_id: int, last: Row) -> None:
    """Make sure that the recorder continues the last sum.

    It takes the newest row of five minutes; these are kept for days only, and without one the sum
    would begin anew.
    """
    kept_since = dt_util.utcnow().timestamp() - recorder.keep_days * _DAY + _ANCHOR_KEPT
    kept_since -= kept_since % _DURATIONS[StatisticsShortTerm]
    if _newest_start(session, StatisticsShortTerm, metadata_id) < kept_since:
        session.execute(
            insert(_table(StatisticsShortTerm)),
            [
                {
                    "metadata_id": metadata_id,
                    "created_ts": dt_util.utcnow().timestamp(),
                    "start_ts": max(last.end - _DURATIONS[StatisticsShortTerm], kept_since),
                    "state": last.state,
                    "sum": last.sum,
                }
            ],
        )
    cache_latest_short_term_statistic_id_for_metadata_id(
        get_short_term_statistics_run_cache(recorder.hass), session, metadata_id
    )


def _last(session: Session, metadata_id: int) -> Row | None:
    """Return the row with which a statistic ends."""
    rows = (_edge(session, table, metadata_id) for table in _DURATIONS)
    return max((row for row in rows if row), key=lambda row: row.end, default=None)


def _edge(
    session: Session, table: StatisticsTable, metadata_id: int, after: float | None = None
) -> Row | None:
    """Return the newest row of a table, or the first one that starts after a time."""
    columns = table.start_ts, table.state, table.sum
    query = select(*columns).where(
        table.metadata_id == metadata_id, table.state.is_not(None), table.sum.is_not(None)
    )
    if after is None:
        query = query.order_by(table.start_ts.desc())
    else:
        query = query.where(table.start_ts > after).order_by(table.start_ts)
    if (found := session.execute(query.limit(1)).first()) is None:
        return None
    start, state, total = found
    return Row(start, start + _DURATIONS[table], state, total)


def _newest_start(session: Session, table: StatisticsTable, metadata_id: int) -> float:
    """Return the start of the newest row of a table; 0 if there is none."""
    query = select(func.max(table.start_ts)).where(table.metadata_id == metadata_id)
    return session.scalar(query) or 0.0


def _scaled(amount: float, exponent: int) -> float:
    return amount * 10.0 ** max(exponent, 0) / 10.0 ** max(-exponent, 0)


def _table(table: StatisticsTable) -> Table:
    return cast("Table", table.__table__)
