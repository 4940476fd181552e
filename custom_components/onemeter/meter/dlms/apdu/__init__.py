"""APDUs: encoding and decoding of messages and of the data in them."""
