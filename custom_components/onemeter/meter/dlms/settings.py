"""How a DLMS meter wants to be spoken to, and the keys that its operator has given out."""

from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Final

from ..errors import KeyFormatError
from ..obis import Obis

#: What people put between the digits of a key, or before them.
_FILLING: Final = re.compile(r"0x|[\s:,;.\-]", re.IGNORECASE)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+", re.ASCII)
#: Bytes of a key: AES-128 (suites 0 and 1) or AES-256 (suite 2).
KEY_LENGTHS: Final = (16, 32)


def parse_key(text: str) -> bytes:
    """Read a key as operators write it: 32 hexadecimal digits, 64 in suite 2.

    Blanks, colons, commas and ``0x`` are left out. Raises KeyFormatError, which does not hold the
    key, with the number of digits found.
    """
    digits = _FILLING.sub("", text)
    if _HEX.fullmatch(digits) is None or len(digits) // 2 not in KEY_LENGTHS:
        message = f"a key has 32 or 64 hexadecimal digits, not {len(digits)} characters"
        raise KeyFormatError(message, length=str(len(digits)))
    return bytes.fromhex(digits)


def is_code(text: str) -> bool:
    """Tell whether a text is the address of a register: a complete code, 1-0:1.8.0*255."""
    try:
        return str(Obis.parse(text)) == text
    except ValueError:
        return False


def parse_password(text: str) -> bytes:
    """Read a password: text, or octets as hexadecimal digits after ``0x``.

    Raises ValueError, which does not hold the password, for digits that are none.
    """
    if text[:2].lower() != "0x":
        return text.encode()
    if _HEX.fullmatch(text, 2) is None:
        raise ValueError("a password that begins with 0x goes on with pairs of hexadecimal digits")
    return bytes.fromhex(text[2:])


@dataclass(frozen=True, slots=True)
class Keys:
    """The global unicast keys of a meter (IEC 62056-5-3, 5.3.5).

    Raises ValueError for lengths that no suite has, or two keys of different suites.
    """

    #: Global unicast encryption key (GUEK, EK), 16 bytes, in suite 2 32 bytes.
    encryption: bytes | None = field(default=None, repr=False)
    #: Authentication key (GAK, AK), as long; without it no tag is verified.
    authentication: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Let nothing pass that no meter could use."""
        lengths = {len(key) for key in (self.encryption, self.authentication) if key is not None}
        if lengths and (len(lengths) > 1 or not lengths <= set(KEY_LENGTHS)):
            raise ValueError("keys have 16 bytes, or both 32")


class Authentication(StrEnum):
    """How a client proves who it is (IEC 62056-5-3, 5.3.2)."""

    NONE = "none"
    #: Low level security: the password itself is sent.
    LLS = "lls"
    #: Mechanism 2, whose secret processing is the manufacturer's: AES-128-ECB of the challenge.
    HLS_MANUFACTURER = "hls"
    HLS_MD5 = "md5"
    HLS_SHA1 = "sha1"
    #: With the keys, without a password.
    HLS_GMAC = "gmac"
    HLS_SHA256 = "sha256"


def usual_authentication(*, has_password: bool, has_both_keys: bool) -> Authentication:
    """Return what a password and keys are given out for, where nobody says anything else."""
    if has_password:
        return Authentication.LLS
    return Authentication.HLS_GMAC if has_both_keys else Authentication.NONE


class Transport(StrEnum):
    """What carries the messages."""

    #: HDLC from the first byte on, also through bridges (IEC 62056-46).
    HDLC = "hdlc"
    #: HDLC after a sign-on at 300 baud (IEC 62056-21, mode E).
    MODE_E = "mode_e"
    #: The wrapper of IEC 62056-47, over TCP.
    WRAPPER = "wrapper"


class Protection(StrEnum):
    """What the messages of an association are protected by."""

    #: Nothing, even where there are keys: they serve the authentication only.
    NONE = "none"
    AUTHENTICATED = "authenticated"
    ENCRYPTED = "encrypted"
    BOTH = "both"


#: The addresses of a client that any meter lets in (IEC 62056-5-3, 4.2.2), and, with most meters,
#: of one that shows who it is.
PUBLIC_CLIENT: Final = 16
TRUSTED_CLIENT: Final = 1


@dataclass(frozen=True, slots=True)
class DlmsSettings:
    """What the user knows about a meter that is asked.

    Raises ValueError for what cannot be sent.
    """

    #: None: find out.
    transport: Transport | None = None
    #: The client's address (SAP), which stands for what it may do.
    client: int = PUBLIC_CLIENT
    #: The meter's logical device; None: find out.
    logical_device: int | None = None
    #: Its physical device, where HDLC addresses have one; None: find out.
    physical_device: int | None = None
    #: Bytes of an HDLC server address: 1, 2 or 4; None: find out.
    address_length: int | None = None
    authentication: Authentication = Authentication.NONE
    #: Of LLS and of HLS but GMAC.
    password: bytes | None = field(default=None, repr=False)
    keys: Keys = Keys()
    #: None: BOTH with both keys, ENCRYPTED or NONE otherwise.
    protection: Protection | None = None
    #: Cipher with a key made for each association (ded) instead of the global one (glo).
    dedicated_key: bool = False
    #: Security suite: 0, 1 or 2; None: 2 with keys of 32 bytes, otherwise 0.
    suite: int | None = None
    #: The client's own system title, 8 bytes; needed wherever something is ciphered.
    system_title: bytes | None = None
    #: Value group E of the meter's counter for this client, 0.0.43.1.E.255.
    counter_instance: int = 0
    #: The meter counts its deviation from UTC the other way round.
    invert_deviation: bool = False
    #: Device address of the mode E sign-on.
    sign_on_address: str = ""
