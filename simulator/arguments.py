"""Types of command-line arguments, for argparse."""

import argparse
import math


def address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT; the host is 127.0.0.1 where it is left out."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"not HOST:PORT: {text}")
    return host.strip("[]") or "127.0.0.1", int(port)


def positive_int(text: str) -> int:
    """Parse an integer above zero."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return int(text)


def count(text: str) -> int:
    """Parse an integer, possibly zero."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a whole number: {text}")
    return int(text)


def serial(text: str) -> int:
    """Parse the serial number of an SML meter."""
    if not text.isdecimal() or len(text) > 8:
        raise argparse.ArgumentTypeError(f"not a number of up to eight digits: {text}")
    return int(text)


def rate(text: str) -> float:
    """Parse a share between 0 and 1."""
    rate = float(text)
    if not 0 <= rate <= 1:
        raise argparse.ArgumentTypeError(f"not between 0 and 1: {text}")
    return rate


def seconds(text: str) -> float:
    """Parse a finite time in seconds."""
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"not a time in seconds: {text}")
    return seconds
