"""Habits of meters."""

from argparse import ArgumentParser
from operator import attrgetter

import pytest

from simulator.dlms import HABITS, DlmsMeter, set_habit
from simulator.dlms.options import add_options


@pytest.mark.parametrize("name", HABITS)
def test_habit_changes_what_there_is(name: str) -> None:
    meter = DlmsMeter()
    before = {place: attrgetter(place)(meter) for place in HABITS[name]}
    set_habit(meter, name)
    after = {place: attrgetter(place)(meter) for place in HABITS[name]}
    assert after == HABITS[name] != before


def test_options() -> None:
    parser = ArgumentParser()
    add_options(parser)
    assert parser.parse_args([]).habit == []
    given = ["--habit", "drops-association", "--habit", "slow-answers"]
    assert parser.parse_args(given).habit == given[1::2]
    with pytest.raises(SystemExit):
        parser.parse_args(["--habit", "none"])
