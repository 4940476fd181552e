"""What carries messages: HDLC, the wrapper, M-Bus, or nothing at all."""
