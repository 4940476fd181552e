"""Short names: READ in place of GET, and the object list (Green Book, 9.3.14)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, override

from . import acse, axdr
from .cosem import CURRENT_ASSOCIATION, NAME_STEP, CosemObject
from .obis import logical_name
from .services import (
    BLOCK_NUMBER_INVALID,
    OBJECT_UNDEFINED,
    READ_WRITE_DENIED,
    ReadError,
    RefusedError,
    Services,
    not_allowed,
    not_supported,
)

READ_REQUEST: Final = 0x05
READ_RESPONSE: Final = 0x0C

#: Short name of the method reply_to_HLS_authentication of the current association.
_REPLY_TO_CHALLENGE: Final = 0xFA58
_ASSOCIATION_CLASS: Final = 12
_VARIABLE: Final = 2
_PARAMETERIZED: Final = 4
_BLOCK: Final = 5
#: Service errors: no DLMS context; service unsupported.
_NO_CONTEXT: Final = (2, 1)
_UNSUPPORTED: Final = (3, 2)
_DATA_BLOCK: Final = b"\x01\x02"
#: Size of a block without its data: tag, kind, number, length.
_BLOCK_HEAD: Final = 10


def association(
    names: Mapping[str, int], visible: Callable[[], Iterable[CosemObject]]
) -> CosemObject:
    """Return the object of an association with short names (class 12)."""

    def element(entry: CosemObject) -> bytes:
        base = names[entry.code]
        return axdr.structure(
            axdr.i16(base - 0x1_0000 if base >= 0x8000 else base),
            axdr.u16(entry.class_id),
            axdr.u8(entry.version),
            axdr.octets(logical_name(entry.code)),
        )

    def object_list(_time: int) -> bytes:
        return axdr.array(map(element, visible()))

    return CosemObject(_ASSOCIATION_CLASS, CURRENT_ASSOCIATION, {2: object_list}, version=1)


class ShortNameServices(Services):
    """The services of one association with short names."""

    @override
    def refuse_reading(self) -> None:
        # With short names there are no exception-responses.
        try:
            super().refuse_reading()
        except RefusedError as refusal:
            raise ReadError(*_NO_CONTEXT) from refusal

    @override
    def _answer(self, request: axdr.Reader) -> bytes:
        if request.number() != READ_REQUEST:
            raise not_supported()
        self.refuse_reading()
        if not self.meter.parameterized_access and _PARAMETERIZED in request.data[2:3]:
            raise ReadError(*_UNSUPPORTED)
        count = request.length()
        if count > 1 and not acse.can(self.conformance, "multiple-references"):
            raise not_supported()
        if request.rest[:1] == bytes([_BLOCK]):
            request.number()
            return self._block_after(request.number(2))
        if count > 1:
            count = self.limit_list(count, unknown=False)
        found = [self._read(request, is_listed=count > 1) for _ in range(count)]
        self.meter.note("read", " ".join(name for name, _ in found))
        content = axdr.length(count) + b"".join(result for _, result in found)
        if len(content) < self.max_pdu:
            return bytes([READ_RESPONSE]) + content
        if not acse.can(self.conformance, "block-transfer-with-get"):
            raise RefusedError(1, 4)
        self._rest, self._block = content, 0
        return self._block_after(0)

    def _block_after(self, number: int) -> bytes:
        if not self._rest or number != self._block:
            self._rest = b""
            return bytes([READ_RESPONSE, 1, 1, BLOCK_NUMBER_INVALID])
        size = self.max_pdu - _BLOCK_HEAD
        raw, self._rest = self._rest[:size], self._rest[size:]
        self._block += 1
        self.meter.note("block", str(self._block))
        head = bytes([READ_RESPONSE]) + _DATA_BLOCK + bytes([not self._rest])
        return head + self._block.to_bytes(2) + axdr.sized(raw)

    def _read(self, request: axdr.Reader, *, is_listed: bool) -> tuple[str, bytes]:
        """Read the request of one variable; return its name and the result."""
        kind, name = request.number(), request.number(2)
        selection = None
        if kind == _PARAMETERIZED:
            start = request.at
            request.number()
            request.value()
            selection = request.data[start : request.at]
        elif kind != _VARIABLE:
            raise not_supported()
        if name == _REPLY_TO_CHALLENGE and selection is not None and self.prove is not None:
            return "proof", self._take_proof(axdr.Reader(selection[1:]).value())
        if self.prove is not None:
            raise not_allowed()
        code, attribute = self._named(name)
        entry = self.visible.get(code)
        if entry is None:
            return f"{name:04x}", bytes([1, OBJECT_UNDEFINED])
        return self.result(entry.class_id, code, attribute, selection, is_listed=is_listed)

    def _named(self, name: int) -> tuple[str, int]:
        """Return code and attribute of a short name."""
        before = [(base, code) for code, base in self.meter.base_names.items() if base <= name]
        base, code = max(before, default=(name, ""))
        attribute, rest = divmod(name - base, NAME_STEP)
        return ("", 0) if rest else (code, attribute + 1)

    def _take_proof(self, proof: axdr.Data) -> bytes:
        answer = self.prove(proof) if self.prove and isinstance(proof, bytes) else None
        if answer is None:
            return bytes([1, READ_WRITE_DENIED])
        self.prove = None
        return b"\x00" + axdr.octets(answer)
