"""From `paperfeed ingest` until papers are found: `python -m tests.benchmarks.freshness [--papers N] [--readers N]`.

Starts `paperfeed up` on a fresh folder with the demonstration, lets readers do one thing each, and loads papers like
those they saved, with many votes at their source, through the command beside the service. Then it asks for the search,
the trending papers and each reader's feed until the new papers are there, and prints how long that took from the end of
the command; no reader does anything, and nothing is retrained.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson

from tests.benchmarks.near_real_time import demonstration, quantile, read_is_followed, read_readers
from tests.e2e.processes import Installation, wait_until

PAPERS, READERS = 500, 50
OBJECTIVE_SEARCH, OBJECTIVE = 10.0, 60.0  # seconds
PATIENCE_SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.25
FOLLOWED_SECONDS: Final = 60.0
QUERY = """
SELECT papers.title, papers.summary FROM events JOIN users USING (user_id) JOIN papers USING (paper_id)
WHERE users.external_id = ? AND events.kind = 2 ORDER BY events.event_pk DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Seconds from the end of the command."""

    search: float  # until all papers were found
    trending: float  # until the first of them was in trending
    lists: tuple[float, ...]  # until each reader's list had one of the papers that are like what they saved


def main() -> None:
    """Run it and print the figures; the exit code says whether the objectives were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=int, default=PAPERS)
    parser.add_argument("--readers", type=int, default=READERS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pf-fresh-") as scratch, demonstration(Path(scratch) / "data") as up:
        found = measure(up, papers=options.papers, readers=options.readers)
    is_met = found.search <= OBJECTIVE_SEARCH and max(found.trending, *found.lists) <= OBJECTIVE
    click.echo(f"objectives: search {OBJECTIVE_SEARCH:g} s, all {OBJECTIVE:g} s: {'met' if is_met else 'missed'}")
    sys.exit(not is_met)


def measure(up: Installation, *, papers: int, readers: int) -> Fresh:
    """Load new papers and return how long it took until they were everywhere."""
    names = read_readers(up.data_dir)[:readers]
    for name in names:
        _act(up, name)
    wait_until(
        lambda: all(read_is_followed(up.data_dir, name) for name in names), seconds=FOLLOWED_SECONDS, what="the lists"
    )
    mark = uuid.uuid4().hex[:8]
    file = up.data_dir / f"{mark}.jsonl"
    file.write_bytes(_lines(up.data_dir, names, papers=papers, mark=mark))
    up.command("ingest", str(file))
    loaded = time.monotonic()
    found = _follow(up, names, papers=papers, mark=mark, since=loaded)
    click.echo(
        f"{papers} papers, {len(names)} readers: search {found.search:.1f} s, trending {found.trending:.1f} s, "
        f"lists median {quantile(found.lists, 0.5):.1f} s, most {max(found.lists):.1f} s"
    )
    return found


def _act(up: Installation, name: str) -> None:
    """Let the reader do one thing, so that they are active."""
    event = {
        "id": str(uuid.uuid4()),
        "kind": "click",
        "paper_id": up.feed_ids(name, limit=1)[0],
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    up.post("/v1/events", {"events": [event]}, reader=name)


def _lines(data_dir: Path, names: Sequence[str], *, papers: int, mark: str) -> bytes:
    """Papers with the words of what these readers saved last, one reader after the other."""
    now = datetime.now(UTC).isoformat()
    with closing(sqlite3.connect(f"file:{data_dir / 'paperfeed.db'}?mode=ro", uri=True)) as connection:
        liked = [connection.execute(QUERY, (name,)).fetchone() for name in names]
    lines = []
    for number in range(papers):
        at = number % len(names)
        title, summary = liked[at]
        lines.append(
            {
                "id": _id(mark, reader=at, number=number),
                "title": f"{title} fresh{mark} {number}",
                "summary": summary,
                "daily_at": now,
                "published_at": now,
                "upvotes": 500,
            }
        )
    return b"\n".join(map(orjson.dumps, lines))


def _id(mark: str, *, reader: int, number: int) -> str:
    return f"fresh-{mark}-{reader}-{number}"


def _follow(up: Installation, names: Sequence[str], *, papers: int, mark: str, since: float) -> Fresh:
    """Ask for everything, one after the other and again, until all of it has the papers."""
    seconds: dict[str, float] = {}
    claims: dict[str, Callable[[], bool]] = {
        "search": lambda: up.get("/v1/search", q=f"fresh{mark} ", limit=1)["total"] == papers,
        "trending": lambda: any(
            mark in item["paper"]["id"] for item in up.get("/v1/trending", window="day", limit=100)["items"]
        ),
    }
    for at, name in enumerate(names):
        claims[name] = lambda at=at, name=name: _has_own(up, name, f"fresh-{mark}-{at}-")  # type: ignore[misc] # mypy knows no such lambdas
    while len(seconds) < len(claims):
        for what, claim in claims.items():
            if what not in seconds and claim():
                seconds[what] = time.monotonic() - since
        waited = time.monotonic() - since
        if waited > PATIENCE_SECONDS:
            raise TimeoutError(f"not within {waited:.0f} s: {sorted(claims.keys() - seconds.keys())}")
        time.sleep(LOOK_SECONDS)
    return Fresh(seconds["search"], seconds["trending"], tuple(seconds[name] for name in names))


def _has_own(up: Installation, name: str, start: str) -> bool:
    """True when the reader's list has one of the papers that are like what they saved."""
    page = up.get("/v1/feed", reader=name, limit=100)
    ids = [item["paper"]["id"] for item in page["items"]]
    if page["next"]:
        ids += [
            item["paper"]["id"] for item in up.get("/v1/feed", reader=name, limit=100, cursor=page["next"])["items"]
        ]
    return any(paper_id.startswith(start) for paper_id in ids)


if __name__ == "__main__":
    main()
