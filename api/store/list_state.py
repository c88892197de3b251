"""Which change of a reader their prepared list includes: `list_seq` beside `last_seq`."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import Serving, User


def stale_user_ids(
    session: Session, *, active_since: datetime | None = None, after_user_id: int, limit: int
) -> list[int]:
    """Return readers whose list is older than their last change, ascending; only those active since then, if told."""
    query = sa.select(User.user_id).where(User.list_seq < User.last_seq, User.user_id > after_user_id)
    if active_since is not None:
        query = query.where(User.last_active_at >= active_since)
    return list(session.scalars(query.order_by(User.user_id).limit(limit)))


def write_list_seqs(session: Session, seqs: Mapping[int, int], *, version: str) -> bool:
    """Note which change each reader's list of the serving version includes; False when another version answers by now.

    A list that was built for a version which has been replaced meanwhile says nothing about the one that is read.
    """
    if _hold_serving_version(session) != version:
        return False
    reader, seq = sa.bindparam("reader", type_=sa.BigInteger), sa.bindparam("seq", type_=sa.BigInteger)
    statement = sa.update(User).where(User.user_id == reader, User.list_seq < seq).values(list_seq=seq)
    # Lowest id first, as everybody else who holds these rows: two writers never wait for each other in a circle.
    rows = [{"reader": user_id, "seq": seqs[user_id]} for user_id in sorted(seqs)]
    session.connection().execute(statement, rows)
    return True


def _hold_serving_version(session: Session) -> str:
    """Return the version that answers, "" before the first, and keep promotions out until the transaction ends.

    On SQLite there is one writer at a time. Elsewhere a promotion under way is waited for, the first one included,
    when there is no row to lock: what it says about lists would else come before what is noted here.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(sa.text("LOCK TABLE serving IN SHARE MODE"))
    return session.scalar(sa.select(Serving.version)) or ""
