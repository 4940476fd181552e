"""The protocols, and the line settings of each."""

from enum import StrEnum

from .line import Framing, LineSettings


class Protocol(StrEnum):
    """A protocol of meters."""

    #: Smart Message Language, pushed by the meter (SML 1.04, BSI TR-03109-1).
    SML = "sml"
    #: IEC 62056-21, polled in its modes A, B, C and E, pushed in mode D.
    IEC62056 = "iec62056"
    #: DLMS/COSEM, polled or pushed (IEC 62056-46, -47, -5-3 and -6-2).
    DLMS = "dlms"
    #: The impulses of the meter's LED, each of the same energy.
    BLINK = "blink"


#: The usual line settings of meters that push.
PUSHED_LINE = {
    Protocol.SML: LineSettings(baudrate=9600),
    Protocol.IEC62056: LineSettings(baudrate=9600, framing=Framing.SEVEN_EVEN),
    Protocol.DLMS: LineSettings(baudrate=2400, framing=Framing.EIGHT_EVEN),
    Protocol.BLINK: LineSettings(baudrate=9600),
}
#: The line settings of the first request.
POLLED_LINE = {
    Protocol.IEC62056: LineSettings(baudrate=300, framing=Framing.SEVEN_EVEN),
    Protocol.DLMS: LineSettings(baudrate=9600),
}
