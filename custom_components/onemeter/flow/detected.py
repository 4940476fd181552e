"""From what detection finds at a port to the settings of an entry."""

from dataclasses import replace

from ..access.known_ports import FoundLine
from ..meter import POLLED_LINE, PUSHED_LINE, LineSettings, Protocol
from ..meter.blink.settings import BlinkSettings
from ..meter.detection import Candidate
from ..meter.dlms.settings import PUBLIC_CLIENT, DlmsSettings
from ..meter.iec62056.settings import SignOn
from ..settings import (
    AnySettings,
    BlinkEntrySettings,
    Connection,
    DlmsEntrySettings,
    Iec62056EntrySettings,
    Mode,
    SmlEntrySettings,
)


def detected_settings(
    port: str,
    protocol: Protocol,
    line: LineSettings,
    details: SignOn | DlmsSettings | BlinkSettings | None = None,
    *,
    is_polled: bool,
) -> AnySettings:
    """Return the settings with which a meter is read that was found at a port.

    Those of BLINK have no impulse constant, and those of DLMS no keys: only the user has them.
    """
    connection = _connection(port, line, (POLLED_LINE if is_polled else PUSHED_LINE)[protocol])
    mode = Mode.POLLED if is_polled else Mode.PUSHED
    match protocol:
        case Protocol.IEC62056:
            sign_on = details if isinstance(details, SignOn) else SignOn()
            return Iec62056EntrySettings(
                connection=connection,
                mode=mode,
                battery=sign_on.wake_up,
                address=sign_on.address,
                table=sign_on.table,
                switch_speed=sign_on.switch_speed,
                switch_delay=sign_on.switch_delay,
                acknowledgement=sign_on.acknowledgement,
            )
        case Protocol.DLMS:
            dlms = details if isinstance(details, DlmsSettings) else DlmsSettings()
            return DlmsEntrySettings(
                connection=connection,
                mode=mode,
                transport=dlms.transport,
                # With keys another client is the usual one.
                client=None if dlms.client == PUBLIC_CLIENT else dlms.client,
                logical_device=dlms.logical_device,
                physical_device=dlms.physical_device,
                address_length=dlms.address_length,
                address=dlms.sign_on_address,
            )
        case Protocol.BLINK:
            blink = details if isinstance(details, BlinkSettings) else BlinkSettings()
            return BlinkEntrySettings(
                connection=connection, source=blink.source, export=blink.is_export
            )
        case _:
            return SmlEntrySettings(connection=connection)


def _connection(port: str, line: LineSettings, usual: LineSettings) -> Connection:
    return Connection(
        port,
        baudrate=None if line.baudrate == usual.baudrate else line.baudrate,
        framing=None if line.framing is usual.framing else line.framing,
        dtr=line.dtr,
        rts=line.rts,
    )


def settings_of(
    candidate: Candidate, entered: Connection, before: AnySettings | None
) -> AnySettings:
    """Return the settings with which the meter of a candidate is read.

    The levels of DTR and RTS are those that were entered. ``before`` are the settings of the entry
    that is changed: its password and keys are kept where the protocol is still the same.
    """
    line = replace(candidate.line, dtr=entered.dtr, rts=entered.rts)
    settings = detected_settings(
        entered.source_id,
        candidate.protocol,
        line,
        candidate.settings,
        is_polled=candidate.is_polled,
    )
    match settings, before:
        case Iec62056EntrySettings(), Iec62056EntrySettings():
            return replace(settings, password=before.password, table=settings.table or before.table)
        case DlmsEntrySettings(), DlmsEntrySettings():
            # The rest is about client, authentication and keys.
            return replace(
                before,
                connection=settings.connection,
                mode=settings.mode,
                transport=settings.transport,
                logical_device=settings.logical_device,
                physical_device=settings.physical_device,
                address_length=settings.address_length,
                address=settings.address,
            )
    return settings


def found_before(settings: AnySettings | None) -> FoundLine | None:
    """Return how the meter of an entry is read so far; None for BLINK.

    It is the best guess at another port, too.
    """
    if settings is None or isinstance(settings, BlinkEntrySettings):
        return None
    usual = POLLED_LINE if settings.is_polled else PUSHED_LINE
    line = settings.connection.line(usual[settings.protocol])
    return FoundLine(replace(line, dtr=None, rts=None), settings.is_polled)


def entered_line(connection: Connection) -> LineSettings | None:
    """Return the line settings with which to begin, if a speed was entered."""
    return None if connection.baudrate is None else connection.line(LineSettings(0))
