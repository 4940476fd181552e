"""IEC 62056-21: readouts, polled (modes A, B, C and E) or pushed (mode D and the P1 port)."""

from .decoder import Iec62056Decoder
from .profile import Profile, decode_profile, profile_text

__all__ = ["Iec62056Decoder", "Profile", "decode_profile", "profile_text"]
