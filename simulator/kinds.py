"""All kinds of meters that detection must find, each with its usual line."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
import time
from typing import Any, Final, override

from .blink.light import Light
from .blink.meter import steady
from .dlms import (
    DlmsMeter,
    Envelope,
    Framing as Frames,
    Layout,
    PushMeter,
    Transport,
    serve as serve_dlms,
)
from .household import Household
from .iec62056 import Checksum, Iec62056Meter, Mode, Registers, serve as serve_iec62056
from .line import Line
from .push import push
from .sml.meter import SmlMeter, Style
from .uart import Framing

type Serve = Callable[[Line], Coroutine[Any, Any, None]]

#: Time of the first telegrams, in seconds since 1970.
_STARTED: Final = 1_790_000_000
#: Speeds, and the seconds in which a meter at an unexpected speed must be found.
_REFERENCE: Final = 9600
_FAST: Final = 19_200
_UNEXPECTED_SECONDS: Final = 50
_KEY: Final = bytes(range(16))
_HOUSEHOLD: Final = Household(1)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of meter: what detection must find, and a function that serves such a meter."""

    protocol: str
    #: Speed and framing on the line; those of the sign-on if it is polled.
    baudrate: int
    framing: Framing = Framing.EIGHT_NONE
    #: Serves one on a line, for ever.
    serve: Serve
    #: Seconds between telegrams; None if it is polled.
    interval: float | None = None
    #: Number of telegrams or flashes that detection needs.
    telegrams: int = 1
    #: Whether it has to be woken, and whether its request is tried last.
    is_battery: bool = False
    is_last: bool = False
    #: Whether it is in the network, without a speed.
    is_network: bool = False
    #: Whether it can be read through a port of fixed speed.
    has_fixed_speed: bool = True
    echo: bool = False

    def seconds_allowed(self, dark_seconds: float, first: str) -> float:
        """Return the seconds in which it must be found at a port that has a speed.

        Detection is silent for ``dark_seconds``, and begins with the line ``first`` (``2400 8E1``).
        """
        late = max(0.0, dark_seconds - 2.6)
        if self.interval is None:
            return late + (20 if self.is_last else 14 if self.is_battery else 8)
        if self.protocol == "blink":
            # All but one of which nothing is sent for.
            return (self.telegrams + 2) * self.interval + 1
        missed = 0.0
        if self.telegrams > 1 and self.interval > dark_seconds:
            # The first one may come while questions are asked, and is not received then.
            missed = self.interval
        if first == f"{self.baudrate} {self.framing}":
            return missed + self.telegrams * self.interval + 1
        is_slow_even = self.baudrate < _REFERENCE and self.framing is Framing.EIGHT_EVEN
        if self.baudrate >= _FAST or (self.framing is not Framing.EIGHT_NONE and not is_slow_even):
            return _UNEXPECTED_SECONDS
        return missed + (1 + self.telegrams) * self.interval + 3

    def set_up(self, line: Line) -> None:
        """Set a line to the speed and framing of the meter."""
        line.baudrate = self.baudrate
        line.framing = self.framing
        line.echo = self.echo


def _pushes(telegram: Callable[[int], bytes], interval: float) -> Serve:
    """Return a function that pushes telegrams, timed by the event loop."""

    def now(_: int) -> bytes:
        return telegram(_STARTED + int(asyncio.get_running_loop().time()))

    return lambda line: push(line, now, interval=interval)


def _sml(interval: float, **options: Any) -> Kind:
    meter = SmlMeter(household=_HOUSEHOLD, **options)
    return Kind(
        protocol="sml", baudrate=9600, interval=interval, serve=_pushes(meter.telegram, interval)
    )


def _text(baudrate: int, framing: Framing, interval: float, **options: Any) -> Kind:
    """Return a meter of mode D or with a P1 port."""
    has_parity = framing is Framing.SEVEN_EVEN

    async def serve(line: Line) -> None:
        meter = Iec62056Meter(
            mode=Mode.D, interval=interval, baudrate=baudrate, even_parity=has_parity, **options
        )
        await serve_iec62056(line, meter)

    is_checked = options.get("checksum") is Checksum.CRC16
    return Kind(
        protocol="iec62056",
        baudrate=baudrate,
        # The meter adds its parity bit itself: 7E1 is sent as 8N1.
        framing=Framing.EIGHT_NONE if has_parity else framing,
        interval=interval,
        telegrams=1 if is_checked else 2,
        serve=serve,
    )


def _dlms(
    baudrate: int, framing: Framing, interval: float, frames: Frames = Frames.HDLC, **options: Any
) -> Kind:
    meter = PushMeter(framing=frames, **options)
    return Kind(
        protocol="dlms",
        baudrate=baudrate,
        framing=framing,
        interval=interval,
        telegrams=2 if frames is Frames.BARE else 1,
        serve=_pushes(meter.telegram, interval),
    )


