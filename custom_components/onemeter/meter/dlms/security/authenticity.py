"""Which messages of a meter are used once it has shown that it authenticates them."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from ...errors import NotAuthenticatedError
from .ciphering import TITLE_LENGTH

#: In place of a system title where a meter sends none; such meters never count.
NO_TITLE: Final = bytes(TITLE_LENGTH)


class Event(Enum):
    """What has changed with a message."""

    #: A right tag was seen for the first time: from now on nothing else is used.
    FIRST_TAG = auto()
    #: A message was used, and so was its counter.
    ACCEPTED = auto()
    #: A message with a right tag was not used, since its counter does not rise.
    NOT_RISING = auto()


class Authenticity:
    """Judges the messages of one meter by their tags and invocation counters.

    Some meters never send tags, although their operator gives out the authentication key, so that
    messages without one are used until the first right tag has come. From then on a message needs
    a right tag and a counter that is higher than that of the last one from the same system title:
    else everybody on the line could send one of their own, or one of the meter's again.

    It belongs to one pair of keys.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        #: Whether only messages with a right tag and a rising counter are used.
        self.is_required = False
        #: Called whenever something changes.
        self.observer: Callable[[Event], None] = lambda _: None
        self._counters: dict[bytes, int] = {}
        #: The highest counter that was refused since the last one that was accepted.
        self._refused: dict[bytes, int] = {}

    @property
    def has_fallen(self) -> bool:
        """Whether all that has come of late with a right tag had a counter that was used before."""
        return bool(self._refused)

    def admits(self, *, is_authentic: bool | None, title: bytes, counter: int) -> bool:
        """Tell whether a message may be used, and remember its counter if so.

        ``is_authentic`` is whether its tag is right, None without a tag.
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
        """Do the same for a message whose counter is judged elsewhere, or which has none."""
        if is_authentic and not self.is_required:
            self.is_required = True
            self.observer(Event.FIRST_TAG)
        return bool(is_authentic) or not self.is_required

    def accept_fallen(self) -> None:
        """Let counters go on from where they have come lately, as the user has said.

        What was sent before that stays refused.
        """
        self._counters |= self._refused
        self._refused.clear()

    def as_json(self) -> dict[str, Any]:
        """Return what is to be kept over restarts, of JSON's types only."""
        counters = {title.hex(): counter for title, counter in self._counters.items()}
        return {"is_required": self.is_required, "counters": counters}

    def recall(self, content: Mapping[str, Any]) -> None:
        """Take what as_json() has returned; what is known already is never below it."""
        self.is_required |= content["is_required"]
        for title, counter in content["counters"].items():
            key = bytes.fromhex(title)
            self._counters[key] = max(self._counters.get(key, -1), counter)


def not_authenticated() -> NotAuthenticatedError:
    """Return the error of a meter whose answers may be somebody else's."""
    return NotAuthenticatedError("the answers are not authenticated as the meter's used to be")
