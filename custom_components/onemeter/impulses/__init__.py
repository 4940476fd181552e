"""Impulses: their sources, their total, and the comparison with a meter's registers."""
