"""`paperfeed batch-recommend`, run as a reader would run it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli.batch import command
from api.settings import read_settings
from tests.planted import Planted, plant


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=24, papers=60, saves_per_reader=5)


@pytest.fixture
def files(tmp_path: Path, world: Planted) -> tuple[Path, Path]:
    """An interactions and a papers file with ids like arXiv's."""
    log = world.interactions
    rows = zip(log.user_ids.tolist(), log.paper_ids.tolist(), strict=True)
    lines = [f"reader {user},cs/{paper}" for user, paper in rows]
    interactions, papers = tmp_path / "I.csv", tmp_path / "P.jsonl"
    interactions.write_text("\n".join(["user_id,paper_id", *lines, *lines[:3], ""]))
    texts = zip(world.texts.paper_ids.tolist(), world.texts.titles, strict=True)
    papers.write_text("\n".join(json.dumps({"id": f"cs/{paper}", "title": title}) for paper, title in texts))
    return interactions, papers


def run(files: tuple[Path, Path], *more: str) -> Result:
    interactions, papers = files
    out = interactions.parent / "L.jsonl"
    arguments = ["--interactions", str(interactions), "--papers", str(papers), "--out", str(out), *more]
    return CliRunner().invoke(command, arguments)


def lists(files: tuple[Path, Path], *more: str) -> list[dict[str, list[str] | list[float] | str]]:
    result = run(files, *more)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in (files[0].parent / "L.jsonl").read_text().splitlines()]


def test_every_reader_gets_a_sorted_list_without_their_past(files: tuple[Path, Path], world: Planted) -> None:
    answers = lists(files, "-k", "30")
    assert {answer["user_id"] for answer in answers} == {f"reader {user}" for user in range(1, 25)}
    past = set(zip(world.interactions.user_ids.tolist(), world.interactions.paper_ids.tolist(), strict=True))
    for answer in answers:
        papers = [int(str(paper).removeprefix("cs/")) for paper in answer["papers"]]
        assert len(set(papers)) == len(papers) == 30
        assert answer["scores"] == sorted(answer["scores"], reverse=True)
        user = int(str(answer["user_id"]).removeprefix("reader "))
        assert not {(user, paper) for paper in papers} & past


def test_the_planted_topic_leads(files: tuple[Path, Path], world: Planted) -> None:
    for answer in lists(files, "-k", "4"):
        topic = (int(str(answer["user_id"]).removeprefix("reader ")) - 1) % 4
        papers = np.array([int(str(paper).removeprefix("cs/")) for paper in answer["papers"]])
        assert np.mean(world.topics(papers) == topic) >= 0.75


def test_only_candidates_are_ranked_also_when_nobody_touched_them(
    files: tuple[Path, Path], world: Planted, tmp_path: Path
) -> None:
    wanted = [f"cs/{paper}" for paper in world.texts.paper_ids[world.untouched].tolist()]
    (tmp_path / "C.txt").write_text("\n".join(wanted))
    for answer in lists(files, "--candidates", str(tmp_path / "C.txt")):
        assert sorted(map(str, answer["papers"])) == sorted(wanted)


def test_named_readers_are_ranked_in_order_and_strangers_get_what_is_popular(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "U.txt").write_text("stranger\nreader 3\n")
    stranger, known = lists(files, "--users", str(tmp_path / "U.txt"), "-k", "100")
    assert (stranger["user_id"], known["user_id"]) == ("stranger", "reader 3")
    assert len(stranger["papers"]) == 60
    assert len(known["papers"]) == 55


def test_the_same_seed_writes_the_same_bytes(files: tuple[Path, Path]) -> None:
    run(files, "--seed", "5")
    first = (files[0].parent / "L.jsonl").read_bytes()
    run(files, "--seed", "5")
    assert (files[0].parent / "L.jsonl").read_bytes() == first


def test_the_last_line_says_what_it_cost(files: tuple[Path, Path]) -> None:
    figures = json.loads(run(files).stderr.splitlines()[-1])
    assert figures["fit_seconds"] > 0
    assert figures["scoring_seconds"] > 0
    assert figures["peak_memory_mb"] > 10
    assert (figures["readers"], figures["papers"], figures["pairs"]) == (24, 60, 120)


