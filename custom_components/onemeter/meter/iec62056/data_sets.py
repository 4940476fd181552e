"""The data sets of readouts, answers and profiles (IEC 62056-21:2002, 6.5)."""

from collections.abc import Iterator
import re
from typing import Final

from .codes import ADDRESS_MAX
from .values import VALUE_MAX

#: A value, which may contain pairs of parentheses.
VALUE: Final = r"[^()\r\n]*+(?:\([^()\r\n]*+\)[^()\r\n]*+)*+"
#: An address, if this is the first value of its data set, and a value.
_GROUP: Final = re.compile(rf"(?<![^()\r\n])([^()\r\n]*+)\(({VALUE})\)")
#: Data sets and line ends, and nothing else.
_WELL_FORMED: Final = re.compile(
    r"(?:[ -'*-~]*+\([ -'*-~]*+(?:\([ -'*-~]*+\)[ -'*-~]*+)*+\)| *+[\r\n]++)*+ *+"
)
#: The end of a value after a pair of parentheses in it, and after others.
_REST: Final = re.compile(r"[^()\r\n]{0,128}+(?:\([^()\r\n]{0,128}+\)[^()\r\n]{0,128}+){0,16}+\)")
#: Characters by which such ends may prolong a slice.
_REST_MAX: Final = 2048
#: Characters parsed in one slice.
_SLICE: Final = 512


def is_well_formed(text: str) -> bool:
    """Return whether a text consists of data sets and line ends only."""
    return _WELL_FORMED.fullmatch(text) is not None


def parse_data_sets(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield address, index in the data set, and text of each value, as sent.

    A value without an address belongs to the data set before it, also on the next line.
    """
    address, group = "", -1
    for start, end in slices(text):
        for name, value in _GROUP.findall(text, start, end):
            if name := name.strip():
                address, group = name, 0
            else:
                group += 1
            if len(address) <= ADDRESS_MAX:
                yield address, group, value


def slices(text: str) -> Iterator[tuple[int, int]]:
    """Yield begins and ends of parts, none of which divides a value or its address."""
    start = 0
    while (closed := text.find(")", start)) >= 0:
        if closed - start > _SLICE:
            opened = max(start, text.rfind("(", start, closed))
            # This pair of parentheses may be within a value.
            outer = text.rfind("(", start, opened)
            if outer >= max(start, opened - VALUE_MAX):
                opened = outer
            begins = (text.rfind(mark, start, opened) + 1 for mark in "()\r\n")
            start = max(start, *begins)
        limit = max(start + _SLICE, closed + 1)
        # A line end is outside of values, as is nearly always a ")" before a "(".
        end = max(text.rfind(mark, closed, limit) for mark in "\r\n") + 1
        if not end:
            end = text.rfind(")", closed, limit) + 1
            # The rest of a value that contains a pair of parentheses.
            while end - closed < _REST_MAX and (rest := _REST.match(text, end)) is not None:
                end = rest.end()
        yield start, end
        start = end
