"""Simulated meters at a pseudo-terminal, a TCP port or in memory, at the real speed of the line.

The simulator shares no code with the reading library, on purpose: what it encodes is independent
evidence of what the library must decode. ``tests/simulator/test_house.py`` checks this.
"""
