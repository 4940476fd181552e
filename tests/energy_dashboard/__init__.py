"""Tests of what is done with the preferences of the Energy dashboard."""
