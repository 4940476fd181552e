"""Acceptance of messages by tag and invocation counter, once a meter has sent a right tag."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from ...errors import NotAuthenticatedError
from .ciphering import TITLE_LENGTH

#: Stands for the system title of a meter that sends none; the counters of such meters do not rise.
NO_TITLE: Final = bytes(TITLE_LENGTH)


class Event(Enum):
    """What a message has changed in the state of Authenticity."""

    #: The first right tag: from now on messages without one are rejected.
    FIRST_TAG = auto()
    #: A message was accepted, and the highest counter of its system title has risen.
    ACCEPTED = auto()
    #: A message with a right tag was rejected, because its counter does not rise.
    NOT_RISING = auto()


class Authenticity:
    """Accepts or rejects the messages of one meter, for one pair of keys.

    Some meters never send tags, although their operator hands out the authentication key. So
    messages without a tag are accepted until the first right tag. From then on a message needs a
    right tag and a counter above the last one of the same system title; otherwise anyone with
    access to the line could forge or replay messages.
    """

    def __init__(self) -> None:
        """Start without any message."""
        #: Whether only messages with a right tag and a rising counter are accepted.
        self.is_required = False
        #: Called for each Event.
        self.observer: Callable[[Event], None] = lambda _: None
        #: The highest accepted counter of each system title.
        self._counters: dict[bytes, int] = {}
        #: The highest rejected counter of each system title since its last accepted one.
        self._refused: dict[bytes, int] = {}

    @property
    def has_lower_counters(self) -> bool:
        """Whether the counters of the latest messages with a right tag were used before."""
        return bool(self._refused)

    def admits(self, *, is_authentic: bool | None, title: bytes, counter: int) -> bool:
        """Return whether to accept a message, and remember its counter if so.

        ``is_authentic`` says whether its tag is right; None without a tag.
        """
        if not self.admits_tag(is_authentic=is_authentic):
            return False
        if not is_authentic or title == NO_TITLE:
            return True
        if counter <= self._counters.get(title, -1):
            self._refused[title] = max(self._refused.get(title, 0), counter)
            self.observer(Event.NOT_RISING)
            return False
        self._counters[title] = counter
        self._refused.pop(title, None)
        self.observer(Event.ACCEPTED)
        return True

    def admits_tag(self, *, is_authentic: bool | None) -> bool:
        """Do the same for a message without a counter, or with one that is checked elsewhere."""
        if is_authentic and not self.is_required:
            self.is_required = True
            self.observer(Event.FIRST_TAG)
        return bool(is_authentic) or not self.is_required

    def accept_lower_counters(self) -> None:
        """Accept counters from the highest rejected one on, because the user has confirmed it.

        Counters up to that one stay rejected.
        """
        self._counters |= self._refused
        self._refused.clear()

    def as_json(self) -> dict[str, Any]:
        """Return the state that is stored over restarts, as JSON types."""
        counters = {title.hex(): counter for title, counter in self._counters.items()}
        return {"is_required": self.is_required, "counters": counters}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Restore what as_json() has returned; counters that are already higher stay."""
        self.is_required |= content["is_required"]
        for title, counter in content["counters"].items():
            key = bytes.fromhex(title)
            self._counters[key] = max(self._counters.get(key, -1), counter)


def not_authenticated() -> NotAuthenticatedError:
    """Return the error for answers that the keys or counters do not prove to be the meter's."""
    return NotAuthenticatedError("the answers are not authenticated as the meter's used to be")
