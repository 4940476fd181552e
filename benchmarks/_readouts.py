"""Readouts of the size and shape of real ones, encoded by the simulator."""

from collections.abc import Iterable, Iterator
from itertools import product

from simulator.iec62056.encoder import Checksum, data_block, data_set, p1_crc

#: Energy quantities of a large meter: active, reactive by quadrant, apparent.
_QUANTITIES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
_TARIFFS = range(5)
_MONTHS = range(1, 13)


def readout(lines: Iterable[str], size: int, manufacturer: str = "DMO") -> bytes:
    """Return a readout of mode C with as many lines as fit into ``size`` bytes."""
    identification = f"/{manufacturer}5DEMO-21\r\n".encode()
    # STX, ETX, check character, and the line with "!".
    left = size - len(identification) - 6
    chosen: list[str] = []
    for line in lines:
        if left < len(line) + 2:
            break
        chosen.append(line)
        left -= len(line) + 2
    return identification + data_block("".join(f"{line}\r\n" for line in chosen), Checksum.XOR)


def household_lines() -> Iterator[str]:
    """Yield the lines of a household meter; the first ones are those of a small readout."""
    yield data_set("F.F", ["00000000"])
    yield data_set("0.0.0", ["12345678"])
    yield data_set("0.9.1", ["161320"])
    yield data_set("0.9.2", ["260921"])
    yield data_set("0.2.0", ["1.00-DEMO"])
    for tariff in range(3):
        yield data_set(f"1.8.{tariff}", [_energy(tariff)])
        yield data_set(f"2.8.{tariff}", [_energy(tariff + 3)])
    for code, value in (("32.7.0", "229.6*V"), ("31.7.0", "000.18*A"), ("14.7.0", "50.01*Hz")):
        yield data_set(code, [value])
    yield from _energies()


def industry_lines() -> Iterator[str]:
    """Yield the lines of a large meter with a year of history in all tariffs.

    Two thirds of about 600 values are energies; the others are maximum demands with their times,
    times, spans of time, and instantaneous values.
    """
    yield data_set("0.0.0", ["12345678"])
    for month in _MONTHS:
        yield data_set(f"0.1.2*{month}", [f"25-{month:02}-01,00:00"])
    yield data_set("0.9.1", ["16:13:20"])
    yield data_set("0.9.2", ["26-09-21"])
    for quantity, month in product((1, 2), _MONTHS):
        maximum = [f"{month * 17:03}.{month * 31:03}*kW", f"25-{month:02}-17,18:15"]
        yield data_set(f"{quantity}.6.0*{month}", maximum)
    for phase in range(3):
        yield data_set(f"{phase * 20 + 32}.7.0", [f"{229 + phase}.6*V"])
        yield data_set(f"{phase * 20 + 31}.7.0", [f"00{phase}.182*A"])
        yield data_set(f"{phase * 20 + 36}.7.0", [f"000.28{phase}*kW"])
    for number in range(70):
        span = f"25-{number % 12 + 1:02}-03,07:15,25-{number % 12 + 1:02}-03,09:45"
        yield data_set(f"96.77.{number // 10}*{number % 10}", [span])
    yield from _energies()


def p1_telegram() -> bytes:
    """Return a telegram of a P1 port (DSMR 5.0) with a gas meter."""
    lines = (
        data_set("1-3:0.2.8", ["50"]),
        data_set("0-0:1.0.0", ["260921161320S"]),
        data_set("0-0:96.1.1", ["44454D4F2D5031202020203132333435"]),
        *(
            data_set(f"1-0:{direction}.8.{tariff}", [_energy(direction * 2 + tariff)])
            for direction, tariff in product((1, 2), (1, 2))
        ),
        data_set("0-0:96.14.0", ["0002"]),
        data_set("1-0:1.7.0", ["00.424*kW"]),
        data_set("1-0:2.7.0", ["00.000*kW"]),
        data_set("0-0:96.7.21", ["00011"]),
        data_set("0-0:96.7.9", ["00004"]),
        data_set("1-0:99.97.0", ["1", "0-0:96.7.19", "260104020436W", "0000000301*s"]),
        *(
            data_set(f"1-0:{phase * 20 + 32}.{code}.0", ["00002"])
            for code, phase in product((32, 36), range(3))
        ),
        data_set("0-0:96.13.0", [""]),
        *(data_set(f"1-0:{phase * 20 + 32}.7.0", [f"23{phase}.1*V"]) for phase in range(3)),
        *(data_set(f"1-0:{phase * 20 + 31}.7.0", [f"00{phase}*A"]) for phase in range(3)),
        *(
            data_set(f"1-0:{phase * 20 + code}.7.0", [f"00.14{phase}*kW"])
            for code, phase in product((21, 22), range(3))
        ),
        data_set("0-1:24.1.0", ["003"]),
        data_set("0-1:96.1.0", ["3132333435363738393031323334353637"]),
        data_set("0-1:24.2.1", ["260921160500S", "00246.138*m3"]),
    )
    telegram = "\r\n".join((r"/DMO5\2DEMO-P1", "", *lines, "!")).encode()
    return telegram + p1_crc(telegram)


def _energies() -> Iterator[str]:
    """Yield the totals of the past months by quantity and tariff."""
    for number, (quantity, tariff, month) in enumerate(product(_QUANTITIES, _TARIFFS, _MONTHS)):
        unit = "kWh" if quantity in (1, 2) else "kvarh"
        yield data_set(f"{quantity}.8.{tariff}*{month}", [_energy(number, unit)])


def _energy(number: int, unit: str = "kWh") -> str:
    return f"{(number + 1) * 4321 % 1_000_000:06}.{number * 617 % 1000:03}*{unit}"
