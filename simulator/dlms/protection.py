"""The protection of messages, with the counters that go with it."""

from . import axdr
from .ciphering import AUTHENTICATED, ENCRYPTED, Keys, peek, protect, unprotect
from .meter import DlmsMeter
from .services import counter_error

#: What protection takes at most besides the message: tag, length, control, counter, tag.
OVERHEAD = 1 + 3 + 1 + 4 + 12
#: ... and where the sender's title is told.
GENERAL_OVERHEAD = OVERHEAD + 1 + 8


def seal(meter: DlmsMeter, plaintext: bytes, keys: Keys, control: int) -> bytes:
    """Protect a meter's answer as the request was, and as its policy wants; with its length."""
    control = control & (AUTHENTICATED | ENCRYPTED) | meter.policy | meter.suite
    return axdr.sized(protect(plaintext, keys, meter.title, meter.next_counter(), control))


def unseal(
    meter: DlmsMeter, data: bytes, keys: Keys, title: bytes, *, dedicated: bool = False
) -> tuple[int, bytes]:
    """Return control byte and message of what a client has protected.

    DecipheringError where it cannot be read, RefusedError where the counter was used before.
    """
    _, counter = peek(data)
    meter.receive_counter(title, "dedicated" if dedicated else "global", counter)
    opened = unprotect(data, keys, title, meter.suite)
    if meter.faults.happens("stale_counters"):
        meter.client_counter = counter + 1000
    if not dedicated:
        if counter <= meter.client_counter:
            meter.note("stale counter", str(counter))
            raise counter_error(meter.client_counter + 1)
        meter.client_counter = counter
    return opened.control, opened.plaintext
