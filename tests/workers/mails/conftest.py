"""A mail server and a worker process that sends by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.runtime.state import Runtime, build_runtime
from api.settings import Settings
from api.store.engine import Database
from tests.workers.mail_server import MailServer, mail_server
from tests.workers.mails.post import SENDER
from workers import processes


@pytest.fixture
def box() -> Iterator[MailServer]:
    """Return a mail server that takes everything until told otherwise."""
    with mail_server() as server:
        yield server


@pytest.fixture
def post_office(
    database: Database, redis_url: str, tmp_path: Path, box: MailServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """Return the runtime of a worker process that sends by the server."""
    runtime = build_runtime(
        Settings(
            data_dir=tmp_path / "data",
            database_url=database.engine.url.render_as_string(hide_password=False),
            cache_url=redis_url,
            broker_url=redis_url,
            secret_key=SecretStr("a signing secret of the tests, long enough"),
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_security="none",
            smtp_seconds=5.0,
            mail_sender=SENDER,
            mail_attempts=3,
        )
    )
    monkeypatch.setattr(processes, "_runtime", runtime)
    yield runtime
    monkeypatch.setattr(processes, "_runtime", None)
    runtime.close()
