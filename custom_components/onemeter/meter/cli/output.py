"""Standard output and standard error of the command line."""

from collections.abc import Mapping
import json
import os
import sys

from ..reading import Reading
from .json_lines import as_json


class Output:
    """Writes lines of JSON to standard output, and counts them."""

    def __init__(self) -> None:
        """Begin with no line written."""
        self.lines = 0

    def show(self, reading: Reading) -> None:
        """Write a reading."""
        self.write(as_json(reading))

    def write(self, content: Mapping[str, object]) -> None:
        """Write a line at once, so that the next program of a pipe gets it immediately.

        Raises BrokenPipeError when the output is not read any more.
        """
        line = json.dumps(content, ensure_ascii=False)
        self.lines += 1
        try:
            sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The interpreter flushes again when it exits, which would print a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def complain(message: object) -> None:
    """Write a message, such as an error, to standard error."""
    sys.stderr.write(f"onemeter: {message}\n")
