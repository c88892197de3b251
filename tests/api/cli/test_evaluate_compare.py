"""`paperfeed evaluate --compare`: which of two saved results is better."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.evaluate import command
from tests.api.cli.test_evaluate import SMALL, write
from tests.planted import plant

BLIND = {**SMALL, "rank": 1, "epochs": 1, "item_weight": 0.0, "neighbour_weight": 0.0, "content_weight": 0.0}
SLICES = ["--slices", "warm,all"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two results on the same data, and what they were made from."""
    folder = tmp_path_factory.mktemp("saved")
    files = write(folder, plant(readers=120, papers=240, topics=6, saves_per_reader=16))
    for name, config in (("good", SMALL), ("blind", BLIND)):
        (folder / f"{name}.config.json").write_text(json.dumps(config))
        arguments = [*files, *SLICES, "--config", str(folder / f"{name}.config.json")]
        result = run(*arguments, "--models", "hybrid,popularity", "--json", str(folder / f"{name}.json"))
        assert result.exit_code == 0, result.stderr
    return folder


def lines_of(folder: Path, a: str, b: str) -> dict[tuple[str, str], dict[str, Any]]:
    result = run("--compare", str(folder / a), str(folder / b), "--json", "-")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["format"] == "paperfeed-comparison"
    return {(line["part"], line["metric"]): line for line in document["lines"]}


def test_a_better_configuration_is_called_better_and_the_other_one_worse(saved: Path) -> None:
    forth, back = lines_of(saved, "good.json", "blind.json"), lines_of(saved, "blind.json", "good.json")
    assert set(forth) == set(back)
    ndcg = forth["warm", "ndcg@20"]
    assert ndcg["verdict"] == "better"
    assert ndcg["difference"]["p_value"] < 0.05
    assert ndcg["difference"]["interval"]["low"] > 0
    assert ndcg["a"] - ndcg["b"] == pytest.approx(ndcg["difference"]["interval"]["mean"])
    assert back["warm", "ndcg@20"]["verdict"] == "worse"


def test_the_means_are_those_of_the_evaluation(saved: Path) -> None:
    figures = json.loads((saved / "good.json").read_text())["models"]["hybrid"]["slices"]["all"]["figures"]
    line = lines_of(saved, "good.json", "blind.json")["all", "ndcg@20"]
    assert line["a"] == pytest.approx(figures["ndcg@20"]["mean"], rel=1e-5)


def test_a_result_ties_with_itself(saved: Path) -> None:
    for line in lines_of(saved, "good.json", "good.json").values():
        assert (line["verdict"], line["difference"]["p_value"]) == ("tie", 1.0)


def test_models_of_one_result_are_compared_by_name(saved: Path) -> None:
    lines = lines_of(saved, "good.json", "good.json:popularity")
    assert lines["warm", "ndcg@20"]["verdict"] == "better"
    assert lines["warm", "novelty@20"]["verdict"] in ("higher", "lower", "tie")
    assert not {metric for _, metric in lines} & {"coverage@20", "gini@20"}  # not a reader's


def test_the_verdict_is_a_sentence(saved: Path) -> None:
    result = run("--compare", str(saved / "good.json"), f"{saved}/good.json:popularity")
    assert result.exit_code == 0, result.stderr
    last = result.stdout.strip().splitlines()[-1]
    assert last.startswith(f"{saved}/good.json:hybrid ")
    assert f"{saved}/good.json:popularity on all: ndcg@20 " in last
    assert "95% interval" in last
    assert ", p " in last


def test_different_data_are_not_compared(saved: Path, tmp_path: Path) -> None:
    files = write(tmp_path, plant(readers=120, papers=240, topics=6, saves_per_reader=16))
    for seed in ("0", "1"):
        out = ["--json", str(tmp_path / f"{seed}.json")]
        assert run(*files, *SLICES, "--models", "popularity", "--seed", seed, *out).exit_code == 0
    same = run("--compare", str(saved / "good.json:popularity"), str(tmp_path / "0.json"))
    assert same.exit_code == 0, same.stderr
    other = run("--compare", str(saved / "good.json"), str(tmp_path / "1.json"))
    assert other.exit_code == 2
    assert "were measured on different data (slice warm" in other.stderr
    assert len(other.stderr.strip().splitlines()) == 1


def test_results_with_nothing_in_common_are_not_compared(saved: Path, tmp_path: Path) -> None:
    files = ["--interactions", str(saved / "I.csv"), "--papers", str(saved / "P.jsonl"), "--models", "popularity"]
    assert run(*files, "--slices", "cold-paper", "--json", str(tmp_path / "R.json")).exit_code == 0
    result = run("--compare", str(saved / "good.json"), str(tmp_path / "R.json"))
    assert result.exit_code == 2
    assert "have no slice and metric in common" in result.stderr


def damage(folder: Path, kind: str) -> None:
    """Spoil R.json, or what belongs to it, in one way."""
    document = json.loads((folder / "R.json").read_text())
    match kind:
        case "missing":
            (folder / "R.json").unlink()
        case "no json":
            (folder / "R.json").write_text("{")
        case "foreign":
            (folder / "R.json").write_text('{"format": "another"}')
        case "piped":
            (folder / "R.json").write_text(json.dumps({**document, "per_reader": None}))
        case "alone":
            (folder / "R.readers.npz").unlink()
        case "changed":
            (folder / "R.readers.npz").write_bytes(b"something else")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "R.json: cannot be read"),
        ("no json", "R.json: is no JSON"),
        ("foreign", "is not what `paperfeed evaluate --json FILE` of this version writes"),
        ("piped", "lacks the values of every reader: save it with --json FILE"),
        ("alone", "R.readers.npz: cannot be read"),
        ("changed", "R.readers.npz: does not belong to"),
    ],
)
def test_a_spoiled_result_ends_with_2_and_one_line(saved: Path, tmp_path: Path, kind: str, said: str) -> None:
    for suffix in ("json", "readers.npz"):
        content = (saved / f"good.{suffix}").read_bytes().replace(b"good.readers", b"R.readers")
        (tmp_path / f"R.{suffix}").write_bytes(content)
    assert run("--compare", str(tmp_path / "R.json"), str(saved / "blind.json")).exit_code == 0
    damage(tmp_path, kind)
    result = run("--compare", str(tmp_path / "R.json"), str(saved / "blind.json"))
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_model_of_a_result_is_named_with_the_known_ones(saved: Path) -> None:
    result = run("--compare", str(saved / "good.json:als"), str(saved / "good.json"))
    assert result.exit_code == 2
    assert "has no model als: name one of hybrid, popularity" in result.stderr
