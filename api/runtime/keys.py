"""Signed texts of this service: sealed with the current key, opened with it or one that was replaced lately."""

import hashlib
import logging
import time
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Final

from api.runtime.secrets import SigningKey, StartError, key_file_of, read_signing_keys
from api.settings import Settings

log = logging.getLogger(__name__)

SIGNATURE_BYTES: Final = 16
LONGEST_TOKEN: Final = 24_576  # characters: the cursor of a list of 1000 papers has 16,000
LOOK_SECONDS: Final = 2.0  # how often a process looks whether the key file was rotated, while it signs or checks
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_+/=", b"+/!!!")  # what is not url-safe becomes what base64 refuses


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token of ours holds."""

    payload: bytes
    retired_at: datetime | None  # when the key that sealed it was replaced, None for the current one


class _Key:
    """A signing key ready for use."""

    __slots__ = ("_started", "key_id", "retired_at")

    def __init__(self, key: SigningKey) -> None:
        digest = hashlib.sha256(key.secret).digest()  # blake2b takes at most 64 bytes of key
        self.key_id = hashlib.sha256(b"key id\0" + digest).digest()[:1]
        self.retired_at = key.retired_at
        self._started = hashlib.blake2b(key=digest, digest_size=SIGNATURE_BYTES)

    def sign(self, purpose: bytes, payload: bytes) -> bytes:
        hashed = self._started.copy()
        hashed.update(len(purpose).to_bytes(4, "little") + purpose + payload)
        return hashed.digest()


class KeyRing:
    """The signing keys of this process: one that seals, and replaced ones that still open for a while."""

    def __init__(
        self,
        keys: Sequence[SigningKey],
        *,
        slate_days: int = 30,
        reread: Callable[[], Sequence[SigningKey]] | None = None,
    ) -> None:
        """The first of `keys` seals; `reread` gives them anew when the place they are kept in has changed."""
        self._lasts = timedelta(days=slate_days)
        self._reread = reread
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._rests_until = 0.0  # after a failure: not every invented text shall read and log it again
        self._keys = tuple(map(_Key, keys))

    def seal(self, purpose: bytes, payload: bytes) -> str:
        """Return a URL-safe text that only this service can have made, for this purpose."""
        self._look()
        current = self._keys[0]
        raw = current.key_id + current.sign(purpose, payload) + payload
        return b2a_base64(raw, newline=False).translate(_TO_URL_SAFE).rstrip(b"=").decode("ascii")

    def open(self, purpose: bytes, token: str) -> Opened | None:
        """Return what a text holds, None for one that was not sealed here for this purpose by a key still known."""
        if len(token) > LONGEST_TOKEN:
            return None
        self._look()
        raw = from_url_safe(token)
        if len(raw) <= SIGNATURE_BYTES:
            return None
        opened = self._open(purpose, raw)
        if opened is None and self._has_changed():  # sealed by another process, which saw the rotation first
            opened = self._open(purpose, raw)
        return opened

    def _open(self, purpose: bytes, raw: bytes) -> Opened | None:
        key_id, signature, payload = raw[:1], raw[1 : 1 + SIGNATURE_BYTES], raw[1 + SIGNATURE_BYTES :]
        for key in self._keys:
            if key.key_id != key_id or self._is_forgotten(key):
                continue
            if compare_digest(signature, key.sign(purpose, payload)):
                return Opened(payload, key.retired_at)
        return None

    def _is_forgotten(self, key: _Key) -> bool:
        return key.retired_at is not None and datetime.now(UTC) - key.retired_at > self._lasts

    def _look(self) -> None:
        if self._reread is not None and time.monotonic() >= self._next_look:
            self._has_changed()

    def _has_changed(self) -> bool:
        if self._reread is None or time.monotonic() < self._rests_until:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            keys = self._reread()
        except (StartError, OSError) as error:
            log.warning("signing keys not read again", extra={"error": str(error)})
            self._rests_until = self._next_look
            return False
        if keys:
            self._keys = tuple(map(_Key, keys))
        return bool(keys)


def open_key_ring(settings: Settings) -> KeyRing:
    """Return the keys of these settings; those of a key file are followed when it is rotated."""
    keys = read_signing_keys(settings)
    path = key_file_of(settings)
    reread = None if path is None else _Follow(settings, path)
    return KeyRing(keys, slate_days=settings.slate_days, reread=reread)


class _Follow:
    """Reads the key file again when it is another one; nothing while it is the same."""

    __slots__ = ("_path", "_settings", "_stamp")

    def __init__(self, settings: Settings, path: Path) -> None:
        self._settings = settings
        self._path = path
        self._stamp: tuple[int, int] | None = None  # the first look reads: a rotation since the start is not missed

    def __call__(self) -> Sequence[SigningKey]:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return ()
        keys = read_signing_keys(self._settings)
        self._stamp = stamp
        return keys


def from_url_safe(text: str) -> bytes:
    """Return the bytes of a text, none unless it is spelt as we write it: padding and loose last bits are a change."""
    try:
        raw = a2b_base64(text.encode("ascii").translate(_FROM_URL_SAFE) + b"=" * (-len(text) % 4), strict_mode=True)
    except (NotBase64, UnicodeEncodeError):
        return b""
    loose = len(raw) % 3
    if not loose:
        return raw
    spelt = b2a_base64(raw[-loose:], newline=False).translate(_TO_URL_SAFE)[: loose + 1]
    return raw if text[-loose - 1 :] == spelt.decode("ascii") else b""