def test_a_paper_without_text_or_line_ranks_by_signal(tmp_path: Path) -> None:
    rows = [f"u{user},p{paper}" for user in range(8) for paper in range(4) if (user + paper) % 4]
    (tmp_path / "I.csv").write_text("\n".join(["user_id,paper_id", *rows]))
    (tmp_path / "P.jsonl").write_text('{"id": "p0", "title": ""}\n')
    answers = lists((tmp_path / "I.csv", tmp_path / "P.jsonl"))
    assert [len(answer["papers"]) for answer in answers] == [1] * 8


def test_no_interaction_at_all_still_ranks_for_named_readers(tmp_path: Path) -> None:
    (tmp_path / "I.csv").write_text("user_id,paper_id\n")
    (tmp_path / "P.jsonl").write_text('{"id": "a", "title": "graph nets"}\n{"id": "b"}\n')
    (tmp_path / "U.txt").write_text("nobody\n")
    files = (tmp_path / "I.csv", tmp_path / "P.jsonl")
    (answer,) = lists(files, "--users", str(tmp_path / "U.txt"))
    assert sorted(map(str, answer["papers"])) == ["a", "b"]


def test_the_policy_reorders_but_keeps_the_promises(files: tuple[Path, Path]) -> None:
    plain = lists(files, "-k", "10")
    for before, after in zip(plain, lists(files, "-k", "10", "--policy"), strict=True):
        assert len(set(map(str, after["papers"]))) == 10
        assert after["scores"] == sorted(after["scores"], reverse=True)
        assert before["papers"][0] == after["papers"][0]


def test_the_policy_is_that_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(read_settings.cache_clear)
    saves = [f"u{user},p{(user + step) % 12},2026-01-0{1 + step}" for user in range(12) for step in range(4)]
    (tmp_path / "I.csv").write_text("\n".join(["user_id,paper_id,occurred_at", *saves]))
    old = [
        {"id": f"p{at}", "title": f"graph net {at}", "categories": ["cs.A" if at % 3 else "cs.B"]} for at in range(12)
    ]
    new = [{"id": f"n{at}", "title": "graph", "published_at": "2026-01-03", "categories": "cs.C"} for at in range(9)]
    (tmp_path / "P.jsonl").write_text("\n".join(map(json.dumps, [*old, *new])))
    shown = {}
    for name, calibration, exploration in (("off", "0", "0"), ("explored", "0", "0.5"), ("calibrated", "1", "0")):
        monkeypatch.setenv("PAPERFEED_CATEGORY_CALIBRATION", calibration)
        monkeypatch.setenv("PAPERFEED_EXPLORATION_SHARE", exploration)
        read_settings.cache_clear()
        answers = lists((tmp_path / "I.csv", tmp_path / "P.jsonl"), "-k", "6", "--policy")
        shown[name] = [[str(paper) for paper in answer["papers"]] for answer in answers]
    assert all(papers[at][0] == "n" for papers in shown["explored"] for at in (0, 2, 4))
    assert all(sum(paper[0] == "n" for paper in papers) <= 1 for papers in shown["calibrated"])  # nobody saved a cs.C
    assert shown["off"] != shown["explored"]


def test_the_policy_lowers_papers_like_those_a_reader_dismissed(
    files: tuple[Path, Path], world: Planted, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(read_settings.cache_clear)
    saves = files[0].read_text().splitlines()[1:]
    of_topic_1 = world.texts.paper_ids[world.topic_of_paper == 1].tolist()
    # Reader 1 reads topic 0, tried topic 1, and wants no more of it.
    tried = [*(f"reader 1,cs/{paper},save" for paper in of_topic_1[:3]), f"reader 1,cs/{of_topic_1[3]},dismiss"]
    rows = ["user_id,paper_id,kind", *(f"{line},save" for line in saves if line), *tried]
    files[0].write_text("\n".join(rows))
    shown = []
    for reach in ("0", "2"):
        monkeypatch.setenv("PAPERFEED_DISMISS_REACH", reach)
        read_settings.cache_clear()
        answer = next(one for one in lists(files, "-k", "15", "--policy") if one["user_id"] == "reader 1")
        papers = [str(paper).removeprefix("cs/") for paper in answer["papers"]]
        shown.append(sum(int(paper) in of_topic_1 for paper in papers))
    assert shown[1] < shown[0]


def test_categories_that_are_none_end_with_2_where_the_policy_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(read_settings.cache_clear)
    (tmp_path / "I.csv").write_text("user_id,paper_id\nu,a\n")
    (tmp_path / "P.jsonl").write_text('{"id": "a"}\n{"id": "b", "categories": 7}\n')
    files = (tmp_path / "I.csv", tmp_path / "P.jsonl")
    assert run(files, "--policy").exit_code == 0
    monkeypatch.setenv("PAPERFEED_CATEGORY_CALIBRATION", "0.5")
    read_settings.cache_clear()
    result = run(files, "--policy")
    assert result.exit_code == 2
    assert "P.jsonl, line 2: `categories` must be a list of names" in result.stderr


def test_a_dismissed_paper_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "I.csv").write_text("user_id,paper_id,kind,occurred_at\nu,a,save,\nu,b,dismiss,2026-01-02\n")
    (tmp_path / "P.jsonl").write_text('{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n')
    (answer,) = lists((tmp_path / "I.csv", tmp_path / "P.jsonl"))
    assert answer["papers"] == ["c"]


