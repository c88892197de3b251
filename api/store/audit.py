"""The audit log: what was done to readers, without saying to whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.store.tables_accounts import AuditLine


def insert_line(session: Session, *, action: str, by: str, facts: dict[str, Any], now: datetime) -> None:
    """Add a line."""
    session.add(AuditLine(at=now, action=action, by=by, facts=facts))
    session.flush()


def list_lines(session: Session, *, before: int | None, limit: int) -> Sequence[AuditLine]:
    """Return lines, newest first, that come after `before` in that order."""
    query = sa.select(AuditLine)
    if before is not None:
        query = query.where(AuditLine.audit_id < before)
    return session.scalars(query.order_by(AuditLine.audit_id.desc()).limit(limit)).all()
