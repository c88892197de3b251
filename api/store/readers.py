"""Readers as a person picks them."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables import User
from api.store.tables_accounts import ACCOUNT_PREFIX
from api.store.tables_letters import ANONYMOUS_PREFIX


def recent_reader_names(session: Session, *, limit: int) -> list[str]:
    """Return names of readers, the most recently active first; without activity or a name of their own: not at all."""
    without_name = (User.external_id.startswith(made, autoescape=True) for made in (ANONYMOUS_PREFIX, ACCOUNT_PREFIX))
    query = sa.select(User.external_id).where(User.last_active_at.is_not(None), sa.not_(sa.or_(*without_name)))
    return list(session.scalars(query.order_by(User.last_active_at.desc(), User.user_id).limit(limit)))
