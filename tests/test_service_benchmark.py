"""The bench of the service: what it reads from the load program, how it compares, and what it writes."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.service import harness
from tests.benchmarks.service.harness import Bench, Load, Row, Target, middle, race, read_load
from tests.benchmarks.service.report import describe_machine, draw, show, write_json


def load(per_second: int, *, errors: int = 0) -> Load:
    """Return a run of one second."""
    return Load(per_second, 1.0, 1.0, 2.0, 1000.0 / per_second, 9.0, errors)


def test_the_last_line_of_the_load_program_counts() -> None:
    said = '{"requests":30,"seconds":3.0,"bytes":9,"p50":1500,"p95":2500,"p99":3500,"most":4000,"errors":2}'
    found = read_load(f"Running 3s test\n\n{said}\n")
    assert (found.per_second, found.p50_ms, found.p99_ms, found.errors) == (10.0, 1.5, 3.5, 2)
    with pytest.raises(RuntimeError, match="said nothing"):
        read_load("unable to connect")


def test_rounds_take_turns_and_ratios_are_of_the_same_round(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rates = {"ours": iter([1, 10, 20, 90]), "theirs": iter([1, 10, 10, 30])}
    order: list[str] = []

    def run(target: Target, *, seconds: float) -> Load:
        order.append(target.name)
        return load(next(rates[target.name]))

    monkeypatch.setattr(harness, "run_load", run)
    found = race(Target("ours", ""), Target("theirs", ""), Bench(tmp_path, rounds=3))
    assert order[2:] == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert found.ratio == 2.0  # of 1, 2 and 3
    assert found.p99_ratio == 0.5
    assert found.ours.per_second == 20


def test_errors_of_all_rounds_are_counted() -> None:
    assert middle([load(1, errors=1), load(2), load(3, errors=2)]).errors == 3


def test_the_report_is_a_table_json_and_a_picture(tmp_path: Path) -> None:
    rows = [
        Row("feed", "plain", "1.0", True, 1.25, ours=load(100), theirs=load(80)),
        Row("bytes", "", "under 2,500", False, 2600, unit="bytes", note="too many"),
    ]
    console = Console(record=True, width=200, file=io.StringIO())
    show(rows, console)
    text = console.export_text()
    assert "1.25" in text
    assert "100 / 80" in text
    assert "2,600 bytes" in text
    write_json(rows, tmp_path / "r.json", machine=describe_machine(), taken_at=datetime(2026, 1, 1, tzinfo=UTC))
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [row["is_met"] for row in document["rows"]] == [True, False]
    assert document["machine"]["processor"]
    draw(rows, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
