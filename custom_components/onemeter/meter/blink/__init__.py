"""BLINK: the impulses of a meter's light, each of which stands for the same energy."""
