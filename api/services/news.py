"""New papers reach the lists of readers who did nothing themselves."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.settings import Settings
from api.store.paper_changes import newest_papers_mark
from api.store.pending import PendingReaders
from api.store.users import latest_active_user_ids


def spread_news(session: Session, pending: PendingReaders, *, settings: Settings, now: datetime) -> int:
    """Let the latest active readers wait for a list with the papers that came since the last round; return how many.

    Nothing while that round goes on or the broker is away: the next call sees the same papers. Whoever is not among
    these readers gets a new list when they ask for one.
    """
    told = pending.read_told()
    mark = newest_papers_mark(session)
    if told is None or mark in ("", told):
        return 0
    since = now - timedelta(days=settings.active_days)
    readers = latest_active_user_ids(session, since=since, limit=settings.news_readers)
    if not pending.add_news(readers, since=now.timestamp()):
        return 0
    pending.write_told(mark)
    return len(readers)
