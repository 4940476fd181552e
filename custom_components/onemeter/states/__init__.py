"""The states of sensors, calculated from registers."""
