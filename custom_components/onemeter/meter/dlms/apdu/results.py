"""Errors that meters answer with, and their texts (IEC 62056-5-3, 7 and 8)."""

from collections.abc import Mapping
from typing import Final

from ...errors import AccessError, AssociationError, RefusedError

#: Data-access-results that the client uses or distinguishes.
READ_WRITE_DENIED: Final = 3
OBJECT_UNDEFINED: Final = 4
_CLASS_INCONSISTENT: Final = 9
_TYPE_UNMATCHED: Final = 12
LONG_GET_ABORTED: Final = 15
OTHER_REASON: Final = 250
#: Data-access-result and action-result (Table 41 and 8.2).
ACCESS_RESULTS: Final[Mapping[int, str]] = {
    1: "hardware fault",
    2: "temporary failure",
    READ_WRITE_DENIED: "read or write denied: this client has no right to it",
    OBJECT_UNDEFINED: "object undefined: the meter does not have it",
    _CLASS_INCONSISTENT: "object class inconsistent",
    11: "object unavailable",
    _TYPE_UNMATCHED: "type unmatched",
    13: "scope of access violated: this client may not access it like this",
    14: "data block unavailable",
    LONG_GET_ABORTED: "long get aborted",
    16: "no long get in progress",
    17: "long set aborted",
    18: "no long set in progress",
    19: "data block number invalid",
    OTHER_REASON: "other reason",
}
#: Permanent ones, which concern the object itself; with others a later request may succeed.
PERMANENT_RESULTS: Final = frozenset({OBJECT_UNDEFINED, _CLASS_INCONSISTENT, _TYPE_UNMATCHED})

#: State errors and service errors of an exception-response (clause 8).
_STATES: Final[Mapping[int, str]] = {
    1: "service not allowed",
    2: "service unknown",
}
_OPERATION_NOT_POSSIBLE: Final = 1
PDU_TOO_LONG: Final = 4
DECIPHERING_ERROR: Final = 5
COUNTER_ERROR: Final = 6
_SERVICES: Final[Mapping[int, str]] = {
    _OPERATION_NOT_POSSIBLE: "operation not possible",
    2: "service not supported",
    3: "other reason",
    PDU_TOO_LONG: "PDU too long",
    DECIPHERING_ERROR: "deciphering error",
    COUNTER_ERROR: "invocation counter error",
}

#: Result-source-diagnostics that the client distinguishes.
AUTHENTICATION_FAILURE: Final = 13
_NO_REASON: Final = 1
CONTEXT_NOT_SUPPORTED: Final = 2
#: Result-source-diagnostic of the service user (7.2.3.4).
_USER_DIAGNOSTICS: Final[Mapping[int, str]] = {
    0: "no diagnostic",
    _NO_REASON: "no reason given",
    CONTEXT_NOT_SUPPORTED: (
        "application context not supported: the meter requires ciphered, or plain, messages"
    ),
    3: "calling application title not recognised: the client's system title is unknown",
    4: "calling application invocation identifier not recognised",
    5: "calling application qualifier not recognised",
    6: "calling entity invocation identifier not recognised",
    7: "called application title not recognised",
    8: "called application invocation identifier not recognised",
    9: "called application qualifier not recognised",
    10: "called entity invocation identifier not recognised",
    11: "authentication mechanism not recognised: the meter requires another one",
    12: "authentication mechanism required",
    AUTHENTICATION_FAILURE: "authentication failure",
    14: "authentication required",
}
#: The same of the service provider.
_PROVIDER_DIAGNOSTICS: Final[Mapping[int, str]] = {
    0: "no diagnostic",
    1: "no reason given",
    2: "no common version of ACSE",
}
#: Association-results.
_RESULTS: Final[Mapping[int, str]] = {1: "rejected permanently", 2: "rejected for now"}

