"""What search quality is measured on: an index and a model of the same papers, and the three rankers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from api.runtime.serving import Served
from api.services.search_language import loosened, parse
from api.services.search_meaning import blend_alike, read_meaning
from api.store.search_documents import PaperDocument
from api.store.search_index import SearchIndex
from api.store.search_query import SearchQuery
from api.store.search_writer import SearchWriter
from recommender.dataset import WeightConfig, build_dataset
from recommender.domain import Interactions, PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from recommender.text_search import Scored, search_text

FOUND: Final = 300  # papers that each side brings
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Texts:
    """Titles and abstracts, CiteULike's first and the page's after them."""

    titles: list[str]
    abstracts: list[str]
    unrelated: int  # how many are CiteULike's

    def without(self, left_out: dict[int, str]) -> "Texts":
        """The same with other abstracts of some papers."""
        abstracts = [left_out.get(paper, text) for paper, text in enumerate(self.abstracts)]
        return Texts(self.titles, abstracts, self.unrelated)


@dataclass(frozen=True, slots=True)
class World:
    """Papers that can be searched; a paper's id is its place."""

    index: SearchIndex
    model: Hybrid

    @classmethod
    def build(cls, texts: Texts, folder: Path) -> "World":
        """The index, in this folder, and the model of these texts."""
        writer = SearchWriter.open(folder)
        writer.add(map(_document, range(len(texts.titles)), texts.titles, texts.abstracts), are_new=True)
        writer.commit()
        writer.close()
        return cls(SearchIndex.open(folder), fitted(texts))

    def rankings(self, text: str) -> dict[str, Scored]:
        """What each ranker answers to a text; the blend is that of the service."""
        lexical = self.lexical(text)
        served, parsed = Served("measured", self.model), parse(text, prefix=False)
        paper_ids, scores = lexical[0].tolist(), lexical[1].tolist()
        ids, blended = blend_alike(read_meaning(served, parsed), paper_ids, scores, fits=lambda others: others)
        both = np.array(ids, dtype=np.int64), np.array(blended, dtype=np.float32)
        return {"lexical": lexical, "vector": search_text(self.model, text, k=FOUND), "blended": both}

    def lexical(self, text: str) -> Scored:
        """What the index finds, as the service asks it."""
        parsed = parse(text, prefix=False)
        node = loosened(parsed) or parsed.node
        if node is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        hits = self.index.search(SearchQuery(node), limit=FOUND)
        return np.array(hits.paper_ids, dtype=np.int64), np.array(hits.scores, dtype=np.float32)


def read_texts(shared: Path) -> Texts:
    """All papers of CiteULike and of the page."""
    papers = [_lines(shared / name / "papers.jsonl") for name in ("citeulike", "daily_papers_page")]
    lines = [*papers[0], *papers[1]]
    titles = [str(line.get("title") or "") for line in lines]
    return Texts(titles, [str(line.get("summary") or "") for line in lines], len(papers[0]))


def fitted(texts: Texts) -> Hybrid:
    """A model of texts alone: nobody saved anything."""
    count = len(texts.titles)
    unknown = np.full(count, np.nan)
    papers = PaperTexts(np.arange(count), texts.titles, texts.abstracts, [""] * count, unknown)
    nothing = Interactions.saves(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    dataset = build_dataset(nothing, papers, now=0.0, weights=WeightConfig())
    return Hybrid.fit(dataset, HybridConfig(num_threads=1), seed=SEED)


def place_of(paper: int, found: Scored, *, k: int) -> int:
    """Where the paper stands among the first k, from 1; 0 when it does not."""
    at = np.flatnonzero(found[0][:k] == paper)
    return int(at[0]) + 1 if len(at) else 0


def half_of(count: int, *, is_tuning: bool) -> Sequence[int]:
    """One of two halves of the papers, drawn once: constants are chosen on the first, figures are of the second."""
    drawn = np.random.default_rng(1).permutation(count)
    return sorted(drawn[: count // 2].tolist() if is_tuning else drawn[count // 2 :].tolist())


def _document(paper_id: int, title: str, abstract: str) -> PaperDocument:
    return PaperDocument(
        paper_id=paper_id,
        external_id=f"known-{paper_id}",
        title=title,
        summary=abstract,
        keywords=(),
        authors=(),
        categories=(),
        organization_name="",
        organization_fullname="",
        has_code=False,
        is_withdrawn=False,
        upvotes=0,
        updated_us=0,
        listed_s=0,
        published_s=None,
        daily_s=None,
        year=1970,
    )


def _lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
