"""What every installation must do with real papers and real readers, whatever database it stands on."""

import csv
import time
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.processes import Installation, Json, last_json, wait_until

READERS = 1_000
FINISHED = {"succeeded", "rejected", "failed", "cancelled"}


def saves_of(*files: Path) -> dict[str, set[str]]:
    """Return the papers each reader saved in these files of pairs."""
    saves: dict[str, set[str]] = defaultdict(set)
    for file in files:
        with file.open() as lines:
            for row in csv.DictReader(lines):
                saves[row["user_id"]].add(row["paper_id"])
    return saves


def load_papers_and_history(installation: Installation, folder: Path) -> None:
    """Load CiteULike through the commands an operator has; the validation files stay out."""
    counts = last_json(installation.command("ingest", str(folder / "papers.jsonl")).stdout)
    assert counts == {"inserted": 16_980, "updated": 0, "unchanged": 0, "rejected": 0}
    imported = last_json(installation.command("import-events", str(folder / "train.csv")).stdout)
    assert imported["inserted"] == 132_117
    again = last_json(installation.command("import-events", str(folder / "train.csv")).stdout)
    assert again["inserted"] == 0


def retrain(installation: Installation, *, seconds: float = 600) -> Json:
    """Start a retrain as an admin and return the finished run."""
    run = installation.post("/v1/admin/training-runs")
    return follow(installation, run["id"], seconds=seconds)


def follow(installation: Installation, run_id: int | str, *, seconds: float = 600) -> Json:
    """Wait for the end of a run and return it."""
    path = f"/v1/admin/training-runs/{run_id}"
    wait_until(lambda: installation.get(path)["state"] in FINISHED, seconds=seconds, what=f"run {run_id}", every=0.5)
    return installation.get(path)


def stage_of(installation: Installation, run_id: int | str) -> str:
    """Return the stage a run is in, or its final state."""
    run = installation.get(f"/v1/admin/training-runs/{run_id}")
    return str(run["state"] if run["state"] in FINISHED else run["stage"])


def has_ended(installation: Installation, run_id: int | str) -> bool:
    """True when nothing more will happen to a run."""
    return stage_of(installation, run_id) in FINISHED


def hits_against_popularity(installation: Installation, folder: Path) -> tuple[int, int]:
    """Return hits at 20 on the held-out saves of 1,000 readers: the feed's and popularity's."""
    past = saves_of(folder / "train.csv")
    held_out = saves_of(folder / "val_warm.csv", folder / "val_cold.csv")
    popular = [paper for paper, _ in Counter(paper for papers in past.values() for paper in papers).most_common(2_000)]
    ours = theirs = 0
    for reader in sorted(held_out)[:READERS]:
        page = installation.feed_ids(reader)
        assert len(page) == len(set(page)) == 20
        assert not past[reader] & set(page)
        ours += len(held_out[reader] & set(page))
        unseen = [paper for paper in popular if paper not in past[reader]][:20]
        theirs += len(held_out[reader] & set(unseen))
    return ours, theirs


def event(kind: str, paper: str) -> Json:
    """Return a fresh event of now."""
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper, "occurred_at": now}


def send(installation: Installation, reader: str, *events: Json) -> None:
    """Log events, each of which must be accepted."""
    results = installation.post("/v1/events", {"events": list(events)}, reader=reader)["results"]
    assert [result["status"] for result in results] == ["accepted"] * len(events), results


def a_save_changes_the_list(installation: Installation, reader: str, paper: str) -> float:
    """Save `paper` and return the seconds until the reader's list was built anew around it."""
    before = installation.get("/v1/feed", reader=reader, limit=50)
    send(installation, reader, event("save", paper))
    answered = time.monotonic()
    page = installation.feed_ids(reader, limit=50)
    assert paper not in page
    old = [item["paper"]["id"] for item in before["items"] if item["paper"]["id"] != paper]

    def has_changed() -> bool:
        now = installation.get("/v1/feed", reader=reader, limit=50)
        return now["built_at"] != before["built_at"] and [i["paper"]["id"] for i in now["items"]][: len(old)] != old

    wait_until(has_changed, seconds=60, what="the list after a save", every=0.02)
    return time.monotonic() - answered
