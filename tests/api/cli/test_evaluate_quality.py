"""`paperfeed evaluate` on real readers: a published protocol, and a log with times."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from api.cli.evaluate import command
from recommender.baselines import AlsOnly, Popularity
from recommender.config import HybridConfig
from recommender.dataset import Dataset, WeightConfig
from recommender.domain import Interactions
from recommender.report import evaluate
from recommender.slices import Wanted, plan_given
from recommender.splits import Likings
from tests.benchmarks.quality import SEED, measure, read_dataset, read_slices
from tests.shared import shared_data

LIKED = 4.0  # stars from which a rating counts as a save
SLICES = {"warm": "warm", "cold": "cold-paper", "all": "all"}  # how the benchmark calls them

pytestmark = [pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def citeulike() -> Path:
    return shared_data("citeulike")


@pytest.fixture(scope="module")
def dataset(citeulike: Path) -> Dataset:
    return read_dataset(citeulike)


@pytest.fixture(scope="module")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name MovieLens as a log of saves with times."""
    folder = shared_data("movielens-small")
    out = tmp_path_factory.mktemp("movielens")
    with (folder / "ratings.csv").open(newline="") as file:
        liked = [row for row in csv.DictReader(file) if float(row["rating"]) >= LIKED]
    lines = [f"{row['userId']},{row['movieId']},save,{row['timestamp']}" for row in liked]
    (out / "I.csv").write_text("\n".join(["user_id,paper_id,kind,occurred_at", *lines]))
    with (folder / "movies.csv").open(newline="", encoding="utf-8") as file:
        movies = [
            {"id": row["movieId"], "title": row["title"], "keywords": row["genres"].split("|")}
            for row in csv.DictReader(file)
        ]
    (out / "P.jsonl").write_text("\n".join(json.dumps(movie) for movie in movies))
    return ["--interactions", str(out / "I.csv"), "--papers", str(out / "P.jsonl")]


def document_of(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--json", "-"])
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_fixed_protocol_gives_the_figures_of_the_benchmark_to_the_last_digit(
    citeulike: Path, dataset: Dataset
) -> None:
    """The same model under both: what is asked and how it is counted are the same."""
    parts = read_slices(citeulike, dataset)
    rows, columns = next(part.held_out for part in parts if part.name == "all").nonzero()
    held_out = Likings(dataset.users.ids(rows), dataset.papers.ids(columns), np.full(len(rows), np.nan))
    readers, papers = dataset.user_items.nonzero()
    log = Interactions.saves(dataset.users.ids(readers), dataset.papers.ids(papers))
    wanted = Wanted(slices=tuple(SLICES.values()))
    protocol = plan_given(log, dataset.texts, held_out, weights=WeightConfig(), wanted=wanted)
    als, popular = AlsOnly.fit(dataset, HybridConfig(), seed=SEED), Popularity.fit(dataset)
    found = evaluate(
        protocol,
        {"als": lambda _dataset, _report: als, "popularity": lambda _dataset, _report: popular},
        k=20,
        seed=SEED,
        clock=lambda: 0.0,
        progress=lambda _what, _share: None,
    )
    for name, model in (("als", als), ("popularity", popular)):
        for part in parts:
            theirs = measure(model, dataset, part)
            ours = found[name].slices[SLICES[part.name]].figures
            assert ours["ndcg@20"].mean == pytest.approx(theirs.ndcg, abs=1e-12)
            assert ours["ndcg@20"].low == pytest.approx(theirs.low, abs=1e-12)
            assert ours["recall@20"].mean == pytest.approx(theirs.recall, abs=1e-12)
            assert ours["recall@100"].mean == pytest.approx(theirs.deep_recall, abs=1e-12)


def test_the_command_on_files_gives_the_figures_of_the_benchmark(citeulike: Path, dataset: Dataset) -> None:
    """Papers stand in another order there, so a fit differs in its last digits."""
    files = ["--interactions", str(citeulike / "train.csv"), "--papers", str(citeulike / "papers.jsonl")]
    for name in ("val_warm.csv", "val_cold.csv"):
        files += ["--held-out", str(citeulike / name)]
    document = document_of(*files, "--models", "als", "--slices", "warm,cold-paper,all")
    als = AlsOnly.fit(dataset, HybridConfig(), seed=SEED)
    figures = document["models"]["als"]["slices"]
    for part in read_slices(citeulike, dataset):
        theirs = measure(als, dataset, part).ndcg
        assert figures[SLICES[part.name]]["figures"]["ndcg@20"]["mean"] == pytest.approx(theirs, abs=0.003)
    assert document["slices"]["warm"]["candidates"] == 13_584
    assert document["slices"]["cold-paper"]["candidates"] == 3_396


def test_ratings_with_times_take_the_temporal_path(movielens: list[str]) -> None:
    document = document_of(*movielens, "--models", "popularity,latest,als")
    assert document["split"] == "temporal"
    assert list(document["slices"]) == ["warm", "cold-paper", "cold-reader-1", "cold-reader-2", "cold-reader-5", "all"]
    assert document["slices"]["cold-reader-1"]["readers"] > 50  # who came in the last tenth of the log
    popular = document["models"]["popularity"]["slices"]["cold-reader-1"]["figures"]
    assert (
        popular["ndcg@20"]["low"]
        > document["models"]["latest"]["slices"]["cold-reader-1"]["figures"]["ndcg@20"]["high"]
    )
    assert popular["novelty@20"]["mean"] < 3  # what everybody has surprises nobody
