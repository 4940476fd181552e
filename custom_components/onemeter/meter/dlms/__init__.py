"""DLMS/COSEM: meters that are asked, or that push, with keys or without."""
