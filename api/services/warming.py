"""Lists of active readers under a version that is about to answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from api.runtime.serving import MOST_PAPERS, Served
from api.services.feed import build_lists
from api.store import registry, runs
from api.store.feed_codec import FeedList
from api.store.runs import ReaderRange
from api.store.vectors import load_texts_with_vectors


def extend_served(session: Session, served: Served) -> Served:
    """Return the version with the papers that came after its snapshot."""
    model = served.model
    encoder = registry.read_encoder(session, served.version)
    newest = int(model.papers.in_row_order.max()) if len(model.papers) else 0
    while True:
        texts = load_texts_with_vectors(
            session, encoder, after_paper_id=newest, dim=model.sentence_dim, most=MOST_PAPERS
        )
        if len(texts) == 0:
            return replace(served, model=model)
        model = model.extend(texts)
        newest = int(texts.paper_ids[-1])


def read_active_readers(session: Session, readers: ReaderRange, *, since: datetime) -> list[int]:
    """Return the readers of a range who were active since then."""
    return runs.active_user_ids(session, since=since, first=readers.first_user_id, last=readers.last_user_id)


def build_warm_lists(
    session: Session, served: Served, user_ids: Sequence[int], *, now: datetime, size: int
) -> list[FeedList]:
    """Return the readers' lists by a version that does not answer yet; `list_seq` goes on speaking of the old one."""
    return build_lists(session, served, user_ids, now=now, size=size)


def end_chunk(session: Session, readers: ReaderRange, *, is_written: bool, now: datetime) -> None:
    """Record that every list of a range is written, or leave the range to others."""
    if is_written:
        runs.finish_chunk(session, readers, now=now)
    else:
        runs.release_chunk(session, readers)


def read_progress(session: Session, run_id: int) -> float:
    """Return the share of the run's chunks that are written."""
    progress = runs.read_warm_progress(session, run_id)
    return 1.0 if progress.chunks == 0 else progress.done / progress.chunks
