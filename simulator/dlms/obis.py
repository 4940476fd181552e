"""OBIS codes as text and as the six bytes of a logical name."""


def logical_name(code: str) -> bytes:
    """Return the six bytes of a code in the form A-B:C.D.E*F."""
    for separator in "-:*":
        code = code.replace(separator, ".")
    return bytes(int(group) for group in code.split("."))


def written(name: bytes) -> str:
    """Format six bytes as A-B:C.D.E*F."""
    a, b, c, d, e, f = name
    return f"{a}-{b}:{c}.{d}.{e}*{f}"
