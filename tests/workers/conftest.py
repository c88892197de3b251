"""An installation for tests of training runs, and the outputs of its slow stages computed once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.runtime.state import Runtime, build_runtime
from api.services import snapshots, training
from api.settings import Settings, read_settings
from api.store import registry
from api.store.engine import Database
from api.store.feeds import FeedStore
from api.store.pending import PendingReaders
from api.store.snapshots import write_json
from api.store.tables import TrainingRun
from tests.api.feed_world import load_installation, promote_model
from tests.mail_world import freshen
from tests.planted import Planted, plant
from tests.sources_server import SourcesServer
from tests.workers.in_process import asking_worker
from tests.workers.worlds import load_world
from workers import fitting, processes
from workers.artifacts import version_name
from workers.runner import run_training


@dataclass(frozen=True, slots=True)
class Bench:
    """An installation without a broker."""

    settings: Settings
    database: Database
    feeds: FeedStore

    def request(self) -> int:
        """Queue a run."""
        with self.database.write() as session:
            return training.request_run(session, trigger="admin", now=datetime.now(UTC))[0].run_id

    def run(self, run_id: int) -> str | None:
        """Run it in this process."""
        return run_training(self.settings, self.database, self.feeds, run_id)

    def read(self, run_id: int) -> TrainingRun:
        """Return the run's row."""
        with self.database.read() as session:
            return training.read_run(session, run_id)

    def serving(self) -> str | None:
        """Return the version that answers."""
        with self.database.read() as session:
            row = registry.read_serving(session)
        return None if row is None else row.version

    def folder(self, run_id: int) -> Path:
        """Return where the run keeps its outputs."""
        return self.settings.data_dir / "runs" / str(run_id)

    def lay_out(self, prepared: Path, run_id: int) -> None:
        """Put the prepared outputs where a run that got as far as the fit has them."""
        shutil.copytree(prepared / "run", self.folder(run_id))
        shutil.copytree(prepared / "artifact", self.settings.models_dir / version_name(self.read(run_id)))


@pytest.fixture
def bench(
    tmp_path: Path, sqlite_database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """Return an installation on the test database and Redis."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERFEED_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("PAPERFEED_CACHE_URL", redis_url)
    monkeypatch.setenv("PAPERFEED_TRAIN_LEASE_SECONDS", "5")
    read_settings.cache_clear()
    settings = read_settings()
    store = FeedStore(settings.resolved_cache_url)
    yield Bench(settings, sqlite_database, store)
    store.close()
    read_settings.cache_clear()


@pytest.fixture
def held(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Return the runtime of a worker process on the planted installation."""
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=database.engine.url.render_as_string(hide_password=False),
        cache_url=redis_url,
        broker_url=redis_url,
        secret_key=SecretStr("a signing secret of the tests, long enough"),
    )
    load_installation(database)
    promote_model(database, settings.models_dir)
    runtime = build_runtime(settings)
    monkeypatch.setattr(processes, "_runtime", runtime)
    read_settings.cache_clear()
    yield runtime
    monkeypatch.setattr(processes, "_runtime", None)
    runtime.close()
    read_settings.cache_clear()


@pytest.fixture
def pending(redis_url: str) -> Iterator[PendingReaders]:
    """Return the empty pending set."""
    readers = PendingReaders(redis_url)
    yield readers
    readers.close()


@pytest.fixture
def fresh(held: Runtime) -> list[int]:
    """Return the papers that came within the last day."""
    held.settings.__dict__["swap_probability"] = 0.0
    held.settings.__dict__["exploration_share"] = 0.0
    return freshen(held.db, now=datetime.now(UTC))


@pytest.fixture
def arxiv() -> Iterator[SourcesServer]:
    """Return a server that plays arXiv."""
    with SourcesServer() as server:
        yield server


@pytest.fixture
def asking(
    arxiv: SourcesServer, sqlite_database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """Return the runtime of a worker that asks it."""
    own = {"arxiv_url": arxiv.url, "arxiv_pause_seconds": 0, "zotero_url": arxiv.url, "zotero_pause_seconds": 0}
    with asking_worker(sqlite_database, redis_url, tmp_path, monkeypatch, **own) as runtime:
        yield runtime


@pytest.fixture
def world(bench: Bench) -> Planted:
    """Store a world whose readers are active and like one topic each."""
    planted = plant(is_timed=True)
    load_world(bench.database, planted, active_at=datetime.now(UTC))
    return planted


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the stages before warm leave of that world: computed once, copied into tests."""
    folder = tmp_path_factory.mktemp("prepared")
    database = Database(f"sqlite:///{folder / 'papers.db'}")
    TrainingRun.metadata.create_all(database.engine)
    load_world(database, plant(is_timed=True), active_at=None)
    with database.read() as session:
        plan = snapshots.take_snapshot(
            session, folder / "run", settings=Settings(data_dir=folder), now=datetime.now(UTC), report=_ignore
        )
    judgement = fitting.judge_configurations(folder / "run", plan, _ignore_named)
    write_json(folder / "run" / "judgement.json", judgement | {"seconds": 1.0, "peak_memory_mb": 1.0})
    fit = fitting.fit_model(folder / "run", plan, _ignore_named, artifact=folder / "artifact")
    write_json(folder / "run" / "fit.json", fit | {"seconds": 1.0, "peak_memory_mb": 1.0})
    database.engine.dispose()
    return folder


def _ignore(_progress: float) -> None:
    return None


def _ignore_named(_what: str, _progress: float) -> None:
    return None
