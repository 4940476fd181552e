"""Coordinators: read the meters and publish their data."""
