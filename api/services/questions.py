"""The next paper to ask a newcomer about, and what is done with the answer."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np
from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from api.runtime.serving import Served
from api.services.accounts import Interests
from api.services.muting import Rules, muted_among, read_rules
from api.services.tastes import load_tastes
from api.services.trending import read_board
from api.settings import read_settings
from api.store import users
from api.store.events import lock_readers
from api.store.paper_changes import unlisted_paper_ids
from api.store.papers import latest_paper_ids, paper_ids_of
from recommender.domain import Floats, Ids
from recommender.elicitation import Known, Panel, choose_questions, spread_questions
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

QUESTIONS: Final = 5  # of one visit: the figures in the README are those after five answers
LEAST_PANEL: Final = 50  # readers: fewer do not stand for those who come
MOST_PANEL: Final = 5_000  # of the model's readers: a question takes a fraction of a second whatever their number
MOST_TRIES: Final = 20  # questions passed over because they are muted, hidden from lists or gone
MOST_CANDIDATES: Final = 300  # papers among which a question is looked for without a panel
MOST_KEPT: Final = 2_000  # questions remembered of one model version; newcomers who said the same are asked the same
MOST_SEEDS: Final = 500  # papers that a reader can name as liked; the oldest give way

_Said: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """A model version's readers, and the questions that were found for what newcomers said."""

    version: str
    panel: Panel
    found: dict[_Said, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """What is known of somebody who can be asked."""

    liked: Ids
    declined: Ids
    out: frozenset[int]  # nothing is asked about these
    muted: Rules


_panels: dict[str, _Panel | None] = {}  # the latest version alone
_looking = threading.Lock()


def choose_question(
    session: Session, served: Served | None, user_id: int | None, *, skipped: Collection[str], now: datetime
) -> int | None:
    """Return the paper whose answer tells most about what else to show this reader, None when there is none left.

    `skipped` are external ids that they cannot say anything about.
    """
    newcomer = _meet(session, user_id, skipped=skipped, now=now)
    panel = None if served is None else _panel_of(served)
    asked = set(newcomer.out)
    for _ in range(MOST_TRIES if panel is not None else 0):
        paper_id = _telling(panel, newcomer, asked) if panel is not None else None
        if paper_id is None:
            break
        if _can_ask(session, newcomer, paper_id):
            return paper_id
        asked.add(paper_id)
    return _spread(session, served, newcomer, now=now)


def note_liked(session: Session, external_user: str, paper: str, *, now: datetime) -> int:
    """Add a paper to those that a reader likes, creating the reader; return their number.

    Raises InvalidRequest for a paper that nobody knows.
    """
    if paper not in paper_ids_of(session, [paper]):
        raise InvalidRequest(f"no paper is known under {paper[:100]}", field="paper")
    user_id = users.ensure_users(session, [external_user], now=now)[0][external_user]
    lock_readers(session, [user_id])
    row = users.load_user(session, user_id)
    said = Interests.from_stored(None if row is None else row.interests)
    liked = list(dict.fromkeys([*said.papers, paper]))[-MOST_SEEDS:]
    interests = {"categories": list(said.categories), "terms": list(said.terms), "papers": liked}
    users.write_interests(session, user_id, interests, now=now)
    return user_id


def forget_panels() -> None:
    """Make the next question look at the model anew."""
    _panels.clear()


def _meet(session: Session, user_id: int | None, *, skipped: Collection[str], now: datetime) -> _Newcomer:
    away = frozenset(paper_ids_of(session, skipped).values()) if skipped else frozenset()
    if user_id is None:
        nothing: Ids = np.empty(0, dtype=np.int64)
        return _Newcomer(nothing, nothing, away, read_rules(session, None))
    [taste] = load_tastes(session, [user_id], now=now)
    profile = taste.profile
    out = away.union(taste.hidden, profile.paper_ids.tolist(), profile.disliked_paper_ids.tolist())
    return _Newcomer(profile.paper_ids, profile.disliked_paper_ids, out, taste.muted)


def _can_ask(session: Session, newcomer: _Newcomer, paper_id: int) -> bool:
    return not unlisted_paper_ids(session, [paper_id]) and not muted_among(session, newcomer.muted, [paper_id])


def _panel_of(served: Served) -> _Panel | None:
    """The readers of a model, taken apart once; None where they are too few to stand for others."""
    with _looking:
        if served.version not in _panels:
            _panels.clear()
            _panels[served.version] = _make_panel(served)
        return _panels[served.version]


def _make_panel(served: Served) -> _Panel | None:
    model = served.model
    if model.neighbours is None or model.neighbours.histories.shape[0] < LEAST_PANEL:
        return None
    papers = Vocabulary.from_rows(model.papers.ids(model.warm_rows))
    return _Panel(served.version, Panel.of(papers, model.neighbours.histories, most=MOST_PANEL))


def _telling(panel: _Panel, newcomer: _Newcomer, asked: Iterable[int]) -> int | None:
    ids = np.array(sorted(asked), dtype=np.int64)
    known = Known.of(panel.panel.papers, liked=newcomer.liked, declined=newcomer.declined, asked=ids)
    said = tuple(known.liked.tolist()), tuple(known.declined.tolist()), tuple(known.asked.tolist())
    if said not in panel.found:
        if len(panel.found) >= MOST_KEPT:
            panel.found.clear()
        questions = choose_questions(panel.panel, known)
        panel.found[said] = int(questions[0]) if len(questions) else None
    return panel.found[said]


def _spread(session: Session, served: Served | None, newcomer: _Newcomer, *, now: datetime) -> int | None:
    """Without a panel: a paper that many touched and that is unlike all that an answer is known of."""
    board = read_board(session, now=now, half_life_days=read_settings().trending_half_life_days)
    touched = dict(board.trending("month")[:MOST_CANDIDATES])
    newest = [paper_id for paper_id, _ in latest_paper_ids(session, limit=MOST_CANDIDATES + len(newcomer.out))]
    named = [paper_id for paper_id in dict.fromkeys([*touched, *newest]) if paper_id not in newcomer.out]
    gone = unlisted_paper_ids(session, named) | muted_among(session, newcomer.muted, named)
    candidates = [paper_id for paper_id in named if paper_id not in gone][:MOST_CANDIDATES]
    if not candidates:
        return None
    fame = np.array([touched.get(paper_id, 0.0) for paper_id in candidates], dtype=np.float32)
    vectors = _vectors(served, candidates)
    met = _vectors(served, sorted({*newcomer.liked.tolist(), *newcomer.declined.tolist()}))
    [row] = spread_questions(vectors, fame, k=1, asked=met)
    return candidates[int(row)]


def _vectors(served: Served | None, paper_ids: Collection[int]) -> Floats:
    """(papers, dim) their text vectors, 0 for those that no model knows."""
    if served is None:
        return np.zeros((len(paper_ids), 1), dtype=np.float32)
    rows = served.model.papers.rows(np.array(list(paper_ids), dtype=np.int64))
    found = served.model.text_vectors(np.maximum(rows, 0))
    return np.where((rows != UNKNOWN_ROW)[:, None], found, np.float32(0))
