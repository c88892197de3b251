"""A small installation with topics, readers and a promoted model, for tests of lists."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from api.runtime.serving import ServingModel
from api.services.trending import forget_boards
from api.store.engine import Database
from api.store.registry import insert_model_version, write_serving
from api.store.runs import insert_run
from api.store.tables import Base, Event, LibraryItem, Paper, PaperCategory, User
from recommender.dataset import WeightConfig
from recommender.domain import EventKind
from recommender.hybrid import Hybrid, HybridConfig
from tests.planted import Planted, plant

NOW = datetime.now(UTC)  # the services and routes under test read the clock
LONG_AGO = NOW - timedelta(days=400)
VERSION = "v1"
TOPICS = 4


@lru_cache(maxsize=1)
def planted() -> Planted:
    """Return readers of four topics and their papers."""
    return plant(seed=3, readers=60, papers=160, topics=TOPICS, is_timed=True)


@lru_cache(maxsize=1)
def fitted_model() -> Path:
    """Return the folder of a model of the planted world, fitted once per process."""
    folder = Path(tempfile.mkdtemp(prefix="pf-model-")) / VERSION
    config = HybridConfig(rank=8, epochs=5, text_dim=16)
    Hybrid.fit(planted().dataset(weights=WeightConfig()), config, seed=1).save(folder)
    return folder


@lru_cache(maxsize=1)
def _rows() -> list[tuple[type[Base], list[dict[str, object]]]]:
    """Return the rows of the planted installation: its papers, readers, and saves that are in their libraries."""
    world = planted()
    numbers = range(len(world.texts.titles))
    ids, topics = world.texts.paper_ids.tolist(), world.topic_of_paper.tolist()
    categories = [f"cs.T{topic}" for topic in topics]
    listed = [LONG_AGO + timedelta(minutes=at) for at in numbers]
    log = list(zip(world.interactions.user_ids.tolist(), world.interactions.paper_ids.tolist(), strict=True))
    return [
        (User, [user_row(user_id) for user_id in world.reader_ids.tolist()]),
        (
            Paper,
            [
                paper_row(ids[at], title=world.texts.titles[at], category=categories[at], listed_at=listed[at])
                for at in numbers
            ],
        ),
        (
            PaperCategory,
            [{"category": categories[at], "paper_id": ids[at], "listed_at": listed[at]} for at in numbers],
        ),
        (Event, [_save_row(user_id, paper_id, number=at) for at, (user_id, paper_id) in enumerate(log)]),
        (
            LibraryItem,
            [
                {"user_id": user_id, "paper_id": paper_id, "is_saved": True, "changed_pk": at}
                for at, (user_id, paper_id) in enumerate(log)
            ],
        ),
    ]


def load_installation(database: Database) -> None:
    """Store the planted papers, readers and their saves; every saved paper is in its reader's library."""
    forget_boards()
    with database.write() as session:
        for model, rows in _rows():
            session.connection().execute(sa.insert(model), rows)  # many times faster than objects
        if not database.is_sqlite:  # rows with ids of their own do not move PostgreSQL's counters
            for table, column in (("users", "user_id"), ("papers", "paper_id")):
                session.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), 100000)"))


def register_model(database: Database, models_dir: Path, *, version: str = VERSION) -> None:
    """Put the fitted model into the registry, promoted: whoever looks for a model finds it."""
    models_dir.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fitted_model(), models_dir / version)
    with database.write() as session:
        run_id = insert_run(session, trigger="admin", now=NOW)
        assert run_id is not None
        insert_model_version(
            session,
            version=version,
            run_id=run_id,
            created_at=NOW,
            config={},
            figures={},
            note=None,
            fingerprint="",
        )
        write_serving(session, version=version, now=NOW)


def promote_model(database: Database, models_dir: Path) -> ServingModel:
    """Register the fitted model, and return it loaded."""
    register_model(database, models_dir)
    serving = ServingModel(database, models_dir)
    assert serving.poll() is not None
    return serving


def add_event(
    database: Database, user_id: int, paper_id: int, kind: EventKind, *, at: datetime | None = None, number: int = 0
) -> None:
    """Store one event as the API does: log, library and the reader's `last_seq` in one transaction."""
    occurred_at = at or datetime.now(UTC)
    with database.write() as session:
        session.add(
            Event(
                user_id=user_id,
                event_id=f"{kind.name}-{paper_id}-{number}",
                kind=int(kind),
                paper_id=paper_id,
                occurred_at=occurred_at,
                received_at=occurred_at,
                payload_hash="",
            )
        )
        if kind in (EventKind.SAVE, EventKind.UNSAVE):
            is_saved = kind is EventKind.SAVE
            session.merge(LibraryItem(user_id=user_id, paper_id=paper_id, is_saved=is_saved, changed_pk=10**6))
        session.execute(
            sa.update(User)
            .where(User.user_id == user_id)
            .values(last_seq=User.last_seq + 1, last_active_at=occurred_at)
        )


def add_reader(database: Database, user_id: int, *, interests: dict[str, object] | None = None) -> None:
    """Store a reader without history."""
    with database.write() as session:
        session.execute(sa.insert(User), [user_row(user_id) | {"interests": interests, "last_seq": 1}])


def paper_row(paper_id: int, *, title: str, category: str, listed_at: datetime) -> dict[str, object]:
    """Return the row of a paper that was published when it was listed."""
    return {
        "paper_id": paper_id,
        "external_id": f"p{paper_id}",
        "title": title,
        "title_key": str(paper_id),
        "categories": [category],
        "published_at": listed_at,
        "listed_at": listed_at,
        "source": "test",
        "content_hash": "",
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
    }


def user_row(user_id: int) -> dict[str, object]:
    """Return the row of a reader whose list is up to date."""
    return {
        "user_id": user_id,
        "external_id": f"u{user_id}",
        "created_at": LONG_AGO,
        "last_active_at": None,
        "last_seq": 0,
        "list_seq": 0,
    }


def _save_row(user_id: int, paper_id: int, *, number: int) -> dict[str, object]:
    return {
        "user_id": user_id,
        "event_id": f"e{number}",
        "kind": int(EventKind.SAVE),
        "paper_id": paper_id,
        "occurred_at": None,
        "received_at": LONG_AGO,
        "payload_hash": "",
        "is_import": True,
    }
