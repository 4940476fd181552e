"""Meters that speak on a pty or a TCP port, at the true speed of the line."""
