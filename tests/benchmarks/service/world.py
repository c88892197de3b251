"""A running service with papers of usual length, readers who saved some, and a promoted model."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import redis
import sqlalchemy as sa

from api.runtime.embedded import broker_command, cache_command
from api.services.accounts import ensure_admin_token
from api.settings import Settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.registry import insert_model_version, write_serving
from api.store.runs import insert_run
from api.store.tables import Base, Event, LibraryItem, Paper, PaperCategory, TrainingRun, User
from recommender.domain import EventKind
from recommender.hybrid import Hybrid, HybridConfig
from tests.benchmarks import catalogue
from tests.benchmarks.service.harness import LOAD_CORE, SERVER_CORE, pinned, wait_for
from tests.shared import free_port

PAPERS, WARM, READERS = 2_000, 1_600, 200
VERSION: Final = "bench-1"
PAPERFEED: Final = str(Path(sys.executable).with_name("paperfeed"))


@dataclass(frozen=True, slots=True)
class World:
    """A data folder that a service can be started on."""

    folder: Path
    settings: Settings
    token: str  # of a service, with all scopes
    readers: tuple[str, ...]  # as X-User names them
    papers: tuple[str, ...]  # external ids


@dataclass(frozen=True, slots=True)
class Service:
    """A running API and its servers."""

    world: World
    url: str
    api_pid: int
    variables: dict[str, str] = field(default_factory=dict)  # for further processes of it

    @property
    def cache(self) -> redis.Redis:
        """A plain client of its cache."""
        return redis.Redis.from_url(self.world.settings.resolved_cache_url)


def make_world(folder: Path, *, database_url: str | None = None, readers: int = READERS) -> World:
    """Fill a fresh folder and its database: papers, readers with saves, and a model fitted on them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=folder, database_url=database_url)
    settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = catalogue.make(papers=PAPERS, warm=WARM, readers=readers)
    database = Database(settings.resolved_database_url)
    upgrade(database)
    with database.write() as session:
        for model, rows in _rows(made, readers):
            session.connection().execute(sa.insert(model), rows)
        if not database.is_sqlite:
            for table, column in (("users", "user_id"), ("papers", "paper_id")):
                session.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), 1000000)"))
        ensure_admin_token(session, folder / "admin.token", now=datetime.now(UTC))
    config = HybridConfig(rank=16, epochs=3, text_dim=32, tuning_readers=0)
    Hybrid.fit(made.dataset(PAPERS), config, seed=0).save(settings.models_dir / VERSION)
    with database.write() as session:
        promote(session)
    database.engine.dispose()
    token = (folder / "admin.token").read_text(encoding="ascii").strip()
    names = tuple(f"reader-{at + 1}" for at in range(readers))
    return World(folder, settings, token, names, tuple(f"p{paper_id}" for paper_id in made.texts.paper_ids))


@contextmanager
def running(
    world: World,
    *,
    settings: Mapping[str, str] | None = None,
    port: int | None = None,
    core: int | str = SERVER_CORE,
) -> Iterator[Service]:
    """Run cache, broker and the API with default settings but for these, the API on its own core."""
    chosen = free_port() if port is None else port
    variables = {"PAPERFEED_DATA_DIR": str(world.folder), "PAPERFEED_PORT": str(chosen), **(settings or {})}
    if world.settings.database_url:
        variables["PAPERFEED_DATABASE_URL"] = world.settings.database_url
        # A database of its own counts as production, which makes no key.
        variables["PAPERFEED_SECRET_KEY"] = "-".join(["bench"] * 8)
    with ExitStack() as stack:
        for name, command in (("cache", cache_command(world.settings)), ("broker", broker_command(world.settings))):
            stack.enter_context(pinned(command, core=LOAD_CORE, log=world.folder / f"{name}.log"))
        log = world.folder / "api.log"
        command = (PAPERFEED, "serve", "--port", str(chosen))
        api = stack.enter_context(pinned(command, core=core, log=log, settings=variables))
        url = f"http://127.0.0.1:{chosen}"
        wait_for(url + "/readyz", api, log=log)
        yield Service(world, url, api.pid, variables)


def _rows(made: catalogue.Catalogue, readers: int) -> list[tuple[type[Base], list[dict[str, object]]]]:
    now = datetime.now(UTC)
    ids = made.texts.paper_ids.tolist()
    listed = [now - timedelta(hours=at) for at in range(len(ids))]
    categories = [f"cs.{chr(65 + at % 8)}{chr(65 + at % 5)}" for at in range(len(ids))]
    saves = list(zip(made.interactions.user_ids.tolist(), made.interactions.paper_ids.tolist(), strict=True))
    users = [
        {"user_id": at + 1, "external_id": f"reader-{at + 1}", "created_at": now, "last_seq": 0, "list_seq": 0}
        for at in range(readers)
    ]
    return [
        (User, users),
        (Paper, _papers(made, categories, listed, now)),
        (
            PaperCategory,
            [{"category": c, "paper_id": p, "listed_at": t} for c, p, t in zip(categories, ids, listed, strict=True)],
        ),
        (Event, [_save(user_id, paper_id, now) for user_id, paper_id in saves]),
        (
            LibraryItem,
            [
                {"user_id": user_id, "paper_id": paper_id, "is_saved": True, "changed_pk": at}
                for at, (user_id, paper_id) in enumerate(saves)
            ],
        ),
    ]


def _papers(
    made: catalogue.Catalogue, categories: list[str], listed: list[datetime], now: datetime
) -> list[dict[str, object]]:
    return [
        {
            "paper_id": paper_id,
            "external_id": f"p{paper_id}",
            "title": made.texts.titles[at].capitalize(),
            "title_key": str(paper_id),
            "summary": made.texts.summaries[at],
            "authors": [f"Author {name} of {at}" for name in "ABCD"],
            "categories": [categories[at]],
            "published_at": listed[at],
            "listed_at": listed[at],
            "source": "bench",
            "content_hash": "",
            "created_at": listed[at],
            "updated_at": now - timedelta(days=1),
        }
        for at, paper_id in enumerate(made.texts.paper_ids.tolist())
    ]


def _save(user_id: int, paper_id: int, now: datetime) -> dict[str, object]:
    return {
        "user_id": user_id,
        "event_id": f"{user_id}-{paper_id}",
        "kind": int(EventKind.SAVE),
        "paper_id": paper_id,
        "occurred_at": None,
        "received_at": now - timedelta(days=10),
        "payload_hash": "",
        "is_import": True,
    }


def promote(session: sa.orm.Session) -> None:
    """Let the saved version answer, as after a training run."""
    now = datetime.now(UTC)
    run_id = insert_run(session, trigger="admin", now=now)
    if run_id is None:
        raise RuntimeError("the fresh database has a training run already")
    insert_model_version(
        session, version=VERSION, run_id=run_id, created_at=now, config={}, figures={}, note=None, fingerprint=""
    )
    write_serving(session, version=VERSION, now=now)
    session.execute(sa.update(TrainingRun).values(state="succeeded", active=None))  # nobody waits for it
