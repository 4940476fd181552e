"""The command line: decode, listen, read, profile, objects."""
