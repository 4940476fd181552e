"""Habits: what real meters do against the standard or against the expectation of clients."""

from collections.abc import Callable
from typing import Final

from simulator.faults import ALWAYS

from .meter import Iec62056Meter, Mode


def _set(**values: object) -> Callable[[Iec62056Meter], None]:
    def apply(meter: Iec62056Meter) -> None:
        for name, value in values.items():
            setattr(meter, name, value)

    return apply


def _both(*habits: Callable[[Iec62056Meter], None]) -> Callable[[Iec62056Meter], None]:
    def apply(meter: Iec62056Meter) -> None:
        for habit in habits:
            habit(meter)

    return apply


def _fault(name: str, times: int = 1) -> Callable[[Iec62056Meter], None]:
    return lambda meter: setattr(meter.faults, name, times)


#: By name: a description, and a function that gives a meter the habit.
HABITS: Final[dict[str, tuple[str, Callable[[Iec62056Meter], None]]]] = {
    "slow": ("answers after 0.75 s", _set(reaction_time=0.75)),
    "slowest": ("answers after 1.45 s", _set(reaction_time=1.45)),
    "missed-acknowledgement": (
        "does not receive the first acknowledgement",
        _fault("lose_acknowledgements"),
    ),
    "no-fall-back": (
        "does not receive the first acknowledgement, and waits for another one",
        _both(_fault("lose_acknowledgements"), _set(acknowledgement_timeout=10)),
    ),
    "damaged-identification": (
        "one bit of its first identification is flipped",
        _fault("damage_identifications"),
    ),
    "late-line-feed": (
        "sends the line feed of its identification 1.4 s late",
        _set(line_feed_after=1.4),
    ),
    "missed-requests": ("does not receive the first two requests", _fault("miss_requests", 2)),
    "ack-256": ("sends its readout only after ACK 2 5 6", _set(readout_after="256")),
    "no-ack": ("sends its readout only if there is no acknowledgement", _set(readout_after="")),
    "other-speed": ("proposes 9600 baud and sends at 2400", _set(data_baudrate=2400)),
    "old-speed": (
        "agrees on another speed, but keeps the first one",
        _fault("keep_old_speed", ALWAYS),
    ),
    "blocks": ("sends its readout in several blocks", _set(lines_per_readout_block=4)),
    "partial-answers": (
        "sends partial blocks in programming mode, which have to be acknowledged",
        _set(partial_answers=True),
    ),
    "damaged-answer": (
        "one bit of its first answer in programming mode is flipped",
        _fault("flip_bits_of_answers"),
    ),
    "missed-command": (
        "does not receive the first command in programming mode",
        _fault("miss_commands"),
    ),
    "empty-readout": ("sends a readout without data", _set(instead_of_data="!\r\n")),
    "error-readout": ("sends (ER12) in place of its readout", _set(instead_of_data="(ER12)")),
    "pushes": ("pushes its readout, as in mode D", _set(mode=Mode.D)),
    "odd-parity": ("sends odd parity", _set(odd_parity=True)),
}
