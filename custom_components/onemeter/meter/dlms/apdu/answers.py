"""Which APDU answers which request, and what a meter may send instead of it or before it."""

from typing import Final

from ...errors import TelegramError
from . import tags
from .xdlms import parse_exception, parse_service_error

#: Tag of the answer to each request.
ANSWER_TAGS: Final = {
    tags.READ_REQUEST: tags.READ_RESPONSE,
    tags.GET_REQUEST: tags.GET_RESPONSE,
    tags.ACTION_REQUEST: tags.ACTION_RESPONSE,
}
#: First bytes of messages that may arrive before the answer: notifications that the meter pushes
#: meanwhile, and late answers to earlier requests, plain or ciphered.
_UNRELATED: Final = frozenset(
    bytes([tag])
    for tag in (
        tags.DATA_NOTIFICATION,
        tags.EVENT_NOTIFICATION,
        tags.GET_RESPONSE,
        tags.ACTION_RESPONSE,
        tags.GLO_EVENT_NOTIFICATION,
        tags.GLO_GET_RESPONSE,
        tags.GLO_ACTION_RESPONSE,
        tags.GENERAL_GLO_CIPHERING,
        tags.RLRE,
    )
)
#: How many of them are skipped: more than any meter sends within one exchange.
UNRELATED_MAX: Final = 32
#: The number of the request within invoke-id-and-priority (IEC 62056-5-3, 7.3).
_INVOKE_ID: Final = 0x0F


def may_be_unrelated(message: bytes) -> bool:
    """Return whether a message of this kind may precede the answer to a request."""
    return message[:1] in _UNRELATED


def has_invoke_id(answer: bytes, invoke_id: int | None) -> bool:
    """Return whether a deciphered answer has this invoke id; None: the service has none."""
    return invoke_id is None or (answer[2] ^ invoke_id) & _INVOKE_ID == 0


def raise_refusal(answer: bytes) -> None:
    """Raise the error that an answer reports, if it is one.

    Raises ExceptionError, ServiceError, or TelegramError for an empty answer.
    """
    if not answer:
        raise TelegramError("an empty answer")
    if answer[0] == tags.EXCEPTION_RESPONSE:
        raise parse_exception(answer)
    if answer[0] == tags.CONFIRMED_SERVICE_ERROR:
        raise parse_service_error(answer)
