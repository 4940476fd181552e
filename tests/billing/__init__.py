"""Tests of what is billed."""
