"""Coordinators: how a meter is read, and what is published when."""
