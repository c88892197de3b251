"""`paperfeed batch-recommend --encoder` with a real encoder."""

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli import encoding
from api.cli.batch import command
from api.sources.vector_file import KeptVectors, read_vectors, write_vectors
from tests.embeddings.conftest import MINILM

pytestmark = pytest.mark.embeddings

TITLES = [
    "Graph neural networks for molecules",
    "Message passing on graphs",
    "Bird migration in spring",
    "Navigation of homing pigeons",
    "Enzymes that fold proteins",
    "Protein structure prediction",
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_papers(tmp_path, TITLES)
    pairs = [f"u{reader},p{(reader + step) % 6}" for reader in range(6) for step in (0, 1)]
    (tmp_path / "I.csv").write_text("\n".join(["user_id,paper_id", *pairs, ""]))
    return tmp_path


def write_papers(folder: Path, titles: list[str]) -> None:
    lines = [json.dumps({"id": f"p{at}", "title": title}) for at, title in enumerate(titles)]
    (folder / "P.jsonl").write_text("\n".join(lines))


def run(files: Path) -> tuple[Result, dict[str, object]]:
    arguments = ["--interactions", str(files / "I.csv"), "--papers", str(files / "P.jsonl")]
    arguments += ["--out", str(files / "L.jsonl"), "--encoder", MINILM]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.stderr
    return result, json.loads(result.stderr.strip().splitlines()[-1])


def no_encoder(*_: object, **__: object) -> NoReturn:
    raise AssertionError("the encoder was opened though every text has its vector")


def kept(files: Path) -> tuple[int, int]:
    with np.load(files / f"P.jsonl.{MINILM}.npz") as stored:
        return stored["vectors"].shape[0], stored["vectors"].shape[1]


def test_vectors_are_kept_and_only_new_texts_are_encoded(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(files)[1]["encoder"] == MINILM
    first = (files / "L.jsonl").read_bytes()
    assert kept(files) == (6, 384)
    with monkeypatch.context() as without:
        without.setattr(encoding, "open_encoder", no_encoder)
        run(files)
    assert (files / "L.jsonl").read_bytes() == first
    write_papers(files, [*TITLES, "A seventh paper"])
    run(files)
    assert kept(files) == (7, 384)


def test_a_damaged_file_is_made_anew_with_a_warning(files: Path) -> None:
    path = files / f"P.jsonl.{MINILM}.npz"
    path.write_bytes(b"damaged")
    result, figures = run(files)
    assert "cannot be read" in result.stderr
    assert figures["encoder"] == MINILM
    assert kept(files) == (6, 384)


def test_vectors_of_another_model_under_the_same_name_are_made_anew(files: Path) -> None:
    run(files)
    path = files / f"P.jsonl.{MINILM}.npz"
    before = read_vectors(path)
    write_vectors(path, KeptVectors(before.hashes[:3], before.vectors[:3, :10]))
    result, _ = run(files)
    assert "encoded anew" in result.stderr
    assert kept(files) == (6, 384)


def test_a_folder_that_cannot_be_written_costs_a_warning_only(files: Path) -> None:
    (files / f"P.jsonl.{MINILM}.npz").mkdir()  # no file can take this name
    result, figures = run(files)
    assert "cannot be written" in result.stderr
    assert figures["encoder"] == MINILM
