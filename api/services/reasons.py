"""Why a paper is in a list: found from the model's explanation, told in one short sentence."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.store.feed_codec import PAPER_REASONS, Reason, ReasonKind
from recommender.dataset import Profile
from recommender.domain import EventKind, Interactions
from recommender.explanation import NO_TERM
from recommender.hybrid import Hybrid

LONGEST_TITLE: Final = 80  # characters of a title in a reason
_OPENING: Final = (EventKind.CLICK, EventKind.READ)
_SENTENCES: Final = {
    ReasonKind.TASTE: "close to {}",
    ReasonKind.SAVED: "because you saved “{}”",
    ReasonKind.OPENED: "because you read “{}”",
    ReasonKind.CHOSEN: "because you chose “{}”",
    ReasonKind.TERM: "matches your term “{}”",
    ReasonKind.TRENDING: "trending in {}",
    ReasonKind.NEW: "new in {}",
}
_WITHOUT_NAME: Final = {
    ReasonKind.TASTE: "close to what you read",
    ReasonKind.SAVED: "because of a paper you saved",
    ReasonKind.OPENED: "because of a paper you read",
    ReasonKind.CHOSEN: "because of a paper you chose",
    ReasonKind.TERM: "matches your terms",
    ReasonKind.TRENDING: "trending",
    ReasonKind.NEW: "new",
}


def is_opening(interactions: Interactions) -> NDArray[np.bool_]:
    """Return which events opened a paper."""
    return np.isin(interactions.kinds, [int(kind) for kind in _OPENING])


def explain(
    model: Hybrid, profile: Profile, evidence: Mapping[int, ReasonKind], paper_ids: Sequence[int]
) -> dict[int, Reason]:
    """Return the reason of each paper that has one: the history paper or the term that says most.

    Only what is true is said: a history paper is clearly more like the paper than others are, and a term's words are
    all in the paper. Other papers have none; they are close to the reader's taste as a whole.
    """
    ids = np.array(paper_ids, dtype=np.int64)
    history = Profile(profile.paper_ids, profile.weights, profile.disliked_paper_ids)
    reasons: dict[int, Reason] = {}
    strengths = np.zeros(len(ids), dtype=np.float32)
    if len(profile.paper_ids):
        found = model.explain(history, ids)
        strengths = found.strength
        for paper_id, because in zip(paper_ids, found.because_paper_ids.tolist(), strict=True):
            if because in evidence:
                reasons[paper_id] = Reason(evidence[because], paper_id=because)
    if profile.terms:
        terms, likeness = model.explain_said(profile.terms, ids)
        for at, (paper_id, term) in enumerate(zip(paper_ids, terms.tolist(), strict=True)):
            is_stronger = paper_id not in reasons or likeness[at] > strengths[at]
            if term != NO_TERM and is_stronger:
                reasons[paper_id] = Reason(ReasonKind.TERM, text=profile.terms[term])
    return reasons


def named_papers(reasons: Sequence[Reason]) -> set[int]:
    """Return the papers whose titles are needed to tell these reasons."""
    return {reason.paper_id for reason in reasons if reason.kind in PAPER_REASONS}


def tell(reason: Reason, titles: Mapping[int, str]) -> str:
    """Return the reason as a sentence."""
    return sentence(reason.kind, titles.get(reason.paper_id, "") if reason.kind in PAPER_REASONS else reason.text)


def sentence(kind: ReasonKind, name: str) -> str:
    """Return a reason of a kind as a sentence that names a paper, term or category, or none."""
    return _SENTENCES[kind].format(_short(name)) if name else _WITHOUT_NAME[kind]


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…"
