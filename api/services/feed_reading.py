"""What a reader's page is cut from when the cache has no list for them."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from api.runtime.serving import Served
from api.services.feed import NO_VERSION, build_common_list, build_list
from api.services.muting import Muted, rules_of
from api.settings import read_settings
from api.store.events import hidden_paper_ids
from api.store.feed_codec import FeedList
from api.store.taste_rows import UNDECIDED, load_decisions
from api.store.users import load_user


def build_for_reader(session: Session, served: Served | None, user_id: int, *, now: datetime) -> FeedList:
    """Return the reader's own list, as a refresh would write it."""
    return build_list(session, served, user_id, now=now, size=read_settings().list_size)


def build_without_model(session: Session, user_id: int | None, *, now: datetime) -> FeedList:
    """Return what everybody gets, within the reader's categories and without what they have hidden: cheap."""
    user = None if user_id is None else load_user(session, user_id)
    interests = (user.interests if user is not None else None) or {}
    decided = load_decisions(session, [user_id]).get(user_id, UNDECIDED) if user_id is not None else UNDECIDED
    categories = tuple(interests.get("categories") or ()) if decided.is_personal else ()
    rules = rules_of(Muted.from_stored(decided.muted))
    feed = build_common_list(session, categories=categories, muted=rules, now=now, size=read_settings().list_size)
    if user is None:
        return feed
    hidden = frozenset(hidden_paper_ids(session, user.user_id).tolist())
    return replace(feed, user_id=user.user_id, version=NO_VERSION, hidden=hidden)
