"""`paperfeed batch-recommend --encoder`: vectors beside the papers, and what happens without them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli.batch import command
from api.runtime.encoders import is_library_installed
from api.sentences import text_hash
from api.sources.vector_file import KeptVectors, vector_path, write_vectors
from tests.encoding import WordDirections
from tests.planted import Planted, plant

NAME = "word-directions"


@pytest.fixture
def world() -> Planted:
    return plant(readers=24, papers=60, saves_per_reader=5)


@pytest.fixture
def files(tmp_path: Path, world: Planted) -> Path:
    """A folder with interactions and papers."""
    log, texts = world.interactions, world.texts
    rows = zip(log.user_ids.tolist(), log.paper_ids.tolist(), strict=True)
    (tmp_path / "I.csv").write_text("\n".join(["user_id,paper_id", *(f"{user},{paper}" for user, paper in rows), ""]))
    papers = zip(texts.paper_ids.tolist(), texts.titles, strict=True)
    (tmp_path / "P.jsonl").write_text("\n".join(json.dumps({"id": str(at), "title": title}) for at, title in papers))
    return tmp_path


def run(files: Path, *more: str) -> tuple[Result, dict[str, object], bytes]:
    out = files / "L.jsonl"
    arguments = ["--interactions", str(files / "I.csv"), "--papers", str(files / "P.jsonl"), "--out", str(out)]
    result = CliRunner().invoke(command, [*arguments, *more])
    assert result.exit_code == 0, result.stderr
    return result, json.loads(result.stderr.strip().splitlines()[-1]), out.read_bytes()


def keep(files: Path, texts: list[str]) -> None:
    hashes = np.array([text_hash(text) for text in texts], dtype="S32")
    order = np.argsort(hashes)
    write_vectors(
        vector_path(files / "P.jsonl", NAME), KeptVectors(hashes[order], WordDirections().encode(texts)[order])
    )


def test_kept_vectors_are_used_without_any_encoder(files: Path, world: Planted) -> None:
    _, by_words, lists = run(files)
    assert (by_words["encoder"], by_words["encode_seconds"]) == ("words", 0.0)
    keep(files, list(dict.fromkeys(world.texts.titles)))
    _, figures, other_lists = run(files, "--encoder", NAME)
    assert figures["encoder"] == NAME
    assert isinstance(figures["encode_seconds"], float)
    assert other_lists != lists
    assert run(files, "--encoder", NAME)[2] == other_lists


@pytest.mark.skipif(is_library_installed(), reason="shows what happens without the library")
def test_an_encoder_that_cannot_run_leaves_words_alone_and_says_so(files: Path) -> None:
    _, _, lists = run(files)
    result, figures, other_lists = run(files, "--encoder", NAME)
    assert "batch-recommend: sentence encoder word-directions: " in result.stderr
    assert "words alone" in result.stderr
    assert figures["encoder"] == "words"
    assert other_lists == lists


@pytest.mark.skipif(is_library_installed(), reason="shows what happens without the library")
def test_a_damaged_file_of_vectors_is_named_and_not_used(files: Path) -> None:
    vector_path(files / "P.jsonl", NAME).write_bytes(b"PK\x03\x04 no more than this")
    result, figures, _ = run(files, "--encoder", NAME)
    assert f"P.jsonl.{NAME}.npz cannot be read" in result.stderr
    assert figures["encoder"] == "words"
