"""What registers mean to Home Assistant."""
