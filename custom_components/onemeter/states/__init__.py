"""From registers to the states of sensors."""
