"""Removing a reader from every table, and remembering that they are gone without remembering who they were."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.every_table import every_table, reader_columns
from api.store.tables import ModelVersion, User
from api.store.tables_accounts import ACCOUNT_PREFIX, Erasure
from api.store.tables_comments import Comment
from api.store.tables_letters import ANONYMOUS_PREFIX, DeadLetter, Merge
from api.store.tables_mails import Digest, QueuedMail
from api.store.upsert import insert_into

SECRET_NAMES: Final = (ANONYMOUS_PREFIX, ACCOUNT_PREFIX)  # random: nobody else will ever be called so
NAMES_PER_STATEMENT: Final = 1000
_NO_SYNC: Final = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Gone:
    """A reader's row that is to go."""

    user_id: int
    external_user: str


def lock_for_erasing(session: Session, user_id: int) -> list[Gone]:
    """Return the reader and the anonymous ones who became part of them, whose rows nobody else writes from here on."""
    parts = sa.select(Merge.user_id).where(Merge.into_user_id == user_id)
    query = (
        sa.select(User.user_id, User.external_id)
        .where(sa.or_(User.user_id == user_id, User.user_id.in_(parts)))
        .order_by(User.user_id)
    )
    if session.get_bind().dialect.name != "sqlite":  # which has one writer at a time
        query = query.with_for_update()
    return [Gone(*row) for row in session.execute(query)]


def count_rows(session: Session, user_ids: Collection[int]) -> dict[str, int]:
    """Return how many rows of each table refer to these readers, without the empty ones."""
    counts: dict[str, int] = {}
    for table in every_table():
        for column in reader_columns(table):
            query = sa.select(sa.func.count()).select_from(table).where(column.in_(user_ids))
            found = session.execute(query).scalar_one()
            if found:
                name = str(table.name)  # a plain one: JSON takes no other kind of text as a key
                counts[name] = counts.get(name, 0) + found
    return counts


def delete_readers(session: Session, user_ids: Collection[int]) -> None:
    """Remove the rows of these readers; all that refers to them goes along."""
    session.connection().execute(sa.delete(User).where(User.user_id.in_(user_ids)))


def delete_letters(session: Session, gone: Sequence[Gone]) -> int:
    """Remove rejected events of these readers, which refer to nobody's row."""
    names, numbers = [one.external_user for one in gone], [one.user_id for one in gone]
    theirs = sa.or_(DeadLetter.external_user.in_(names), DeadLetter.user_id.in_(numbers))
    return session.connection().execute(sa.delete(DeadLetter).where(theirs)).rowcount


def forget_moderator(session: Session, names: Collection[str]) -> None:
    """Leave comments hidden that somebody of these names hid, and forget who it was."""
    hidden = sa.update(Comment).where(Comment.hidden_by.in_(names)).values(hidden_by=None)
    session.execute(hidden, execution_options=_NO_SYNC)


def delete_digests_to(session: Session, mail: str) -> int:
    """Remove digests that nobody in particular ordered to this address."""
    theirs = sa.func.lower(Digest.recipient) == mail.lower()
    return len(session.scalars(sa.delete(Digest).where(theirs).returning(Digest.digest_id)).all())


def mails_of(session: Session, user_ids: Collection[int], mail: str | None) -> Sequence[QueuedMail]:
    """Return the mails that go with these readers: of theirs, of their digests, and to the address of their account."""
    digests = sa.select(Digest.digest_id).where(Digest.user_id.in_(user_ids))
    theirs: list[sa.ColumnElement[bool]] = [QueuedMail.user_id.in_(user_ids), QueuedMail.digest_id.in_(digests)]
    if mail is not None:
        theirs.append(sa.func.lower(QueuedMail.recipient) == mail.lower())
    return session.scalars(sa.select(QueuedMail).where(sa.or_(*theirs))).all()


def note_erased(session: Session, user_id: int, *, secret_name: str | None, now: datetime) -> None:
    """Remember a number that is to be cleaned up after, and the hash of a random name that is refused from now on."""
    values = {
        "user_id": user_id,
        "name_hash": None if secret_name is None else hash_name(secret_name),
        "erased_at": now,
        "swept_at": None,
    }
    session.execute(insert_into(session, Erasure).values(values).on_conflict_do_nothing())


def erased_among(session: Session, names: Collection[str]) -> set[str]:
    """Return those of these names whose readers were erased; no SQL where all are names that anybody may have."""
    hashes = {hash_name(name): name for name in names if name.startswith(SECRET_NAMES)}
    asked = sorted(hashes)
    erased: set[str] = set()
    for start in range(0, len(asked), NAMES_PER_STATEMENT):
        query = sa.select(Erasure.name_hash).where(Erasure.name_hash.in_(asked[start : start + NAMES_PER_STATEMENT]))
        erased |= {hashes[found] for found in session.scalars(query) if found is not None}
    return erased


def unswept(session: Session, *, erased_before: datetime, limit: int) -> list[int]:
    """Return readers erased a while ago after whom caches were not looked at once more."""
    query = sa.select(Erasure.user_id).where(Erasure.swept_at.is_(None), Erasure.erased_at < erased_before)
    return list(session.scalars(query.order_by(Erasure.erased_at).limit(limit)))


def mark_swept(session: Session, user_ids: Collection[int], *, now: datetime) -> None:
    """Note that nothing of these readers is left in caches."""
    swept = sa.update(Erasure).where(Erasure.user_id.in_(user_ids)).values(swept_at=now)
    session.execute(swept, execution_options=_NO_SYNC)


def forget_erased(session: Session, *, erased_before: datetime) -> int:
    """Remove what is remembered of readers erased so long ago that nothing of theirs can still arrive."""
    old = sa.delete(Erasure).where(Erasure.erased_at < erased_before, Erasure.swept_at.is_not(None))
    return session.connection().execute(old).rowcount


def all_versions(session: Session) -> list[str]:
    """Return every model version under which lists may be prepared."""
    return list(session.scalars(sa.select(ModelVersion.version)))


def hash_name(name: str) -> str:
    """Return what is kept of a random name: nobody can tell the name from it."""
    return hashlib.sha256(name.encode()).hexdigest()
