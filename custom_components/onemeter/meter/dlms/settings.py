"""Settings of a DLMS meter: transport, addresses, authentication, and keys."""

from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Final

from ..errors import KeyFormatError
from ..obis import Obis

#: Separators that operators put between the digits of a key, and a prefix.
_FILLING: Final = re.compile(r"0x|[\s:,;.\-]", re.IGNORECASE)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+", re.ASCII)
_NO_DIGIT: Final = re.compile(r"[^0-9a-fA-F]")
#: Bytes of a key: AES-128 (suites 0 and 1) or AES-256 (suite 2).
KEY_LENGTHS: Final = (16, 32)


def parse_key(text: str) -> bytes:
    """Parse a key as operators write it: 32 hexadecimal digits, or 64 in suite 2.

    Blanks, colons, commas and ``0x`` are ignored. Raises KeyFormatError, with the number of
    characters and without the key.
    """
    digits = _FILLING.sub("", text)
    if _HEX.fullmatch(digits) is None or len(digits) // 2 not in KEY_LENGTHS:
        message = f"a key has 32 or 64 hexadecimal digits, not {len(digits)} characters"
        details = {"length": str(len(digits))}
        # Of the same length, so that the position is that in the text.
        filled = _FILLING.sub(lambda filling: "0" * len(filling[0]), text)
        if (wrong := _NO_DIGIT.search(filled)) is not None:
            details |= {"character": wrong[0], "position": str(wrong.start() + 1)}
        raise KeyFormatError(message, **details)
    return bytes.fromhex(digits)


def is_code(text: str) -> bool:
    """Return whether a text is the address of a register: a complete code, 1-0:1.8.0*255."""
    try:
        return str(Obis.parse(text)) == text
    except ValueError:
        return False


def parse_password(text: str) -> bytes:
    """Parse a password: text, or octets as hexadecimal digits after ``0x``.

    Raises ValueError for other characters after ``0x``; the message does not contain the password.
    """
    if text[:2].lower() != "0x":
        return text.encode()
    if _HEX.fullmatch(text, 2) is None:
        raise ValueError("a password that begins with 0x goes on with pairs of hexadecimal digits")
    return bytes.fromhex(text[2:])


@dataclass(frozen=True, slots=True)
class Keys:
    """The global unicast keys of a meter (IEC 62056-5-3, 5.3.5).

    Raises ValueError for a length that no suite has, and for keys of different lengths.
    """

    #: Global unicast encryption key (GUEK, EK), 16 bytes, in suite 2 32 bytes.
    encryption: bytes | None = field(default=None, repr=False)
    #: Authentication key (GAK, AK), as long; without it no tag is verified.
    authentication: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the lengths."""
        lengths = {len(key) for key in (self.encryption, self.authentication) if key is not None}
        if lengths and (len(lengths) > 1 or not lengths <= set(KEY_LENGTHS)):
            raise ValueError("keys have 16 bytes, or both 32")


class Authentication(StrEnum):
    """Authentication of the client (IEC 62056-5-3, 5.3.2)."""

    NONE = "none"
    #: Low level security: the password itself is sent.
    LLS = "lls"
    #: Mechanism 2, which is specific to manufacturers: AES-128-ECB of the challenge.
    HLS_MANUFACTURER = "hls"
    HLS_MD5 = "md5"
    HLS_SHA1 = "sha1"
    #: With the keys, without a password.
    HLS_GMAC = "gmac"
    HLS_SHA256 = "sha256"


def usual_authentication(*, has_password: bool, has_both_keys: bool) -> Authentication:
    """Return the authentication to assume for a password or keys, if none is set."""
    if has_password:
        return Authentication.LLS
    return Authentication.HLS_GMAC if has_both_keys else Authentication.NONE


class Transport(StrEnum):
    """Transport of messages."""

    #: HDLC from the first byte on, also through bridges (IEC 62056-46).
    HDLC = "hdlc"
    #: HDLC after a sign-on at 300 baud (IEC 62056-21, mode E).
    MODE_E = "mode_e"
    #: The wrapper of IEC 62056-47, over TCP.
    WRAPPER = "wrapper"


class Protection(StrEnum):
    """Protection of the messages of an association."""

    #: None, also if there are keys: these are used for the authentication only.
    NONE = "none"
    AUTHENTICATED = "authenticated"
    ENCRYPTED = "encrypted"
    BOTH = "both"


#: Address (SAP) of the public client, which every meter accepts (IEC 62056-5-3, 4.2.2).
PUBLIC_CLIENT: Final = 16
#: Address of the management client: with most meters the one that authenticates.
TRUSTED_CLIENT: Final = 1


@dataclass(frozen=True, slots=True)
class DlmsSettings:
    """Settings of a polled meter, as far as the user knows them."""

    #: None: detect.
    transport: Transport | None = None
    #: The client's address (SAP), which determines its access rights.
    client: int = PUBLIC_CLIENT
    #: The meter's logical device; None: detect.
    logical_device: int | None = None
    #: The meter's physical device, if the HDLC address has one; None: detect.
    physical_device: int | None = None
    #: Bytes of the meter's HDLC address: 1, 2 or 4; None: detect.
    address_length: int | None = None
    authentication: Authentication = Authentication.NONE
    #: Of LLS, and of HLS except GMAC.
    password: bytes | None = field(default=None, repr=False)
    keys: Keys = Keys()
    #: None: BOTH with both keys, ENCRYPTED with the encryption key, otherwise NONE.
    protection: Protection | None = None
    #: Cipher with a key generated for each association (ded) instead of the global one (glo).
    dedicated_key: bool = False
    #: Security suite: 0, 1 or 2; None: 2 with keys of 32 bytes, otherwise 0.
    suite: int | None = None
    #: The client's system title, 8 bytes; required for ciphering, GMAC and SHA-256.
    system_title: bytes | None = None
    #: Value group E of the meter's invocation counter for this client, 0-0:43.1.E*255.
    counter_instance: int = 0
    #: The meter sends its deviation from UTC with the opposite sign.
    invert_deviation: bool = False
    #: Device address of the mode E sign-on.
    sign_on_address: str = ""
