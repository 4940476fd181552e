"""The protocols that can be read, and the line that each is spoken on."""

from enum import StrEnum

from .line import Framing, LineSettings


class Protocol(StrEnum):
    """A language that meters speak at their optical port."""

    #: Smart Message Language, pushed by the meter (SML 1.04, BSI TR-03109-1).
    SML = "sml"
    #: IEC 62056-21, polled in its modes A, B, C and E, pushed in mode D.
    IEC62056 = "iec62056"
    #: DLMS/COSEM, polled or pushed (IEC 62056-46, -47, -5-3 and -6-2).
    DLMS = "dlms"
    #: The impulses of the meter's light, each of which is the same energy.
    BLINK = "blink"


#: The line settings with which meters of each protocol push.
PUSHED_LINE = {
    Protocol.SML: LineSettings(baudrate=9600),
    Protocol.IEC62056: LineSettings(baudrate=9600, framing=Framing.SEVEN_EVEN),
    Protocol.DLMS: LineSettings(baudrate=2400, framing=Framing.EIGHT_EVEN),
    Protocol.BLINK: LineSettings(baudrate=9600),
}
#: The line settings with which meters of each protocol are spoken to first.
POLLED_LINE = {
    Protocol.IEC62056: LineSettings(baudrate=300, framing=Framing.SEVEN_EVEN),
    Protocol.DLMS: LineSettings(baudrate=9600),
}
