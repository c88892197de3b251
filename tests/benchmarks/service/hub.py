"""The papers API: a daily list of 50 and the record of a paper, against plain routes that answer the same bytes."""

import json
import urllib.request
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from api.store.engine import Database
from api.store.tables import Paper
from tests.benchmarks.service.bare_hub import ANSWERS
from tests.benchmarks.service.harness import Bench, Race, Row, Target, bare_server, race
from tests.benchmarks.service.world import Service, World, make_world, running
from tests.shared import free_port

AT_LEAST: Final = 0.7
LISTED: Final = 50  # papers of the list
ASKED_FOR: Final = 200  # different papers
LIST: Final = f"/api/daily_papers?limit={LISTED}"
# One address sends all of the load: its requests are counted, and none is refused.
LIMITS: Final = {"PAPERFEED_RATE_ANONYMOUS": "1000000", "PAPERFEED_RATE_ANONYMOUS_BURST": "1000000"}
_SCRIPT: Final = """
local requests, at = {}, 0
init = function(args)
  for _, path in ipairs({PATHS}) do table.insert(requests, wrk.format("GET", path)) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def measure(bench: Bench) -> list[Row]:
    """Both without a token, with every request counted to its address."""
    world = make_world(bench.folder / "hub")
    _list_all(world)
    records = [f"/api/papers/{name}" for name in world.papers[:ASKED_FOR]]
    with running(world, settings=LIMITS) as service:
        answers = _save_answers(service, bench.folder / "answers", records)
        app = "tests.benchmarks.service.bare_hub:hub"
        with bare_server(app, port=free_port(), folder=bench.folder, settings={ANSWERS: str(answers)}) as bare:
            return [
                _row(_race(service, bare, [LIST], bench), f"daily list of {LISTED} papers", answers / "daily.json"),
                _row(_race(service, bare, records, bench), "record of a paper", next((answers / "papers").iterdir())),
            ]


def _race(service: Service, bare: str, paths: list[str], bench: Bench) -> Race:
    script = _SCRIPT.replace("PATHS", ",".join(f'"{path}"' for path in paths))
    return race(Target("ours", service.url, script), Target("plain route", bare, script), bench)


def _row(found: Race, what: str, answer: Path) -> Row:
    return Row(
        what=f"{what}, {answer.stat().st_size / 1000:.0f} kB",
        against="plain FastAPI route that answers the same bytes",
        at_least=str(AT_LEAST),
        is_met=found.ratio >= AT_LEAST and not found.ours.errors,
        value=found.ratio,
        ours=found.ours,
        theirs=found.theirs,
        note=f"p99 {found.p99_ratio:.2f} of theirs",
    )


def _list_all(world: World) -> None:
    """Put every paper into the daily list of its day."""
    database = Database(world.settings.resolved_database_url)
    with database.write() as session:
        session.execute(sa.update(Paper).values(daily_at=Paper.listed_at, submitted_by="ada", upvotes=7))
    database.engine.dispose()


def _save_answers(service: Service, folder: Path, records: list[str]) -> Path:
    """Put what our routes answer where the plain ones find it."""
    (folder / "papers").mkdir(parents=True)
    (folder / "daily.json").write_bytes(_read(service, LIST))
    for path in records:
        (folder / "papers" / f"{path.rpartition('/')[2]}.json").write_bytes(_read(service, path))
    if len(json.loads((folder / "daily.json").read_bytes())) != LISTED:
        raise RuntimeError("the daily list has fewer papers than were asked for")
    return folder


def _read(service: Service, path: str) -> bytes:
    with urllib.request.urlopen(service.url + path) as answer:
        body: bytes = answer.read()
    return body
