"""Readers, their interests, and access tokens."""

import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import InvalidRequest, NotFound
from api.runtime.access import TOKEN_PATTERN, hash_secret, make_token
from api.services.catalog import normalise_external_id
from api.store import papers, tokens, users
from api.store.tables import Token
from api.store.tables_letters import ANONYMOUS_PREFIX

SCOPES: Final = ("read", "write", "admin")
READER_SCOPES: Final = ("read", "write")
ADMIN_LABEL: Final = "admin.token"
OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Interests:
    """What a reader says they like."""

    categories: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()  # external ids

    @classmethod
    def from_stored(cls, stored: dict[str, Any] | None) -> "Interests":
        """Return the interests of a reader's row."""
        kept = stored or {}
        return cls(*(tuple(kept.get(name, ())) for name in ("categories", "terms", "papers")))


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token as its owner may see it: without the secret."""

    token_id: str
    label: str
    external_user: str | None  # None: a service token
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def create_token(
    session: Session, *, external_user: str | None, scopes: Collection[str], label: str, now: datetime
) -> tuple[TokenFacts, str]:
    """Store a new token, for a reader (created when unknown) or for a service; return it and its text, this once."""
    allowed = SCOPES if external_user is None else READER_SCOPES
    wrong = sorted(set(scopes) - set(allowed))
    if wrong or not scopes:
        whose = "a service token" if external_user is None else "a reader's token"
        raise InvalidRequest(f"{whose} takes one or more of the scopes {', '.join(allowed)}", scopes=wrong)
    user_id = None
    if external_user is not None and external_user.startswith(ANONYMOUS_PREFIX):
        raise InvalidRequest(
            f"names that begin with {ANONYMOUS_PREFIX!r} are of anonymous readers", reader=external_user
        )
    if external_user is not None:
        user_id = users.ensure_users(session, [external_user], now=now)[0][external_user]
    made = make_token()
    token = Token(
        token_id=made.token_id,
        secret_hash=made.secret_hash,
        label=label,
        user_id=user_id,
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=now,
        revoked_at=None,
    )
    tokens.insert_token(session, token)
    return _facts(token, external_user), made.text


def list_tokens(
    session: Session, *, limit: int, after: tuple[datetime, str] | None = None
) -> tuple[list[TokenFacts], tuple[datetime, str] | None]:
    """Return a page of tokens, oldest first, and the place where the next page goes on (None: there is none)."""
    found = [_facts(*row) for row in tokens.list_tokens(session, after=after, limit=limit + 1)]
    page = found[:limit]
    return page, (page[-1].created_at, page[-1].token_id) if len(found) > limit else None


def read_token_label(session: Session, token_id: str) -> str:
    """Return what a token was called when it was made, empty where it was not."""
    found = tokens.find_token(session, token_id)
    return "" if found is None else found[0].label


def revoke_token(session: Session, token_id: str, *, now: datetime) -> TokenFacts:
    """Revoke a token and return it; every process stops accepting it within five seconds."""
    if tokens.find_token(session, token_id) is None:
        raise NotFound(f"there is no token {token_id!r}: `paperfeed token list` shows them all", token_id=token_id)
    tokens.mark_revoked(session, token_id, now=now)
    session.expire_all()
    found = tokens.find_token(session, token_id)
    if found is None:
        raise NotFound(f"there is no token {token_id!r}", token_id=token_id)
    return _facts(*found)


def ensure_admin_token(session: Session, path: Path, *, now: datetime) -> bool:
    """Write a service token with all scopes to `path` unless a valid one is there; True when it was written."""
    if is_valid_admin(session, path):
        path.chmod(OWNER_ONLY)
        return False
    _, text = create_token(session, external_user=None, scopes=SCOPES, label=ADMIN_LABEL, now=now)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def read_interests(session: Session, user_id: int | None) -> Interests:
    """Return what a reader said they like; nothing for one nobody has heard of."""
    user = None if user_id is None else users.load_user(session, user_id)
    return Interests.from_stored(None if user is None else user.interests)


def write_interests(
    session: Session, external_user: str, interests: Interests, *, now: datetime
) -> tuple[int, Interests]:
    """Replace a reader's interests, creating the reader; return them as kept, or name unknown papers."""
    wanted = list(dict.fromkeys(normalise_external_id(paper) for paper in interests.papers))
    unknown = sorted(set(wanted) - papers.paper_ids_of(session, wanted).keys()) if wanted else []
    if unknown:
        raise InvalidRequest(f"no paper is known under {', '.join(unknown[:10])}", unknown_papers=unknown)
    user_id = users.ensure_users(session, [external_user], now=now)[0][external_user]
    kept = Interests(interests.categories, interests.terms, tuple(wanted))
    stored = {"categories": list(kept.categories), "terms": list(kept.terms), "papers": wanted}
    users.write_interests(session, user_id, stored, now=now)
    return user_id, kept


def is_valid_admin(session: Session, path: Path) -> bool:
    """Say whether the file holds a service token with all scopes that is not revoked."""
    try:
        parsed = TOKEN_PATTERN.fullmatch(path.read_text(encoding="ascii").strip())
    except (FileNotFoundError, UnicodeDecodeError):
        return False
    found = None if parsed is None else tokens.find_token(session, parsed[1])
    if parsed is None or found is None:
        return False
    token, _ = found
    is_whole = token.user_id is None and set(SCOPES) <= set(token.scopes)
    return is_whole and token.revoked_at is None and token.secret_hash == hash_secret(parsed[2])


def _facts(token: Token, external_user: str | None) -> TokenFacts:
    return TokenFacts(
        token.token_id, token.label, external_user, tuple(token.scopes), token.created_at, token.revoked_at
    )