#: Classes of ServiceError and their values (confirmed-service-error).
_SERVICE_ERRORS: Final[Mapping[int, tuple[str, Mapping[int, str]]]] = {
    0: (
        "application reference",
        {
            0: "other reason",
            1: "time elapsed",
            2: "application unreachable",
            3: "application reference invalid",
            4: "application context unsupported",
            5: "provider communication error",
            6: "deciphering error",
        },
    ),
    1: (
        "hardware resource",
        {
            0: "other reason",
            1: "memory unavailable",
            2: "processor resource unavailable",
            3: "mass storage unavailable",
            4: "other resource unavailable",
        },
    ),
    2: (
        "VDE state error",
        {
            0: "other reason",
            1: "no DLMS context",
            2: "loading data set",
            3: "status no change",
            4: "status inoperable",
        },
    ),
    3: ("service", {0: "other reason", 1: "PDU size", 2: "service unsupported"}),
    4: (
        "definition",
        {
            0: "other reason",
            1: "object undefined",
            2: "object class inconsistent",
            3: "object attribute inconsistent",
        },
    ),
    5: (
        "access",
        {
            0: "other reason",
            1: "scope of access violated",
            2: "object access invalid",
            3: "hardware fault",
            4: "object unavailable",
        },
    ),
    6: (
        "initiate",
        {
            0: "other reason",
            1: "DLMS version too low",
            2: "incompatible conformance: this client may use none of the requested services",
            3: "PDU size too short",
            4: "refused by the VDE handler",
        },
    ),
}
#: Class and value of a deciphering error, and of a PDU that is too long.
_SERVICE_DECIPHERING_ERROR: Final = (0, 6)
_SERVICE_PDU_SIZE: Final = (3, 1)
#: The same of errors about the application context: the meter may use the other kind of names.
_SERVICE_CONTEXT: Final = frozenset({(0, 4), (6, 2)})


class ExceptionError(RefusedError):
    """The meter answers with an exception-response."""

    translation_key = "access_refused"

    def __init__(self, state: int, service: int, counter: int | None) -> None:
        """Take state error, service error, and the invocation counter that the meter expects."""
        reasons = (_STATES.get(state, f"state {state}"), _SERVICES.get(service, f"error {service}"))
        text = ", ".join(reasons)
        super().__init__(f"the meter refuses: {text}", reason=text)
        self.service = service
        self.counter = counter

    @property
    def is_about_ciphering(self) -> bool:
        """Whether keys or invocation counter are wrong, so that any request would fail."""
        return self.service in {DECIPHERING_ERROR, COUNTER_ERROR}

    @property
    def is_about_length(self) -> bool:
        """Whether a shorter request may succeed."""
        return self.service == PDU_TOO_LONG


class ContextError(AssociationError):
    """The meter refuses the application context, or answers with another one."""

    is_about_context = True


class ServiceError(AssociationError):
    """The meter answers with a confirmed-service-error."""

    def __init__(self, kind: int, value: int, *, is_of_association: bool = True) -> None:
        """Take class and value of the error, and whether it concerns the initiate request."""
        name, values = _SERVICE_ERRORS.get(kind, (f"class {kind}", {}))
        text = f"{name}: {values.get(value, f'value {value}')}"
        refused = " the association" if is_of_association else ""
        super().__init__(f"the meter refuses{refused}: {text}", reason=text)
        #: Whether the keys are wrong, so that any request would fail.
        self.is_about_ciphering = (kind, value) == _SERVICE_DECIPHERING_ERROR
        #: Whether a shorter request may succeed.
        self.is_about_length = (kind, value) == _SERVICE_PDU_SIZE
        #: Whether the meter may use the other kind of names.
        self.is_about_context = (kind, value) in _SERVICE_CONTEXT


def access_text(result: int) -> str:
    """Return the text of a data-access-result or action-result."""
    return ACCESS_RESULTS.get(result, f"access result {result}")


def access_error(result: int) -> AccessError:
    """Return the error for a data-access-result."""
    text = access_text(result)
    return AccessError(f"the meter refuses access: {text}", reason=text)


def diagnostic_text(result: int, diagnostic: int, *, is_of_provider: bool) -> str:
    """Return the text of result and result-source-diagnostic of an AARE (7.2.3.4)."""
    texts = _PROVIDER_DIAGNOSTICS if is_of_provider else _USER_DIAGNOSTICS
    text = texts.get(diagnostic, f"diagnostic {diagnostic}")
    return f"{_RESULTS.get(result, f'result {result}')}: {text}"
