"""The SML client: listens to a meter that pushes its telegrams."""

from ..client import PushedClient


class SmlClient(PushedClient):
    """Reads a meter that pushes SML."""
