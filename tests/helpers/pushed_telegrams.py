"""Telegrams of each protocol, for tests of what they are recognized by."""

from simulator.dlms import Framing, Layout, PushMeter
from simulator.household import Household
from simulator.iec62056 import Checksum, Iec62056Meter, Mode
from simulator.iec62056.encoder import with_even_parity
from simulator.sml.meter import SmlMeter

TIME = 1_790_000_000
KEYS = {"encryption_key": bytes(range(16)), "authentication_key": bytes(range(16))}


def sml(number: int = 0) -> bytes:
    """Return a telegram of SML."""
    return SmlMeter(household=Household(1)).telegram(TIME + number)


def text(checksum: Checksum = Checksum.NONE) -> bytes:
    """Return a readout that is pushed, without parity bits."""
    return Iec62056Meter(mode=Mode.D, checksum=checksum, clock=lambda: TIME).pushed()


def text_with_parity() -> bytes:
    """Return the same with parity bits."""
    return with_even_parity(text())


def dlms(framing: Framing = Framing.HDLC, number: int = 0, *, is_enciphered: bool = False) -> bytes:
    """Return a telegram of DLMS."""
    keys = KEYS if is_enciphered else {}
    layout = Layout.POSITIONAL
    return PushMeter(framing=framing, layout=layout, **keys).telegram(TIME + number)  # type: ignore[arg-type]
