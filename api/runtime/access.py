"""Who calls: token and reader look-ups, kept for a moment in each process, tokens in use looked up together."""

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from api.runtime.repeating import Repeating
from api.store.engine import Database
from api.store.tokens import find_token, valid_tokens
from api.store.users import find_user_id

log = logging.getLogger(__name__)

TOKEN_PATTERN: Final = re.compile(r"pf_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
TOKEN_ID_BYTES: Final = 8
SECRET_BYTES: Final = 32
MOST_ENTRIES: Final = 50_000  # of each look-up; about 20 MB when full
# A reader's row is never renumbered, so this only bounds how long a removed one is remembered.
USER_SECONDS: Final = 60.0

LOOKS_PER_LIFE: Final = 2  # at tokens in use, before what is remembered of them ends
MOST_LOOKED_UP: Final = 5_000  # tokens at one look; others are looked up by their next request

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a valid token stands for."""

    token_id: str
    scopes: frozenset[str]
    user_id: int | None  # None: a service token, which acts for any reader
    external_user: str | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A credential that was just made; its text is shown once and never stored."""

    token_id: str
    text: str
    secret_hash: str


class Access:
    """Answers who a token is; a revoked one stops within `token_seconds` in every process."""

    def __init__(
        self, database: Database, *, token_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._token_seconds = token_seconds
        self._clock = clock
        self._identities = _Kept[Identity](token_seconds, clock)
        self._users = _Kept[int](USER_SECONDS, clock)
        self._looking = Repeating(self._look_or_tell, name="tokens")

    def start(self) -> None:
        """Look at the tokens in use in a background thread from now on, so that their callers need not wait for it."""
        if self._token_seconds > 0:
            self._looking.start(self._token_seconds / LOOKS_PER_LIFE)

    def stop(self) -> None:
        """End the background thread."""
        self._looking.stop()

    def look(self) -> None:
        """Remember tokens used since the last look for another while; forget those that are valid no longer."""
        began = self._clock()
        used = self._identities.take_used(MOST_LOOKED_UP)
        if not used:
            return
        with self._database.read() as session:
            valid = valid_tokens(session, {identity.token_id for identity in used.values()})
        for key, identity in used.items():
            if valid.get(identity.token_id) == (identity.user_id, identity.scopes):
                self._identities.put(key, identity, since=began)
            else:
                self._identities.drop(key)

    def _look_or_tell(self) -> None:
        try:
            self.look()
        except SQLAlchemyError as error:  # what is remembered ends by itself
            log.warning("tokens not looked at", extra={"error": type(error).__name__})

    def known_identity(self, token: str) -> Identity | None:
        """Return a token's identity if this process has looked it up a moment ago: no SQL."""
        return self._identities.get(_key_of(token))

    def find_identity(self, token: str) -> Identity | None:
        """Return a token's identity, None when it is unknown, revoked or no token at all."""
        parsed = TOKEN_PATTERN.fullmatch(token)
        if parsed is None:
            return None
        key = _key_of(token)
        identity = self._identities.get(key)
        if identity is None:
            identity = self._load_identity(parsed[1], parsed[2])
            if identity is not None:
                self._identities.put(key, identity)
        return identity

    def known_user_id(self, external_user: str) -> int | None:
        """Return a reader's id if this process has looked it up before: no SQL."""
        return self._users.get(external_user)

    def find_user_id(self, external_user: str) -> int | None:
        """Return a reader's id, None for one nobody has heard of yet."""
        user_id = self._users.get(external_user)
        if user_id is None:
            with self._database.read() as session:
                user_id = find_user_id(session, external_user)
            if user_id is not None:
                self._users.put(external_user, user_id)
        return user_id

    def note_user_id(self, external_user: str, user_id: int) -> None:
        """Remember the id under which a write has just found or made a reader: a removed one may have come back."""
        if self._users.get(external_user) != user_id:
            self._users.put(external_user, user_id)

    def forget_user(self, external_user: str) -> None:
        """Forget a reader who was just removed: this process looks the next one of that name up again."""
        self._users.drop(external_user)

    def forget_tokens(self, user_id: int) -> None:
        """Forget the tokens of a reader who was just removed."""
        self._identities.drop_where(lambda identity: identity.user_id == user_id)

    def _load_identity(self, token_id: str, secret: str) -> Identity | None:
        with self._database.read() as session:
            found = find_token(session, token_id)
        given = hash_secret(secret)
        if found is None:
            hmac.compare_digest(given, given)  # an unknown id takes as long as a wrong secret
            return None
        token, external_user = found
        if not hmac.compare_digest(token.secret_hash, given) or token.revoked_at is not None:
            return None
        return Identity(token.token_id, frozenset(token.scopes), token.user_id, external_user)


def make_token() -> NewToken:
    """Make a credential from fresh random bytes."""
    token_id, secret = secrets.token_hex(TOKEN_ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return NewToken(token_id, f"pf_{token_id}_{secret}", hash_secret(secret))


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret; it has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key_of(token: str) -> str:
    """What a token is remembered by, in this process only; OpenSSL's hashes take three times as long to begin."""
    return hashlib.blake2b(token.encode(), digest_size=SECRET_BYTES).hexdigest()


class _Kept(Generic[V]):
    """The newest entries, each for a limited time."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._used: set[str] = set()

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            return None
        self._used.add(key)
        return entry[1]

    def take_used(self, most: int) -> dict[str, V]:
        """Return up to `most` entries that were asked for since the last call and are still there."""
        used, self._used = self._used, set()
        found = {key: entry for key in used if (entry := self._entries.get(key)) is not None}
        return {key: value for key, (_, value) in list(found.items())[:most]}

    def drop(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def drop_where(self, is_meant: Callable[[V], bool]) -> None:
        with self._lock:
            for key in [key for key, (_, value) in self._entries.items() if is_meant(value)]:
                del self._entries[key]

    def put(self, key: str, value: V, *, since: float | None = None) -> None:
        with self._lock:
            self._entries[key] = ((self._clock() if since is None else since) + self._seconds, value)
            self._entries.move_to_end(key)
            if len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)
