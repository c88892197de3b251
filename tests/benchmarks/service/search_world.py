"""A service with as many papers as a large installation has, for searches: all texts and names are invented."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import sqlalchemy as sa

from api.services.accounts import ensure_admin_token
from api.settings import Settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.tables import Paper, PaperCategory
from recommender.domain import PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from tests.benchmarks import catalogue
from tests.benchmarks.service.world import VERSION, World, promote

WARM, READERS = 2_000, 50
ROWS_PER_INSERT: Final = 5_000
CATEGORIES: Final = ("cs.AI", "cs.CL", "cs.CV", "cs.LG", "cs.IR", "cs.RO", "stat.ML", "eess.AS", "math.OC", "q-bio.NC")
ORGANIZATIONS: Final = 400
NAMES: Final = 8_000


@dataclass(frozen=True, slots=True)
class SearchWorld:
    """A filled database and the texts in it."""

    world: World
    texts: PaperTexts


def make_search_world(folder: Path, *, papers: int) -> SearchWorld:
    """Fill a fresh folder: papers and a model that knows their words; the index is left to the service."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=folder)
    settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = catalogue.make(papers=papers, warm=min(WARM, papers), readers=READERS)
    database = Database(settings.resolved_database_url)
    upgrade(database)
    insert_papers(database, made.texts)
    with database.write() as session:
        ensure_admin_token(session, folder / "admin.token", now=datetime.now(UTC))
    # The words of a part stand for those of all: the service takes the others in like papers newer than its model.
    config = HybridConfig(rank=16, epochs=2, tuning_readers=0)
    Hybrid.fit(made.dataset(made.warm), config, seed=0).save(settings.models_dir / VERSION)
    with database.write() as session:
        promote(session)
    database.engine.dispose()
    token = (folder / "admin.token").read_text(encoding="ascii").strip()
    return SearchWorld(World(folder, settings, token, (), ()), made.texts)


def insert_papers(database: Database, texts: PaperTexts) -> None:
    """Write papers of these texts, with authors, categories and organisations drawn for them."""
    rows = paper_rows(texts)
    for start in range(0, len(texts.titles), ROWS_PER_INSERT):
        part = [next(rows) for _ in range(min(ROWS_PER_INSERT, len(texts.titles) - start))]
        with database.write() as session:
            session.connection().execute(sa.insert(Paper), part)
            session.connection().execute(sa.insert(PaperCategory), _category_rows(part))


def paper_rows(texts: PaperTexts, *, now: datetime | None = None) -> Iterator[dict[str, object]]:
    """Return the rows of these papers; written a day ago unless said otherwise."""
    random = np.random.default_rng(len(texts.titles))
    words = sorted({word for title in texts.titles[:NAMES] for word in title.split()})[:NAMES]
    newest = datetime.now(UTC)
    for at, paper_id in enumerate(texts.paper_ids.tolist()):
        listed = newest - timedelta(minutes=20 * (len(texts.titles) - at))
        organization = f"org-{int(ORGANIZATIONS ** random.random())}" if random.random() < 0.4 else ""
        yield {
            "paper_id": paper_id,
            "external_id": f"{listed:%y%m}.{paper_id:06d}",
            "title": texts.titles[at].capitalize(),
            "title_key": str(paper_id),
            "summary": texts.summaries[at],
            "authors": _authors(random, words),
            "categories": list(dict.fromkeys(CATEGORIES[int(random.integers(10))] for _ in range(2))),
            "keywords": [],
            "organization": {"name": organization, "fullname": f"The {organization}"} if organization else None,
            "github_repo": f"https://github.com/some/p{paper_id}" if random.random() < 0.3 else None,
            "published_at": listed,
            "listed_at": listed,
            "source": "bench",
            "content_hash": "",
            "created_at": listed,
            "updated_at": newest - timedelta(days=1) if now is None else now,
        }


def _authors(random: np.random.Generator, words: Sequence[str]) -> list[str]:
    count = int(random.integers(1, 7))
    return [
        " ".join(words[int(len(words) ** random.random()) - 1].capitalize() for _ in range(2)) for _ in range(count)
    ]


def _category_rows(part: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for paper in part:
        categories = paper["categories"]
        if not isinstance(categories, list):
            raise TypeError("categories are a list")
        rows += [{"category": c, "paper_id": paper["paper_id"], "listed_at": paper["listed_at"]} for c in categories]
    return rows
