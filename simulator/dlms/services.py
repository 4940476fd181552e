"""The services GET and ACTION in an association, with block transfer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from . import acse, axdr
from .cosem import CURRENT_ASSOCIATION, CosemObject
from .meter import DlmsMeter
from .obis import written
from .objects import profiles
from .profile import NoAccessError
from .settings import ListTrouble

GET_REQUEST: Final = 0xC0
ACTION_REQUEST: Final = 0xC3
GET_RESPONSE: Final = 0xC4
ACTION_RESPONSE: Final = 0xC7
EXCEPTION: Final = 0xD8
SERVICE_ERROR: Final = 0x0E
_READ: Final = 5
DATA_NOTIFICATION: Final = 0x0F

_NORMAL: Final = 1
_WITH_LIST: Final = 3
_WITH_BLOCK: Final = 2

#: Data access results (clause 9.5).
TEMPORARY_FAILURE: Final = 2
READ_WRITE_DENIED: Final = 3
OBJECT_UNDEFINED: Final = 4
CLASS_INCONSISTENT: Final = 9
NO_LONG_GET: Final = 16
BLOCK_NUMBER_INVALID: Final = 19
OTHER_REASON: Final = 250

#: Size of a block without its data.
_BLOCK_HEAD: Final = 12
_REPLY_TO_CHALLENGE: Final = 1
_OBJECT_LIST: Final = 2
#: Begin of an encoded time.
_TIME: Final = bytes([axdr.OCTETS, 12])


class RefusedError(Exception):
    """An exception-response in place of an answer (clause 9.3.10)."""

    def __init__(self, state: int, service: int, counter: int | None = None) -> None:
        """Create it with state error, service error, and the expected invocation counter."""
        super().__init__(f"exception {state} {service}")
        self.apdu = bytes([EXCEPTION, state, service])
        if counter is not None:
            self.apdu += counter.to_bytes(4)


class ReadError(RefusedError):
    """A confirmed-service-error in place of an answer, with short names."""

    def __init__(self, kind: int, value: int) -> None:
        """Create it with class and value of the error."""
        super().__init__(kind, value)
        self.apdu = bytes([SERVICE_ERROR, _READ, kind, value])


def not_allowed() -> RefusedError:
    """Return an exception: service not allowed, operation not possible."""
    return RefusedError(1, 1)


def not_supported() -> RefusedError:
    """Return an exception: service not supported."""
    return RefusedError(1, 2)


def deciphering_error() -> RefusedError:
    """Return an exception: deciphering error."""
    return RefusedError(1, 5)


def counter_error(expected: int | None) -> RefusedError:
    """Return an exception: invocation counter error."""
    return RefusedError(1, 6, expected)


class SilentError(Exception):
    """The meter does not answer."""


class HangUpError(Exception):
    """The meter ends the connection instead of answering."""


class Services:
    """The services of one association."""

    def __init__(
        self,
        meter: DlmsMeter,
        visible: Mapping[str, CosemObject],
        *,
        conformance: int,
        max_pdu: int,
        prove: Callable[[bytes], bytes | None] | None,
    ) -> None:
        """Create the services of a client that may read the ``visible`` objects.

        ``max_pdu`` is the largest answer without its protection. ``prove`` takes the client's
        answer to the challenge and returns the meter's, or None if it is wrong; it is None if
        there is no open challenge.
        """
        self.meter = meter
        self.visible = visible
        self.conformance = conformance
        self.max_pdu = max_pdu
        self.prove = prove
        #: Whether the meter has lost the association.
        self.is_dropped = False
        self._asked_at = asyncio.get_running_loop().time()
        self._rest = b""
        self._block = 0

    @property
    def midway(self) -> bool:
        """Whether more blocks of an answer follow."""
        return bool(self._rest)

    def answer(self, apdu: bytes) -> bytes:
        """Answer a request; RefusedError if the answer is an exception-response."""
        try:
            return self._answer(axdr.Reader(apdu))
        except (ValueError, IndexError) as error:
            self.meter.note("not understood", str(error))
            raise RefusedError(2, 3) from error

    def _answer(self, request: axdr.Reader) -> bytes:
        tag, kind, invoke = request.number(), request.number(), request.number()
        if tag == GET_REQUEST:
            self.refuse_reading()
        if self.prove is not None and (tag, kind) != (ACTION_REQUEST, _NORMAL):
            raise not_allowed()
        if self.meter.faults.happens("other_answers"):
            invoke ^= 0x0F
        match tag, kind:
            case 0xC0, 1:
                name, value = self._get(request)
                self.meter.note("get", name)
                return self._fit(invoke, _NORMAL, value)
            case 0xC0, 2:
                return self._next(invoke, request.number(4))
            case 0xC0, 3:
                if not acse.can(self.conformance, "multiple-references"):
                    raise not_supported()
                count = request.data[3]
                names = (request.data[at + 2 : at + 8] for at in range(4, len(request.data), 10))
                unknown = any(written(name) not in self.visible for name in names)
                count = self.limit_list(count, unknown=unknown)
                request.length()
                found = [self._get(request, is_listed=True) for _ in range(count)]
                self.meter.note("get list", " ".join(name for name, _ in found))
                return self._fit(
                    invoke,
                    _WITH_LIST,
                    axdr.length(len(found)) + b"".join(value for _, value in found),
                )
            case 0xC3, 1:
                return self._act(invoke, request)
            case _:
                raise not_supported()

    def refuse_reading(self) -> None:
        """Raise an exception if the association is lost or this fault is due."""
        self.is_dropped |= self._is_late() or self.meter.faults.happens("dropped_associations")
        if self.is_dropped or self.meter.faults.happens("exceptions"):
            raise not_allowed()

    def _is_late(self) -> bool:
        """Whether the association has timed out since the last request."""
        now = asyncio.get_running_loop().time()
        before, self._asked_at = self._asked_at, now
        return 0 < self.meter.association_timeout < now - before

    def limit_list(self, count: int, *, unknown: bool) -> int:
        """Return how many attributes of a list are answered; raise the trouble with lists.

        Some meters have it if an object of the list is unknown.
        """
        meter = self.meter
        too_many = count > meter.longest_list
        if meter.list_trouble is None or not (too_many or (unknown and not meter.lists_unknown)):
            return count
        if not meter.faults.happens("list_troubles"):
            return count
        meter.note("list trouble", str(count))
        match meter.list_trouble:
            case ListTrouble.EXCEPTION:
                raise not_supported()
            case ListTrouble.SILENCE:
                raise SilentError
            case ListTrouble.HANG_UP:
                raise HangUpError
            case ListTrouble.CUT:
                return meter.longest_list

    def _get(self, request: axdr.Reader, *, is_listed: bool = False) -> tuple[str, bytes]:
        """Read the request of one attribute; return its name and the result."""
        class_id = request.number(2)
        code = written(request.take(6))
        attribute = request.number()
        selection = None
        if request.number():
            start = request.at
            request.number()
            request.value()
            selection = request.data[start : request.at]
        return self.result(class_id, code, attribute, selection, is_listed=is_listed)

    def result(
        self, class_id: int, code: str, attribute: int, selection: bytes | None, *, is_listed: bool
    ) -> tuple[str, bytes]:
        """Return the name of an attribute and the encoded result."""
        name = f"{code} {attribute}"
        faults = self.meter.faults
        if code == CURRENT_ASSOCIATION and attribute == _OBJECT_LIST:
            if faults.happens("object_list_refusals"):
                return name, bytes([1, TEMPORARY_FAILURE])
        elif faults.happens("passing_results"):
            return name, bytes([1, OTHER_REASON])
        if is_listed and code in self.meter.refused_in_lists:
            return name, bytes([1, OTHER_REASON])
        value = self._value(class_id, code, attribute, selection)
        if isinstance(value, int):
            return name, bytes([1, value])
        if is_listed and self.meter.wraps_times_in_lists and value.startswith(_TIME):
            value = axdr.octets(value)
        if self.meter.faults.happens("trailing_bytes"):
            value += value[-len(value) // 2 :]
        return name, b"\x00" + value

    def _value(
        self, class_id: int, code: str, attribute: int, selection: bytes | None
    ) -> bytes | int:
        """Return the encoded value of an attribute, or a data access result."""
        found = self.visible.get(code)
        if found is None and self.meter.unknown_is_exception:
            raise not_allowed()
        if found is None:
            return READ_WRITE_DENIED if code in self.meter.objects else OBJECT_UNDEFINED
        if found.class_id != class_id:
            return CLASS_INCONSISTENT
        now = int(self.meter.clock())
        if selection is not None:
            meter = self.meter
            if (selected := profiles(meter).get(code)) is None or attribute != 2:
                return OTHER_REASON
            profile, captured = selected
            try:
                return profile.buffer(captured, meter.clock_style, now, selection)
            except NoAccessError as error:
                meter.note("selection refused", str(error))
                return OTHER_REASON
        value = found.attribute(attribute, now)
        return READ_WRITE_DENIED if value is None else value

    def _fit(self, invoke: int, kind: int, result: bytes) -> bytes:
        """Return a complete answer, or its first block if it is too long."""
        if len(result) + 3 <= self.max_pdu:
            return bytes([GET_RESPONSE, kind, invoke]) + result
        if not acse.can(self.conformance, "block-transfer-with-get"):
            raise RefusedError(1, 4)
        # With one attribute, each block has the choice "data" of the result.
        self._rest = result[1:] if kind == _NORMAL else result
        self._block = 0
        return self._next(invoke, 0)

    def _next(self, invoke: int, number: int) -> bytes:
        head = bytes([GET_RESPONSE, _WITH_BLOCK, invoke])
        if not self._rest:
            return head + b"\x01" + number.to_bytes(4) + bytes([1, NO_LONG_GET])
        if number != self._block:
            self._rest = b""
            return head + b"\x01" + number.to_bytes(4) + bytes([1, BLOCK_NUMBER_INVALID])
        size = self.max_pdu - _BLOCK_HEAD
        raw, self._rest = self._rest[:size], self._rest[size:]
        self._block += 1
        self.meter.note("block", str(self._block))
        last = bytes([not self._rest])
        return head + last + self._block.to_bytes(4) + b"\x00" + axdr.sized(raw)

    def _act(self, invoke: int, request: axdr.Reader) -> bytes:
        """Answer an ACTION; the only supported one is the answer to the challenge."""
        class_id, name, method = request.number(2), request.take(6), request.number()
        self.meter.note("action", f"{written(name)} {method}")
        head = bytes([ACTION_RESPONSE, _NORMAL, invoke])
        found = self.visible.get(written(name))
        if found is None or found.class_id != class_id:
            return head + bytes([OBJECT_UNDEFINED, 0])
        prove = self.prove
        if found.code != CURRENT_ASSOCIATION or method != _REPLY_TO_CHALLENGE or prove is None:
            return head + bytes([READ_WRITE_DENIED, 0])
        proof = request.value() if request.number() else None
        answer = prove(proof) if isinstance(proof, bytes) else None
        if answer is None:
            return head + bytes([READ_WRITE_DENIED, 0])
        self.prove = None
        return head + b"\x00\x01\x00" + axdr.octets(answer)
