"""The signing keys, and the rules about when a service may start without a configured one."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from api.settings import SHORTEST_SECRET, Settings

GENERATED_KEY_BYTES: Final = 32
OWNER_ONLY: Final = 0o600
ADVICE: Final = "set PAPERFEED_SECRET_KEY (python3 -c 'import secrets; print(secrets.token_urlsafe(48))')"


class StartError(Exception):
    """A reason not to start, in one line that says what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret that signs, or signed until it was replaced."""

    secret: bytes
    retired_at: datetime | None = None


def check_secrets(settings: Settings) -> None:
    """Raise StartError where a key made on the spot would be unsafe: outside embedded mode, or seen from outside."""
    _old_keys(settings)
    if settings.secret_key is not None:
        if len(settings.secret_key.get_secret_value()) < SHORTEST_SECRET:
            raise StartError(f"PAPERFEED_SECRET_KEY is too short: use {SHORTEST_SECRET} characters or more")
        return
    if not settings.is_embedded:
        raise StartError(f"a database, cache or broker is configured, so a shared signing key is needed: {ADVICE}")
    if not settings.is_loopback:
        raise StartError(f"{settings.host} is reachable from other machines: {ADVICE}, or listen on 127.0.0.1")


def key_file_of(settings: Settings) -> Path | None:
    """Return where the signing keys are kept, None where they are configured."""
    return None if settings.secret_key is not None else settings.data_dir / "secret.key"


def read_signing_keys(settings: Settings) -> tuple[SigningKey, ...]:
    """Return the key that signs and those it replaced: configured, or kept in the data folder, made at first."""
    check_secrets(settings)
    path = key_file_of(settings)
    if settings.secret_key is not None or path is None:
        configured = "" if settings.secret_key is None else settings.secret_key.get_secret_value()
        return (SigningKey(configured.encode()), *_old_keys(settings))
    return (*_kept_keys(path), *_old_keys(settings))


def rotate_key_file(settings: Settings, *, now: datetime) -> Path:
    """Put a new key before the kept ones, drop those too old to open anything; raise StartError where none is kept."""
    path = key_file_of(settings)
    if path is None:
        raise StartError(
            "the signing key is configured, so rotate it where it is configured: move the value of "
            f"PAPERFEED_SECRET_KEY to PAPERFEED_OLD_SECRET_KEYS as KEY@{_spelt(now)}, {ADVICE}, and restart"
        )
    check_secrets(settings)
    current, *old = _kept_keys(path)
    lasting = [key for key in old if key.retired_at is not None and now - key.retired_at <= _lasts(settings)]
    lines = [
        secrets.token_urlsafe(GENERATED_KEY_BYTES),
        *(f"{key.secret.decode()}@{_spelt(key.retired_at or now)}" for key in (current, *lasting)),
    ]
    _replace_private_file(path, "".join(f"{line}\n" for line in lines))
    return path


def _lasts(settings: Settings) -> timedelta:
    return timedelta(days=settings.slate_days)


def _spelt(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _old_keys(settings: Settings) -> tuple[SigningKey, ...]:
    configured = settings.old_secret_keys
    if configured is None:
        return ()
    return tuple(_retired_key(text, "PAPERFEED_OLD_SECRET_KEYS") for text in configured.get_secret_value().split())


def _retired_key(text: str, place: str) -> SigningKey:
    secret, _, time = text.rpartition("@")
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        at = None
    if at is None or len(secret) < SHORTEST_SECRET:
        raise StartError(f"{place} holds something else than KEY@TIME: write it like KEY@2026-01-31T08:00:00Z")
    return SigningKey(secret.encode(), at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _kept_keys(path: Path) -> tuple[SigningKey, ...]:
    for _ in range(2):
        try:
            lines = path.read_text(encoding="ascii").split()
        except FileNotFoundError:
            create_private_file(path, secrets.token_urlsafe(GENERATED_KEY_BYTES) + "\n")
            continue
        if lines and len(lines[0]) >= SHORTEST_SECRET:
            return (SigningKey(lines[0].encode()), *(_retired_key(line, str(path)) for line in lines[1:]))
        raise StartError(f"{path} holds no key: remove it, and a new one is made (cursors already given out end)")
    raise StartError(f"{path} cannot be made: check the folder's permissions")


def create_private_file(path: Path, text: str) -> bool:
    """Write a file only its owner can read, whole or not at all; False when another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = _write_beside(path, text)
    try:
        os.link(name, path)  # unlike a rename, a link never replaces what another process has just written
    except FileExistsError:
        return False
    finally:
        name.unlink()
    return True


def _replace_private_file(path: Path, text: str) -> None:
    """Write a file only its owner can read in the place of another: readers find one or the other, whole."""
    name = _write_beside(path, text)
    try:
        name.replace(path)
    except OSError:
        name.unlink(missing_ok=True)
        raise


def _write_beside(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
