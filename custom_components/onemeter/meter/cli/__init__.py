"""The command line: decode, read, listen, and what a meter holds."""
