"""From a file of papers to a list: ingested, encoded by the worker, fitted, and followed by a new paper."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from api.cli.embed import command as embed
from api.cli.import_events import command as import_events
from api.cli.ingest import command as ingest
from api.runtime.serving import ServingModel
from api.runtime.state import Runtime
from api.services import training
from api.services.embedding import read_progress
from api.store import papers, vectors
from api.store.registry import read_encoder, read_serving
from recommender.dataset import Profile
from recommender.domain import RankedList
from tests.e2e.processes import PAPERFEED, wait_until
from tests.embeddings.conftest import MINILM
from tests.faults.watching import signals_of_a_terminal
from tests.workers.in_process import configured_worker
from workers.embedding import embed_papers
from workers.runner import run_training

pytestmark = [pytest.mark.embeddings, pytest.mark.timeout(900)]

TOPICS = {
    "birds": "songbirds pigeons swallows cranes gulls owls",
    "proteins": "enzymes antibodies receptors kinases collagen haemoglobin",
    "graphs": "trees cliques matchings colourings flows spanners",
    "stars": "pulsars quasars supernovae nebulae dwarfs comets",
}
WAYS = ("A survey of {}", "How {} change over time", "New measurements of {}", "On the structure of {}", "Models of {}")
READERS_PER_TOPIC = 10


@pytest.fixture
def held(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Return a worker's runtime in a new installation that uses the encoder."""
    url = f"sqlite:///{tmp_path / 'paperfeed.db'}"
    with configured_worker(tmp_path, url, redis_url, monkeypatch, PAPERFEED_TEXT_ENCODER=MINILM) as runtime:
        yield runtime


def load(folder: Path, titles: dict[str, str]) -> None:
    lines = [json.dumps({"id": paper_id, "title": title}) for paper_id, title in titles.items()]
    (folder / "P.jsonl").write_text("\n".join(lines))
    result = CliRunner().invoke(ingest, [str(folder / "P.jsonl")])
    assert result.exit_code == 0, result.output


def load_world(folder: Path) -> None:
    """Papers of four topics, and readers who each saved some of one."""
    titles: dict[str, str] = {}
    saves = ["user_id,paper_id,kind"]
    random = np.random.default_rng(0)
    for topic, things in TOPICS.items():
        found = [way.format(thing) for thing in things.split() for way in WAYS]
        titles |= {f"{topic}-{at}": title for at, title in enumerate(found)}
        for reader in range(READERS_PER_TOPIC):
            chosen = random.choice(len(found), 12, replace=False).tolist()
            saves += [f"{topic}-reader{reader},{topic}-{at},save" for at in chosen]
    load(folder, titles)
    (folder / "I.csv").write_text("\n".join([*saves, ""]))
    result = CliRunner().invoke(import_events, [str(folder / "I.csv")])
    assert result.exit_code == 0, result.output


def train(held: Runtime) -> None:
    with held.db.write() as session:
        run_id = training.request_run(session, trigger="admin", now=datetime.now(UTC))[0].run_id
    assert run_training(held.settings, held.db, held.feeds, run_id) == "succeeded"


def coverage(held: Runtime) -> tuple[int, int]:
    with held.db.read() as session:
        found = read_progress(session, MINILM).coverage
    return found.papers, found.with_vector


def ranked_for(held: Runtime, serving: ServingModel, topic: str, among: list[str]) -> RankedList:
    """The named papers as somebody who saved a few of a topic sees them."""
    served = serving.poll()
    assert served is not None
    with held.db.read() as session:
        of = papers.paper_ids_of(session, [*among, *(f"{topic}-{at}" for at in range(6))])
    liked = np.sort(np.array([of[f"{topic}-{at}"] for at in range(6)]))
    profile = Profile(liked, np.full(len(liked), 3.0, dtype=np.float32), liked[:0])
    return served.model.recommend([profile], k=10, candidates=np.array([of[name] for name in among]))[0]


@pytest.mark.slow
def test_papers_are_encoded_fitted_and_followed_by_meaning(held: Runtime, tmp_path: Path) -> None:
    load_world(tmp_path)
    assert embed_papers() == 120
    assert embed_papers() == 0
    assert coverage(held) == (120, 120)
    train(held)
    serving = ServingModel(held.db, held.settings.models_dir)
    served = serving.poll()
    assert served is not None
    assert served.model.sentence_dim == 384
    with held.db.read() as session:
        row = read_serving(session)
        assert row is not None
        assert read_encoder(session, row.version) == MINILM
    # None of their words occurs in what the model has read: meaning alone tells them apart.
    load(tmp_path, {"new-sky": "Astronomical telescope photographs", "new-wings": "Feathered animals migrating south"})
    assert embed_papers() == 2
    for topic, first in (("birds", "new-wings"), ("stars", "new-sky")):
        ranked = ranked_for(held, serving, topic, ["new-sky", "new-wings"])
        with held.db.read() as session:
            wanted = papers.paper_ids_of(session, [first])[first]
        assert ranked.paper_ids[0] == wanted


@pytest.mark.slow
def test_a_killed_command_goes_on_where_it_was_and_two_at_once_do_no_harm(held: Runtime, tmp_path: Path) -> None:
    load(tmp_path, {f"p{at}": f"Paper {at} on subject {at * 7919 % 1009} and its history" for at in range(1500)})
    first = subprocess.Popen([PAPERFEED, "embed"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: coverage(held)[1] > 0, seconds=240, what="the first vectors", every=0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    _, made = coverage(held)
    assert 0 < made < 1500
    second = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "embed"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    third = CliRunner().invoke(embed, [])
    said, problems = second.communicate(timeout=600)
    assert second.returncode == 0, problems
    assert json.loads(said)["with_vector"] == json.loads(third.stdout)["with_vector"] == 1500
    with held.db.read() as session:
        texts = papers.load_texts(session)
        loaded = vectors.load_vectors(session, MINILM, paper_ids=texts.paper_ids)
    assert loaded is not None
    np.testing.assert_allclose(np.linalg.norm(loaded.astype(np.float32), axis=1), 1, atol=2e-3)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_made_and_leaves_no_process(held: Runtime, tmp_path: Path) -> None:
    load(tmp_path, {f"p{at}": f"Paper {at} on subject {at * 7919 % 1009} and its history" for at in range(1500)})
    with signals_of_a_terminal():
        running = subprocess.Popen([PAPERFEED, "embed"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: coverage(held)[1] > 0, seconds=240, what="the first vectors", every=0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "run it again to go on" in said
    assert 0 < coverage(held)[1] < 1500
