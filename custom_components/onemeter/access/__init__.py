"""Access to meters and to what is known of them, and how their errors are shown."""
