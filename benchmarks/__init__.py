"""Benchmarks of our decoders and clients beside other libraries: scripts/benchmark NAME."""
