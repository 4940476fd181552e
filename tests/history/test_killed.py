"""An import is there as a whole or not at all, whenever its process is killed."""

from pathlib import Path
from random import Random
import time

import pytest
from sqlalchemy.orm import Session

from custom_components.onemeter.history.records import undo, write
from tests.helpers.killed import killed
from tests.helpers.killed_import import contents, import_and_undo, make, opened, record


@pytest.mark.real_time("a process is killed")
@pytest.mark.parametrize("times", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_at_any_time(tmp_path: Path, times: int) -> None:
    path = tmp_path / "home-assistant_v2.db"
    make(path)
    before, other = contents(path)
    with opened(path) as engine, Session(engine) as session:
        assert write(session, record())
        session.commit()
    after, _ = contents(path)
    with opened(path) as engine, Session(engine) as session:
        assert undo(session, record()) == (300, 0)
        session.commit()
    assert contents(path) == (before, other)
    random = Random(17)
    seen = set()
    for _ in range(times):
        with killed(import_and_undo, path) as pipe:
            for _ in range(random.randint(1, 4)):
                assert pipe.poll(60)
                pipe.recv()
            time.sleep(random.uniform(0, 0.03))
        own, others = contents(path)
        assert own in (before, after)
        assert others == other
        seen.add(own == after)
        with opened(path) as engine, Session(engine) as session:
            # Whichever it was, what undoes it is known.
            undo(session, record())
            session.commit()
        assert contents(path) == (before, other)
    assert times < 100 or len(seen) == 2
