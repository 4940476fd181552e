"""DLMS/COSEM: polled and pushing meters, plain or ciphered."""
