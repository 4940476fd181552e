"""Tests of the devices of an entry."""
