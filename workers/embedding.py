"""The task that gives papers their sentence vectors."""

import logging
from datetime import UTC, datetime
from typing import Final

from api import queue
from api.runtime.embedding import Embedded, embed_missing
from api.runtime.encoders import EncoderError, open_encoder
from api.runtime.state import Runtime
from api.services import embedding
from api.store.vectors import find_missing
from workers.app import task
from workers.processes import runtime

log = logging.getLogger(__name__)

SLICE_SECONDS: Final = 120.0  # then a training run that waits has its turn, and the rest is queued behind it
EMBED_LIMIT: Final = 1200  # opening an encoder and its last batch come on top
NICENESS: Final = 10  # readers' requests on the same machine come first
CLAIM: Final = "embed"
CLAIM_SECONDS: Final = 180.0  # one worker at a time saves work; the claim of a killed one ends soon


@task(queue.EMBED_PAPERS, time_limit=EMBED_LIMIT)
def embed_papers() -> int:
    """Make vectors for papers that lack one, for a while, and return for how many papers."""
    held = runtime()
    encoder = held.settings.sentence_encoder
    if not encoder or not _is_missing_any(held, encoder) or not held.feeds.claim(CLAIM, seconds=CLAIM_SECONDS):
        return 0
    try:
        made = _embed(held, encoder)
    finally:
        held.feeds.release(CLAIM)
    if made is None:
        return 0
    if not made.is_done:
        queue.send(queue.EMBED_PAPERS)
    return made.papers


def _embed(held: Runtime, encoder: str) -> Embedded | None:
    settings = held.settings
    problem, made = None, None
    try:
        batch, threads = settings.encoder_batch, settings.encoder_threads
        with open_encoder(encoder, batch=batch, threads=threads, niceness=NICENESS) as opened:
            made = embed_missing(held.db, opened, seconds=SLICE_SECONDS)
    except EncoderError as error:
        problem = str(error)
    with held.db.write() as session:
        is_news = embedding.note_problem(session, encoder, problem, now=datetime.now(UTC))
    if problem is not None and is_news:  # the sweep asks again every minute; once is enough to say it
        log.error("papers go without sentence vectors", extra={"problem": problem})
    return made


def _is_missing_any(held: Runtime, encoder: str) -> bool:
    with held.db.read() as session:
        return bool(find_missing(session, encoder, limit=1))
