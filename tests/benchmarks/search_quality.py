"""The search table: `python -m tests.benchmarks.search_quality [FOLDER]`, FOLDER holding the shared data sets.

Asks for known papers by titles and by sentences of abstracts, once with the index, once with the model's text
vectors, once with both as the service blends them, and prints MRR@10 with 95% bootstrap intervals. Half of the
papers are for choosing constants (`--tuning`); figures are of the other half. Then the page: do its papers come
before all others for the query that it was the answer to? Writes reports/search_quality.json.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from recommender.metrics import Interval, Values, bootstrap_interval, paired_bootstrap
from tests.benchmarks.search_queries import Query, sentence_queries, title_queries
from tests.benchmarks.search_world import FOUND, Texts, World, half_of, place_of, read_texts
from tests.shared import SHARED

DEPTH: Final = 10
SEED: Final = 0
TITLES: Final = 600  # papers whose titles are asked for
SENTENCES: Final = 300
RANKERS: Final = ("lexical", "vector", "blended")
PAGE_QUERY: Final = "communication computation decoupling"
PAGE_WORDS: Final = ("communicat", "comput", "decoupl")
REPORT: Final = Path("reports/search_quality.json")


@dataclass(frozen=True, slots=True)
class Row:
    """How well each ranker finds what one kind of query is after."""

    kind: str
    queries: int
    mrr: dict[str, Interval]
    ahead: dict[str, Interval]  # of the blend over each of the others, paired over queries


@dataclass(frozen=True, slots=True)
class Page:
    """Where the papers of the page stand for its query, among all papers."""

    precision: dict[str, float]  # share of the first 63 that are the page's
    average_precision: dict[str, float]
    lacking: dict[str, list[str]]  # by word, the titles of the page's papers without it


def measure(texts: Texts, folder: Path, *, is_tuning: bool = False, titles: int = TITLES) -> tuple[list[Row], Page]:
    """All rows of the table, with indexes made in this folder."""
    papers = half_of(texts.unrelated, is_tuning=is_tuning)
    with_abstract = [paper for paper in papers if texts.abstracts[paper]]
    asked = np.random.default_rng(SEED).choice(papers, min(titles, len(papers)), replace=False).tolist()
    sentences = sentence_queries(texts.abstracts, with_abstract, seed=SEED)[:SENTENCES]
    whole = World.build(texts, folder / "whole")
    rows = [_row(kind, whole, queries) for kind, queries in title_queries(texts.titles, asked, seed=SEED).items()]
    rows.append(_row("sentence, abstract indexed", whole, sentences))
    cut = {query.paper: texts.abstracts[query.paper].replace(query.text, " ") for query in sentences}
    for kind, left_out in (
        ("sentence, rest of the abstract indexed", cut),
        ("sentence, title alone indexed", dict.fromkeys(with_abstract, "")),
    ):
        rows.append(_row(kind, World.build(texts.without(left_out), folder / kind.split()[1]), sentences))
    return rows, measure_page(texts, whole)


def measure_page(texts: Texts, world: World) -> Page:
    """The page's papers among all others."""
    size = len(texts.titles) - texts.unrelated
    precision, average = {}, {}
    for name, (ids, _) in world.rankings(PAGE_QUERY).items():
        is_of_page = ids[:FOUND].astype(np.int64) >= texts.unrelated
        precision[name] = float(is_of_page[:size].sum() / size)
        at = np.flatnonzero(is_of_page) + 1
        average[name] = float((np.arange(1, len(at) + 1) / at).sum() / size)
    lacking = {
        word: [
            texts.titles[paper] for paper in range(texts.unrelated, len(texts.titles)) if not _has(texts, paper, word)
        ]
        for word in PAGE_WORDS
    }
    return Page(precision, average, lacking)


def _row(kind: str, world: World, queries: Sequence[Query]) -> Row:
    found = np.array(list(_gains(world, queries)))  # (queries, rankers)
    mrr = {name: bootstrap_interval(found[:, at], seed=SEED) for at, name in enumerate(RANKERS)}
    last = found[:, RANKERS.index("blended")]
    ahead = {name: paired_bootstrap(last, found[:, at], seed=SEED) for at, name in enumerate(RANKERS[:2])}
    return Row(kind, len(queries), mrr, ahead)


def _gains(world: World, queries: Sequence[Query]) -> Iterator[Values]:
    for query in queries:
        places = [place_of(query.paper, found, k=DEPTH) for found in world.rankings(query.text).values()]
        yield np.array([1 / place if place else 0.0 for place in places])


def _has(texts: Texts, paper: int, word: str) -> bool:
    return word in f"{texts.titles[paper]} {texts.abstracts[paper]}".lower()


def table(rows: Sequence[Row]) -> Table:
    """The rows as they are printed."""
    made = Table(title=f"MRR@{DEPTH} with 95% bootstrap intervals over queries")
    for name in ("query", "queries", *RANKERS, "blended - lexical", "blended - vector"):
        made.add_column(name)
    for row in rows:
        figures = [f"{row.mrr[name].mean:.3f} [{row.mrr[name].low:.3f} {row.mrr[name].high:.3f}]" for name in RANKERS]
        ahead = [f"{found.mean:+.3f} [{found.low:+.3f} {found.high:+.3f}]" for found in row.ahead.values()]
        made.add_row(row.kind, str(row.queries), *figures, *ahead)
    return made


def main() -> None:
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", default=SHARED)
    asked.add_argument("--tuning", action="store_true", help="the half that constants are chosen on")
    asked.add_argument("--titles", type=int, default=TITLES)
    given = asked.parse_args()
    if not (given.folder / "citeulike" / "papers.jsonl").is_file():
        sys.exit(f"the search table needs the shared data: no citeulike/papers.jsonl in {given.folder}")
    with tempfile.TemporaryDirectory() as folder:
        rows, page = measure(read_texts(given.folder), Path(folder), is_tuning=given.tuning, titles=given.titles)
    console = Console(width=200)
    console.print(table(rows))
    console.print(f'"{PAGE_QUERY}": precision@63 {page.precision}, average precision {page.average_precision}')
    counts = ", ".join(f"{len(titles)} without {word}*" for word, titles in page.lacking.items())
    none = set.intersection(*map(set, page.lacking.values()))
    console.print(f"of the page's papers {counts}; with none of the words: {'; '.join(sorted(none))}", markup=False)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(orjson.dumps({"rows": [asdict(row) for row in rows], "page": asdict(page)}, option=2))


if __name__ == "__main__":
    main()
