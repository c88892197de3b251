"""Slates of the lists that are the same for everybody, where a page shows them to one reader."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from api.services.feed import NOBODY
from api.services.feed_places import Page, cut, open_list
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed

REASONS = {Source.TRENDING: ReasonKind.TRENDING, Source.LATEST: ReasonKind.NEW}


def arrange_shared(paper_ids: Sequence[int], *, source: Source, now: datetime, first_rank: int = 1) -> Page:
    """Return what the slates of a page say that shows these papers in this order by no model and no chance."""
    reason = Reason(REASONS[source])
    entries = [Entry(paper_id, 0.0, source, reason) for paper_id in paper_ids]
    shown = packed(list_of(entries, user_id=NOBODY, version="", seq=0, built_at=now))
    place = replace(open_list(shown, slate_id=secrets.token_bytes(8), has_tail=False), shown=first_rank - 1)
    page, _ = cut(place, hidden=(), limit=max(len(entries), 1))
    return page
