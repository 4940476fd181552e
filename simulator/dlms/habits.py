"""Habits: what real meters do otherwise than the standard says, by name."""

from collections.abc import Mapping
from typing import Any, Final

from .meter import DlmsMeter
from .profile import Empty
from .settings import ListTrouble

#: The settings of each habit; those of the faults and the load profile with a dot.
HABITS: Final[Mapping[str, Mapping[str, Any]]] = {
    # An exception or a temporary error in place of a value.
    "drops-association": {"faults.dropped_associations": 1},
    "one-exception": {"faults.exceptions": 1},
    "passing-result": {"faults.passing_results": 1},
    "object-list-later": {"faults.object_list_refusals": 1},
    # Several attributes at once.
    "refuses-lists": {"list_trouble": ListTrouble.EXCEPTION},
    "ignores-lists": {"list_trouble": ListTrouble.SILENCE},
    "ignores-lists-over-5": {"list_trouble": ListTrouble.SILENCE, "longest_list": 5},
    "ignores-lists-over-10": {"list_trouble": ListTrouble.SILENCE, "longest_list": 10},
    "cuts-lists-over-10": {"list_trouble": ListTrouble.CUT, "longest_list": 10},
    "hangs-up-on-lists": {"list_trouble": ListTrouble.HANG_UP},
    "hangs-up-on-lists-over-5": {"list_trouble": ListTrouble.HANG_UP, "longest_list": 5},
    "ignores-lists-with-unknown-objects": {
        "list_trouble": ListTrouble.SILENCE,
        "longest_list": 127,
        "lists_unknown": False,
    },
    # Live registers: any frame keeps the HDLC connection, only requests keep the association.
    "forgets-associations": {"association_timeout": 15.0},
    "hangs-up-after-15-s": {"inactivity_timeout": 15.0},
    # Addresses, keys and counters.
    "address-16": {"logical_device": 16, "address_sizes": (1,)},
    "address-17": {"logical_device": 17, "address_sizes": (1,)},
    "global-key-for-proof": {"dedicated_before_proof": False},
    "counter-elsewhere": {"reports_counter": False, "counter_instance": 3},
    "hides-counter": {"reports_counter": False, "public_client": None},
    # Very many objects; no rows.
    "many-registers": {"harmonics": 600},
    "refuses-empty-periods": {"profile.empty": Empty.REFUSED},
    "null-for-empty-periods": {"profile.empty": Empty.NULL},
    # Names.
    "short-names": {"short_names": True},
    "short-names-without-selection": {"short_names": True, "parameterized_access": False},
    "short-names-in-another-connection": {"short_names": True, "accepts_second_request": False},
    # In the network.
    "breaks-on-hdlc": {"breaks_on_hdlc": True},
    "keeps-associations": {"keeps_associations": True},
    "slow-answers": {"faults.slow_answers": 2},
    "refuses-in-lists": {"refused_in_lists": frozenset({"1-0:1.8.0*255"})},
    "wraps-times-in-lists": {"wraps_times_in_lists": True},
}


def set_habit(meter: DlmsMeter, name: str) -> None:
    """Give a meter a habit in addition to those that it has."""
    for place, value in HABITS[name].items():
        part, _, field = place.rpartition(".")
        setattr(getattr(meter, part) if part else meter, field, value)
