"""Tests of the simulated IEC 62056-21 meters."""
