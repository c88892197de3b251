"""Prepared lists follow what readers did: several at a time, written to the cache, noted in SQL afterwards."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.runtime.serving import Served
from api.services.feed import build_lists
from api.services.trending import read_board
from api.settings import read_settings
from api.store.feed_codec import FeedList
from api.store.feeds import FeedStore
from api.store.list_state import stale_user_ids, write_list_seqs
from api.store.users import existing_users


def refresh_lists(
    session: Session, feeds: FeedStore, served: Served | None, user_ids: Sequence[int], *, now: datetime
) -> list[FeedList]:
    """Write the readers' lists as of now and return those that the cache took, in order; none of unknown readers.

    The caller notes them with `note_refreshed` in a transaction of its own, so that none is open for writing while a
    model works.
    """
    known = existing_users(session, user_ids)
    wanted = [user_id for user_id in user_ids if user_id in known]
    if not wanted:
        return []
    seen = feeds.read_hidden_of(wanted)
    settings = read_settings()
    # The board in the cache, where a periodic task puts it: a new one from SQL takes as long as many lists.
    read_board(session, now=now, half_life_days=settings.trending_half_life_days, feeds=feeds)
    lists = build_lists(session, served, wanted, now=now, size=settings.list_size)
    return lists if feeds.write_lists(lists, seen=seen) else []


def note_refreshed(session: Session, lists: Sequence[FeedList]) -> bool:
    """Note which change each list of one build includes; False when another version answers by now than theirs."""
    seqs = {feed.user_id: feed.seq for feed in lists}
    return write_list_seqs(session, seqs, version=lists[0].version)


def find_stale(
    session: Session, *, active_since: datetime | None = None, after_user_id: int = 0, limit: int
) -> list[int]:
    """Return readers whose list is older than their last change, ascending: what the sweep repairs."""
    return stale_user_ids(session, active_since=active_since, after_user_id=after_user_id, limit=limit)
