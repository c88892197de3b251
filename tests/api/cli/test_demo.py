"""The commands around the demonstration."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import demo
from api.cli.loading import open_database
from api.settings import read_settings
from api.sources.demo import build_demonstration
from api.store.papers import count_papers


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PAPERFEED_DATABASE_URL", raising=False)
    # The size alone is changed: all of it takes seconds.
    monkeypatch.setattr(demo, "build_demonstration", lambda now: build_demonstration(now, papers=90, readers=4))
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def run(name: str) -> tuple[str, str]:
    result = CliRunner().invoke(demo.command, [name], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout, result.stderr


def papers() -> int:
    with open_database(read_settings()) as database, database.read() as session:
        return count_papers(session)


def test_load_and_remove_leave_a_folder_as_it_was() -> None:
    loaded = json.loads(run("load")[0])
    assert (loaded["papers"], loaded["readers"], papers()) == (90, 4, 90)
    assert json.loads(run("remove")[0]) == loaded
    assert papers() == 0


def test_a_second_load_says_that_it_is_there() -> None:
    run("load")
    output, told = run("load")
    assert output == ""
    assert "there already" in told


def test_it_can_be_loaded_again_after_its_removal() -> None:
    run("load")
    run("remove")
    assert json.loads(run("load")[0])["papers"] == 90
