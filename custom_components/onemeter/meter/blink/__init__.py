"""BLINK: the impulses of a meter's LED, each of the same energy."""
