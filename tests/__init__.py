"""Tests of the integration, the reading library and the simulator."""