def _polled(**options: Any) -> Kind:
    kind: dict[str, Any] = {
        name: options.pop(name) for name in ("echo", "is_last") if name in options
    }
    start = options.get("start_baudrate", 300)

    async def serve(line: Line) -> None:
        registers = Registers(history=0, with_grid=False)
        await serve_iec62056(line, Iec62056Meter(**{"registers": registers} | options))

    return Kind(
        protocol="iec62056",
        baudrate=start,
        is_battery=options.get("battery", False),
        has_fixed_speed=start == options.get("baudrate", 9600) or options.get("mode") is Mode.A,
        serve=serve,
        **kind,
    )


class _OtherQuestion(Iec62056Meter):
    """A meter that answers only /#!."""

    @override
    def answers(self, table: str, address: str) -> bool:
        return table == "#"


async def _only_by_table(line: Line) -> None:
    await serve_iec62056(line, _OtherQuestion(tables={"#": "1.8.0(000123.4*kWh)\r\n"}))


def _dlms_polled(**options: Any) -> Kind:
    transport = options.get("transport", Transport.HDLC)
    return Kind(
        # By its sign-on it can be read without a key.
        protocol="iec62056" if transport is Transport.MODE_E else "dlms",
        baudrate=300 if transport is Transport.MODE_E else 9600,
        is_network=transport is Transport.WRAPPER,
        has_fixed_speed=transport is not Transport.MODE_E,
        serve=lambda line: serve_dlms(line, DlmsMeter(**options)),
    )


def _led(rate: float, **options: Any) -> Kind:
    async def serve(line: Line) -> None:
        now = time.time()
        await Light(line, **options).blink(steady(rate, now), now)

    return Kind(protocol="blink", baudrate=9600, interval=1 / rate, telegrams=3, serve=serve)


_ENCIPHERED: Final[Mapping[str, Any]] = {
    "encryption_key": _KEY,
    "authentication_key": _KEY[::-1],
}
_8N1, _8E1, _7E1, _7N1 = (
    Framing.EIGHT_NONE,
    Framing.EIGHT_EVEN,
    Framing.SEVEN_EVEN,
    Framing.SEVEN_NONE,
)

#: By name.
KINDS: Final[Mapping[str, Kind]] = {
    "SML, 1 s": _sml(1.0),
    "SML, 5 s": _sml(5.0),
    "SML, PIN not entered": _sml(1.0, locked=True),
    "SML, 2010": _sml(3.0, style=Style.EDL),
    "text, 1 s": _text(9600, _7E1, 1.0),
    "text, 10 s": _text(9600, _7E1, 10.0),
    "text, 2400": _text(2400, _7E1, 10.0),
    "P1, 1 s": _text(115_200, _8N1, 1.0, checksum=Checksum.CRC16),
    "P1, 10 s": _text(115_200, _8N1, 10.0, checksum=Checksum.CRC16),
    "P1, 7N1": _text(115_200, _7N1, 1.0, checksum=Checksum.CRC16),
    "P1, enciphered": _dlms(
        115_200, _8N1, 10.0, frames=Frames.BARE, layout=Layout.P1, **_ENCIPHERED
    ),
    "HDLC, 2400 8E1, 5 s": _dlms(2400, _8E1, 5.0, frames=Frames.SEGMENTS, **_ENCIPHERED),
    "HDLC, 2400 8E1, 2.5 s": _dlms(2400, _8E1, 2.5, layout=Layout.POSITIONAL, items=9),
    "HDLC, 2400 8N1, 10 s": _dlms(2400, _8N1, 10.0, layout=Layout.KAMSTRUP),
    "M-Bus, 2400 8E1": _dlms(2400, _8E1, 5.0, frames=Frames.MBUS, **_ENCIPHERED),
    "HDLC, 9600 8N1, enciphered": _dlms(9600, _8N1, 5.0, **_ENCIPHERED),
    "HDLC, 9600 8E1": _dlms(9600, _8E1, 5.0),
    "HDLC, 4800 8N1": _dlms(4800, _8N1, 5.0),
    "HDLC, 19200 8N1": _dlms(19_200, _8N1, 5.0),
    "HDLC, 115200 8N1": _dlms(115_200, _8N1, 1.0, envelope=Envelope.GENERAL_CIPHERING),
    "mode C": _polled(),
    "mode C, quick": _polled(manufacturer="DMo"),
    "mode C, 4800": _polled(baudrate=4800, checksum=Checksum.SUM),
    "mode C, stays at 300": _polled(baudrate=300),
    "mode C, echo": _polled(echo=True),
    "mode C, slow": _polled(reaction_time=1.45),
    "mode C at 9600": _polled(start_baudrate=9600),
    "mode A": _polled(mode=Mode.A),
    "mode B": _polled(mode=Mode.B, baudrate=4800),
    "battery": _polled(battery=True, baudrate=2400),
    "/#!": replace(_polled(is_last=True), serve=_only_by_table),
    "mode E": _dlms_polled(transport=Transport.MODE_E),
    "HDLC, polled": _dlms_polled(physical_device=17),
    "HDLC, polled, no parameters": _dlms_polled(physical_device=16, address_sizes=(2,)),
    "wrapper": _dlms_polled(transport=Transport.WRAPPER),
    "light, 1000 imp/kWh at 500 W": _led(500 / 3600),
    "light, 10000 imp/kWh at 500 W": _led(5000 / 3600),
}
