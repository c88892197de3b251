"""A page of a feed as JSON: the papers' ready bytes, and between them what is said of each on this page."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

from api.runtime.keys import KeyRing
from api.runtime.rendered import Rendered
from api.services.feed_cursors import write_cursor
from api.services.feed_places import Page, Turn
from api.services.reasons import sentence
from api.services.slates import write_slate
from api.store.feed_codec import PAPER_REASONS, Reason, ReasonKind, Source

SOURCE_NAMES: Final = {source: source.name.lower() for source in Source}
MOST_SENTENCES: Final = 8192  # of a process, about 300 bytes each: readers share titles, categories and terms
MOST_RANKS: Final = 1024  # whose beginnings of an item are kept ready; a list has fewer
_RANKS: Final = tuple(b'},{"rank":%d,"score":' % rank for rank in range(MOST_RANKS))
_SOURCES: Final = {source: f',"source":"{name}","reason":'.encode() for source, name in SOURCE_NAMES.items()}


def write_page(
    keys: KeyRing,
    turned: Turn,
    papers: Mapping[int, Rendered],
    *,
    source: Source,
    scope: str,
    user_id: int,
    variant: str,
    papers_as_of: str | None,
) -> bytes:
    """Return the page, with its slate, and the cursor of what follows; every paper of it must be in `papers`."""
    page, after = turned.page, turned.after
    rest = {
        "next": None if after is None else write_cursor(keys, after, scope=scope),
        "source": SOURCE_NAMES[source],
        "built_at": page.frozen.built_at.isoformat(),
        "version": page.frozen.version or None,
        "papers_as_of": papers_as_of,
        "slate": write_slate(keys, page, user_id=user_id, variant=variant, now=datetime.now(UTC)),
    }
    return b"".join((*_items(page, papers), b"],", orjson.dumps(rest)[1:]))


def _items(page: Page, papers: Mapping[int, Rendered]) -> list[bytes]:
    """The items and what stands around them, in pieces: nothing is copied before all is joined."""
    pieces: list[bytes] = []
    scores = orjson.dumps(page.scores)[1:-1].split(b",")
    sentences = _sentences(page, papers)
    for rank, paper_id, score, source, reason in zip(
        itertools.count(page.first_rank), page.paper_ids, scores, page.sources, page.reasons
    ):
        said = sentences[id(reason)]
        start = _RANKS[rank] if rank < MOST_RANKS else b'},{"rank":%d,"score":' % rank
        pieces += (start, score, _SOURCES[source], said, b',"paper":', papers[paper_id].json)
    if not pieces:
        return [b'{"items":[']
    pieces[0] = b'{"items":[' + pieces[0][len(b"},") :]
    pieces.append(b"}")
    return pieces


def _sentences(page: Page, papers: Mapping[int, Rendered]) -> dict[int, bytes]:
    """The sentence of each reason by its identity: most papers of a page share theirs with others."""
    return {key: _told(reason, papers) for key, reason in {id(reason): reason for reason in page.reasons}.items()}


def _told(reason: Reason, papers: Mapping[int, Rendered]) -> bytes:
    if reason.kind not in PAPER_REASONS:
        return _quoted(reason.kind, reason.text)
    named = papers.get(reason.paper_id)
    return _quoted(reason.kind, "" if named is None else named.title)


@lru_cache(maxsize=MOST_SENTENCES)
def _quoted(kind: ReasonKind, name: str) -> bytes:
    return orjson.dumps(sentence(kind, name))
