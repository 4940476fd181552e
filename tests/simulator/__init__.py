"""Tests of the simulated meters."""
