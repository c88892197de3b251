"""Slates of the lists that are the same for everybody, where a page shows them to one reader."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.runtime.keys import KeyRing
from api.services.feed_places import cut, open_list
from api.services.slates import write_slate
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed
from api.store.papers import paper_ids_of

REASONS = {Source.TRENDING: ReasonKind.TRENDING, Source.LATEST: ReasonKind.NEW}


def write_shared_slate(
    session: Session,
    keys: KeyRing,
    external_ids: Sequence[str],
    *,
    source: Source,
    user_id: int,
    variant: str,
    now: datetime,
) -> str:
    """Return the slate of papers shown in this order by no model and no chance: their propensities are 1."""
    found = paper_ids_of(session, external_ids)
    reason = Reason(REASONS[source])
    entries = [Entry(found[name], 0.0, source, reason) for name in external_ids if name in found]
    shown = packed(list_of(entries, user_id=user_id, version="", seq=0, built_at=now))
    place = open_list(shown, slate_id=secrets.token_bytes(8), has_tail=False)
    page, _ = cut(place, hidden=(), limit=max(len(entries), 1))
    return write_slate(keys, page, user_id=user_id, variant=variant, now=now)
