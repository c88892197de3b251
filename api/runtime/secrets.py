"""The signing key, and the rules about when a service may start without a configured one."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from api.settings import SHORTEST_SECRET, Settings

GENERATED_KEY_BYTES: Final = 32
OWNER_ONLY: Final = 0o600


class StartError(Exception):
    """A reason not to start, in one line that says what to do."""


def check_secrets(settings: Settings) -> None:
    """Raise StartError where a key made on the spot would be unsafe: outside embedded mode, or seen from outside."""
    if settings.secret_key is not None:
        if len(settings.secret_key.get_secret_value()) < SHORTEST_SECRET:
            raise StartError(f"PAPERFEED_SECRET_KEY is too short: use {SHORTEST_SECRET} characters or more")
        return
    advice = "set PAPERFEED_SECRET_KEY (python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"
    if not settings.is_embedded:
        raise StartError(f"a database, cache or broker is configured, so a shared signing key is needed: {advice}")
    if not settings.is_loopback:
        raise StartError(f"{settings.host} is reachable from other machines: {advice}, or listen on 127.0.0.1")


def read_secret_key(settings: Settings) -> bytes:
    """Return the signing key: the configured one, or the one kept in the data folder, made at the first call."""
    check_secrets(settings)
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return _kept_key(settings.data_dir / "secret.key")


def _kept_key(path: Path) -> bytes:
    for _ in range(2):
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            create_private_file(path, secrets.token_urlsafe(GENERATED_KEY_BYTES) + "\n")
            continue
        if len(text) >= SHORTEST_SECRET:
            return text.encode()
        raise StartError(f"{path} holds no key: remove it, and a new one is made (cursors already given out end)")
    raise StartError(f"{path} cannot be made: check the folder's permissions")


def create_private_file(path: Path, text: str) -> bool:
    """Write a file only its owner can read, whole or not at all; False when another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # unlike a rename, a link never replaces what another process has just written
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    return True
