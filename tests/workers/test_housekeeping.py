"""What is no longer kept goes, a part at a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.runtime.state import build_runtime
from api.services import dead_letters
from api.services.dead_letters import Letter, keep_rejected
from api.settings import Settings
from api.store.engine import Database
from api.store.letters import count_letters
from workers import processes
from workers.housekeeping import tidy_letters


def test_old_and_surplus_letters_are_removed_in_parts(
    database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "TIDIED_AT_ONCE", 4)
    now = datetime.now(UTC)
    for age, count in ((40, 10), (0, 7)):
        then = now - timedelta(days=age)
        letters = [
            Letter("ada", None, None, "malformed", "", f"{age} {at}".encode(), None, then) for at in range(count)
        ]
        with database.write() as session:
            keep_rejected(session, letters, now=then)
    settings = Settings(
        data_dir=tmp_path,
        database_url=database.engine.url.render_as_string(hide_password=False),
        cache_url=redis_url,
        broker_url=redis_url,
        secret_key=SecretStr("x" * 40),
        dead_letter_days=30,
        dead_letters_most=5,
    )
    runtime = build_runtime(settings)
    monkeypatch.setattr(processes, "_runtime", runtime)
    assert tidy_letters() == 12
    with database.read() as session:
        assert count_letters(session) == 5
    runtime.close()
