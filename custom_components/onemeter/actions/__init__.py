"""Actions that respond with what a meter sends."""
