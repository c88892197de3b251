"""Which change of a reader their prepared list includes: `list_seq` beside `last_seq`."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Serving, User


def last_seq_of(session: Session, user_id: int) -> int | None:
    """Return the reader's newest change, None for an unknown reader."""
    return session.execute(sa.select(User.last_seq).where(User.user_id == user_id)).scalar_one_or_none()


def stale_user_ids(session: Session, *, after_user_id: int, limit: int) -> list[int]:
    """Return readers whose list is older than their last change, ascending."""
    query = sa.select(User.user_id).where(User.list_seq < User.last_seq, User.user_id > after_user_id)
    return list(session.scalars(query.order_by(User.user_id).limit(limit)))


def write_list_seq(session: Session, user_id: int, *, seq: int, version: str) -> bool:
    """Note that the reader's list of the serving version includes `seq`; False when another version answers by now.

    A list that was built for a version which has been replaced meanwhile says nothing about the one that is read.
    """
    if _hold_serving_version(session) != version:
        return False
    statement = sa.update(User).where(User.user_id == user_id, User.list_seq < seq).values(list_seq=seq)
    session.execute(statement.execution_options(synchronize_session=False))
    return True


def _hold_serving_version(session: Session) -> str:
    """Return the version that answers, "" before the first, and keep promotions out until the transaction ends.

    On SQLite there is one writer at a time. Elsewhere a promotion under way is waited for, the first one included,
    when there is no row to lock: what it says about lists would else come before what is noted here.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(sa.text("LOCK TABLE serving IN SHARE MODE"))
    return session.scalar(sa.select(Serving.version)) or ""
