"""Decoding a file: the command ``decode``."""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from typing import TYPE_CHECKING, Final

from ..client import Counters
from ..errors import TelegramError
from ..iec62056 import Iec62056Decoder, decode_profile, profile_text
from ..looks import Look, looks_like
from ..protocols import Protocol
from ..sml import SmlDecoder, decode_body
from .json_lines import profile_as_json
from .output import Output, complain
from .shared_arguments import keys_of

if TYPE_CHECKING:
    # It brings asyncio and serialx, which are slow to import.
    from ..stream import Decoder

#: Bytes decoded at a time.
_CHUNK: Final = 16_384
#: Bytes kept to find out what they look like: the larger part of most telegrams.
_SAMPLE: Final = 512
#: What looks_like() calls the protocols.
_NAMES: Final = {Protocol.SML: "SML", Protocol.IEC62056: Look.IEC62056, Protocol.DLMS: "DLMS"}
_COUNTS: Final = ("good", "damaged", "other")
_KEY_COUNTS: Final = ("needs_key", "wrong_encryption_key", "wrong_authentication_key")
_KEY_HINTS: Final = (
    "telegrams are encrypted: give --encryption-key",
    "telegrams do not decrypt: the encryption key is wrong",
    "the tags of telegrams are wrong: the authentication key is wrong",
)


def counted(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the counters of a protocol."""
    return _COUNTS + _KEY_COUNTS if options.protocol == Protocol.DLMS else _COUNTS


def decode(options: argparse.Namespace, output: Output) -> Counters:
    """Show the readings in a file, and report on standard error why there is none."""
    if options.object != "telegram":
        with options.file:
            return _decode_whole(options, output)
    decoder = _decoder(options)
    sample = b""
    with options.file, suppress(BrokenPipeError, KeyboardInterrupt):
        for data in _chunks(options.file):
            sample = sample or data[:_SAMPLE]
            for reading in decoder.feed(data):
                output.show(reading)
    with suppress(BrokenPipeError):
        for reading in decoder.finish():
            output.show(reading)
    if options.protocol == Protocol.DLMS:
        _report_unknown_lists(decoder)
    counters = Counters(**{name: getattr(decoder, name) for name in counted(options)})
    _explain(counters, Protocol(options.protocol), sample)
    return counters


def _explain(counters: Counters, protocol: Protocol, sample: bytes) -> None:
    """Report missing and wrong keys, and what looks like another protocol."""
    for name, hint in zip(_KEY_COUNTS, _KEY_HINTS, strict=True):
        if getattr(counters, name):
            complain(hint)
            return
    if counters.good or counters.other or not sample:
        return
    guess = looks_like(sample)
    other = next((key for key, name in _NAMES.items() if name == guess and key != protocol), None)
    message = f"no {_NAMES[protocol]} telegram in it"
    if other is not None:
        complain(f"{message}; it looks like {guess}: try --protocol {other}")
    elif guess not in {None, _NAMES[protocol]}:
        complain(f"{message}; it looks like {guess}")
    elif not counters.damaged:
        complain(message)


def _report_unknown_lists(decoder: Decoder) -> None:
    from ..dlms.push.decoder import DlmsDecoder  # noqa: PLC0415

    if isinstance(decoder, DlmsDecoder):
        for found in decoder.unknown_lists():
            complain(f"the meter's list is not supported yet: {found.summary}")


def _decoder(options: argparse.Namespace) -> Decoder:
    match options.protocol:
        case Protocol.SML:
            return SmlDecoder()
        case Protocol.IEC62056:
            return Iec62056Decoder()
    from ..dlms.push.decoder import DlmsDecoder  # noqa: PLC0415  # the others need no cryptography

    return DlmsDecoder(keys_of(options))


def _decode_whole(options: argparse.Namespace, output: Output) -> Counters:
    """Decode a file that contains one SML body or load profile and nothing else."""
    with suppress(BrokenPipeError, KeyboardInterrupt):
        data = b"".join(_chunks(options.file))
        try:
            if options.object == "body":
                output.show(decode_body(data))
            else:
                zone = options.time_zone
                output.write(profile_as_json(decode_profile(profile_text(data), zone)))
        except TelegramError as err:
            complain(err)
            return Counters(damaged=1)
    return Counters(good=output.lines)


def _chunks(file: BufferedReader) -> Iterator[bytes]:
    """Yield the bytes of a file or pipe as soon as they are there."""
    try:
        while data := file.read1(_CHUNK):
            yield data
    except OSError as err:
        complain(f"{file.name}: {err.strerror}")
