"""What is shown and logged of a port never holds a password, however it is written."""

from collections.abc import Callable, Generator
import logging
from pathlib import Path
import re
from unittest.mock import patch
from urllib.parse import quote, quote_plus

from hypothesis import given, strategies as st
import pytest
import serialx
from serialx import SerialException, async_serial_for_url

from custom_components.onemeter.meter import port as port_module
from custom_components.onemeter.meter.dlms.settings import Authentication
from custom_components.onemeter.meter.errors import MeterConnectionError
from custom_components.onemeter.meter.line import LineSettings
from custom_components.onemeter.meter.parity import with_parity
from custom_components.onemeter.meter.port import Port
from custom_components.onemeter.meter.redaction import SERIALX_LOGGERS, redact
from simulator.dlms import DlmsMeter, Mechanism
from simulator.pty import PtyLine

from ..helpers.dlms_meters import PASSWORD, at_a_pty, client_at
from ..helpers.rfc2217 import Rfc2217, tcp_port

LINE = LineSettings(baudrate=9600)
#: Modules of serialx that other systems have, or that are run by hand.
ELSEWHERE = re.compile(r"pyodide|win32|darwin|freebsd|tools")

passwords = st.one_of(
    st.text(min_size=1),
    st.text(":/?#[]@!$&'()*+,;=%. \t\r\nab1", min_size=1),
)
#: As a URL wants it, as forms write it, and as it is typed in.
encodings = st.sampled_from((lambda text: quote(text, safe=""), quote_plus, str))
schemes = st.sampled_from(("socket", "tcp", "rfc2217", "esphome", "SOCKET", "x-y.z+1"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/dev/serial/by-id/usb-FTDI_a@b=c?d#e", "/dev/serial/by-id/usb-FTDI_a@b=c?d#e"),
        ("sensor.flashes", "sensor.flashes"),
        ("socket://probe:3333", "socket://probe:3333"),
        ("socket://me:pass@probe:3333", "socket://***@probe:3333"),
        ("socket://me:p/a@s=s@probe:3333", "socket://***@probe:3333"),
        ("socket://me:p?a@probe:3333", "socket://***"),
        ("socket://me:p#a@probe:3333", "socket://***"),
        ("esphome://probe/?port_name=IR&mode=raw", "esphome://probe/?port_name=IR&mode=raw"),
        ("esphome://probe/?port_name=IR&key=c2Vj/cmV0+K==", "esphome://probe/?port_name=IR&***"),
        ("esphome://probe/?port_name=IR#key", "esphome://probe/?***"),
        ("esphome://probe/?key=a@b", "esphome://***"),
        ("socket://@probe:1", "socket://***@probe:1"),
        ("me:pass@probe:3333", "***@probe:3333"),
        ("//me:pass@probe:3333", "***@probe:3333"),
    ],
)
def test_secrets_do_not_show(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(scheme=schemes, password=passwords, encode=encodings)
def test_nothing_of_a_password_shows(
    scheme: str, password: str, encode: Callable[[str], str]
) -> None:
    secret = encode(password)
    hidden = f"{scheme}://***"
    assert redact(f"{scheme}://me:{secret}@probe:3333") in {f"{hidden}@probe:3333", hidden}
    for harmless, query in (("", "key="), ("port_name=IR&", "password=")):
        url = f"{scheme}://probe:3333/?{harmless}{query}{secret}"
        assert redact(url) in {f"{scheme}://probe:3333/?{harmless}***", hidden}


@given(
    password=passwords,
    encode=encodings,
    kind=st.sampled_from((SerialException, ValueError, OSError, EOFError)),
)
async def test_nothing_of_a_password_comes_with_an_error(
    password: str, encode: Callable[[str], str], kind: type[Exception]
) -> None:
    async def fail(_loop: object, _protocol: object, url: str, **_settings: object) -> None:
        raise kind(f"{url} cannot be opened with {password!r}")

    for url in (
        f"socket://me:{encode(password)}@probe:3333",
        f"esphome://probe/?key={encode(password)}",
    ):
        with (
            patch.object(port_module, "create_serial_connection", fail),
            pytest.raises(MeterConnectionError) as caught,
        ):
            await Port(url, LINE).__aenter__()
        reason = kind.__name__
        if kind is ValueError:
            reason = "not a path, nor a URL with host and port"
        assert caught.value.details == {"port": redact(url), "reason": reason}
        assert str(caught.value) == f"{redact(url)} cannot be opened: {reason}"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def assert_not_logged(secret: bytes, text: str) -> None:
    """Check that a log holds nothing of a secret, however its bytes are written."""
    for data in (secret, with_parity(secret)):
        for half in (data[: len(data) // 2], data[len(data) // 2 :]):
            assert repr(half)[2:-1] not in text
            assert half.hex(" ") not in text
            assert half.hex() not in text


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log all that there is."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture(autouse=True)
def _no_filter_is_left() -> Generator[None]:
    """Check that closing a port takes back what opening it has added."""
    yield
    for name in SERIALX_LOGGERS:
        assert logging.getLogger(name).filters == []


@pytest.mark.real_time("it has a pseudo-terminal")
async def test_the_password_of_a_meter_is_not_logged(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    meter = DlmsMeter(mechanism=Mechanism.LLS, secret=PASSWORD)
    async with at_a_pty(tmp_path, meter) as line:
        # An optical head sends back what it is sent.
        line.echo = True
        await client_at(line, authentication=Authentication.LLS, password=PASSWORD).read()
    assert_not_logged(PASSWORD, log.text)
    assert re.search("Immediately writing '[0-9]+ bytes'", log.text)
    assert re.search("Received '[0-9]+ bytes'", log.text)


@pytest.mark.real_time("it has a TCP port")
@pytest.mark.usefixtures("socket_enabled")
async def test_bytes_through_rfc2217_are_not_logged(log: pytest.LogCaptureFixture) -> None:
    async with (
        tcp_port(Rfc2217) as address,
        Port(f"rfc2217://me:p4ss@{address}", LINE) as port,
    ):
        await port.write(PASSWORD)
        received = b""
        while len(received) < len(PASSWORD):
            received += await port.read()
    assert received == PASSWORD
    assert_not_logged(PASSWORD, log.text)
    assert "p4ss" not in log.text
    assert f"RX raw: {len(PASSWORD)} bytes" in log.text


@pytest.mark.real_time("it has a pseudo-terminal")
async def test_other_users_of_serialx_are_left_alone(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    async with (
        PtyLine(tmp_path / "ours") as ours,
        PtyLine(tmp_path / "theirs") as theirs,
        Port(ours.url, LINE) as port,
        async_serial_for_url(theirs.url, baudrate=9600) as serial,
    ):
        await port.write(b"ours to write")
        ours.put(b"ours to read")
        assert await port.read() == b"ours to read"
        # What stops and starts the reading is another call than the one that opened the port.
        await port.set_speed(4800)
        ours.put(b"ours later")
        assert await port.read() == b"ours later"
        await port.pause(0.01)
        ours.put(b"ours after a pause")
        assert await port.read() == b"ours after a pause"
        await serial.write(b"theirs to write")
        theirs.put(b"theirs to read")
        assert await serial.read(100) == b"theirs to read"
    assert "ours" not in re.sub(r"/ours\b", "", log.text)
    assert "Immediately writing b'theirs to write'" in log.text
    assert "Received b'theirs to read'" in log.text


async def test_a_url_and_what_is_said_of_it_are_not_logged(log: pytest.LogCaptureFixture) -> None:
    url = "socket://me:p4ss@probe:3333"
    logger = logging.getLogger("serialx.common")

    async def log_and_fail(*_args: object, **_settings: object) -> None:
        logger.debug("%s", url)
        logger.debug("%(url)s", {"url": url})
        logger.debug("%r", ValueError("not a number: p4ss"))
        logger.debug("%d of %d", 1, 2)
        raise EOFError

    with (
        patch.object(port_module, "create_serial_connection", log_and_fail),
        pytest.raises(MeterConnectionError),
    ):
        await Port(url, LINE).__aenter__()
    assert [record.getMessage() for record in log.records if record.name == logger.name] == [
        "socket://***@probe:3333",
        "socket://***@probe:3333",
        "'ValueError'",
        "1 of 2",
    ]


def test_all_loggers_of_serialx_are_known() -> None:
    package = Path(serialx.__file__).parent
    loggers = {
        ".".join(("serialx", *module.relative_to(package).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for module in package.rglob("*.py")
        if "getLogger(" in module.read_text() and not ELSEWHERE.search(str(module))
    }
    assert loggers == set(SERIALX_LOGGERS)
