"""Readers as a person picks them."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import User


def recent_reader_names(session: Session, *, limit: int) -> list[str]:
    """Return names of readers, the most recently active first; readers without activity are left out."""
    query = sa.select(User.external_id).where(User.last_active_at.is_not(None))
    return list(session.scalars(query.order_by(User.last_active_at.desc(), User.user_id).limit(limit)))
