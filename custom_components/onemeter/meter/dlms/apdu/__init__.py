"""Messages of DLMS, and the data in them, as bytes and as objects."""
