"""What a reader's lists leave out, page by page, and what brings a paper back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.runtime.keys import KeyRing
from api.services.cursors import encode_cursor
from api.services.history import place_of, read_spot
from api.services.listings import find_paper
from api.settings import Settings
from api.store.events import load_interactions
from api.store.hiding import Hiding, Why, load_hidings
from api.store.showings import load_shown_often


@dataclass(frozen=True, slots=True)
class HiddenPaper:
    """A paper that is left out, why, and since when; None where the time is unknown."""

    paper_id: int
    why: Why
    since: datetime | None


def read_hidden(
    session: Session,
    keys: KeyRing,
    settings: Settings,
    *,
    user_id: int | None,
    cursor: str | None,
    limit: int,
    now: datetime,
    reasons: Collection[Why] = tuple(Why),
) -> tuple[list[HiddenPaper], str | None]:
    """Return a page of what is left out, latest first and unknown times last, and the cursor of the next page.

    `reasons`: of what is left out first of all for one of these.
    """
    scope = f"hidden:{user_id}"
    after = read_spot(keys, scope, cursor)
    if user_id is None:
        return [], None
    hidings = _load_all(session, settings, user_id, now=now)
    found = [
        HiddenPaper(paper_id, hiding.why, hiding.since) for paper_id, hiding in hidings.items() if hiding.why in reasons
    ]
    found.sort(key=lambda hidden: _order(hidden.since, hidden.paper_id), reverse=True)
    if after is not None:
        found = [hidden for hidden in found if _order(hidden.since, hidden.paper_id) < _order(*after)]
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], encode_cursor(keys, scope, place_of(last.since, last.paper_id))


def find_reasons(
    session: Session, settings: Settings, *, user_id: int | None, paper_id: str, now: datetime
) -> list[Why]:
    """Return what hides the paper from the reader and an `undismiss` takes back, strongest first.

    NotFound for a paper nobody knows, Conflict for one that the reader saved.
    """
    found = find_paper(session, paper_id)
    hiding = None if user_id is None else _load_all(session, settings, user_id, now=now).get(found)
    if hiding is None:
        return []
    if Why.SAVED in hiding.reasons:
        raise Conflict(
            "this paper is in the reader's library: an `unsave` event takes it out and shows it again",
            paper_id=paper_id,
        )
    return [why for why in Why if why in hiding.reasons]


def _load_all(session: Session, settings: Settings, user_id: int, *, now: datetime) -> dict[int, Hiding]:
    hidings = load_hidings(session, user_id)
    if settings.fatigue_shows == 0:
        return hidings
    acts, since = load_interactions(session, user_id), now - timedelta(days=settings.fatigue_days)
    often = load_shown_often(session, [user_id], acts=acts, since=since, least=settings.fatigue_shows)[user_id]
    return {paper_id: Hiding({Why.SHOWN_OFTEN: last}) for paper_id, last in often.items()} | hidings


def _order(since: datetime | None, paper_id: int) -> tuple[bool, float, int]:
    return since is not None, 0.0 if since is None else since.timestamp(), paper_id
