"""`paperfeed embed`, and the hint that `ingest` gives, without an encoder that can run."""

import json
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from api import queue
from api.cli.embed import command
from api.cli.ingest import command as ingest
from api.runtime.embedding import embed_missing
from api.runtime.encoders import is_library_installed
from api.settings import read_settings
from api.store.engine import Database
from tests.encoding import WordDirections
from tests.planted import plant
from tests.workers.worlds import load_papers


@pytest.fixture(autouse=True)
def installation(sqlite_database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.store.migrate import upgrade
    from api.store.tables import Base

    Base.metadata.drop_all(sqlite_database.engine)
    upgrade(sqlite_database)
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERFEED_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("PAPERFEED_BROKER_URL", redis_url.replace("unix://", "redis+socket://"))
    monkeypatch.delenv("PAPERFEED_TEXT_ENCODER", raising=False)
    read_settings.cache_clear()
    queue._producer.cache_clear()


def run(*arguments: str) -> Result:
    read_settings.cache_clear()
    result = CliRunner().invoke(command, list(arguments))
    read_settings.cache_clear()
    return result


def test_without_an_encoder_it_says_how_to_name_one() -> None:
    result = run()
    assert result.exit_code == 2
    assert "PAPERFEED_TEXT_ENCODER" in result.stderr


@pytest.mark.skipif(is_library_installed(), reason="shows what happens without the library")
def test_an_encoder_that_cannot_run_is_one_line(sqlite_database: Database) -> None:
    load_papers(sqlite_database, plant(papers=5).texts)
    result = run("--encoder", "all-MiniLM-L6-v2")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "make embeddings" in result.stderr


def test_where_nothing_is_missing_no_encoder_is_needed(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_papers(sqlite_database, plant(papers=5).texts)
    embed_missing(sqlite_database, WordDirections())
    monkeypatch.setenv("PAPERFEED_TEXT_ENCODER", "word-directions")
    result = run()
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {"encoder": "word-directions", "made": 0, "papers": 5, "with_vector": 5}


def test_vectors_are_forgotten_on_request(sqlite_database: Database) -> None:
    load_papers(sqlite_database, plant(papers=5).texts)
    embed_missing(sqlite_database, WordDirections())
    assert json.loads(run("--forget", "word-directions").stdout) == {"encoder": "word-directions", "forgotten": 5}
    assert json.loads(run("--forget", "word-directions").stdout)["forgotten"] == 0


@pytest.mark.skipif(is_library_installed(), reason="with the library the network is asked first")
def test_a_download_without_the_library_or_a_network_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run("--encoder", "allenai/specter2_base", "--download")
    assert result.exit_code == 1
    assert "127.0.0.1:9 cannot be reached" in result.stderr


@pytest.mark.parametrize(("encoder", "hints"), [("all-MiniLM-L6-v2", 1), ("words", 0)])
def test_ingest_hints_at_new_papers_where_there_is_an_encoder(
    encoder: str, hints: int, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERFEED_TEXT_ENCODER", encoder)
    read_settings.cache_clear()
    (tmp_path / "P.jsonl").write_text('{"id": "2401.00001", "title": "A paper"}\n')
    for _ in range(2):  # the second time nothing is new
        assert CliRunner().invoke(ingest, [str(tmp_path / "P.jsonl")]).exit_code == 0
    read_settings.cache_clear()
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(queue.TRAIN_QUEUE) == hints
