"""Keys: ciphering, authentication, and the invocation counters that both need."""
