"""Which sentence encoder is in use, how far it is, and whether a fit can rest on its vectors."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.store import papers, vectors
from api.store.state import read_state, write_state
from api.store.vectors import Coverage
from recommender.domain import PaperTexts

STATE_KEY: Final = "sentence_encoder"  # {"encoder", "problem"}: what the worker last met with
ENOUGH: Final = 0.95  # share of papers with a vector from which a fit uses them: a paper without has words alone


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sentence encoder is."""

    coverage: Coverage
    problem: str | None  # why the worker could not use it, None when it could


@dataclass(frozen=True, slots=True)
class FitTexts:
    """What a fit reads of papers."""

    texts: PaperTexts
    encoder: str  # of the vectors, empty without
    note: str | None  # why there are none though an encoder is set


def read_problem(session: Session, encoder: str) -> str | None:
    """Return why a worker could not use this encoder when it last tried, None when it could."""
    stored = read_state(session, STATE_KEY) or {}
    return stored.get("problem") if stored.get("encoder") == encoder else None


def read_progress(session: Session, encoder: str) -> Progress:
    """Return how far this encoder is; it looks at every paper."""
    return Progress(vectors.read_coverage(session, encoder), read_problem(session, encoder))


def note_problem(session: Session, encoder: str, problem: str | None, *, now: datetime) -> bool:
    """Remember why the encoder cannot be used, or that it can; True when that is news."""
    stored = read_state(session, STATE_KEY) or {}
    if (stored.get("encoder"), stored.get("problem")) == (encoder, problem):
        return False
    write_state(session, STATE_KEY, {"encoder": encoder, "problem": problem}, now=now)
    return True


def read_fit_texts(session: Session, encoder: str) -> FitTexts:
    """Return all papers' texts with the encoder's vectors where enough papers have one, else without and why."""
    texts = papers.load_texts(session)
    if not encoder:
        return FitTexts(texts, "", None)
    progress = read_progress(session, encoder)
    if progress.coverage.share >= ENOUGH:
        found = vectors.load_vectors(session, encoder, paper_ids=texts.paper_ids)
        return FitTexts(replace(texts, vectors=found), encoder if found is not None else "", None)
    why = progress.problem or f"{progress.coverage.share:.0%} of the papers have a vector, {ENOUGH:.0%} are needed"
    return FitTexts(texts, "", f"words alone, without the sentence encoder {encoder}: {why}")