@pytest.mark.parametrize(
    ("interactions", "papers", "said"),
    [
        ("", "", "header lacks user_id and paper_id"),
        ("user_id,paper_id\n", "", "nothing to rank"),
        ("user_id,paper_id\n", '{"id": "a"}\n', "nobody to rank for"),
        ("user_id,paper_id\nu,a\nu\n", '{"id": "a"}\n', "I.csv, line 3: 1 fields instead of 2"),
        ("user_id,paper_id\nu,\n", '{"id": "a"}\n', "I.csv, line 2"),
        ("user_id,paper_id,kind\nu,a,liked\n", "", "line 2: unknown kind 'liked'"),
        ("user_id,paper_id,occurred_at\nu,a,yesterday\n", "", "line 2: 'yesterday' is no time"),
        ("user_id,paper_id\nu,a\n", '{"id": "a"}\n{"title": "x"}\n', "P.jsonl, line 2: a paper needs an `id`"),
        ("user_id,paper_id\nu,a\n", '{"id": "a"\n', "P.jsonl, line 1"),
    ],
)
def test_unusable_input_ends_with_2_and_says_where(tmp_path: Path, interactions: str, papers: str, said: str) -> None:
    (tmp_path / "I.csv").write_text(interactions)
    (tmp_path / "P.jsonl").write_text(papers)
    result = run((tmp_path / "I.csv", tmp_path / "P.jsonl"))
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "L.jsonl").exists()


def test_a_missing_file_ends_with_2_and_is_named(tmp_path: Path) -> None:
    result = run((tmp_path / "I.csv", tmp_path / "P.jsonl"))
    assert result.exit_code == 2
    assert "P.jsonl: cannot be read" in result.stderr


def test_an_output_that_cannot_be_written_ends_with_2_before_the_fit(tmp_path: Path) -> None:
    (tmp_path / "I.csv").write_text("user_id,paper_id\nu,a\n")
    (tmp_path / "P.jsonl").write_text('{"id": "a"}\n')
    arguments = ["--interactions", "I.csv", "--papers", "P.jsonl", "--out", "nowhere/L.jsonl"]
    result = CliRunner().invoke(command, [str(tmp_path / part) if "." in part else part for part in arguments])
    assert result.exit_code == 2
    assert "nowhere/L.jsonl: cannot be written" in result.stderr


def test_a_disk_that_is_full_after_the_fit_is_one_line(files: tuple[Path, Path]) -> None:
    interactions, papers = files
    arguments = ["--interactions", str(interactions), "--papers", str(papers), "--out", "/dev/full"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert "/dev/full: cannot be written: No space left on device" in result.stderr.splitlines()[-1]


def test_a_smaller_budget_of_memory_leaves_item_weights_out_and_says_so(tmp_path: Path) -> None:
    large = plant(readers=300, papers=400, saves_per_reader=10).interactions
    rows = zip(large.user_ids.tolist(), large.paper_ids.tolist(), strict=True)
    interactions, papers = tmp_path / "I.csv", tmp_path / "P.jsonl"
    interactions.write_text("\n".join(["user_id,paper_id", *(f"{user},{paper}" for user, paper in rows), ""]))
    papers.write_text("".join(json.dumps({"id": str(paper)}) + "\n" for paper in np.unique(large.paper_ids).tolist()))
    assert "budget of memory" not in run((interactions, papers)).stderr
    assert "budget of memory" in run((interactions, papers), "--memory-budget-mb", "1").stderr
