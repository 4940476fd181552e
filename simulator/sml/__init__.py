"""SML meters, made without a line of the library that reads them."""
