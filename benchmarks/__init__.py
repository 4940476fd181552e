"""The figures that the README quotes, measured beside the peers: scripts/benchmark NAME."""
