"""Which password or keys a meter has rejected, without keeping them."""

from hashlib import sha256

from ..settings import DlmsEntrySettings, EntrySettings, Iec62056EntrySettings


def credentials(entry_id: str, settings: EntrySettings) -> str:
    """Return what stands for the password and keys of an entry, in 16 hexadecimal digits."""
    secrets: list[str | bytes | None] = []
    if isinstance(settings, Iec62056EntrySettings):
        secrets = [settings.password]
    elif isinstance(settings, DlmsEntrySettings):
        secrets = [settings.password, settings.encryption_key, settings.authentication_key]
    return sha256(repr((entry_id, secrets)).encode()).hexdigest()[:16]
