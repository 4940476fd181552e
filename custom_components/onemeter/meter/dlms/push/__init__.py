"""Pushed lists: from notifications to readings."""
