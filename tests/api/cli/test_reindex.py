"""`paperfeed reindex`: the index made anew, or one line that says why not."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from api.cli.reindex import command
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.search_files import current_generation, sole_rebuild
from api.store.search_index import SearchIndex
from api.store.search_query import Word
from api.store.tables import Base, Paper
from tests.api.feed_world import LONG_AGO, paper_row
from tests.api.search_world import find


@pytest.fixture(autouse=True)
def installation(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Base.metadata.drop_all(sqlite_database.engine)
    upgrade(sqlite_database)
    with sqlite_database.write() as session:
        rows = [paper_row(at, title=f"Title {at}", category="cs.IR", listed_at=LONG_AGO) for at in range(1, 4)]
        session.execute(sa.insert(Paper), rows)
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("PAPERFEED_DATABASE_URL", raising=False)


def run() -> Result:
    read_settings.cache_clear()
    result = CliRunner().invoke(command)
    read_settings.cache_clear()
    return result


def test_the_index_is_made_anew_from_the_database(tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["papers"] == 3
    first = current_generation(tmp_path / "search")
    assert find(SearchIndex.open(first), Word("2")).paper_ids == (2,)
    assert run().exit_code == 0
    assert current_generation(tmp_path / "search") != first


def test_a_second_one_at_the_same_time_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    with sole_rebuild(tmp_path / "search"):
        result = run()
    assert result.exit_code == 1
    assert "another process" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
