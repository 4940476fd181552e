"""The arguments for polled DLMS meters."""

import argparse
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
import os
from pathlib import Path
from secrets import token_bytes
from typing import Final

from ..dlms.security.counters import FileCounter
from ..dlms.settings import (
    PUBLIC_CLIENT,
    TRUSTED_CLIENT,
    Authentication,
    DlmsSettings,
    Keys,
    Protection,
    Transport,
    parse_password,
    usual_authentication,
)

#: The environment variable that the password is taken from if the option is not given.
_VARIABLE: Final = "ONEMETER_PASSWORD"
_TITLE_LENGTH: Final = 8
#: The first letters of the system titles that this program makes: its manufacturer code.
_MANUFACTURER: Final = b"ONM"
_ADDRESS_MAX: Final = 0x3FFF
_COUNTER_MAX: Final = 0xFFFF_0000


def add_dlms(parser: argparse.ArgumentParser) -> None:
    """Add the options of the association; those of the keys are added by add_keys()."""
    group = parser.add_argument_group("dlms")

    def choice(name: str, kinds: type[StrEnum], help_text: str) -> None:
        group.add_argument(name, type=kinds, choices=list(kinds), help=help_text)

    choice("--transport", Transport, "transport of the messages (default: detected)")
    group.add_argument(
        "--client",
        type=_number(0x7F),
        metavar="N",
        help="client address (SAP), which determines what it may read (default: 16, the public"
        " client; with a password or keys: 1)",
    )
    group.add_argument(
        "--server",
        type=_server,
        default=(None, None),
        metavar="N[/N]",
        help="logical device, and physical device (default: detected)",
    )
    group.add_argument(
        "--address-length",
        type=int,
        choices=(1, 2, 4),
        help="bytes of the server address (default: detected)",
    )
    choice("--authentication", Authentication, "default: gmac with both keys, lls with a password")
    choice("--security", Protection, "protection of the messages (default: by all keys given)")
    group.add_argument("--suite", type=int, choices=(0, 1, 2), help="security suite")
    group.add_argument(
        "--dedicated-key", action="store_true", help="encrypt with a new key for each association"
    )
    group.add_argument(
        "--system-title",
        type=_title,
        metavar="HEX",
        help="the client's system title, 16 hexadecimal digits (default: a new random one)",
    )
    group.add_argument(
        "--invocation-counter",
        type=_number(_COUNTER_MAX),
        metavar="N",
        help="the first invocation counter for this system title, needed if neither the meter nor"
        " this computer knows which ones have been used",
    )
    group.add_argument(
        "--counter-instance",
        type=_number(255),
        default=0,
        metavar="E",
        help="value group E of the meter's invocation counter 0-0:43.1.E*255 (default: 0)",
    )
    group.add_argument(
        "--invert-deviation",
        action="store_true",
        help="the sign of the deviation from UTC in the meter's times is wrong",
    )


def dlms_settings_of(options: argparse.Namespace, keys: Keys) -> DlmsSettings:
    """Return the DLMS settings of the options.

    Raises ValueError or OSError, whose messages contain no secret, for a password that cannot be
    read or used.
    """
    password = _password(options.password)
    authentication = options.authentication or usual_authentication(
        has_password=password is not None,
        has_both_keys=keys.encryption is not None and keys.authentication is not None,
    )
    is_trusted = authentication is not Authentication.NONE or keys.encryption is not None
    usual_client = TRUSTED_CLIENT if is_trusted else PUBLIC_CLIENT
    logical_device, physical_device = options.server
    return DlmsSettings(
        transport=options.transport,
        client=usual_client if options.client is None else options.client,
        logical_device=logical_device,
        physical_device=physical_device,
        address_length=options.address_length,
        authentication=authentication,
        password=password,
        keys=keys,
        protection=options.security,
        dedicated_key=options.dedicated_key,
        suite=options.suite,
        system_title=options.system_title or (_new_title() if is_trusted else None),
        counter_instance=options.counter_instance,
        invert_deviation=options.invert_deviation,
        sign_on_address=options.address,
    )


def counter_of(options: argparse.Namespace, settings: DlmsSettings) -> FileCounter | None:
    """Return the stored invocation counter of these keys; None without keys."""
    if settings.keys.encryption is None:
        return None
    title, start = options.system_title, options.invocation_counter
    if title is None:
        # The title is new, but there are meters that check the counter whatever the title.
        title, start = b"", start or 0
    return FileCounter(
        state_folder() / "invocation_counters.json", _name(title, settings.keys), start
    )


def _name(title: bytes, keys: Keys) -> str:
    """Return the name of a counter, from which the key cannot be derived."""
    digest = sha256(b"onemeter" + title + (keys.encryption or b"")).hexdigest()
    return f"{title.hex()}-{digest[:16]}"


def _password(text: str | None) -> bytes | None:
    if text is None:
        text = os.environ.get(_VARIABLE)
    if text is None:
        return None
    if text.startswith("@"):
        text = Path(text[1:]).read_text("utf-8").rstrip("\r\n")
    return parse_password(text)


def state_folder() -> Path:
    """Return where files are kept from one run to the next."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "onemeter"


def _new_title() -> bytes:
    """Return a random system title, with which the invocation counter may begin at 0."""
    return _MANUFACTURER + token_bytes(_TITLE_LENGTH - len(_MANUFACTURER))


def _number(largest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not 0 <= int(text) <= largest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {largest}")
        return int(text)

    return parse


def _server(text: str) -> tuple[int, int | None]:
    logical, _, physical = text.partition("/")
    parse = _number(_ADDRESS_MAX)
    return parse(logical), parse(physical) if physical else None


def _title(text: str) -> bytes:
    try:
        title = bytes.fromhex(text)
    except ValueError:
        title = b""
    if len(title) != _TITLE_LENGTH:
        raise argparse.ArgumentTypeError("a system title has 16 hexadecimal digits")
    return title
