"""Readers."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.errors import Gone
from api.store.erasing import erased_among
from api.store.glance import Glance
from api.store.tables import EPOCH, ONE_MICROSECOND, User
from api.store.upsert import insert_into

IDS_PER_STATEMENT: Final = 1000


def find_user_id(session: Session, external_user: str) -> int | None:
    """Return the reader known under this id, None when there is none."""
    return session.execute(sa.select(User.user_id).where(User.external_id == external_user)).scalar_one_or_none()


def glance_user_id(glance: Glance, external_user: str) -> int | None:
    """Return the same as `find_user_id` at once; raises NoGlanceError."""
    rows = glance.rows("SELECT user_id FROM users WHERE external_id = :name", {"name": external_user})
    return rows[0][0] if rows else None


def find_user_ids(session: Session, external_users: Collection[str]) -> dict[str, int]:
    """Return the readers known under these ids."""
    found: dict[str, int] = {}
    wanted = sorted(external_users)
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        part = wanted[start : start + IDS_PER_STATEMENT]
        query = sa.select(User.external_id, User.user_id).where(User.external_id.in_(part))
        found |= {row.external_id: row.user_id for row in session.execute(query)}
    return found


def load_user(session: Session, user_id: int) -> User | None:
    """Return the reader's row."""
    return session.get(User, user_id)


def existing_users(session: Session, user_ids: Collection[int]) -> set[int]:
    """Return those of these readers that exist."""
    return set(session.scalars(sa.select(User.user_id).where(User.user_id.in_(user_ids))))


def latest_active_user_ids(session: Session, *, since: datetime, limit: int) -> list[int]:
    """Return the readers who were active since, the latest first."""
    query = sa.select(User.user_id).where(User.last_active_at >= since)
    return list(session.scalars(query.order_by(User.last_active_at.desc(), User.user_id).limit(limit)))


def ensure_users(
    session: Session, external_users: Collection[str], *, now: datetime, is_demo: bool = False
) -> tuple[dict[str, int], int]:
    """Return the reader of each id and how many of them were created here.

    Raises Gone for a random name whose reader was erased: what is still on its way for them makes nobody.
    """
    found = find_user_ids(session, external_users)
    missing = set(external_users) - found.keys()
    if erased_among(session, missing):
        raise Gone("this reader was erased: open a page of the site to begin anew")
    made, created = add_users(session, missing, now=now, is_demo=is_demo)
    return found | made, created


def add_users(
    session: Session, external_users: Collection[str], *, now: datetime, is_demo: bool = False
) -> tuple[dict[str, int], int]:
    """Do what `ensure_users` does for ids that were looked for already, none of whose readers was erased."""
    missing = sorted(external_users)  # sorted: two writers never wait for each other in a circle
    if not missing:
        return {}, 0
    rows = [_new_row(external_id, now=now, is_demo=is_demo) for external_id in missing]
    statement = insert_into(session, User).on_conflict_do_nothing().returning(User.user_id)
    created = len(session.connection().execute(statement, rows).all())
    return find_user_ids(session, missing), created


def touch_users(session: Session, user_ids: Collection[int], *, now: datetime) -> None:
    """Note that these readers were active."""
    _update(session, "last_active_at = {now}", user_ids, now=now)


def advance_users(session: Session, user_ids: Collection[int], *, now: datetime) -> None:
    """Note a change that these readers' lists must follow."""
    _update(session, "last_seq = last_seq + 1, last_active_at = {now}", user_ids, now=now)


def write_interests(session: Session, user_id: int, interests: dict[str, Any], *, now: datetime) -> None:
    """Replace a reader's interests."""
    session.execute(sa.update(User).where(User.user_id == user_id).values(interests=interests))
    advance_users(session, [user_id], now=now)


def read_last_seq(session: Session, user_id: int) -> int:
    """Return the number of a reader's latest change."""
    return session.execute(sa.select(User.last_seq).where(User.user_id == user_id)).scalar_one()


def _new_row(external_id: str, *, now: datetime, is_demo: bool) -> dict[str, Any]:
    return {"external_id": external_id, "created_at": now, "last_seq": 0, "list_seq": 0, "is_demo": is_demo}


def _update(session: Session, change: str, user_ids: Collection[int], *, now: datetime) -> None:
    connection = session.connection()
    active_at, wanted = (now - EPOCH) // ONE_MICROSECOND, sorted(user_ids)
    if connection.dialect.name == "sqlite":
        which = "user_id IN (SELECT value FROM json_each(:wanted))"
        parameters: dict[str, object] = {"now": active_at, "wanted": orjson.dumps(wanted).decode()}
        connection.exec_driver_sql(f"UPDATE users SET {change.format(now=':now')} WHERE {which}", parameters)  # noqa: S608 - our own text
        return
    query = f"UPDATE users SET {change.format(now='%(now)s')} WHERE user_id = ANY(%(wanted)s::bigint[])"  # noqa: S608 - our own text
    connection.exec_driver_sql(query, {"now": active_at, "wanted": wanted})
