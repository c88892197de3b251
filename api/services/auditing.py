"""The audit log: that something was done, by what kind of person and how much, never to whom."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.store import audit
from api.store.tables_accounts import AuditLine

By: TypeAlias = Literal["reader", "moderator", "operator", "command"]
LONGEST_ACTION: Final = 40


def note_audit(session: Session, action: str, *, by: By, facts: Mapping[str, int], now: datetime) -> None:
    """Add a line in the transaction of what it tells; facts are counts, so that no line names anybody."""
    if not 0 < len(action) <= LONGEST_ACTION:
        raise ValueError(f"an action has 1 to {LONGEST_ACTION} characters")
    plain = {str(name): int(count) for name, count in facts.items()}  # SQLAlchemy's names of tables are no plain text
    audit.insert_line(session, action=action, by=by, facts=plain, now=now)


def list_audit(session: Session, *, limit: int, before: int | None = None) -> tuple[Sequence[AuditLine], int | None]:
    """Return a page of lines, newest first, and the place where the next page goes on (None: there is none)."""
    found = audit.list_lines(session, before=before, limit=limit + 1)
    page = found[:limit]
    return page, page[-1].audit_id if len(found) > limit else None
