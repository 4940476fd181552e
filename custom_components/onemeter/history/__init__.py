"""Gaps of long-term statistics, filled from the meter's load profile."""
