"""SML meters."""
