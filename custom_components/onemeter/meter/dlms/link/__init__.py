"""Transport of messages: HDLC, wrapper, M-Bus, or none."""
