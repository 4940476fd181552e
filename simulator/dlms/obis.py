"""OBIS codes: as they are written, and as the six bytes that are sent."""


def logical_name(code: str) -> bytes:
    """Return the six bytes of a code that is written A-B:C.D.E*F."""
    for separator in "-:*":
        code = code.replace(separator, ".")
    return bytes(int(group) for group in code.split("."))


def written(name: bytes) -> str:
    """Write six bytes as A-B:C.D.E*F."""
    a, b, c, d, e, f = name
    return f"{a}-{b}:{c}.{d}.{e}*{f}"
