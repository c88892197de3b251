"""The feed of 20 hydrated papers on a hit, against a plain route that joins the same bytes out of Redis."""

import json
from datetime import UTC, datetime
from typing import Final

from api.services.accounts import create_token
from api.store.engine import Database
from tests.benchmarks.service.bare import PAPERS, REDIS_URL
from tests.benchmarks.service.harness import Bench, Race, Row, Target, bare_server, race
from tests.benchmarks.service.requests import bearer, read_feeds
from tests.benchmarks.service.world import Service, World, make_world, running
from tests.shared import free_port

AT_LEAST: Final = 1.0
P99_NOISE: Final = 1.05  # two runs of the same server differ by this much
_OURS: Final = """
local requests, at = {}, 0
init = function(args)
  for _, headers in ipairs({HEADERS}) do table.insert(requests, wrk.format("GET", "/v1/feed", headers)) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""
_BARE: Final = """
local requests, at = {}, 0
init = function(args)
  for start = 0, LAST do table.insert(requests, wrk.format("GET", "/feed?start=" .. start)) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def measure(bench: Bench) -> list[Row]:
    """Both kinds of token against the plain route."""
    world = make_world(bench.folder / "feed")
    with running(world) as service:
        papers = _fill(service)
        settings = {REDIS_URL: world.settings.resolved_cache_url}
        app = "tests.benchmarks.service.bare:feed"
        with bare_server(app, port=free_port(), folder=bench.folder, settings=settings) as bare:
            theirs = Target("plain route", bare, _BARE.replace("LAST", str(papers - PAPERS)))
            by_readers = _ours(service, "readers' tokens", [bearer(token) for token in _reader_tokens(world)])
            kinds = (by_service(service, "a service's token"), by_readers)
            return [_row(race(kind, theirs, bench), kind.name) for kind in kinds]


def by_service(service: Service, name: str) -> Target:
    """The first page of each reader in turn, asked for by a service."""
    return _ours(service, name, [bearer(service.world.token, reader) for reader in service.world.readers])


def _row(found: Race, kind: str) -> Row:
    is_met = found.ratio >= AT_LEAST and found.p99_ratio <= P99_NOISE and not found.ours.errors
    return Row(
        what=f"feed of {PAPERS} papers, hit, {kind}",
        against="plain FastAPI route: MGET and join",
        at_least=f"{AT_LEAST}, p99 no worse",
        is_met=is_met,
        value=found.ratio,
        ours=found.ours,
        theirs=found.theirs,
        note=f"p99 {found.p99_ratio:.2f} of theirs",
    )


def _ours(service: Service, name: str, headers: list[dict[str, str]]) -> Target:
    tables = ",".join("{" + ",".join(f'["{key}"]="{value}"' for key, value in one.items()) + "}" for one in headers)
    return Target(name, service.url, _OURS.replace("HEADERS", tables))


def _reader_tokens(world: World) -> list[str]:
    database = Database(world.settings.resolved_database_url)
    with database.write() as session:
        now = datetime.now(UTC)
        made = [
            create_token(session, external_user=reader, scopes=["read", "write"], label="bench", now=now)
            for reader in world.readers
        ]
    database.engine.dispose()
    return [text for _, text in made]


def _fill(service: Service) -> int:
    """Build every list, and put the items they show under keys of the plain route; return how many there are."""
    found: dict[str, bytes] = {}
    for page in read_feeds(service, service.world.readers):
        for item in page["items"]:
            found[item["paper"]["id"]] = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
    with service.cache as cache:
        for at, paper in enumerate(found.values()):
            cache.set(f"bare:{at}", paper)
    return len(found)
