"""The protocols that can be read, and the line that each is spoken on."""

from enum import StrEnum

from .line import LineSettings


class Protocol(StrEnum):
    """A language that meters speak at their optical port."""

    #: Smart Message Language, pushed by the meter (SML 1.04, BSI TR-03109-1).
    SML = "sml"


#: The line settings with which meters of each protocol leave the factory.
DEFAULT_LINE = {Protocol.SML: LineSettings(baudrate=9600)}
