"""Keys: encryption, authentication, and the counters that both need."""
