"""Tests of the simulated SML meter."""
