"""What registers mean to Home Assistant, and the states of their sensors."""
