"""The protection of a meter's messages, with their invocation counters."""

from . import axdr
from .ciphering import AUTHENTICATED, ENCRYPTED, Keys, peek, protect, unprotect
from .meter import DlmsMeter
from .services import counter_error

#: Largest size of the protection: APDU tag, length, control, counter, authentication tag.
OVERHEAD = 1 + 3 + 1 + 4 + 12
_GENERAL_CIPHERING = 0xDD
#: Key information: identified key, global unicast encryption key.
_GLOBAL_UNICAST = b"\x01\x00\x00"
#: ... and with the sender's system title.
GENERAL_OVERHEAD = OVERHEAD + 1 + 8


def seal(meter: DlmsMeter, plaintext: bytes, keys: Keys, control: int) -> bytes:
    """Protect an answer like its request and by the policy; return it after its length."""
    control = control & (AUTHENTICATED | ENCRYPTED) | meter.policy | meter.suite
    return axdr.sized(protect(plaintext, keys, meter.title, meter.next_counter(), control))


def seal_generally(meter: DlmsMeter, plaintext: bytes, control: int) -> bytes:
    """Protect an answer with general-ciphering and the global key (Green Book, 9.2.7.2)."""
    assert meter.keys is not None  # noqa: S101  a request was protected with them
    transaction, time, other = bytes(8), b"", b""
    fields = (transaction, meter.title, meter.client_title, time, other)
    head = b"".join(map(axdr.sized, fields))
    control = control & (AUTHENTICATED | ENCRYPTED) | meter.policy | meter.suite
    counter = meter.next_counter()
    sealed = protect(plaintext, meter.keys, meter.title, counter, control, extra=head)
    return bytes([_GENERAL_CIPHERING]) + head + _GLOBAL_UNICAST + axdr.sized(sealed)


def unseal(
    meter: DlmsMeter, data: bytes, keys: Keys, title: bytes, *, dedicated: bool = False
) -> tuple[int, bytes]:
    """Return control byte and text of a message that a client has protected.

    DecipheringError if it cannot be deciphered, RefusedError if the counter was used before.
    """
    _, counter = peek(data)
    meter.receive_counter(title, "dedicated" if dedicated else "global", counter)
    opened = unprotect(data, keys, title, meter.suite)
    if meter.faults.happens("stale_counters"):
        meter.client_counter = counter + 1000
    if not dedicated:
        if counter <= meter.client_counter:
            meter.note("stale counter", str(counter))
            raise counter_error(meter.client_counter + 1 if meter.reports_counter else None)
        meter.client_counter = counter
    return opened.control, opened.plaintext
