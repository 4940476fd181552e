"""An import is there as a whole or not at all, whenever its process is killed."""

import os
from pathlib import Path
from random import Random
import time

import pytest
from pytest_socket import socket_allow_hosts
from sqlalchemy.orm import Session

from custom_components.onemeter.history.records import undo, write
from tests.helpers.killed import killed
from tests.helpers.killed_import import contents, import_and_undo, make, opened, record

#: Databases at servers that scripts/soak has started, if there are any.
SERVERS = os.environ.get("ONEMETER_DATABASES", "").split()


@pytest.mark.real_time("a process is killed")
@pytest.mark.parametrize("times", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_at_any_time(tmp_path: Path, times: int) -> None:
    kill_at_any_time(f"sqlite:///{tmp_path / 'home-assistant_v2.db'}", times)


@pytest.mark.soak
@pytest.mark.real_time("a process is killed")
@pytest.mark.skipif(not SERVERS, reason="no server of a database")
@pytest.mark.parametrize("url", SERVERS, ids=lambda url: url.partition("+")[0])
def test_killed_beside_a_server(url: str) -> None:
    kill_at_any_time(url, 200)


def kill_at_any_time(url: str, times: int) -> None:
    # Servers are contacted through sockets of the file system.
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    make(url)
    before, other = contents(url)
    with opened(url) as engine, Session(engine) as session:
        assert write(session, record())
        session.commit()
    after, _ = contents(url)
    with opened(url) as engine, Session(engine) as session:
        assert undo(session, record()) == (300, 0)
        session.commit()
    assert contents(url) == (before, other)
    random = Random(17)
    seen = set()
    for _ in range(times):
        with killed(import_and_undo, url) as pipe:
            for _ in range(random.randint(1, 4)):
                assert pipe.poll(60)
                pipe.recv()
            time.sleep(random.uniform(0, 0.03))
        own, others = contents(url)
        assert own in (before, after)
        assert others == other
        seen.add(own == after)
        with opened(url) as engine, Session(engine) as session:
            # Whichever it was, what undoes it is known.
            undo(session, record())
            session.commit()
        assert contents(url) == (before, other)
    assert times < 100 or len(seen) == 2
