"""An installation of which nothing runs, for tests of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.settings import read_settings


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go into an empty folder whose environment is that of an installation on each kind of database; return it."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    if request.param == "postgresql":
        monkeypatch.setenv("PAPERFEED_DATABASE_URL", request.getfixturevalue("postgres_url"))
    else:
        monkeypatch.delenv("PAPERFEED_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    read_settings.cache_clear()
    yield tmp_path
    read_settings.cache_clear()
