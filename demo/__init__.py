"""Home Assistant with simulated meters, set up as a newcomer would want to see it."""
