"""A database of the recorder into which a process imports, and undoes it, until it is killed."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from custom_components.onemeter.history.records import Record, RowChange, SumLift, undo, write
from homeassistant.components.recorder.db_schema import (
    Base,
    Statistics,
    StatisticsMeta,
    StatisticsRuns,
    StatisticsShortTerm,
)

HOUR = 3600.0
FIRST = datetime(2026, 11, 2, tzinfo=UTC).timestamp()
HOURS = 400
#: Two statistics, of which only the first is imported to.
OWN, OTHER = 1, 2


def record() -> Record:
    """Return an import of updated and inserted rows with a lift."""
    changes = tuple(
        RowChange(
            FIRST + number * HOUR,
            None if number % 2 else {"state": 5.0, "sum": 1.0},
            {"state": 5.0 + number / 10, "sum": 1.0 + number / 10},
        )
        for number in range(300)
    )
    return Record(OWN, changes, SumLift(0.5, FIRST + 300 * HOUR, FIRST + 300 * HOUR))


@contextmanager
def opened(url: str) -> Generator[Engine]:
    """Open a database as the recorder does."""
    engine = create_engine(url)
    if is_sqlite(url):
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
            connection.execute(text("PRAGMA synchronous=NORMAL"))
    try:
        yield engine
    finally:
        engine.dispose()


def is_sqlite(url: str) -> bool:
    """Return whether a database is a file."""
    return url.startswith("sqlite")


def make(url: str) -> None:
    """Make a database with flat rows and missing ones, and later rows of an own sum."""
    with opened(url) as engine:
        Base.metadata.drop_all(engine)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(StatisticsRuns(start=datetime(2026, 12, 1, tzinfo=UTC)))
            for metadata in (OWN, OTHER):
                session.add(StatisticsMeta(id=metadata, statistic_id=f"sensor.{metadata}"))
                session.flush()
                for number in range(HOURS):
                    if number < 300 and number % 2:
                        continue
                    total = 1.0 if number < 300 else (number - 300) / 8
                    values = {"metadata_id": metadata, "start_ts": FIRST + number * HOUR}
                    session.add(Statistics(**values, state=5.0, sum=total, created_ts=1.0))
                    session.add(StatisticsShortTerm(**values, state=5.0, sum=total))
            session.commit()


def contents(url: str) -> tuple[list[Any], list[Any]]:
    """Return the rows of the own and of the other statistic, without the ids of inserted ones."""
    with opened(url) as engine, Session(engine) as session:
        if is_sqlite(url):
            assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        found = [
            [
                tuple(row)
                for table in (Statistics, StatisticsShortTerm)
                for row in session.query(
                    table.start_ts, table.state, table.sum, table.mean, table.last_reset_ts
                )
                .filter(table.metadata_id == metadata)
                .order_by(table.start_ts)
            ]
            for metadata in (OWN, OTHER)
        ]
    return found[0], found[1]


def import_and_undo(pipe: Connection[Any, Any], url: str) -> None:
    """Import and undo for ever; send a sign of life before each."""
    with opened(url) as engine:
        while True:
            for step in (write, undo):
                pipe.send(None)
                with Session(engine) as session:
                    step(session, record())
                    session.commit()
