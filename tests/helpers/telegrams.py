"""Telegrams of a made-up SML meter, for tests that need any telegrams."""

from simulator.sml import encoder as sml

SERVER_ID = bytes.fromhex("0a0154535400 00000007")


def telegram(watt_hours: int = 1234, *, number: int = 1) -> bytes:
    """Encode a telegram with one total and the power."""
    return sml.encode_telegram(
        sml.octets(SERVER_ID),
        [
            sml.entry(
                bytes.fromhex("0100010800ff"),
                sml.unsigned(watt_hours, 8),
                unit=sml.unsigned(30),
                scaler=sml.integer(-1),
            ),
            sml.entry(
                bytes.fromhex("0100100700ff"),
                sml.integer(-5, 4),
                unit=sml.unsigned(27),
                scaler=sml.integer(2),
            ),
        ],
        transaction=number,
    )


def damaged(data: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
