"""This process as a worker of a test's own installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from api import queue
from api.runtime.state import Runtime, build_runtime
from api.settings import Settings, read_settings
from api.store.engine import Database
from workers import polite, processes

SECRET: Final = "a signing secret of the tests, long enough"


@contextmanager
def asking_worker(
    database: Database, redis_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **own: Any
) -> Iterator[Runtime]:
    """Let this process be a worker that asks hosts without long rests; `own` are settings."""
    monkeypatch.setattr(polite, "PACE_LOOK_SECONDS", 0.02)
    broker_url = redis_url.replace("unix://", "redis+socket://")
    monkeypatch.setenv("PAPERFEED_BROKER_URL", broker_url)
    forget_settings()
    runtime = build_runtime(
        Settings(
            data_dir=folder,
            database_url=database.url,
            cache_url=redis_url,
            broker_url=broker_url,
            secret_key=SecretStr(SECRET),
            **own,
        )
    )
    monkeypatch.setattr(processes, "_runtime", runtime)
    yield runtime
    runtime.close()
    forget_settings()


@contextmanager
def configured_worker(
    folder: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, **variables: str
) -> Iterator[Runtime]:
    """Let this process be a worker as its environment says; `variables` are more of it."""
    own = {
        "PAPERFEED_DATA_DIR": str(folder),
        "PAPERFEED_DATABASE_URL": database_url,
        "PAPERFEED_CACHE_URL": redis_url,
        "PAPERFEED_BROKER_URL": redis_url.replace("unix://", "redis+socket://"),
        "PAPERFEED_SECRET_KEY": SECRET,
    }
    for name, value in (own | variables).items():
        monkeypatch.setenv(name, value)
    forget_settings()
    processes.stop()
    yield processes.runtime()
    processes.stop()
    forget_settings()


def forget_settings() -> None:
    """Let the next who asks read the environment anew."""
    queue._producer.cache_clear()
    read_settings.cache_clear()
