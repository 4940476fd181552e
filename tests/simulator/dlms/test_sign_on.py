"""DLMS meters with a sign-on (mode E)."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from simulator.dlms import Confirmation, DlmsMeter, Transport, hdlc, serve
from simulator.dlms.hdlc import Deframer, Frame
from tests.helpers.iec62056_probe import Probe, probing

NOON = 1_790_000_000


def meter_of_noon(**options: object) -> DlmsMeter:
    values = {"transport": Transport.MODE_E, "clock": lambda: NOON} | options
    return DlmsMeter(**values)  # type: ignore[arg-type]


def probed(meter: DlmsMeter) -> AbstractAsyncContextManager[Probe]:
    return probing(lambda line: serve(line, meter), meter.start_baudrate)


@pytest.mark.parametrize("confirmation", list(Confirmation))
async def test_sign_on(confirmation: Confirmation) -> None:
    meter = meter_of_noon(baudrate=9600, confirmation=confirmation)
    async with probed(meter) as probe:
        for _ in range(2):
            assert await probe.sign_on() == b"/DMO5\\2DEMO-21\r\n"
            await probe.send(b"\x06252\r\n")
            if confirmation is Confirmation.BEFORE:
                assert await probe.receive() == b"\x06252\r\n"
            else:
                await asyncio.sleep(0.25)
            probe.switch(9600)
            if confirmation is Confirmation.AFTER:
                assert await probe.receive() == b"\x06252\r\n"
            for control, expected in ((hdlc.SNRM, hdlc.UA), (hdlc.DISC, hdlc.UA)):
                frame = Frame(b"\x03", b"\x03", control | hdlc.POLL)
                await probe.send(frame.to_bytes(), parity=False)
                (answer,) = Deframer().feed(await probe.raw(0.15))
                assert answer.control == expected | hdlc.POLL
            # After the connection it waits at 300 baud again.
            probe.switch(300)


async def test_readout_instead() -> None:
    meter = meter_of_noon(start_baudrate=9600)
    async with probed(meter) as probe:
        await probe.sign_on()
        await probe.acknowledge(b"050", 9600)
        assert b"C.1.0(12345678)" in await probe.block()
