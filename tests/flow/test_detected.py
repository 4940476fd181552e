"""The settings of a detected meter make the client that detection has found it with."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.access.clients import dlms_settings, sign_on
from custom_components.onemeter.flow.detected import detected_settings
from custom_components.onemeter.meter import (
    POLLED_LINE,
    PUSHED_LINE,
    Framing,
    LineSettings,
    Protocol,
)
from custom_components.onemeter.meter.blink.settings import BlinkSettings, Source
from custom_components.onemeter.meter.dlms.settings import DlmsSettings, Transport
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.settings import (
    BlinkEntrySettings,
    DlmsEntrySettings,
    Iec62056EntrySettings,
    from_entry,
)

PORT = "/dev/ttyUSB0"
TITLE = bytes(8)
WAYS = [
    *((protocol, False, line) for protocol, line in PUSHED_LINE.items()),
    *((protocol, True, line) for protocol, line in POLLED_LINE.items()),
]


@pytest.mark.parametrize(("protocol", "is_polled", "usual"), WAYS)
@given(
    line=st.builds(
        LineSettings,
        baudrate=st.integers(300, 115_200),
        framing=st.sampled_from(Framing),
        dtr=st.none() | st.booleans(),
        rts=st.none() | st.booleans(),
    )
)
def test_line(
    protocol: Protocol, usual: LineSettings, line: LineSettings, *, is_polled: bool
) -> None:
    settings = detected_settings(PORT, protocol, line, is_polled=is_polled)
    assert (settings.protocol, settings.source_id) == (protocol, PORT)
    assert settings.is_polled is is_polled
    assert settings.connection.line(usual) == line
    assert from_entry(settings.to_entry()) == settings


@pytest.mark.parametrize(("protocol", "is_polled", "usual"), WAYS)
def test_usual_line_is_not_kept(
    protocol: Protocol, usual: LineSettings, *, is_polled: bool
) -> None:
    data = detected_settings(PORT, protocol, usual, is_polled=is_polled).to_entry()
    assert data.keys() <= {"port", "protocol", "mode", "source"}


@given(
    st.builds(
        SignOn,
        address=st.text("0123456789", max_size=32),
        table=st.sampled_from(["", "1", "#"]),
        wake_up=st.booleans(),
        switch_speed=st.booleans(),
        switch_delay=st.floats(0, 2),
        acknowledgement=st.sampled_from(["", "none", "0Z6"]),
    )
)
def test_sign_on(found: SignOn) -> None:
    line = POLLED_LINE[Protocol.IEC62056]
    settings = detected_settings(PORT, Protocol.IEC62056, line, found, is_polled=True)
    assert isinstance(settings, Iec62056EntrySettings)
    assert sign_on(settings) == found


@given(
    st.builds(
        DlmsSettings,
        transport=st.none() | st.sampled_from(Transport),
        client=st.integers(1, 0xFFFF),
        logical_device=st.none() | st.integers(0, 0xFFFF),
        physical_device=st.none() | st.integers(0, 0x3FFF),
        address_length=st.none() | st.sampled_from([1, 2, 4]),
        system_title=st.just(TITLE),
        sign_on_address=st.text("0123456789", max_size=32),
    )
)
def test_dlms_address(found: DlmsSettings) -> None:
    line = POLLED_LINE[Protocol.DLMS]
    settings = detected_settings(PORT, Protocol.DLMS, line, found, is_polled=True)
    assert isinstance(settings, DlmsEntrySettings)
    assert dlms_settings(settings, TITLE) == found


@given(st.sampled_from(Source), st.booleans())
def test_source_of_impulses(source: Source, is_export: bool) -> None:
    line = PUSHED_LINE[Protocol.BLINK]
    found = BlinkSettings(source, is_export=is_export)
    settings = detected_settings(PORT, Protocol.BLINK, line, found, is_polled=False)
    assert isinstance(settings, BlinkEntrySettings)
    assert (settings.source, settings.export) == (source, is_export)
