"""Access tokens; only hashes of their secrets are kept."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Token, User

KEYS_PER_STATEMENT: Final = 500


def insert_token(session: Session, token: Token) -> None:
    """Store a new token."""
    session.add(token)
    session.flush()


def find_token(session: Session, token_id: str) -> tuple[Token, str | None] | None:
    """Return a token, revoked or not, and its reader's external id (None: a service token)."""
    query = sa.select(Token, User.external_id).outerjoin(User, User.user_id == Token.user_id)
    row = session.execute(query.where(Token.token_id == token_id)).one_or_none()
    return None if row is None else (row[0], row[1])


def valid_tokens(session: Session, token_ids: Collection[str]) -> dict[str, tuple[int | None, frozenset[str]]]:
    """Return reader and scopes of those tokens that are there and not revoked."""
    found: dict[str, tuple[int | None, frozenset[str]]] = {}
    wanted = sorted(token_ids)
    for start in range(0, len(wanted), KEYS_PER_STATEMENT):
        part = wanted[start : start + KEYS_PER_STATEMENT]
        query = sa.select(Token.token_id, Token.user_id, Token.scopes).where(
            Token.token_id.in_(part), Token.revoked_at.is_(None)
        )
        found |= {token_id: (user_id, frozenset(scopes)) for token_id, user_id, scopes in session.execute(query)}
    return found


def list_tokens(
    session: Session, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[tuple[Token, str | None]]:
    """Return tokens with their readers' external ids, oldest first, that follow `after`."""
    query = sa.select(Token, User.external_id).outerjoin(User, User.user_id == Token.user_id)
    if after is not None:
        place = sa.tuple_(sa.literal(after[0], Token.created_at.type), sa.literal(after[1]))
        query = query.where(sa.tuple_(Token.created_at, Token.token_id) > place)
    rows = session.execute(query.order_by(Token.created_at, Token.token_id).limit(limit))
    return [(token, external_user) for token, external_user in rows]


def mark_revoked(session: Session, token_id: str, *, now: datetime) -> None:
    """Revoke a token; an earlier revocation keeps its time."""
    session.execute(
        sa.update(Token).where(Token.token_id == token_id, Token.revoked_at.is_(None)).values(revoked_at=now)
    )
