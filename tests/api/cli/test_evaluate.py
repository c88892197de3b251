"""`paperfeed evaluate` on files, run as a person would run it."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli.evaluate import command
from api.sentences import sentence_text, text_hash
from api.sources.vector_file import KeptVectors, vector_path, write_vectors
from tests.planted import Planted, plant

SLICES = ["warm", "cold-paper", "cold-reader-1", "cold-reader-2", "cold-reader-5", "all"]
METRICS = ["ndcg@20", "recall@20", "recall@100", "mrr@20", "hit_rate@20", "coverage@20", "gini@20", "novelty@20"]
QUICK = ["--models", "popularity,latest"]
SMALL = {"rank": 8, "epochs": 4, "l2": 0.1, "alpha": 10.0, "text_dim": 8, "content_dim": 8, "gram_dim": 8}


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=80, papers=120, saves_per_reader=12)


def write(folder: Path, world: Planted, *, times: bool = False) -> list[str]:
    """The options that name the files of a world."""
    log = world.interactions
    columns = zip(log.user_ids.tolist(), log.paper_ids.tolist(), log.occurred_at.tolist(), strict=True)
    lines = [f"reader {user},cs/{paper},{time if times else ''}" for user, paper, time in columns]
    (folder / "I.csv").write_text("\n".join(["user_id,paper_id,occurred_at", *lines, ""]))
    texts = zip(world.texts.paper_ids.tolist(), world.texts.titles, strict=True)
    (folder / "P.jsonl").write_text(
        "\n".join(json.dumps({"id": f"cs/{paper}", "title": title}) for paper, title in texts)
    )
    return ["--interactions", str(folder / "I.csv"), "--papers", str(folder / "P.jsonl")]


@pytest.fixture
def files(tmp_path: Path, world: Planted) -> list[str]:
    return write(tmp_path, world)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def document_of(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_without_times_every_slice_is_measured_for_every_model(files: list[str]) -> None:
    document = document_of(*files, *QUICK)
    assert (document["format"], document["version"]) == ("paperfeed-evaluation", 1)
    assert (document["split"], document["k"], document["seed"]) == ("per-reader", 20, 0)
    assert document["data"] == {"events": 960, "readers": 80, "papers": 120}
    assert list(document["slices"]) == SLICES
    assert list(document["models"]) == ["latest", "popularity"]
    for about in document["slices"].values():
        assert set(about) == {"meaning", "readers", "held_out", "candidates", "fingerprint"}
        assert about["readers"] >= 5
    for model in document["models"].values():
        assert list(model["slices"]) == SLICES
        for part in model["slices"].values():
            assert list(part["figures"]) == [*METRICS, "diversity@20"]
            for figure in part["figures"].values():
                assert figure["low"] - 1e-9 <= figure["mean"] <= figure["high"] + 1e-9


def test_with_times_the_split_is_temporal_and_can_be_chosen(tmp_path: Path) -> None:
    files = write(tmp_path, plant(readers=80, papers=300, saves_per_reader=60, is_timed=True), times=True)
    document = document_of(*files, *QUICK)
    assert document["split"] == "temporal"
    assert {"warm", "cold-reader-5", "all"} <= set(document["slices"])
    assert document_of(*files, *QUICK, "--split", "per-reader")["split"] == "per-reader"


def test_the_table_names_models_slices_and_metrics(files: list[str]) -> None:
    result = run(*files, *QUICK, "--slices", "warm,cold-reader")
    assert result.exit_code == 0, result.stderr
    for word in ("popularity", "latest", "warm", "cold-reader-1", "cold-reader-5", *METRICS):
        assert word in result.stdout
    assert "cold-paper" not in result.stdout
    assert "…" not in result.stdout


def test_the_hybrid_follows_its_configuration(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    arguments = [*files, "--models", "hybrid,popularity", "--slices", "warm", "--config", str(tmp_path / "small.json")]
    models = document_of(*arguments)["models"]
    assert models["hybrid"]["config"]["rank"] == 8
    assert models["hybrid"]["config"]["neighbour_weight"] > 0  # not named: the default
    ndcg = {name: model["slices"]["warm"]["figures"]["ndcg@20"]["mean"] for name, model in models.items()}
    assert ndcg["hybrid"] > ndcg["popularity"]


def test_the_same_seed_gives_the_same_figures_and_another_one_other_ones(files: list[str]) -> None:
    def figures(*more: str) -> list[object]:
        model = document_of(*files, *QUICK, *more)["models"]["popularity"]
        return [part["figures"] for part in model["slices"].values()]

    assert figures("--seed", "3") == figures("--seed", "3") != figures("--seed", "4")


def test_k_and_the_number_of_readers_are_chosen(files: list[str]) -> None:
    document = document_of(*files, *QUICK, "--k", "5", "--readers", "9")
    assert [about["readers"] for about in document["slices"].values()] == [9] * 6
    assert document["metrics"][:3] == ["ndcg@5", "recall@5", "recall@100"]


def test_kept_sentence_vectors_take_part_and_leave_the_questions_alone(
    files: list[str], tmp_path: Path, world: Planted
) -> None:
    marks = np.array([text_hash(sentence_text(title, "")) for title in world.texts.titles], dtype="S32")
    vectors = np.eye(4, dtype=np.float16)[world.topic_of_paper]  # each topic is a direction of its own
    known, first = np.unique(marks, return_index=True)
    write_vectors(vector_path(tmp_path / "P.jsonl", "by-topic"), KeptVectors.none().joined(known, vectors[first]))
    (tmp_path / "small.json").write_text(json.dumps({**SMALL, "sentence_kernel": 50.0}))
    arguments = [*files, "--models", "hybrid", "--slices", "cold-paper", "--config", str(tmp_path / "small.json")]
    words, both = document_of(*arguments), document_of(*arguments, "--encoder", "by-topic")
    assert (words["encoder"], both["encoder"]) == ("words", "by-topic")
    parts = [document["models"]["hybrid"]["slices"]["cold-paper"]["figures"] for document in (words, both)]
    assert parts[0]["novelty@20"] == parts[1]["novelty@20"]
    assert parts[0]["diversity@20"] != parts[1]["diversity@20"]  # other lists
    fingerprints = [document["slices"]["cold-paper"]["fingerprint"] for document in (words, both)]
    assert fingerprints[0] == fingerprints[1]


def test_a_fixed_protocol_finds_the_pairs_it_is_given(tmp_path: Path, world: Planted) -> None:
    files = write(tmp_path, world)
    lines = (tmp_path / "I.csv").read_text().splitlines()
    held_out, kept = lines[1::4], [line for at, line in enumerate(lines) if at % 4 != 1]
    (tmp_path / "I.csv").write_text("\n".join(kept))
    halves = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path, part in zip(halves, (held_out[::2], held_out[1::2]), strict=True):
        path.write_text("\n".join(["user_id,paper_id,occurred_at", *part]))
    pairs = ["--held-out", str(halves[0]), "--held-out", str(halves[1])]
    document = document_of(*files, *pairs, *QUICK, "--slices", "warm,all,cold-reader")
    assert document["split"] == "given"
    assert document["slices"]["all"]["held_out"] == len(held_out)
    assert "cold-reader-5" in document["slices"]
    (tmp_path / "C.txt").write_text("\n".join(f"cs/{paper}" for paper in world.texts.paper_ids[:40]))
    fewer = document_of(*files, *pairs, *QUICK, "--slices", "all", "--candidates", str(tmp_path / "C.txt"))
    assert fewer["slices"]["all"]["candidates"] == 40
    assert fewer["slices"]["all"]["held_out"] < len(held_out)


def test_a_plot_is_a_real_picture(files: list[str], tmp_path: Path) -> None:
    for name in ("plot.png", "plot.svg"):
        result = run(*files, *QUICK, "--slices", "warm,all", "--plot", str(tmp_path / name))
        assert result.exit_code == 0, result.stderr
    png = (tmp_path / "plot.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")
    root = ET.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 8  # two panels of two groups of two bars


def test_a_plot_is_drawn_without_a_window_system_and_only_when_asked() -> None:
    import subprocess
    import sys

    script = "import sys, api.cli.evaluate; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "magic"], "unknown model magic: known are hybrid, content, als, latest, popularity"),
        (["--models", ""], "unknown model without a name"),
        (["--slices", "hot"], "unknown slice 'hot'"),
        (["--config", "{}/none.json"], "none.json: cannot be read"),
        (["--config", "{}/bad.json"], "bad.json: unknown tunables: ranks"),
        (["--config", "{}/list.json"], "list.json: a configuration is a JSON object"),
        (["--config", "{}/negative.json"], "tunable l2 must be more than 0 and at most 1,000,000,000, not -1"),
        (["--plot", "{}/plot.bmp"], "plot.bmp: a plot is a .png or .svg file"),
        (["--plot", "{}/none/plot.png"], "none/plot.png: cannot be written"),
        (["--json", "{}/none/R.json"], "none/R.json: cannot be written"),
        (["--held-out", "{}/none.csv"], "none.csv: cannot be read"),
        (["--held-out", "{}/empty.csv"], "empty.csv holds no pair"),
        (["--held-out", "{}/empty.csv", "--split", "temporal"], "leave --split out"),
        (["--candidates", "{}/none.txt"], "none.txt: cannot be read"),
        (["--candidates", "{}/strange.txt"], "strange.txt names no paper"),
        (["--candidates", "{}/latin.txt"], "latin.txt: is not UTF-8"),
        (["--split", "temporal"], "use --split per-reader"),
        (["--compare", "A.json", "B.json"], "leave the files out"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_one_line(
    files: list[str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "bad.json").write_text('{"ranks": 3}')
    (tmp_path / "negative.json").write_text('{"l2": -1}')
    (tmp_path / "latin.txt").write_bytes("Müller".encode("latin-1"))
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty.csv").write_text("user_id,paper_id\n")
    (tmp_path / "strange.txt").write_text("nobody knows it\n")
    result = run(*files, *(argument.format(tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["--k", "1000000000"], ["--seed", "-1"], ["--seed", str(10**20)]])
def test_numbers_out_of_range_are_refused(files: list[str], arguments: list[str]) -> None:
    result = run(*files, *arguments)
    assert result.exit_code == 2
    assert "is not in the range" in result.stderr


def test_figures_that_cannot_be_written_after_all_are_one_line(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "R.json").symlink_to("/dev/full")
    result = run(*files, "--models", "popularity", "--slices", "warm", "--json", str(tmp_path / "R.json"))
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("interactions", "said"),
    [
        ("user_id,paper_id\n", "holds no interaction"),
        ("user_id,paper_id\n" + "".join(f"u{at},cs/1000\n" for at in range(9)), "nothing can be measured"),
        ("user_id,paper_id\nu\n", "I.csv, line 2"),
        ("user_id,paper_id,occurred_at\nu,p,inf\n", "I.csv, line 2: inf is no time"),
        ("user_id,paper_id,occurred_at\nu,p,9999999999999\n", "I.csv, line 2: 1e+13 is no time"),
        ("user_id,paper_id,value\nu,p,-inf\n", "I.csv, line 2: '-inf' is no value"),
        ("", "I.csv, line 1: the header lacks"),
    ],
)
def test_too_little_to_measure_ends_with_2_and_one_line(
    files: list[str], tmp_path: Path, interactions: str, said: str
) -> None:
    (tmp_path / "I.csv").write_text(interactions)
    result = run(*files, *QUICK)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_half_of_the_files_is_an_error(files: list[str]) -> None:
    result = run(*files[:2])
    assert result.exit_code == 2
    assert "give both --interactions and --papers" in result.stderr
